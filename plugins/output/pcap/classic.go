// The classic file format (draft-ietf-opsawg-pcap), in the machine's byte order.

package pcap

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"time"

	"ulogd/engine"
	"ulogd/engine/safefile"
	"ulogd/engine/zone"
)

const (
	magicMicroseconds = 0xa1b2c3d4
	linkRaw           = 101
	linkEthernet      = 1
	snapLen           = 65536
	fileHeaderLen     = 24
)

var order = binary.NativeEndian

// appendFileHeader appends what a file begins with. In ulogd2's the time zone field, which is to be
// 0, is seconds west of UTC.
func appendFileHeader(dst []byte, compat bool) []byte {
	var offset int
	if compat {
		_, offset = time.Now().In(zone.Local()).Zone()
	}
	dst = order.AppendUint32(dst, magicMicroseconds)
	dst = order.AppendUint16(order.AppendUint16(dst, 2), 4)
	dst = order.AppendUint32(dst, uint32(-offset))
	dst = order.AppendUint32(dst, 0)
	dst = order.AppendUint32(dst, snapLen)
	return order.AppendUint32(dst, linkRaw)
}

// appendRecord appends a packet.
func appendRecord(dst []byte, at engine.Time, packet []byte, original uint32) []byte {
	dst = order.AppendUint32(dst, at.Sec())
	dst = order.AppendUint32(dst, at.Usec())
	dst = order.AppendUint32(dst, uint32(len(packet)))
	dst = order.AppendUint32(dst, original)
	return append(dst, packet...)
}

// checkPcap reports whether packets may be appended to the file.
func checkPcap(path string) error {
	head, err := beginning(path, fileHeaderLen)
	if err != nil {
		return err
	}
	if order.Uint32(head) != magicMicroseconds || order.Uint32(head[20:]) != linkRaw {
		return fmt.Errorf("%s is not a pcap file of raw IP packets in this machine's byte order; move it away", path)
	}
	return nil
}

// beginning reads the first n octets of a regular file.
func beginning(path string, n int) ([]byte, error) {
	f, err := safefile.Regular(path, os.O_RDONLY, 0, safefile.Daemon)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head := make([]byte, n)
	if _, err := io.ReadFull(f, head); err != nil {
		return nil, fmt.Errorf("%s is too short for a capture file; move it away: %w", path, err)
	}
	return head, nil
}

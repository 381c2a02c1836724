// A capture file with many flows.

package measure

import (
	"bufio"
	"encoding/binary"
	"os"
	"time"
)

// WriteFlows writes a capture in which so many flows live at once: first a packet of each, and then
// they go on taking packets in an order without pattern.
func WriteFlows(path string, flows, packets int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	le, be := binary.LittleEndian, binary.BigEndian
	header := make([]byte, 24)
	le.PutUint32(header, 0xa1b23c4d) // nanoseconds
	le.PutUint16(header[4:], 2)
	le.PutUint16(header[6:], 4)
	le.PutUint32(header[16:], 65535)
	le.PutUint32(header[20:], 101) // raw IP
	w.Write(header)
	const length = 40
	record := make([]byte, 16+length)
	ip := record[16:]
	ip[0], ip[8], ip[9] = 0x45, 64, 17
	be.PutUint16(ip[2:], length)
	be.PutUint16(ip[22:], 443)
	be.PutUint16(ip[24:], 20)
	le.PutUint32(record[8:], length)
	le.PutUint32(record[12:], length)
	x := uint64(1)
	for i := range packets {
		n := uint64(i)
		if i >= flows {
			x = x*6364136223846793005 + 1442695040888963407
			n = (x >> 33) % uint64(flows)
		}
		at := time.Unix(1714564800, int64(i)*1000) // a million packets a second: nobody is idle
		le.PutUint32(record, uint32(at.Unix()))
		le.PutUint32(record[4:], uint32(at.Nanosecond()))
		be.PutUint32(ip[12:], 0x0a000000+uint32(n))
		be.PutUint32(ip[16:], 0xc6120000+uint32(n%5000))
		be.PutUint16(ip[20:], uint16(n))
		w.Write(record)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return f.Close()
}

// Packets that the kernel handles as one and that are several on the wire: joined when they came in
// (GRO), to be cut when they go out (TSO, GSO).

package pcap

import (
	"encoding/binary"

	"ulogd/engine/kernel"
)

// join is what such a frame is on the wire.
type join struct {
	packets uint32
	headers uint32 // octets of the frame before its data, which each packet has
}

// The header that PACKET_VNET_HDR puts in front of a frame (linux/virtio_net.h), in the machine's
// byte order: flags, kind, octets of headers (a guess), octets of data in each packet, where the
// transport header begins, where its checksum is.
const (
	vnetLength    = 10
	vnetNeedsCsum = 1 // what says where the transport header begins is there
	vnetTCP4      = 1
	vnetTCP6      = 4
	vnetUDP       = 5
)

// joinOf reads what is in front of a frame, which is on the wire as long as told. Headers of
// tunnels count as each packet's, too.
func joinOf(b []byte, wirelen uint32) join {
	flags, kind, size := b[0], b[1]&^0x80, uint32(binary.NativeEndian.Uint16(b[4:])) // 0x80: with ECN
	if kind == 0 || size == 0 || flags&vnetNeedsCsum == 0 {
		return join{}
	}
	transport, frame := uint32(binary.NativeEndian.Uint16(b[6:])), b[vnetLength:]
	var headers uint32
	switch kind {
	case vnetTCP4, vnetTCP6:
		headers = transport + 32 // as with the times that Linux sends; the frame may be cut
		if int(transport)+13 <= len(frame) {
			headers = transport + uint32(frame[transport+12]>>4)*4
		}
	case vnetUDP:
		headers = transport + 8
	}
	if headers < etherLength || headers >= wirelen {
		return join{}
	}
	return join{packets: (wirelen - headers + size - 1) / size, headers: headers}
}

// segmentsTold reports whether the kernel tells it of all kinds: before Linux 6.2 a packet socket
// that asks loses what UDP sends or receives as one.
func segmentsTold() bool { return kernel.AtLeast(6, 2) }

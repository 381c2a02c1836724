// Classic capture files.

package packettest

import (
	"encoding/binary"
	"io"
	"time"
)

// A Packet is what a capture file says of one frame.
type Packet struct {
	Time time.Time
	Data []byte
	Wire int    // length on the wire; 0 if all of it is in Data
	Kind Kind   // pcapng only
	Port uint32 // pcapng only: index of the interface
}

func (p Packet) wire() uint32 { return or(uint32(p.Wire), uint32(len(p.Data))) }

// Pcap describes a classic capture file. The zero value is what tcpdump writes on a little-endian
// machine.
type Pcap struct {
	BigEndian bool
	Nano      bool   // nanosecond times
	Modified  bool   // Kuznetzov's records of 24 octets
	Magic     uint32 // any other
	Minor     uint16 // version 2.Minor; 0 is 2.4
	Snaplen   uint32 // 0 is 262144; packets are written as they are
}

// WritePcap writes a classic capture file.
func WritePcap(w io.Writer, link uint32, form Pcap, packets []Packet) error {
	b := form.header(link)
	for _, p := range packets {
		b = form.append(b, p)
	}
	_, err := w.Write(b)
	return err
}

func (f Pcap) order() binary.AppendByteOrder {
	if f.BigEndian {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

func (f Pcap) header(link uint32) []byte {
	magic := uint32(0xa1b2c3d4)
	switch {
	case f.Magic != 0:
		magic = f.Magic
	case f.Nano:
		magic = 0xa1b23c4d
	case f.Modified:
		magic = 0xa1b2cd34
	}
	o := f.order()
	b := o.AppendUint32(nil, magic)
	b = o.AppendUint16(b, 2)
	b = o.AppendUint16(b, or(f.Minor, 4))
	b = append(b, make([]byte, 8)...)
	b = o.AppendUint32(b, or(f.Snaplen, 262144))
	return o.AppendUint32(b, link)
}

func (f Pcap) append(b []byte, p Packet) []byte {
	o := f.order()
	fraction := uint32(p.Time.Nanosecond())
	if !f.Nano {
		fraction /= 1000
	}
	b = o.AppendUint32(b, uint32(p.Time.Unix()))
	b = o.AppendUint32(b, fraction)
	b = o.AppendUint32(b, uint32(len(p.Data)))
	b = o.AppendUint32(b, p.wire())
	if f.Modified {
		b = append(b, 1, 0, 0, 0, 0, 0, 0, 0)
	}
	return append(b, p.Data...)
}

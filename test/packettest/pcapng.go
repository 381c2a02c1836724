// Capture files of pcapng's format.

package packettest

import (
	"io"
)

// Kind is the pcapng block that holds a packet.
type Kind uint8

// The kinds of packet blocks.
const (
	Enhanced Kind = iota
	Simple
	Obsolete
)

// An Interface describes one capture interface of a pcapng section.
type Interface struct {
	Link       uint16
	Snaplen    uint32
	Resolution uint8 // if_tsresol as written: 9 is nanoseconds, 0x80|20 is 2^-20 s; 0 leaves it out: microseconds
	Offset     int64 // if_tsoffset, in seconds; 0 leaves it out
}

// PcapNG describes one section of a pcapng file.
type PcapNG struct {
	BigEndian  bool
	Interfaces []Interface
	Strange    bool // also write blocks of other kinds, and a block of no known kind
}

// WritePcapNG writes one section; a file of several is written by several calls.
func WritePcapNG(w io.Writer, form PcapNG, packets []Packet) error {
	b := form.header()
	for _, p := range packets {
		b = form.append(b, p)
	}
	_, err := w.Write(b)
	return err
}

// block appends a block of the type; body appends what is inside, and must keep to four octets.
func (f PcapNG) block(b []byte, kind uint32, body func(b []byte) []byte) []byte {
	o := Pcap{BigEndian: f.BigEndian}.order()
	start := len(b)
	b = o.AppendUint32(b, kind)
	b = o.AppendUint32(b, 0)
	b = body(b)
	length := uint32(len(b) - start + 4)
	b = o.AppendUint32(b, length)
	copy(b[start+4:], b[len(b)-4:])
	return b
}

func (f PcapNG) header() []byte {
	o := Pcap{BigEndian: f.BigEndian}.order()
	b := f.block(nil, 0x0a0d0d0a, func(b []byte) []byte {
		b = o.AppendUint32(b, 0x1a2b3c4d)
		b = o.AppendUint16(b, 1)
		b = o.AppendUint16(b, 0)
		return o.AppendUint64(b, 1<<64-1) // section length: not known
	})
	for _, i := range f.Interfaces {
		b = f.block(b, 1, func(b []byte) []byte {
			b = o.AppendUint16(b, i.Link)
			b = o.AppendUint16(b, 0)
			b = o.AppendUint32(b, i.Snaplen)
			if f.Strange {
				b = f.option(b, 2, []byte("eth0"))
			}
			if i.Resolution != 0 {
				b = f.option(b, 9, []byte{i.Resolution})
			}
			if i.Offset != 0 {
				b = f.option(b, 14, o.AppendUint64(nil, uint64(i.Offset)))
			}
			return f.option(b, 0, nil)
		})
	}
	if f.Strange {
		for _, kind := range []uint32{4, 5, 0xbad} { // name resolution, statistics, none known
			b = f.block(b, kind, func(b []byte) []byte { return append(b, make([]byte, 40)...) })
		}
	}
	return b
}

func (f PcapNG) option(b []byte, code uint16, value []byte) []byte {
	o := Pcap{BigEndian: f.BigEndian}.order()
	b = o.AppendUint16(b, code)
	b = o.AppendUint16(b, uint16(len(value)))
	return padded(append(b, value...), len(value))
}

// padded fills what n octets leave open of the last four.
func padded(b []byte, n int) []byte {
	return append(b, make([]byte, -n&3)...)
}

func (f PcapNG) append(b []byte, p Packet) []byte {
	o := Pcap{BigEndian: f.BigEndian}.order()
	head := func(b []byte) []byte {
		t := f.Interfaces[p.Port].ticks(p)
		b = o.AppendUint32(b, uint32(t>>32))
		b = o.AppendUint32(b, uint32(t))
		b = o.AppendUint32(b, uint32(len(p.Data)))
		b = o.AppendUint32(b, p.wire())
		return padded(append(b, p.Data...), len(p.Data))
	}
	switch p.Kind {
	case Simple:
		return f.block(b, 3, func(b []byte) []byte {
			b = o.AppendUint32(b, p.wire())
			return padded(append(b, p.Data...), len(p.Data))
		})
	case Obsolete:
		return f.block(b, 2, func(b []byte) []byte {
			b = o.AppendUint16(b, uint16(p.Port))
			b = o.AppendUint16(b, 0xffff) // drops: not known
			return head(b)
		})
	}
	return f.block(b, 6, func(b []byte) []byte {
		b = head(o.AppendUint32(b, p.Port))
		if f.Strange {
			b = f.option(b, 1, []byte("a comment"))
			b = f.option(b, 0, nil)
		}
		return b
	})
}

// ticks is the packet's time in the interface's resolution.
func (i Interface) ticks(p Packet) uint64 {
	second, nano := uint64(p.Time.Unix()-i.Offset), uint64(p.Time.Nanosecond())
	unit := uint64(1000000)
	switch r := i.Resolution; {
	case r >= 0x80:
		unit = 1 << (r & 0x7f)
	case r != 0:
		unit = 1
		for range r {
			unit *= 10
		}
	}
	if unit >= 1e9 && unit%1e9 == 0 {
		return second*unit + nano*(unit/1e9)
	}
	return second*unit + nano*unit/1e9
}

// Classic capture files (draft-ietf-opsawg-pcap).

package pcap

import "fmt"

// The classic capture file (draft-ietf-opsawg-pcap): a header of 24 octets, then records.

const classicHeader = 24

// startClassic reads the file header.
func (f *file) startClassic() error {
	b := f.buf[f.pos:]
	if len(b) < classicHeader {
		return fmt.Errorf("%s is not a capture file: it has %d octets", f.name, len(b))
	}
	header := classicHeader
	f.record = 16
	magic := f.order.u32(b)
	if _, known := magics[magic]; !known {
		f.order.big = true
		magic = f.order.u32(b)
	}
	form, known := magics[magic]
	if !known {
		return fmt.Errorf("%s is not a capture file: it begins with % x", f.name, b[:4])
	}
	f.record += form.extra
	header += form.header
	major, minor := f.order.u16(b[4:]), f.order.u16(b[6:])
	if major != 2 && major != 543 { // 543 is what DG/UX wrote
		return fmt.Errorf("%s: version %d.%d of the capture format is not known", f.name, major, minor)
	}
	f.swapped = major == 543 || minor < 3
	p := newPort(uint16(f.order.u32(b[20:]))) // the upper half tells of frame check sequences, which IP's own lengths leave out
	p.snaplen, p.scale = f.order.u32(b[16:]), 1000
	if form.nano {
		p.scale = 1
	}
	f.ports = []port{p}
	f.skip = int64(header)
	if p.refused != nil {
		return fmt.Errorf("%s: %w", f.name, p.refused)
	}
	return nil
}

// magics are the first four octets of a classic file, and what differs from the common form.
var magics = map[uint32]struct {
	nano   bool
	extra  int // octets added to each record header
	header int // octets added to the file header
}{
	0xa1b2c3d4: {},
	0xa1b23c4d: {nano: true},
	0xa12b3c4d: {nano: true},            // Navtel
	0xa1b2cd34: {extra: 8},              // Alexey Kuznetsov's patch: interface, protocol, packet type
	0x1c0001ab: {nano: true, header: 4}, // Ixia, software
	0x1c0001ac: {nano: true, header: 4}, // Ixia, hardware
}

// nextRecords is next for classic files.
func (f *file) nextRecords(frames []frame) int {
	if !f.passOver() {
		return 0
	}
	b, pos, n := f.buf, f.pos, 0
	scale := int64(f.ports[0].scale)
	for n < len(frames) && len(b)-pos >= f.record {
		h := b[pos : pos+16]
		caplen, wirelen := f.order.u32(h[8:]), f.order.u32(h[12:])
		if f.swapped {
			caplen, wirelen = wirelen, caplen
		}
		if caplen > maxCaplen {
			f.pos = pos
			f.fail(fmt.Sprintf("a packet claims %d octets", caplen))
			return n
		}
		data := pos + f.record
		if len(b)-data < int(caplen) {
			break
		}
		frames[n] = frame{
			time: int64(f.order.u32(h))*1e9 + int64(f.order.u32(h[4:]))*scale,
			off:  uint32(data), caplen: caplen, wirelen: wirelen,
		}
		n++
		pos = data + int(caplen)
	}
	f.pos = pos
	return n
}

// passOver leaves out what is of no interest; it returns false if that goes on in the next block.
func (f *file) passOver() bool {
	n := min(f.skip, int64(len(f.buf)-f.pos))
	f.pos += int(n)
	f.skip -= n
	return f.skip == 0
}

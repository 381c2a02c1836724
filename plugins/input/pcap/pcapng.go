// Capture files of pcapng's format (draft-ietf-opsawg-pcapng).

package pcap

import (
	"encoding/binary"
	"fmt"
)

// pcapng (draft-ietf-opsawg-pcapng): blocks of a type, a length, a body and the length again, in
// sections of one byte order.

const (
	sectionHeader   = 0x0a0d0d0a
	interfaceBlock  = 1
	packetBlock     = 2 // obsolete
	simpleBlock     = 3
	enhancedBlock   = 6
	byteOrderMagic  = 0x1a2b3c4d
	maxPorts        = 1 << 16
	optionEnd       = 0
	optionTSResol   = 9
	optionTSOffset  = 14
	enhancedHeader  = 28 // type, length, interface, time, captured, on the wire
	simpleHeader    = 12 // type, length, on the wire
	blockTrailer    = 4
	interfaceHeader = 16 // type, length, link type, reserved, snap length
)

// nextBlocks is next for pcapng files. A new section renews the ports, so the frames before it are
// returned first.
func (f *file) nextBlocks(frames []frame) int {
	if f.damage != nil || !f.passOver() {
		return 0
	}
	for n := 0; ; {
		n = f.enhanced(frames, n)
		b := f.buf[f.pos:]
		if n == len(frames) || len(b) < 12 {
			return n
		}
		kind := f.order.u32(b)
		if kind == sectionHeader {
			if n > 0 {
				return n
			}
			if !f.startSection(b) {
				return 0
			}
		}
		length := f.order.u32(b[4:])
		switch {
		case length < 12 || length%4 != 0:
			f.fail(fmt.Sprintf("a block claims %d octets", length))
			return n
		case length > maxRecord:
			if !f.tooLong(kind, length) {
				return n
			}
			continue
		case int(length) > len(b):
			return n
		case f.order.u32(b[length-4:]) != length:
			f.fail(fmt.Sprintf("the two lengths of a block are %d and %d", length, f.order.u32(b[length-4:])))
			return n
		}
		b = b[:length]
		switch kind {
		case enhancedBlock, packetBlock:
			if f.packet(&frames[n], b, kind) {
				n++
			}
		case simpleBlock:
			if f.simple(&frames[n], b) {
				n++
			}
		case interfaceBlock:
			if !f.addPort(b) {
				return n
			}
		}
		f.pos += int(length)
	}
}

// enhanced reads the enhanced packet blocks that follow each other, as nearly all do, into
// frames[n:]. It stops at whatever else comes, and leaves it to the caller to say what that is.
func (f *file) enhanced(frames []frame, n int) int {
	b, pos, order, ports := f.buf, f.pos, f.order, f.ports
	for n < len(frames) && len(b)-pos >= enhancedHeader+blockTrailer {
		h := b[pos : pos+enhancedHeader]
		kind, length := order.u32(h), order.u32(h[4:])
		port, caplen := order.u32(h[8:]), order.u32(h[20:])
		if kind != enhancedBlock || length%4 != 0 || length < enhancedHeader+blockTrailer || int(length) > len(b)-pos ||
			caplen > length-enhancedHeader-blockTrailer || uint64(port) >= uint64(len(ports)) {
			break
		}
		next := pos + int(length)
		if order.u32(b[next-blockTrailer:]) != length {
			break
		}
		f.latest = ports[port].nanos(uint64(order.u32(h[12:]))<<32 | uint64(order.u32(h[16:])))
		frames[n] = frame{
			time: f.latest, off: uint32(pos + enhancedHeader),
			caplen: caplen, wirelen: order.u32(h[24:]), port: uint16(port),
		}
		n++
		pos = next
	}
	f.pos = pos
	return n
}

// packet reads an enhanced packet block, or an obsolete packet block, which differs in its
// interface number.
func (f *file) packet(to *frame, b []byte, kind uint32) bool {
	if len(b) < enhancedHeader+blockTrailer {
		f.bad++
		return false
	}
	port := f.order.u32(b[8:])
	if kind == packetBlock {
		port = uint32(f.order.u16(b[8:])) // the other half counts drops
	}
	caplen := f.order.u32(b[20:])
	if uint64(port) >= uint64(len(f.ports)) || caplen > uint32(len(b)-enhancedHeader-blockTrailer) {
		f.bad++
		return false
	}
	f.latest = f.ports[port].nanos(uint64(f.order.u32(b[12:]))<<32 | uint64(f.order.u32(b[16:])))
	*to = frame{
		time: f.latest, off: uint32(f.pos + enhancedHeader),
		caplen: caplen, wirelen: f.order.u32(b[24:]), port: uint16(port),
	}
	return true
}

// simple reads a simple packet block. It has no time of its own and takes that of the packet before
// it.
func (f *file) simple(to *frame, b []byte) bool {
	if len(b) < simpleHeader+blockTrailer || len(f.ports) == 0 {
		f.bad++
		return false
	}
	wirelen := f.order.u32(b[8:])
	caplen := min(wirelen, uint32(len(b)-simpleHeader-blockTrailer))
	if s := f.ports[0].snaplen; s != 0 {
		caplen = min(caplen, s)
	}
	*to = frame{time: f.latest, off: uint32(f.pos + simpleHeader), caplen: caplen, wirelen: wirelen}
	return true
}

// startSection takes the byte order from a section header and forgets the ports of the section
// before.
func (f *file) startSection(b []byte) bool {
	switch uint32(byteOrderMagic) {
	case binary.LittleEndian.Uint32(b[8:]):
		f.order.big = false
	case binary.BigEndian.Uint32(b[8:]):
		f.order.big = true
	default:
		f.fail(fmt.Sprintf("a section begins with byte order % x", b[8:12]))
		return false
	}
	if length := f.order.u32(b[4:]); length < 28 || length > maxRecord {
		f.fail(fmt.Sprintf("a section header claims %d octets", length))
		return false
	}
	if len(b) < 16 {
		return false
	}
	if major := f.order.u16(b[12:]); major != 1 {
		f.fail(fmt.Sprintf("version %d.%d of pcapng is not known", major, f.order.u16(b[14:])))
		return false
	}
	f.ports = f.ports[:0]
	return true
}

// addPort reads an interface description. An interface that cannot be read costs its own packets
// only.
func (f *file) addPort(b []byte) bool {
	if len(b) < interfaceHeader+blockTrailer || len(f.ports) == maxPorts {
		f.fail("an interface description is too short, or there are too many")
		return false
	}
	p := newPort(f.order.u16(b[8:]))
	p.snaplen = f.order.u32(b[12:])
	resolution, offset := byte(6), int64(0)
	for o := b[interfaceHeader : len(b)-blockTrailer]; len(o) >= 4; {
		code, length := f.order.u16(o), int(f.order.u16(o[2:]))
		if code == optionEnd || length > len(o)-4 {
			break
		}
		value := o[4 : 4+length]
		switch {
		case code == optionTSResol && length == 1:
			resolution = value[0]
		case code == optionTSOffset && length == 8:
			hi, lo := f.order.u32(value), f.order.u32(value[4:])
			if !f.order.big {
				hi, lo = lo, hi
			}
			offset = int64(uint64(hi)<<32 | uint64(lo))
		}
		o = o[min(len(o), 4+(length+3)&^3):]
	}
	var ok bool
	if p.clock, ok = newClock(resolution, offset); !ok {
		p.refused = fmt.Errorf("time resolution 0x%02x is not supported", resolution)
		p.clock = clock{scale: 1}
	}
	f.ports = append(f.ports, p)
	return true
}

// tooLong passes over a block larger than any packet can be, and gives up if what follows depends
// on it.
func (f *file) tooLong(kind, length uint32) bool {
	switch kind {
	case interfaceBlock:
		f.fail(fmt.Sprintf("an interface description claims %d octets", length))
		return false
	case enhancedBlock, packetBlock, simpleBlock:
		f.bad++
	}
	f.skip = int64(length)
	return f.passOver()
}

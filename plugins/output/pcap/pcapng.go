// The newer format (draft-ietf-opsawg-pcapng), in the machine's byte order. A section describes
// each interface before its first packet.

package pcap

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode/utf8"

	"ulogd/engine"
	"ulogd/engine/key"
	"ulogd/engine/text"
)

// Block types, and the codes of their options.
const (
	blockSection   = 0x0a0d0d0a
	blockInterface = 1
	blockPacket    = 6

	byteOrderMagic = 0x1a2b3c4d

	optEnd        = 0
	optComment    = 1
	optName       = 2 // of an interface
	optFlags      = 2 // of a packet
	optUserAppl   = 4
	optResolution = 9

	flagInbound, flagOutbound = 1, 2
	nanoseconds               = 9 // 10 to the minus 9th seconds
)

// capturePoint is an interface as the file describes it. A change of the name makes another one.
type capturePoint struct {
	index uint32
	link  uint16
	name  string
}

func (s *stage) bindInterfaces(p *engine.Binder) {
	s.in, s.out = engine.Want(p, key.OOBIfIn), engine.Want(p, key.OOBIfOut)
	s.inName, s.outName = engine.Want(p, key.OOBIn), engine.Want(p, key.OOBOut)
	s.mac, s.hwType = engine.Want(p, key.RawMAC), engine.Want(p, key.RawType)
	s.prefix = engine.Want(p, key.OOBPrefix)
}

// appendNG appends a packet, and before it its interface if that is new. It returns false for what
// the format could not say.
func (s *stage) appendNG(dst []byte, b *engine.Batch, r engine.Row, packet []byte, version int) ([]byte, bool) {
	var mac []byte
	link := uint16(linkRaw)
	if version == 0 {
		if mac = s.ethernet(b, r); mac == nil {
			return dst, false
		}
		link = linkEthernet
	}
	index, name, flags := s.interfaceOf(b, r)
	if s.epoch != s.Epoch() {
		s.interfaces, s.epoch = s.interfaces[:0], s.Epoch()
	}
	id := -1
	for i := range s.interfaces {
		if p := &s.interfaces[i]; p.index == index && p.link == link && p.name == string(name) {
			id = i
			break
		}
	}
	if id < 0 {
		id = len(s.interfaces)
		s.interfaces = append(s.interfaces, capturePoint{index, link, string(name)})
		dst = appendInterface(dst, &s.interfaces[id])
	}
	at := uint64(s.time(b, r))
	original := s.original(b, r, len(packet), version)

	start := len(dst)
	dst = order.AppendUint32(dst, blockPacket)
	dst = order.AppendUint32(dst, 0) // the length, when it is known
	dst = order.AppendUint32(dst, uint32(id))
	dst = order.AppendUint32(dst, uint32(at>>32))
	dst = order.AppendUint32(dst, uint32(at))
	dst = order.AppendUint32(dst, uint32(len(mac)+len(packet)))
	dst = order.AppendUint32(dst, uint32(len(mac))+original)
	dst = pad(append(append(dst, mac...), packet...), start)
	var prefix []byte
	if s.prefix.Has(b, r) {
		prefix = b.Bytes(engine.Span(s.prefix.Of(b)[r]))
	}
	dst = appendComment(dst, start, prefix)
	if flags != 0 {
		dst = order.AppendUint16(order.AppendUint16(dst, optFlags), 4)
		dst = order.AppendUint32(dst, flags)
	}
	if flags != 0 || len(prefix) > 0 {
		dst = order.AppendUint32(dst, optEnd)
	}
	return endBlock(dst, start), true
}

// appendComment appends the prefix of the rule that logged a packet as the packet's comment, which
// is UTF-8: octets that are none become U+FFFD, control characters \x and two digits.
func appendComment(dst []byte, start int, prefix []byte) []byte {
	if len(prefix) == 0 {
		return dst
	}
	if !utf8.Valid(prefix) {
		prefix = bytes.ToValidUTF8(prefix, []byte("\ufffd"))
	}
	at := len(dst)
	dst = text.AppendClean(order.AppendUint16(order.AppendUint16(dst, optComment), 0), prefix)
	order.PutUint16(dst[at+2:], uint16(len(dst)-at-4))
	return pad(dst, start)
}

// ethernet returns the row's Ethernet header, nil if there is none.
func (s *stage) ethernet(b *engine.Batch, r engine.Row) []byte {
	const etherHardware, headerLen = 1, 14
	if !s.mac.Has(b, r) || !s.hwType.Has(b, r) || s.hwType.Of(b)[r] != etherHardware {
		return nil
	}
	if mac := b.Bytes(engine.Span(s.mac.Of(b)[r])); len(mac) >= headerLen {
		return mac
	}
	return nil
}

// interfaceOf returns where the packet was seen: coming in, or else going out.
func (s *stage) interfaceOf(b *engine.Batch, r engine.Row) (index uint32, name []byte, flags uint32) {
	if s.in.Has(b, r) && s.in.Of(b)[r] != 0 {
		if s.inName.Has(b, r) {
			name = b.Bytes(engine.Span(s.inName.Of(b)[r]))
		}
		return s.in.Of(b)[r], name, flagInbound
	}
	if s.out.Has(b, r) && s.out.Of(b)[r] != 0 {
		if s.outName.Has(b, r) {
			name = b.Bytes(engine.Span(s.outName.Of(b)[r]))
		}
		return s.out.Of(b)[r], name, flagOutbound
	}
	return 0, nil, 0
}

// appendSection appends the head of a section whose length is not known.
func appendSection(dst []byte) []byte {
	start := len(dst)
	dst = order.AppendUint32(dst, blockSection)
	dst = order.AppendUint32(dst, 0)
	dst = order.AppendUint32(dst, byteOrderMagic)
	dst = order.AppendUint16(order.AppendUint16(dst, 1), 0)
	dst = order.AppendUint64(dst, ^uint64(0))
	dst = appendOption(dst, start, optUserAppl, "ulogd")
	dst = order.AppendUint32(dst, optEnd)
	return endBlock(dst, start)
}

func appendInterface(dst []byte, p *capturePoint) []byte {
	start := len(dst)
	dst = order.AppendUint32(dst, blockInterface)
	dst = order.AppendUint32(dst, 0)
	dst = order.AppendUint16(order.AppendUint16(dst, p.link), 0)
	dst = order.AppendUint32(dst, snapLen)
	name := p.name
	if name == "" && p.index != 0 {
		name = "if" + strconv.FormatUint(uint64(p.index), 10)
	}
	if name != "" {
		dst = appendOption(dst, start, optName, name)
	}
	dst = appendOption(dst, start, optResolution, string(rune(nanoseconds)))
	dst = order.AppendUint32(dst, optEnd)
	return endBlock(dst, start)
}

// appendOption appends an option to the block that began at start.
func appendOption(dst []byte, start int, code uint16, value string) []byte {
	dst = order.AppendUint16(order.AppendUint16(dst, code), uint16(len(value)))
	return pad(append(dst, value...), start)
}

// pad appends zeros up to a multiple of four octets from the block's start.
func pad(dst []byte, start int) []byte {
	for (len(dst)-start)%4 != 0 {
		dst = append(dst, 0)
	}
	return dst
}

// endBlock writes the length of the block that began at start where it belongs: behind the type,
// and at the end.
func endBlock(dst []byte, start int) []byte {
	n := uint32(len(dst) - start + 4)
	order.PutUint32(dst[start+4:], n)
	return order.AppendUint32(dst, n)
}

// checkPcapng reports whether a section may be appended to the file.
func checkPcapng(path string) error {
	head, err := beginning(path, 4)
	if err != nil {
		return err
	}
	if order.Uint32(head) != blockSection {
		return fmt.Errorf("%s is not a pcapng file; move it away", path)
	}
	return nil
}

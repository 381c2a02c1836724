// Packets of netfilter's log in capture files (LINKTYPE_NFLOG).

package pcap

import (
	"bytes"
	"encoding/binary"

	"ulogd/engine"
	"ulogd/engine/key"
)

// LINKTYPE_NFLOG: what libpcap writes when it captures from netfilter's log. An address family, a
// version, a group number, then attributes of linux/netfilter/nfnetlink_log.h, whose length and
// type are in the order of the capturing host, and their values in network order.

const (
	nflogHeader     = 4
	familyIPv4      = 2
	familyIPv6      = 10
	attributeHeader = 4

	nfulaPacketHdr = 1 // hw_protocol (be16), hook, padding
	nfulaMark      = 2
	nfulaIndev     = 4
	nfulaOutdev    = 5
	nfulaPhysIn    = 6
	nfulaPhysOut   = 7
	nfulaHWAddr    = 8 // length (be16), padding, up to 8 octets
	nfulaPayload   = 9
	nfulaPrefix    = 10 // ends with a zero
	nfulaUID       = 11
	nfulaSeq       = 12
	nfulaSeqGlobal = 13
	nfulaGID       = 14
	nfulaHWType    = 15 // be16
	nfulaHWHeader  = 16
)

// attributes walks those of a frame; a kind of 0 ends it.
type attributes struct {
	b   []byte
	pos int
}

func attributesOf(b []byte) attributes { return attributes{b, nflogHeader} }

// next returns an attribute and where its value begins.
func (a *attributes) next() (kind uint16, value []byte, at int) {
	b, pos := a.b, a.pos
	if len(b)-pos < attributeHeader {
		return 0, nil, 0
	}
	length, kind := int(binary.LittleEndian.Uint16(b[pos:])), binary.LittleEndian.Uint16(b[pos+2:])
	if kind&0xff == 0 { // types are below 256 and above 0, so this is the other order
		length, kind = int(be.Uint16(b[pos:])), be.Uint16(b[pos+2:])
	}
	if length < attributeHeader {
		return 0, nil, 0
	}
	at = pos + attributeHeader
	a.pos += (length + 3) &^ 3
	return kind, b[at:max(at, min(len(b), pos+length))], at
}

func (h *header) nflog(b []byte) bool {
	if len(b) < nflogHeader {
		return false
	}
	switch b[0] {
	case familyIPv4:
		h.etherType = typeIPv4
	case familyIPv6:
		h.etherType = typeIPv6
	}
	for all := attributesOf(b); ; {
		kind, value, at := all.next()
		switch {
		case kind == 0:
			return false
		case kind == nfulaPacketHdr && len(value) >= 2 && h.etherType == 0:
			h.etherType = be.Uint16(value)
		case kind == nfulaIndev && len(value) == 4:
			h.ifin = be.Uint32(value)
		case kind == nfulaOutdev && len(value) == 4:
			h.ifout = be.Uint32(value)
		case kind == nfulaPayload:
			h.net = uint32(at)
			return true
		}
	}
}

// logColumns are the keys that a log has beside the packet, as the NFLOG input gives them.
type logColumns struct {
	prefix                                       engine.Col[engine.String]
	mark, uid, gid, seq, global, physIn, physOut engine.Col[uint32]
	hook                                         engine.Col[uint8]
}

func (k *logColumns) bind(p *engine.Binder) {
	k.prefix = engine.GiveExtra(p, p.Group(), key.OOBPrefix)
	k.mark = engine.GiveExtra(p, p.Group(), key.OOBMark)
	k.hook = engine.GiveExtra(p, p.Group(), key.OOBHook)
	k.uid = engine.GiveExtra(p, p.Group(), key.OOBUID)
	k.gid = engine.GiveExtra(p, p.Group(), key.OOBGID)
	k.seq = engine.GiveExtra(p, p.Group(), key.OOBSeqLocal)
	k.global = engine.GiveExtra(p, p.Group(), key.OOBSeqGlobal)
	k.physIn = engine.GiveExtra(p, p.Group(), key.OOBIfPhysIn)
	k.physOut = engine.GiveExtra(p, p.Group(), key.OOBIfPhysOut)
}

// logged reads what the log says of a packet beside it: what netfilter knew, and the link layer's
// header and address, which are in attributes of their own. The frame is at off in the block. It
// returns the presence bits.
func (k *columns) logged(b *engine.Batch, r engine.Row, frame []byte, off uint32) (bits uint64) {
	number := func(c engine.Col[uint32], value []byte) {
		if len(value) == 4 {
			c.Of(b)[r] = be.Uint32(value)
			bits |= c.Mask()
		}
	}
	hardware := uint16(0xffff)
	for all := attributesOf(frame); ; {
		kind, value, at := all.next()
		span := engine.Raw{Off: off + uint32(at), Len: uint32(len(value))}
		switch kind {
		case 0:
			k.mactype.Of(b)[r] = hardware
			return bits
		case nfulaPacketHdr:
			if len(value) >= 3 {
				k.log.hook.Of(b)[r] = value[2]
				bits |= k.log.hook.Mask()
			}
		case nfulaPrefix:
			if end := bytes.IndexByte(value, 0); end >= 0 {
				span.Len = uint32(end)
			}
			k.log.prefix.Of(b)[r] = engine.String(span)
			bits |= k.log.prefix.Mask()
		case nfulaMark:
			number(k.log.mark, value)
		case nfulaUID:
			number(k.log.uid, value)
		case nfulaGID:
			number(k.log.gid, value)
		case nfulaSeq:
			number(k.log.seq, value)
		case nfulaSeqGlobal:
			number(k.log.global, value)
		case nfulaPhysIn:
			number(k.log.physIn, value)
		case nfulaPhysOut:
			number(k.log.physOut, value)
		case nfulaHWType:
			if len(value) == 2 {
				hardware = be.Uint16(value)
			}
		case nfulaHWHeader:
			k.mac.Of(b)[r], k.maclen.Of(b)[r] = span, uint16(span.Len)
			bits |= k.hardware.Mask()
		case nfulaHWAddr:
			if len(value) > 4 {
				n := min(uint32(be.Uint16(value)), span.Len-4)
				k.saddr.Of(b)[r], k.addrlen.Of(b)[r] = engine.Raw{Off: span.Off + 4, Len: n}, uint16(n)
				bits |= k.source.Mask()
			}
		}
	}
}

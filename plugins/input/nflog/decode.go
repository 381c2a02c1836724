// From messages to rows: attributes are read where the kernel put them, strings and packets stay
// there.

package nflog

import (
	"encoding/binary"

	"ulogd/engine"
	"ulogd/plugins/input/netlink/nlattr"
)

// Message types and attributes (linux/netfilter/nfnetlink_log.h, linux/netlink.h). Numbers are in
// network order.
const (
	msgError  = 2
	msgDone   = 3
	msgPacket = 4 << 8 // NFNL_SUBSYS_ULOG, NFULNL_MSG_PACKET
	msgConfig = 4<<8 | 1

	attrPacketHdr = 1  // EtherType, hook
	attrMark      = 2  //
	attrTimestamp = 3  // seconds and microseconds, 64 bits each
	attrIfIn      = 4  //
	attrIfOut     = 5  //
	attrPhysIn    = 6  //
	attrPhysOut   = 7  //
	attrHWAddr    = 8  // length, 16 unused bits, up to 8 octets
	attrPayload   = 9  //
	attrPrefix    = 10 // with a terminating zero
	attrUID       = 11 //
	attrSeq       = 12 //
	attrSeqGlobal = 13 //
	attrGID       = 14 //
	attrHWType    = 15 //
	attrHWHeader  = 16 //
	attrHWLen     = 17 //
	attrCT        = 18 //
	attrVLAN      = 20 // nested: 1 protocol, 2 tag control information

	vlanTCI = 2
)

// genLen is the length of struct nfgenmsg: family, version, group.
const genLen = 4

var be = binary.BigEndian

// packet decodes the body of one message into row r. It returns false, and the row is free again,
// where lengths contradict each other.
func (n *nflog) packet(a *arrays, r engine.Row, body []byte, now engine.Time) bool {
	if len(body) < genLen {
		return false
	}
	have := n.always
	a.family[r] = body[0]
	a.pktCount[r] = 1
	a.mark[r] = 0
	a.label[r] = uint8(n.label)
	a.hwType[r] = 0
	macLen := ^uint16(0)
	var kind uint16
	var v []byte
	seen := now
	for attrs := body[genLen:]; len(attrs) > 0; {
		kind, v, attrs = nlattr.Next(attrs)
		if len(v) < least[min(kind, uint16(len(least)-1))] {
			return false
		}
		switch kind {
		case attrPacketHdr:
			a.protocol[r] = be.Uint16(v)
			a.hook[r] = v[2]
			have |= n.hasHdr
		case attrMark:
			a.mark[r] = be.Uint32(v)
		case attrTimestamp:
			seen = engine.Time(be.Uint64(v)*1e9 + be.Uint64(v[8:])*1e3)
		case attrIfIn:
			a.ifIn[r] = be.Uint32(v)
			have |= n.hasIn
		case attrIfOut:
			a.ifOut[r] = be.Uint32(v)
			have |= n.hasOut
		case attrPhysIn:
			a.physIn[r] = be.Uint32(v)
			have |= n.hasPhysIn
		case attrPhysOut:
			a.physOut[r] = be.Uint32(v)
			have |= n.hasPhysOut
		case attrHWAddr:
			length := be.Uint16(v)
			addr := v[4:]
			addr = addr[:min(int(length), len(addr))]
			a.rawSaddr[r] = engine.Raw(n.span(addr))
			a.saddrLen[r] = length
			have |= n.hasSaddr
		case attrPayload:
			a.rawPkt[r] = engine.Raw(n.span(v))
			a.pktLen[r] = uint32(len(v))
			have |= n.hasPkt
		case attrPrefix:
			a.prefix[r] = engine.String(n.span(cString(v)))
			have |= n.hasPrefix
		case attrUID:
			a.uid[r] = be.Uint32(v)
			have |= n.hasUID
		case attrGID:
			a.gid[r] = be.Uint32(v)
			have |= n.hasGID
		case attrSeq:
			seq := be.Uint32(v)
			a.seqLocal[r] = seq
			have |= n.hasLocal
			n.account(seq)
		case attrSeqGlobal:
			a.seqGlobal[r] = be.Uint32(v)
			have |= n.hasGlobal
		case attrHWType:
			a.hwType[r] = be.Uint16(v)
		case attrHWHeader:
			a.rawMAC[r] = engine.Raw(n.span(v))
			have |= n.hasMAC
		case attrHWLen:
			macLen = be.Uint16(v)
		case attrVLAN:
			if tci, ok := tagControl(v); ok {
				a.vlan[r] = tci & 0xfff
				have |= n.hasVLAN
			}
		case attrCT:
			n.connection(a, r, v)
			have |= n.hasCT
		case nlattr.Malformed:
			return false
		}
	}
	if have&n.hasMAC != 0 {
		// The attribute is what there is; the length that is sent besides must not exceed it.
		length := min(a.rawMAC[r].Len, uint32(macLen))
		a.rawMAC[r].Len, a.macLen[r] = length, uint16(length)
		if length == 0 {
			have &^= n.hasMAC
		}
	}
	a.time[r] = seen
	a.have[r] = have
	return true
}

// least is the least length of each attribute's value.
var least = [...]int{
	attrPacketHdr: 4, attrMark: 4, attrTimestamp: 16, attrIfIn: 4, attrIfOut: 4, attrPhysIn: 4, attrPhysOut: 4, attrHWAddr: 4,
	attrUID: 4, attrSeq: 4, attrSeqGlobal: 4, attrGID: 4, attrHWType: 2, attrHWLen: 2, attrVLAN + 1: 0,
}

// account compares a packet's number with the one that was due.
func (n *nflog) account(seq uint32) {
	if gap := seq - n.nextSeq; gap != 0 {
		n.gap(gap)
	}
	n.nextSeq = seq + 1
}

// gap counts packets that are missing. A number far back is no loss of billions but a group that
// began anew.
func (n *nflog) gap(missing uint32) {
	if missing < 1<<31 {
		n.lost.Add(int(missing))
		n.drops.number(int64(missing))
	}
}

// span names bytes of the block: how far they are from its end tells where they begin.
func (n *nflog) span(v []byte) engine.Span {
	return engine.Span{Off: uint32(cap(n.block.Data) - cap(v)), Len: uint32(len(v))}
}

// cString cuts a string at its terminating zero.
func cString(v []byte) []byte {
	for i, c := range v {
		if c == 0 {
			return v[:i]
		}
	}
	return v
}

func tagControl(attrs []byte) (tci uint16, ok bool) {
	for len(attrs) > 0 {
		var kind uint16
		var v []byte
		if kind, v, attrs = nlattr.Next(attrs); kind == vlanTCI && len(v) >= 2 {
			return be.Uint16(v), true
		}
	}
	return 0, false
}

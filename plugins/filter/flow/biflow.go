// Both directions of a connection as one flow.

package flow

import (
	"ulogd/engine"
	"ulogd/engine/key"
)

// orient exchanges the sides of a tuple if need be, so that both directions of a connection have
// one tuple, and reports whether it did.
func orient(t *key.Tuple) bool {
	if isICMP(t) && t.Sport == key.ICMPKnown {
		t.Dport = request(t.Dport)
	}
	if inOrder(t) {
		return false
	}
	exchange(t)
	return true
}

// exchange makes a tuple that of the other direction.
func exchange(t *key.Tuple) {
	t.Src, t.Dst = t.Dst, t.Src
	if !isICMP(t) {
		t.Sport, t.Dport = t.Dport, t.Sport
	}
}

// inOrder reports whether the source is the lesser side.
func inOrder(t *key.Tuple) bool {
	switch {
	case t.Src.Hi != t.Dst.Hi:
		return t.Src.Hi < t.Dst.Hi
	case t.Src.Lo != t.Dst.Lo:
		return t.Src.Lo < t.Dst.Lo
	}
	return t.Sport <= t.Dport || isICMP(t)
}

// request turns type*256+code of an ICMP answer into that of its question, which names the flow of
// both. Types of the two versions do not overlap.
func request(typeCode uint16) uint16 {
	const echoReply, timestampReply, infoReply, maskReply, echoReply6 = 0, 14, 16, 18, 129
	switch typeCode >> 8 {
	case echoReply:
		return 8 << 8
	case timestampReply, infoReply, maskReply, echoReply6:
		return typeCode - 1<<8
	}
	return typeCode
}

// reply is what a biflow counts of the direction that did not begin it.
type reply struct {
	octets      uint64
	first, last engine.Time
	packets     uint32
	flags       uint16
	tos         uint8
}

func (y *reply) add(packets uint32, octets uint64, flags uint16, t engine.Time, tos uint8) {
	if y.packets == 0 {
		y.first, y.last, y.tos = t, t, tos
	}
	y.packets += packets
	y.octets += octets
	y.flags |= flags
	y.first, y.last = min(y.first, t), max(y.last, t)
}

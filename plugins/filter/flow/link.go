package flow

import (
	"encoding/binary"

	"ulogd/engine"
)

// link is what a flow's first packet had around it: kept only where the key has it or somebody reads it.
type link struct {
	mark     uint32
	src, dst engine.MAC
}

const ethernetAddresses = 12 // octets of a link-layer header that hold destination and source

// linkOf reads the mark and the hardware addresses of row r, zero where it has none.
func linkOf(b *engine.Batch, r engine.Row, mac engine.Col[engine.Raw], mark engine.Col[uint32], useMAC, useMark bool) (l link) {
	if useMark && mark.Has(b, r) {
		l.mark = mark.Of(b)[r]
	}
	if useMAC && mac.Has(b, r) {
		if h := b.Bytes(engine.Span(mac.Of(b)[r])); len(h) >= ethernetAddresses {
			copy(l.dst[:], h)
			copy(l.src[:], h[6:])
		}
	}
	return l
}

// digest mixes all of it into one word.
func (l *link) digest() uint64 {
	var b [16]byte
	binary.NativeEndian.PutUint32(b[:], l.mark)
	copy(b[4:], l.src[:])
	copy(b[10:], l.dst[:])
	return binary.NativeEndian.Uint64(b[:])*0x9e3779b97f4a7c15 ^ binary.NativeEndian.Uint64(b[8:])
}

// Why a connection ended, from what conntrack tells of it.

package export

import (
	"ulogd/engine"
	"ulogd/engine/key"
)

// endReason writes flowEndReason (IANA registry, RFC 5102 section 5.11.3): a TCP connection that
// was closed ended by itself; others ran into their timeout.
type endReason struct {
	event     engine.Col[uint32]
	tcpState  engine.Col[uint8]
	recovered engine.Col[bool]
}

func (f endReason) fill(b *engine.Batch, buf []byte, spots []spot, off int) {
	have, ev, st, rec := b.Have(), f.event.Of(b), f.tcpState.Of(b), f.recovered.Of(b)
	sm, rm := f.tcpState.Mask(), f.recovered.Mask()
	for _, s := range spots {
		why := byte(key.EndIdle)
		switch {
		case ev[s.row] != key.EventDestroy:
			why = key.EndActive
		case have[s.row]&rm != 0 && rec[s.row]:
			why = key.EndResources
		case have[s.row]&sm != 0 && key.TCPEnded(st[s.row]):
			why = key.EndDetected
		}
		buf[int(s.pos)+off] = why
	}
}

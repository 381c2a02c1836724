// Which collector a flow goes to when several share the load.

package ipfix

import (
	"ulogd/engine"
	"ulogd/engine/key"
)

// flowHash tells flows apart. Both directions of a flow have the same hash, so that one collector sees all of it.
type flowHash struct {
	src, dst     engine.Col[engine.Addr]
	sport, dport engine.Col[uint16]
	ports        uint64
}

func bindHash(p *engine.Binder) flowHash {
	h := flowHash{src: engine.Want(p, key.OrigSaddr), dst: engine.Want(p, key.OrigDaddr), sport: engine.Want(p, key.OrigSport), dport: engine.Want(p, key.OrigDport)}
	if !h.src.Given() {
		h.src, h.dst = engine.Want(p, key.IPSaddr), engine.Want(p, key.IPDaddr)
		h.sport, h.dport = engine.Want(p, key.TCPSport), engine.Want(p, key.TCPDport)
	}
	h.ports = h.sport.Mask()
	return h
}

// split deals rows to lanes.
func (h *flowHash) split(b *engine.Batch, rows []engine.Row, lanes []*lane) {
	for _, l := range lanes {
		l.rows = l.share[:0]
	}
	src, dst, sport, dport, have := h.src.Of(b), h.dst.Of(b), h.sport.Of(b), h.dport.Of(b), b.Have()
	for _, r := range rows {
		x := src[r].Hi ^ dst[r].Hi ^ src[r].Lo ^ dst[r].Lo
		if have[r]&h.ports != 0 {
			x ^= uint64(sport[r]^dport[r]) << 32
		}
		x *= 0x9e3779b97f4a7c15
		l := lanes[x>>32*uint64(len(lanes))>>32]
		l.rows = append(l.rows, r)
	}
}

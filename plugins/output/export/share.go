// Which collector a record goes to when several share the load.

package export

import (
	"ulogd/engine"
	"ulogd/engine/key"
)

// Shares deals rows out by flow. Both directions of a flow fall to the same share, so that one
// collector sees all of it.
type Shares struct {
	src, dst     engine.Col[engine.Addr]
	sport, dport engine.Col[uint16]
	ports        uint64
	rows         [][]engine.Row
}

// NewShares binds the keys that tell flows apart, for n shares.
func NewShares(p *engine.Binder, n int) *Shares {
	s := &Shares{src: engine.Want(p, key.OrigSaddr), dst: engine.Want(p, key.OrigDaddr), sport: engine.Want(p, key.OrigSport), dport: engine.Want(p, key.OrigDport)}
	if !s.src.Given() {
		s.src, s.dst = engine.Want(p, key.IPSaddr), engine.Want(p, key.IPDaddr)
		s.sport, s.dport = engine.Want(p, key.TCPSport), engine.Want(p, key.TCPDport)
	}
	s.ports = s.sport.Mask()
	s.rows = make([][]engine.Row, n)
	for i := range s.rows {
		s.rows[i] = make([]engine.Row, 0, engine.BatchSize)
	}
	return s
}

// Of returns the rows of each share; they are valid until the next call.
func (s *Shares) Of(b *engine.Batch, rows []engine.Row) [][]engine.Row {
	if len(s.rows) == 1 {
		s.rows[0] = append(s.rows[0][:0], rows...)
		return s.rows
	}
	for i := range s.rows {
		s.rows[i] = s.rows[i][:0]
	}
	src, dst, sport, dport, have := s.src.Of(b), s.dst.Of(b), s.sport.Of(b), s.dport.Of(b), b.Have()
	for _, r := range rows {
		x := src[r].Hi ^ dst[r].Hi ^ src[r].Lo ^ dst[r].Lo
		if have[r]&s.ports != 0 {
			x ^= uint64(sport[r]^dport[r]) << 32
		}
		x *= 0x9e3779b97f4a7c15
		i := x >> 32 * uint64(len(s.rows)) >> 32
		s.rows[i] = append(s.rows[i], r)
	}
	return s.rows
}

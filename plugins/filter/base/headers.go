// Where the headers of a batch's packets begin.

package base

import (
	"encoding/binary"

	"ulogd/engine"
	"ulogd/engine/key"
)

var be = binary.BigEndian

// headers are the packets of a batch and where their headers begin.
type headers struct {
	at     [engine.BatchSize]place
	raw    *[engine.BatchSize]engine.Raw
	tuple  *[engine.BatchSize]key.Tuple
	compat bool // values as ulogd2 2.0.8 has them
}

// place is where a packet's headers begin, counted from the start of raw.pkt.
type place struct {
	net uint32 // network header
	l4  uint32 // what the network header carries
}

// net returns row r's packet from the network header on.
func (h *headers) net(b *engine.Batch, r engine.Row) []byte {
	return b.Bytes(engine.Span(h.raw[r]))[h.at[r].net:]
}

// l4 returns row r's packet from the transport header on.
func (h *headers) l4(b *engine.Batch, r engine.Row) []byte {
	return b.Bytes(engine.Span(h.raw[r]))[h.at[r].l4:]
}

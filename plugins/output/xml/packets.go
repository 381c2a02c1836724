// Packets as libnetfilter_log writes them.

package xml

import (
	"encoding/hex"
	"time"

	"ulogd/engine"
	"ulogd/engine/key"
)

type packetStage struct {
	*document
	prefix               engine.Col[engine.String]
	hook                 engine.Col[uint8]
	protocol             engine.Col[uint16]
	saddr                engine.Col[engine.Raw]
	mark                 engine.Col[uint32]
	in, out, phyIn, phyO engine.Col[uint32]
	packet               engine.Col[engine.Raw]
}

func bindPackets(p *engine.Binder, d *document) engine.Stage {
	return &packetStage{
		document: d, prefix: engine.Want(p, key.OOBPrefix), hook: engine.Want(p, key.OOBHook), protocol: engine.Want(p, key.OOBProtocol),
		saddr: engine.Want(p, key.RawMACSaddr), mark: engine.Want(p, key.OOBMark), in: engine.Want(p, key.OOBIfIn), out: engine.Want(p, key.OOBIfOut),
		phyIn: engine.Want(p, key.OOBIfPhysIn), phyO: engine.Want(p, key.OOBIfPhysOut), packet: engine.Need(p, key.RawPkt),
	}
}

func (s *packetStage) Consume(b *engine.Batch) {
	when := s.when.Text(b.Clock() / int64(time.Second))
	buf := s.Begin()
	for _, r := range b.Rows() {
		buf = append(append(buf, "<log>"...), when...)
		if s.prefix.Has(b, r) {
			buf = appendText(append(buf, "<prefix>"...), b.Bytes(engine.Span(s.prefix.Of(b)[r])))
			buf = append(buf, "</prefix>"...)
		}
		if s.hook.Has(b, r) {
			buf = number(buf, "hook", uint64(s.hook.Of(b)[r]))
			buf = s.appendHardware(buf, b, r)
		}
		if mark := s.mark.Of(b)[r]; s.mark.Has(b, r) && mark != 0 {
			buf = number(buf, "mark", uint64(mark))
		}
		buf = device(buf, "indev", s.in, b, r)
		buf = device(buf, "outdev", s.out, b, r)
		buf = device(buf, "physindev", s.phyIn, b, r)
		buf = device(buf, "physoutdev", s.phyO, b, r)
		if s.packet.Has(b, r) {
			buf = hex.AppendEncode(append(buf, "<payload>"...), b.Bytes(engine.Span(s.packet.Of(b)[r])))
			buf = append(buf, "</payload>"...)
		}
		buf = s.End(append(buf, "</log>\n"...))
	}
	s.Commit(buf)
}

func (s *packetStage) appendHardware(buf []byte, b *engine.Batch, r engine.Row) []byte {
	const digits = "0123456789abcdef"
	var p uint16
	if s.protocol.Has(b, r) {
		p = s.protocol.Of(b)[r]
	}
	buf = append(append(buf, "<hw><proto>"...), digits[p>>12], digits[p>>8&15], digits[p>>4&15], digits[p&15])
	buf = append(buf, "</proto>"...)
	if s.saddr.Has(b, r) {
		buf = hex.AppendEncode(append(buf, "<src>"...), b.Bytes(engine.Span(s.saddr.Of(b)[r])))
		buf = append(buf, "</src>"...)
	}
	return append(buf, "</hw>"...)
}

// device appends an interface's index, if there is one.
func device(buf []byte, name string, c engine.Col[uint32], b *engine.Batch, r engine.Row) []byte {
	if i := c.Of(b)[r]; c.Has(b, r) && i != 0 {
		return number(buf, name, uint64(i))
	}
	return buf
}

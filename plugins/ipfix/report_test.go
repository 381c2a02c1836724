package ipfix

import (
	"testing"

	"ulogd/engine"
)

func TestOptionsRecords(t *testing.T) {
	c := listenUDP(t)
	r := start(t, &feed{asct: true}, "host", c.LocalAddr().String(), "proto", "udp", "oid", "77", "options_interval", "500ms", "flush_interval", "20ms", "template_refresh", "300ms", "max_templates", "9")
	flows := numbered(0, 3)
	flows[1].src, flows[1].dst = "2001:db8::1", "2001:db8::2"
	flows[2].src, flows[2].zone, flows[2].sport, flows[2].ports, flows[2].dport, flows[2].tcpState, flows[2].icmp = "10.9.9.9", 5, 0, false, 0, 7, true
	flows[2].labels = true
	r.give(flows...)
	s := newSession()
	types, keys := map[uint64]decodedRecord{}, map[uint64]uint64{}
	var figures, notSent, ignored []decodedRecord
	loopback := false
	var messages [][]byte
	for len(figures) < 3 || len(keys) < 3 || len(types) < 3 || !loopback {
		msg := datagram(t, c)
		messages = append(messages, msg)
		for _, rec := range s.must(t, msg) {
			switch {
			case rec.scope == 0:
			case rec.has(0, 303):
				types[rec.uint(0, 303)] = rec
			case rec.has(0, 173):
				keys[rec.uint(0, 145)] = rec.uint(0, 173)
			case rec.has(0, 41):
				figures = append(figures, rec)
			case rec.has(0, 166):
				notSent = append(notSent, rec)
			case rec.has(0, 164):
				ignored = append(ignored, rec)
			case rec.has(0, 82):
				loopback = loopback || string(rec.values[engine.IE{ID: 82}]) == "lo" && rec.uint(0, 10) == 1
			}
		}
	}
	r.end()
	mark := types[4]
	if mark.uint(0, 346) != 21373 || string(mark.values[engine.IE{ID: 341}]) != "ct.mark" || mark.uint(0, 339) != 3 || mark.uint(0, 344) != 4 {
		t.Errorf("ct.mark is described as %q", mark.values)
	}
	for id, bits := range keys { // addresses and, behind them, ports or ICMP's type, protocol
		tpl := s.templates[uint16(id)]
		for i, e := range tpl.elements {
			want := false
			switch e.ID {
			case 8, 12, 27, 28, 7, 11, 32, 139, 4:
				want = e.PEN == 0
			}
			if bits>>i&1 == 1 != want {
				t.Errorf("template %d: field %d (%v) is a flow key: %v", id, i, e.IE, !want)
			}
		}
	}
	last := figures[len(figures)-1]
	if last.uint(0, 149) != 77 || last.uint(0, 41) == 0 || last.uint(0, 42) < 3 || last.uint(0, 40) < 100 {
		t.Errorf("statistics are %v", last.values)
	}
	if len(notSent) == 0 || notSent[0].uint(0, 166) != 0 || len(ignored) == 0 || ignored[0].uint(0, 164) != 0 {
		t.Errorf("reliability records are %v and %v", notSent, ignored)
	}
	tshark(t, messages)
}

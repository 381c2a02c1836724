package export

import (
	"io"
	"log/slog"
	"slices"
	"testing"
	"time"

	"ulogd/engine"
	"ulogd/engine/key"
)

// everything is an input that gives every key that flows and packets can be made of.
type everything struct{ bind func(p *engine.Binder) }

func (e *everything) Options(*engine.Options)             {}
func (e *everything) Read(*engine.Batch, time.Time) error { return io.EOF }
func (e *everything) Bind(p *engine.Binder)               { e.bind(p) }

// seen is an output that keeps its items.
type seen struct {
	items func(p *engine.Binder) items
	got   items
}

func (s *seen) Options(*engine.Options) {}
func (s *seen) Consume(*engine.Batch)   {}
func (s *seen) Bind(p *engine.Binder) engine.Stage {
	s.got = s.items(p)
	return s
}

func give[T any](p *engine.Binder, g engine.Group, keys ...engine.Key[T]) {
	for _, k := range keys {
		engine.Give(p, g, k)
	}
}

func bindAll(p *engine.Binder) {
	g := p.Group()
	give(p, g, key.OOBFamily, key.OrigProtocol, key.FlowEndReason, key.OrigTOS, key.ReplyTOS, key.RouteSrcPlen, key.RouteDstPlen, key.CTTCPState,
		key.IPProtocol, key.IPTOS, key.IP6Priority, key.IPTTL, key.IP6HopLimit, key.OOBHook)
	give(p, g, key.OrigSaddr, key.OrigDaddr, key.ReplySaddr, key.ReplyDaddr, key.RouteNextHop, key.IPSaddr, key.IPDaddr)
	give(p, g, key.OrigSport, key.OrigDport, key.ReplySport, key.ReplyDport, key.OrigTCPFlags, key.ReplyTCPFlags, key.OOBVLAN, key.CTZone,
		key.TCPSport, key.TCPDport, key.UDPSport, key.UDPDport, key.SCTPSport, key.SCTPDport, key.IPTotLen, key.IP6PayloadLen, key.IPID, key.TCPFlags, key.OOBProtocol)
	give(p, g, key.OrigPackets, key.OrigOctets, key.ReplyPackets, key.ReplyOctets, key.SumPackets, key.SumOctets)
	give(p, g, key.FlowStart, key.FlowEnd, key.ReplyStart, key.ReplyEnd, key.OOBTime)
	give(p, g, key.OOBIfIn, key.OOBIfOut, key.OOBIfPhysIn, key.OOBIfPhysOut, key.CTMark, key.CTID, key.CTEvent, key.OOBMark, key.OOBUID, key.OOBGID,
		key.IP6FlowLabel, key.RawPktCount)
	give(p, g, key.OrigMACSaddr, key.OrigMACDaddr)
	give(p, g, key.CTLabels)
	give(p, g, key.OOBPrefix, key.SumName)
	give(p, g, key.RawMACSaddr)
	give(p, g, key.RawMACDaddr)
}

// TestKeysSayTheirElements: what a manual says that a key leaves as is what records are made of.
// Nothing may be sent that the key does not list.
func TestKeysSayTheirElements(t *testing.T) {
	epoch := int64(0)
	flows := func(o FlowLayout) func(p *engine.Binder) items {
		return func(p *engine.Binder) items {
			f := bindFlow(p, &shapes{})
			return f.items(o)
		}
	}
	sent := map[*engine.KeyInfo][]*engine.Element{}
	for name, list := range map[string]func(p *engine.Binder) items{
		"flows":      flows(FlowLayout{Direction: "uniflow", Choice: Choice{FlagOctets: 1}}),
		"sums":       flows(FlowLayout{Direction: "sum", Totals: true, Choice: Choice{FlagOctets: 1}}),
		"NetFlow v9": flows(FlowLayout{Direction: "uniflow", Choice: Choice{FlagOctets: 1}, Uptime: &epoch}),
		"packets":    func(p *engine.Binder) items { return packetItems(p, 2) },
		"counters": func(p *engine.Binder) items {
			return NewCounters(p, &Templates{Dialect: IPFIX, First: 256, Max: 64}, true, Choice{}).shapes.items
		},
		"translations": func(p *engine.Binder) items {
			return NewNATEvents(p, &Templates{Dialect: IPFIX, First: 256, Max: 64}, false).shapes.items
		},
	} {
		out := &seen{items: list}
		in := engine.NewInstance(&engine.Plugin{Name: "EVERYTHING", Input: func() engine.Input { return &everything{bindAll} }}, "in")
		to := engine.NewInstance(&engine.Plugin{Name: "SEEN", Output: func() engine.Output { return out }}, "out")
		if _, problems := engine.Build(slog.New(slog.DiscardHandler), []engine.StackSpec{{Instances: []*engine.Instance{in, to}}}); len(problems) > 0 {
			t.Fatal(problems)
		}
		if len(out.got) < 4 {
			t.Fatalf("%s have %d elements", name, len(out.got))
		}
		for _, it := range out.got {
			if it.key == nil || it.from[forward] == nil || it.PEN == engine.Reverse {
				continue
			}
			sent[it.key] = append(sent[it.key], it.element)
			if !slices.Contains(it.key.Elements, it.element) {
				t.Errorf("%s: %s leaves as %s, which it does not list", name, it.key.Name, it.element.Name)
			}
		}
	}
	for _, k := range []*engine.KeyInfo{ // those that only exporters read as elements: what they list must be sent
		key.OrigSaddr.Info(), key.OrigDaddr.Info(), key.OrigSport.Info(), key.OrigDport.Info(), key.OrigOctets.Info(), key.OrigPackets.Info(), key.FlowStart.Info(), key.FlowEnd.Info(),
		key.ReplySaddr.Info(), key.ReplyDaddr.Info(), key.ReplySport.Info(), key.ReplyDport.Info(), key.OrigTOS.Info(), key.OrigTCPFlags.Info(), key.OOBTime.Info(),
	} {
		for _, e := range k.Elements {
			reply := k.Name[:2] == "re" && !slices.Contains(sent[k], e) // what it is in the reply's own record
			if !slices.Contains(sent[k], e) && !reply {
				t.Errorf("%s lists %s, which it never leaves as", k.Name, e.Name)
			}
		}
	}
}

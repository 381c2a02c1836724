package export

import (
	"log/slog"
	"testing"

	"ulogd/engine"
	"ulogd/engine/key"
)

// TestWantedOnlyIfTold: what costs FLOW memory and time to know, times to live and hardware addresses, is wanted by records
// that tell it and by no others.
func TestWantedOnlyIfTold(t *testing.T) {
	for _, test := range []struct {
		name     string
		fields   []string
		ttl, mac bool
	}{
		{"usual", nil, false, true},
		{"times to live named", []string{"sourceIPv4Address", "minimumTTL"}, true, false},
		{"neither named", []string{"sourceIPv4Address", "octetDeltaCount"}, false, false},
	} {
		var ttl, mac engine.Group
		in := engine.NewInstance(&engine.Plugin{Name: "GIVER", Input: func() engine.Input {
			return &everything{func(p *engine.Binder) {
				g := p.Group()
				give(p, g, key.OrigSaddr, key.OrigDaddr)
				give(p, g, key.OrigPackets, key.OrigOctets)
				ttl, mac = p.Group(), p.Group()
				give(p, ttl, key.OrigMinTTL, key.OrigMaxTTL)
				give(p, mac, key.OrigMACSaddr, key.OrigMACDaddr)
			}}
		}}, "in")
		to := engine.NewInstance(&engine.Plugin{Name: "EXPORTER", Output: func() engine.Output {
			return &seen{items: func(p *engine.Binder) items {
				layout := FlowLayout{Direction: "uniflow", Choice: Choice{FlagOctets: 1, Fields: test.fields}}
				return NewFlows(p, &Templates{Dialect: IPFIX, First: 256, Max: 64}, layout).shapes.items
			}}
		}}, "out")
		stacks := []engine.StackSpec{{Instances: []*engine.Instance{in, to}}}
		if _, problems := engine.Build(slog.New(slog.DiscardHandler), stacks); len(problems) > 0 {
			t.Fatal(test.name, problems)
		}
		if ttl.Wanted() != test.ttl || mac.Wanted() != test.mac {
			t.Errorf("%s: times to live are wanted: %v, should be %v; hardware addresses: %v, should be %v",
				test.name, ttl.Wanted(), test.ttl, mac.Wanted(), test.mac)
		}
	}
}

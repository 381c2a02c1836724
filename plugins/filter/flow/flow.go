// Package flow is the FLOW filter: it gathers packets into flows.
package flow

import (
	"fmt"
	"slices"
	"time"

	"ulogd/engine"
	"ulogd/engine/key"
)

func init() {
	engine.Register(engine.Plugin{
		Name: "FLOW",
		Doc: `Gathers packets into flows and gives a record for each flow that ends, with the keys that NFCT gives for connections.

A flow is what shares addresses, ports, protocol and the fields of the key setting. It ends when it was idle for inactive_timeout
(flow.end.reason 1), is older than active_timeout (2), tcp_linger after a FIN or RST (3), when the input or the daemon ends (4), or
when a new flow needs its place (5). Memory is taken once, for max_flows. A full cache gives the stalest flow nearby, so that
every packet is in some record.

Time is that of the newest packet when a file is read, and the machine's monotonic clock when the input is live. A packet alone with a
time far from that of its neighbours is no time: it counts at theirs (time_outliers). Where times go back for good, as when a clock was
set, flows go on and their times move along (time_steps). The records of a file are the same for any number of workers, unless the
cache is full or keep_idle_below is set.`,
		Example: `stack = "capture1:PCAP,base1:BASE,flow1:FLOW,ipfix1:IPFIX"

[capture1]
interface = "eth0"

[flow1]
active_timeout = 300
key = ["tos", "ifindex", "vlan"]
biflow = true

[ipfix1]
host = "192.0.2.1"
`,
		Filter: func() engine.Filter { return &flow{} },
	})
}

// flow holds the settings; each stack, and each of its workers, has a cache of its own.
type flow struct {
	maxFlows, workers        int
	active, inactive, linger time.Duration
	biflow                   bool
	fragments                string
	key                      []string
	keepIdleBelow            int
	inputIfindex             uint32

	namespaces []string // whose packets the firewall logs

	dealt *timeline // of the stack whose copies are being bound
}

// The optional parts of the contract that it implements (engine/plugin.go).
var (
	_ engine.Validator = (*flow)(nil)
	_ engine.Timed     = (*flow)(nil)
	_ engine.Counting  = (*flow)(nil)
	_ engine.Sharder   = (*flow)(nil)
	_ engine.Doctored  = (*flow)(nil)
)

// keyFields are what the key setting may name.
var keyFields = []string{"tos", "ifindex", "vlan", "mac", "mark", "icmp"}

func (f *flow) Options(o *engine.Options) {
	engine.Int(o, &f.maxFlows, "max_flows", 262144, "flows that the cache holds; it takes 81 octets of memory for each, and 32 more where IPv6 is seen; with biflow 32 more, and 24 where somebody reads marks or hardware addresses, as IPFIX does")
	o.Seconds(&f.active, "active_timeout", 1800*time.Second, "age at which a flow that goes on is reported and begun anew")
	o.Seconds(&f.inactive, "inactive_timeout", 15*time.Second, "time without packets after which a flow has ended")
	o.Seconds(&f.linger, "tcp_linger", time.Second, "time that a TCP flow stays after its FIN or RST, so that the closing packets count in it")
	o.Bool(&f.biflow, "biflow", false, "join both directions of a connection into one record, the initiator's side first (RFC 5103)")
	o.Enum(&f.fragments, "fragments", "track", []string{"track", "model"}, "track: later fragments count in the flow of the first, also those that come up to two seconds before it; model: they are a flow with ports 0")
	o.Strings(&f.key, "key", nil, "fields that tell flows apart besides addresses, ports and protocol, of tos, ifindex, vlan, mac, mark and icmp (type and code); an empty list: none; unset: tos, ifindex, icmp; with biflow: icmp")
	engine.Int(o, &f.keepIdleBelow, "keep_idle_below", 0, "percentage of use of the cache below which idle flows of more than 4 packets stay; 0: none stays")
	engine.Int(o, &f.inputIfindex, "input_ifindex", 0, "input interface of all packets, whatever they say; 0: as they say")
	engine.Int(o, &f.workers, "workers", 1, "copies of the stack from here on, each with its share of the flows and of max_flows, on goroutines of their own; what two addresses have with each other goes to one of them")
}

// Validate checks the settings.
func (f *flow) Validate() error {
	switch {
	case f.maxFlows < sets || f.maxFlows > 1<<30:
		return fmt.Errorf("max_flows: must be between %d and %d, is %d", sets, 1<<30, f.maxFlows)
	case f.workers < 1 || f.workers > 64:
		return fmt.Errorf("workers: must be between 1 and 64, is %d", f.workers)
	case f.inactive <= 0:
		return fmt.Errorf("inactive_timeout: must be more than 0")
	case f.active <= 0:
		return fmt.Errorf("active_timeout: must be more than 0")
	case f.keepIdleBelow < 0 || f.keepIdleBelow > 100:
		return fmt.Errorf("keep_idle_below: is a percentage, not %d", f.keepIdleBelow)
	}
	for _, k := range f.key {
		if !slices.Contains(keyFields, k) {
			return fmt.Errorf("key: %q is none of tos, ifindex, vlan, mac, mark and icmp", k)
		}
	}
	return nil
}

// fields returns the key setting, or what stands for it where it is not set. The two directions of
// a connection come in by different interfaces and may differ in type of service.
func (f *flow) fields() []string {
	switch {
	case f.key != nil:
		return f.key
	case f.biflow:
		return []string{"icmp"}
	}
	return []string{"tos", "ifindex", "icmp"}
}

func (f *flow) Bind(p *engine.Binder) engine.Stage {
	f.logged(p.Stack())
	s := &stage{}
	s.in = f.inputs(p, s.hopsWanted)
	s.front = f.front(p, s.linkWanted, s.labelsWanted)
	s.front.hops = s.in.hops
	if s.dealt = s.in.instant.Given(); s.dealt {
		s.timeline = f.dealt
	} else {
		s.timeline = f.timeline(p.Stats())
	}
	s.cache = f.cache(p, s.timeline)
	return s
}

// Counts implements engine.Counting: a flow's octets and packets are those since its record before.
func (f *flow) Counts() engine.Counts { return engine.CountsDelta }

// Timeouts implements engine.Timed.
func (f *flow) Timeouts() (active, idle time.Duration) { return f.active, f.inactive }

// Shards implements engine.Sharder.
func (f *flow) Shards() int { return f.workers }

// Deal implements engine.Sharder: what one goroutine must do in front of the copies. They are bound
// next.
func (f *flow) Deal(p *engine.Binder) engine.Dealer {
	g := p.Group()
	f.dealt = f.timeline(p.Stats())
	return &dealer{
		timeline: f.dealt,
		tuple:    engine.Need(p, key.FlowTuple),
		time:     engine.Want(p, key.OOBTime),
		hash:     engine.GiveExtra(p, g, key.FlowHash),
		instant:  engine.GiveExtra(p, g, instantKey),
		dealt:    g.Mask(),
		secret:   newSecret(),
	}
}

// Package gen is the GEN input: synthetic packets or flows, for examples, tests and measurements.
package gen

import (
	"fmt"
	"io"
	"time"

	"ulogd/engine"
)

func init() {
	engine.Register(engine.Plugin{
		Name: "GEN",
		Doc: `Makes packets or flows of its own, by count, rate and seed: the same seed makes the same records.

With mode = "flows" it gives the keys of finished connections, as NFCT does; with mode = "packets" it gives IPv4 and IPv6
packets, as NFLOG does. Their times begin at 2024-01-01 00:00:00 UTC and advance by interval, so that a run can be repeated.`,
		Example: `stack = "gen1:GEN,null1:NULL"

[gen1]
mode = "packets"
count = 1000000
`,
		Input: func() engine.Input { return &gen{} },
	})
}

type gen struct {
	mode     string
	traffic  string
	count    int64
	rate     int64
	seed     uint64
	hosts    int
	ipv6     int
	interval time.Duration

	rng     rng
	made    int64
	begun   time.Time
	clock   int64
	gateway *gateway // nil: traffic is even
	fill    func(b *engine.Batch, n int)
	all     engine.Group
}

// The optional parts of the contract that it implements (engine/plugin.go).
var (
	_ engine.Validator     = (*gen)(nil)
	_ engine.Backpressured = (*gen)(nil)
	_ engine.Counting      = (*gen)(nil)
)

// epoch is 2024-01-01 00:00:00 UTC in nanoseconds.
const epoch = 1704067200 * int64(time.Second)

func (g *gen) Options(o *engine.Options) {
	o.Enum(&g.mode, "mode", "flows", []string{"flows", "packets"}, "what to make")
	o.Enum(&g.traffic, "traffic", "even", []string{"even", "gateway"}, "of flows: even, all hosts and servers are alike; "+
		"gateway, as behind a gateway with NAT in the course of a day: few hosts and servers have most of them, most are "+
		"small and short, a few carry nearly all octets, there are less at night, and in the early morning a host scans")
	engine.Int(o, &g.count, "count", 1000, "records to make, then the input ends; 0: no end")
	engine.Int(o, &g.rate, "rate", 0, "records per second; 0: as fast as they are taken")
	engine.Int(o, &g.seed, "seed", 1, "start of the pseudo-random sequence")
	engine.Int(o, &g.hosts, "hosts", 1000, "client addresses to draw from")
	engine.Int(o, &g.ipv6, "ipv6", 15, "per cent of the records that are IPv6")
	o.Seconds(&g.interval, "interval", 100*time.Microsecond, "time between two records, on their own clock; with "+
		"traffic = \"gateway\" the average of a day")
}

func (g *gen) Validate() error {
	switch {
	case g.count < 0:
		return fmt.Errorf("count: must not be negative, is %d", g.count)
	case g.rate < 0:
		return fmt.Errorf("rate: must not be negative, is %d", g.rate)
	case g.hosts < 1 || g.hosts > 1<<20:
		return fmt.Errorf("hosts: must be from 1 to %d, is %d", 1<<20, g.hosts)
	case g.traffic == "gateway" && g.mode != "flows":
		return fmt.Errorf("traffic: gateway is of flows; leave mode at flows")
	case g.ipv6 < 0 || g.ipv6 > 100:
		return fmt.Errorf("ipv6: is per cent: must be from 0 to 100, is %d", g.ipv6)
	}
	return nil
}

// Counts implements engine.Counting: each flow is told once.
func (g *gen) Counts() engine.Counts { return engine.CountsDelta }

func (g *gen) Bind(p *engine.Binder) {
	g.all = p.Group()
	g.rng = rng(g.seed)
	g.clock = epoch
	if g.mode == "packets" {
		g.fill = bindPackets(p, g)
		return
	}
	if g.traffic == "gateway" {
		g.gateway = newGateway(g.hosts)
	}
	g.fill = bindFlows(p, g)
}

// Backpressure holds where nothing is lost by waiting: always, unless a rate is to be kept.
func (g *gen) Backpressure() bool { return g.rate == 0 }

func (g *gen) Read(b *engine.Batch, deadline time.Time) error {
	n := int64(engine.BatchSize)
	if g.rate > 0 {
		n = min(n, g.due(deadline))
	}
	if g.count > 0 {
		n = min(n, g.count-g.made)
	}
	if g.all.Wanted() {
		g.fill(b, int(n))
	} else {
		g.clock += n * int64(g.interval)
	}
	b.Fill(int(n))
	b.SetReplay(g.clock)
	g.made += n
	if g.count > 0 && g.made == g.count {
		return io.EOF
	}
	return nil
}

// due waits until a record is due, at most until deadline, and returns how many are.
func (g *gen) due(deadline time.Time) int64 {
	if g.begun.IsZero() {
		g.begun = time.Now()
	}
	next := g.begun.Add(time.Duration(float64(g.made+1) / float64(g.rate) * float64(time.Second)))
	if next.After(deadline) {
		time.Sleep(time.Until(deadline))
		return 0
	}
	time.Sleep(time.Until(next))
	return max(0, int64(time.Since(g.begun).Seconds()*float64(g.rate))-g.made)
}

// rng is splitmix64: small, fast, and the same on every machine.
type rng uint64

func (r *rng) next() uint64 {
	*r += 0x9e3779b97f4a7c15
	z := uint64(*r)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

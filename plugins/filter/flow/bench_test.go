package flow

import (
	"fmt"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"ulogd/engine"
	"ulogd/engine/key"
)

// tuples is an input that gives what BASE gives, drawn from a number of flows, each as likely as
// any other: the worst case for caches.
type tuples struct {
	flows, rounds int
	r             *rand.Rand
	now           int64

	tuple  engine.Col[key.Tuple]
	octets engine.Col[uint32]
	flags  engine.Col[uint16]
	time   engine.Col[engine.Time]
	g      engine.Group
}

func (f *tuples) Options(*engine.Options) {}

func (f *tuples) Bind(p *engine.Binder) {
	f.g = p.Group()
	f.tuple = engine.Give(p, f.g, key.FlowTuple)
	f.octets = engine.Give(p, f.g, key.FlowOctets)
	f.flags = engine.Give(p, f.g, key.TCPFlags)
	f.time = engine.Give(p, f.g, key.OOBTime)
	f.r = rand.New(rand.NewPCG(3, 4))
	f.now = t0
}

func (f *tuples) Read(b *engine.Batch, _ time.Time) error {
	tuple, octets, flags, times, have := f.tuple.Of(b), f.octets.Of(b), f.flags.Of(b), f.time.Of(b), b.Have()
	for i := range engine.BatchSize {
		n := f.r.Uint32N(uint32(f.flows))
		t := &tuple[i]
		t.Src, t.Dst = engine.Addr4(n), engine.Addr4(n*7)
		t.Sport, t.Dport, t.Proto, t.Version, t.TOS, t.Frag = uint16(n), 443, 6, 4, 0, 0
		octets[i], flags[i] = 1000, 0x10
		f.now += 100
		times[i] = engine.Time(f.now)
		have[i] = f.g.Mask()
	}
	b.Fill(engine.BatchSize)
	b.SetReplay(f.now)
	if f.rounds--; f.rounds <= 0 {
		return io.EOF
	}
	return nil
}

// nothing is an output that reads what NETFLOW5 reads.
type nothing struct{}

func (nothing) Options(*engine.Options) {}

func (nothing) Bind(p *engine.Binder) engine.Stage {
	engine.Want(p, key.OrigSaddr)
	engine.Want(p, key.OrigOctets)
	engine.Want(p, key.FlowStart)
	return nothing{}
}

func (nothing) Consume(*engine.Batch) {}

// Nanoseconds per packet in FLOW and in the input that draws flows for it.
func BenchmarkFlow(b *testing.B) {
	for _, flows := range []int{10_000, 100_000, 1_000_000} {
		b.Run(fmt.Sprint(flows, " flows"), func(b *testing.B) {
			m := buildFlow(b, &tuples{flows: flows, rounds: b.N/engine.BatchSize + 1}, nothing{}, "max_flows=2000000")
			if err := m.Open(); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			b.ResetTimer()
			m.Start()
			if err := m.Wait(); err != nil {
				b.Fatal(err)
			}
		})
	}
}

func TestNoAllocations(t *testing.T) {
	allocs := func(rounds int) float64 {
		return testing.AllocsPerRun(1, func() {
			m := buildFlow(t, &tuples{flows: 1000, rounds: rounds}, nothing{}, "max_flows=500")
			if err := m.Open(); err != nil {
				t.Fatal(err)
			}
			m.Start()
			if err := m.Wait(); err != nil {
				t.Fatal(err)
			}
		})
	}
	few, many := allocs(10), allocs(2010)
	if many > few+200 { // a timer or two of the engine's, nothing for each of the 2000 batches
		t.Errorf("10 batches: %v allocations, 2010 batches: %v", few, many)
	}
}

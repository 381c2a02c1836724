package ipfix

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"testing"

	"ulogd/engine"
	"ulogd/engine/value"
	"ulogd/plugins/output/export/collector"
)

// probe is an IPFIX output whose Consume is handed to a function, for what is measured or counted
// on a real batch.
type probe struct {
	output
	run func(s *stage, b *engine.Batch)
}

type probeStage struct {
	*stage
	p *probe
}

func (p *probe) Bind(b *engine.Binder) engine.Stage {
	return probeStage{p.output.Bind(b).(*stage), p}
}

func (s probeStage) Consume(b *engine.Batch) { s.p.run(s.stage, b) }

// onBatch builds feed:FEED,probe:IPFIX and runs the function on a batch of these flows.
func onBatch(t testing.TB, asct bool, flows []flow, set map[string]string, run func(s *stage, b *engine.Batch)) {
	t.Helper()
	f := &feed{rows: make(chan []flow, 1), asct: asct}
	in := engine.NewInstance(&engine.Plugin{Name: "FEED", Input: func() engine.Input { return f }}, "feed")
	p := &probe{run: run}
	out := engine.NewInstance(&engine.Plugin{Name: "IPFIX", Output: func() engine.Output { return p }}, "ipfix1")
	if set["file"] == "" {
		set["host"] = "127.0.0.1:9" // where nobody listens
		if set["proto"] == "" {
			set["proto"] = "udp"
		}
	}
	for name, text := range set {
		opt, _ := out.Options.Lookup(name)
		if _, err := opt.Set(engine.Value{Kind: value.Word, Text: text}); err != nil {
			t.Fatal(name, err)
		}
	}
	if err := out.Validate(); err != nil {
		t.Fatal(err)
	}
	m, problems := engine.Build(slog.New(slog.DiscardHandler), []engine.StackSpec{{Instances: []*engine.Instance{in, out}}})
	if len(problems) > 0 {
		t.Fatal(problems[0])
	}
	if err := m.Open(); err != nil {
		t.Fatal(err)
	}
	f.rows <- flows
	close(f.rows)
	m.Start()
	<-m.Ended()
	m.Wait()
}

// flows256 is a batch of TCP connections with replies; every nth is IPv6, 0: none.
func flows256(n int) []flow {
	flows := make([]flow, engine.BatchSize)
	for i := range flows {
		flows[i] = flow{
			src: fmt.Sprintf("10.0.%d.1", i), dst: "192.0.2.1", proto: 6, sport: uint16(1024 + i), dport: 443,
			pkts: 10, octets: 1000, rpkts: 12, roctets: 15000, start: 1704067200e9 + int64(i), end: 1704067201e9, mark: 7, id: uint32(i), tcpState: 7,
		}
		if n > 0 && i%n == 0 {
			flows[i].src, flows[i].dst = fmt.Sprintf("2001:db8::%d", i), "2001:db8:1::1"
		}
	}
	return flows
}

func BenchmarkEncode(b *testing.B) {
	for _, c := range []struct {
		name string
		asct bool
		v6   int
		set  map[string]string
	}{
		{"uniflow", true, 0, map[string]string{}},
		{"uniflow/mixed", true, 4, map[string]string{}},
		{"biflow", true, 0, map[string]string{"direction": "biflow"}},
		{"sum", true, 0, map[string]string{"direction": "sum"}},
		{"flow", false, 0, map[string]string{}},
		{"ulogd2", true, 0, map[string]string{"layout": "ulogd2"}},
	} {
		b.Run(c.name, func(b *testing.B) {
			onBatch(b, c.asct, flows256(c.v6), c.set, func(s *stage, batch *engine.Batch) {
				records, discard := 0, func([]byte, collector.Mark) {}
				w := s.o.packers[0]
				w.Limit = 1432
				b.ReportAllocs()
				b.ResetTimer()
				for b.Loop() {
					res := s.encoder.Encode(batch, batch.Rows(), w)
					w.Take(discard)
					records += batch.Len() + res.Second
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(records), "ns/record")
				s.o.Env().Stats.Filtered.Add(batch.Len())
			})
		})
	}
}

func TestEncodeDoesNotAllocate(t *testing.T) {
	for _, direction := range []string{"uniflow", "biflow", "sum"} {
		onBatch(t, true, flows256(4), map[string]string{"direction": direction}, func(s *stage, b *engine.Batch) {
			w, discard := s.o.packers[0], func([]byte, collector.Mark) {}
			encode := func() {
				s.encoder.Encode(b, b.Rows(), w)
				w.Take(discard)
			}
			encode()
			if n := testing.AllocsPerRun(100, encode); n != 0 {
				t.Errorf("%s: %v allocations per batch", direction, n)
			}
			s.o.Env().Stats.Filtered.Add(b.Len())
		})
	}
}

// BenchmarkSpool encodes connections for a collector that is away, into a spool that is full: the
// oldest records give way.
func BenchmarkSpool(b *testing.B) {
	set := map[string]string{"proto": "tcp", "buffer": "256KiB", "spool": b.TempDir(), "spool_max": "64MiB"}
	onBatch(b, true, flows256(0), set, func(s *stage, batch *engine.Batch) {
		before := s.o.Env().Stats.Made.Load()
		b.ReportAllocs()
		b.ResetTimer()
		for b.Loop() {
			s.Consume(batch)
			s.o.Env().Stats.Made.Add(batch.Len())
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(s.o.Env().Stats.Made.Load()-before), "ns/record")
		if s.o.Env().Stats.Drop("spool_full", "").Load() == 0 && b.N > 5000 {
			b.Error("the spool was not full")
		}
	})
}

// BenchmarkFile encodes connections and writes them to files of 64 MiB, of which two are kept.
func BenchmarkFile(b *testing.B) {
	for _, compress := range []string{"none", "gzip", "zstd"} {
		b.Run(compress, func(b *testing.B) {
			set := map[string]string{"file": filepath.Join(b.TempDir(), "flows.ipfix"), "compress": compress, "rotate_size": "64MiB", "rotate_keep": "1"}
			onBatch(b, true, flows256(0), set, func(s *stage, batch *engine.Batch) {
				stats := s.o.Env().Stats
				before := stats.Made.Load()
				b.ReportAllocs()
				b.ResetTimer()
				for b.Loop() {
					s.Consume(batch)
					stats.Made.Add(batch.Len())
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(stats.Made.Load()-before), "ns/record")
				if n := stats.Drop("buffer_full", "").Load(); n > 0 {
					b.Errorf("%d records were dropped", n)
				}
			})
		})
	}
}

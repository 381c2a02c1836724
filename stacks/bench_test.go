package stacks_test

import (
	"fmt"
	"io"
	"runtime"
	"testing"
	"time"

	"ulogd/engine"
	"ulogd/engine/key"
	_ "ulogd/plugins/filter/mark"
	"ulogd/test/stacktest"
)

// MARKER gives records with a mark as fast as it can: what is measured behind it is the engine.
type marker struct {
	count, made int
	mark        engine.Col[uint32]
	bits        engine.Group
}

func init() {
	engine.Register(engine.Plugin{Name: "MARKER", Input: func() engine.Input { return &marker{} }})
}

func (m *marker) Options(o *engine.Options) { engine.Int(o, &m.count, "count", 1, "records") }

func (m *marker) Bind(p *engine.Binder) {
	m.bits = p.Group()
	m.mark = engine.Give(p, m.bits, key.OOBMark)
}

func (m *marker) Read(b *engine.Batch, _ time.Time) error {
	n := min(engine.BatchSize, m.count-m.made)
	mark, have := m.mark.Of(b), b.Have()
	for i := range n {
		mark[i], have[i] = uint32(m.made+i), m.bits.Mask()
	}
	b.Fill(n)
	if m.made += n; m.made == m.count {
		return io.EOF
	}
	return nil
}

func benchmarkStack(b *testing.B, text string) {
	d := stacktest.Plan(b, "bench.toml", fmt.Sprintf(text, b.N), &stacktest.Log{})
	if err := d.Machine.Open(); err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.ResetTimer()
	d.Machine.Start()
	<-d.Machine.Ended()
	b.StopTimer()
	if err := d.Machine.Wait(); err != nil {
		b.Fatal(err)
	}
}

// One operation is one record.
func BenchmarkEngine(b *testing.B) {
	b.Run("GEN-NULL", func(b *testing.B) {
		benchmarkStack(b, `stack = "g:GEN,n:NULL"
[g]
count = %d
`)
	})
	b.Run("three-filters", func(b *testing.B) {
		benchmarkStack(b, `stack = "m:MARKER,a:MARK,b:MARK,c:MARK,n:NULL"
[m]
count = %d
[a]
mask = 0
[b]
mask = 0
[c]
mask = 0
`)
	})
	b.Run("three-stacks", func(b *testing.B) {
		benchmarkStack(b, `stack = ["m:MARKER,a:MARK,n:NULL", "m:MARKER,b:MARK,n:NULL", "m:MARKER,c:MARK,n:NULL"]
[m]
count = %d
[a]
mask = 0
[b]
mask = 0
[c]
mask = 0
`)
	})
	b.Run("queue", func(b *testing.B) {
		benchmarkStack(b, `stack = "m:MARKER,n:NULL"
[m]
count = %d
[n]
queue = 65536
when_full = "block"
`)
	})
}

// TestNoAllocationPerRecord holds the whole engine to a handful of allocations per run, however many records there are.
func TestNoAllocationPerRecord(t *testing.T) {
	few, many := runAllocs(t, 1000), runAllocs(t, 2_000_000)
	// The queue may grow to its bound: two batches for each 256 records in it, of up to five pieces each.
	if many-few > 10*65536/256 {
		t.Errorf("%.0f allocations for 1,000 records, %.0f for 2,000,000", few, many)
	}
}

// runAllocs counts the allocations while n records go through two stacks, one of them with a queue.
func runAllocs(t *testing.T, n int) float64 {
	d := stacktest.Plan(t, "bench.toml", fmt.Sprintf(`
stack = ["m:MARKER,a:MARK,n:NULL", "m:MARKER,b:MARK,q:NULL"]
[m]
count = %d
[a]
mask = 0
[b]
mask = 0
[q]
queue = 65536
when_full = "block"
`, n), &stacktest.Log{})
	if err := d.Machine.Open(); err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	d.Machine.Start()
	<-d.Machine.Ended()
	runtime.ReadMemStats(&after)
	if err := d.Machine.Wait(); err != nil {
		t.Fatal(err)
	}
	return float64(after.Mallocs - before.Mallocs)
}

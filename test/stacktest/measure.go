// What an output costs: allocations and time for each record.

package stacktest

import (
	"slices"
	"testing"

	"ulogd/engine"
)

// Measure calls f with a function that has the output handle one full batch, which repeats the
// records of the shape.
func (s Setup) Measure(t testing.TB, f func(consume func())) {
	t.Helper()
	real, ok := engine.Default.Lookup(engine.OutputKind, s.Output)
	if !ok {
		t.Fatalf("there is no output %s", s.Output)
	}
	var reg engine.Registry
	m := &measured{run: f}
	reg.Register(engine.Plugin{Name: s.Output, Output: func() engine.Output {
		m.Output = real.Output()
		return m
	}})
	shape := s.Shape
	for len(s.Shape) < engine.BatchSize {
		s.Shape = append(slices.Clip(s.Shape), shape...)
	}
	s.Shape = s.Shape[:engine.BatchSize]
	plugin, _ := reg.Lookup(engine.OutputKind, s.Output)
	st, problem := s.with(t, plugin)
	if problem != "" {
		t.Fatal(problem)
	}
	if err := st.Machine.Open(); err != nil {
		t.Fatal(err)
	}
	st.Machine.Start()
	st.Send(s.Shape...)
	close(st.src.feed)
	<-st.Machine.Ended()
	if err := st.Machine.Wait(); err != nil {
		t.Error(err)
	}
}

// Allocations returns how often the output allocates per batch.
func (s Setup) Allocations(t testing.TB) (n float64) {
	t.Helper()
	s.Measure(t, func(consume func()) { n = testing.AllocsPerRun(100, consume) })
	return n
}

// Bench measures the output per record.
func (s Setup) Bench(b *testing.B) {
	b.Helper()
	b.ReportAllocs()
	s.Measure(b, func(consume func()) {
		for b.Loop() {
			consume()
		}
	})
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/engine.BatchSize, "ns/record")
}

// measured is an output whose first batch is handed to run.
type measured struct {
	engine.Output
	run   func(func())
	stage engine.Stage
}

func (m *measured) Bind(p *engine.Binder) engine.Stage {
	m.stage = m.Output.Bind(p)
	return m
}

func (m *measured) Consume(b *engine.Batch) { m.run(func() { m.stage.Consume(b) }) }

func (m *measured) Validate() error {
	if v, ok := m.Output.(engine.Validator); ok {
		return v.Validate()
	}
	return nil
}

func (m *measured) Open(env *engine.Env) error {
	if o, ok := m.Output.(engine.Opener); ok {
		return o.Open(env)
	}
	return nil
}

func (m *measured) Flush() {
	if f, ok := m.Output.(engine.Flusher); ok {
		f.Flush()
	}
}

func (m *measured) Close() error {
	if c, ok := m.Output.(engine.Closer); ok {
		return c.Close()
	}
	return nil
}

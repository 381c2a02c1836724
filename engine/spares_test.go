// What a burst took is given back.

package engine_test

import (
	"io"
	"log/slog"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"ulogd/engine"
)

var numberKey = engine.NewKey[uint64](engine.KeyInfo{Name: "test.number", Doc: "counts the rows"})

// bursting is an input that has rows as often as burst says, some hundred at a time.
type bursting struct {
	burst  chan int
	number engine.Col[uint64]
}

func (x *bursting) Options(*engine.Options) {}

func (x *bursting) Bind(p *engine.Binder) { x.number = engine.Give(p, p.Group(), numberKey) }

func (x *bursting) Read(b *engine.Batch, deadline time.Time) error {
	select {
	case n := <-x.burst:
		for r := range n {
			x.number.Of(b)[r], b.Have()[r] = uint64(r), x.number.Mask()
		}
		b.Fill(n)
	case <-time.After(time.Until(deadline)):
	}
	return nil
}

// anew is a filter that makes a record of each record.
type anew struct{}

func (anew) Options(*engine.Options) {}

func (anew) Bind(p *engine.Binder) engine.Stage {
	s := &anewStage{old: engine.Need(p, numberKey), emitter: p.Restart()}
	s.number = engine.Give(p, p.Group(), numberKey)
	return s
}

type anewStage struct {
	old, number engine.Col[uint64]
	emitter     *engine.Emitter
}

func (s *anewStage) Consume(b *engine.Batch) {
	for _, r := range b.Rows() {
		e := s.emitter.Batch()
		n := e.Len()
		s.number.Of(e)[n], e.Have()[n] = s.old.Of(b)[r], s.number.Mask()
		e.Fill(n + 1)
	}
}

// gated is an output that stands still until its gate is opened.
type gated struct{ gate chan struct{} }

func (x gated) Options(*engine.Options) {}

func (x gated) Blocks() bool { return true }

func (x gated) Bind(p *engine.Binder) engine.Stage {
	engine.Need(p, numberKey)
	return x
}

func (x gated) Consume(*engine.Batch) { <-x.gate }

// TestBatchesAreGivenBackAfterABurst: outputs stand still while rows come, for stacks that share an input, with batches
// that are well filled and with those that are not. Two minutes after that the memory is as it was.
func TestBatchesAreGivenBackAfterABurst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		in, gate := &bursting{burst: make(chan int)}, make(chan struct{})
		input := engine.NewInstance(&engine.Plugin{Name: "BURST", Input: func() engine.Input { return in }}, "in")
		maker := engine.NewInstance(
			&engine.Plugin{Name: "ANEW", Filter: func() engine.Filter { return anew{} }}, "anew",
		)
		out := func(id string) *engine.Instance {
			return engine.NewInstance(
				&engine.Plugin{Name: "GATED", Output: func() engine.Output { return gated{gate} }}, id,
			)
		}
		m, problems := engine.Build(slog.New(slog.NewTextHandler(io.Discard, nil)), []engine.StackSpec{
			{Name: "forks", Instances: []*engine.Instance{input, out("first")}},
			{Name: "makes", Instances: []*engine.Instance{input, maker, out("second")}},
		})
		if len(problems) > 0 {
			t.Fatal(problems[0])
		}
		if err := m.Open(); err != nil {
			t.Fatal(err)
		}
		m.Start()
		rows := func(n int) {
			in.burst <- n
			time.Sleep(time.Second)
		}
		rows(100)
		before := heap()
		for range 300 {
			in.burst <- 200
		}
		for range 300 {
			in.burst <- 10
		}
		close(gate)
		time.Sleep(time.Second)
		after := heap()
		for range 120 {
			rows(100)
		}
		later := heap()
		if after < before+2<<20 {
			t.Errorf("the burst took %d octets: the test shows nothing", after-before)
		}
		if later > before+1<<20 {
			t.Errorf("%d octets are in use before the burst, %d after it, and %d two minutes later",
				before, after, later)
		}
		m.Stop(time.Second)
		if err := m.Wait(); err != nil {
			t.Error(err)
		}
	})
}

// heap returns the octets that are in use.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// What the engine does about records that lack what an output needs, and about plugins that lose count.

package stacks_test

import (
	"fmt"
	"log/slog"
	"testing"

	"ulogd/engine"
	"ulogd/engine/key"
	"ulogd/test/stacktest"
)

// NEEDY requires two keys, and reads them without a look at the presence bits.
type needy struct{ name string }

type needyStage struct {
	mark   engine.Col[uint32]
	prefix engine.Col[engine.String]
	seen   *engine.Counter
}

func (n *needy) Options(o *engine.Options) { o.String(&n.name, "name", "", "unused") }

func (n *needy) Bind(p *engine.Binder) engine.Stage {
	return &needyStage{
		mark: engine.Require(p, key.OOBMark), prefix: engine.Require(p, key.OOBPrefix),
		seen: p.Stats().Counter("seen", "sum of the marks, and of the prefixes' lengths"),
	}
}

func (s *needyStage) Consume(b *engine.Batch) {
	mark, prefix := s.mark.Of(b), s.prefix.Of(b)
	for _, r := range b.Rows() {
		s.seen.Add(int(mark[r]) + len(b.Bytes(engine.Span(prefix[r]))))
	}
}

// SLOPPY says that it accounts for its records itself, and does not.
type sloppy struct{}

func (sloppy) Options(*engine.Options) {}

func (sloppy) Bind(p *engine.Binder) engine.Stage {
	p.OwnAccounting()
	return sloppy{}
}

func (sloppy) Consume(*engine.Batch) {}

func init() {
	engine.Register(engine.Plugin{Name: "NEEDY", Output: func() engine.Output { return &needy{} }})
	engine.Register(engine.Plugin{Name: "SLOPPY", Output: func() engine.Output { return sloppy{} }})
}

func TestRowsWithoutARequiredKeyNeverReachTheOutput(t *testing.T) {
	for _, queue := range []int{0, 1000} {
		name := fmt.Sprint(t.Name(), queue)
		stacktest.Feed(name,
			map[string]string{"oob.mark": "1", "oob.prefix": "abc"},
			map[string]string{"oob.mark": "1000"},
			map[string]string{"oob.prefix": "abcdefgh"},
			map[string]string{"oob.mark": "10", "oob.prefix": "abc"},
			map[string]string{"oob.family": "2"},
		)
		stacktest.Feed(name, map[string]string{"oob.mark": "100", "oob.prefix": ""})
		stacktest.Feed(name, map[string]string{"oob.mark": "5000"})
		d := stacktest.Run(t, fmt.Sprintf(`
stack = ["in:ROWS,out:NEEDY", "in:ROWS,all:RECORD"]
[in]
feed = %q
[out]
queue = %d
[all]
name = %q
`, name, queue, name))
		s := d.Stats("out")
		if d.Count("out", "seen") != 111+6 || s.In != 7 || s.Out != 3 || s.Filtered != 4 {
			t.Errorf("queue %d: %+v", queue, s)
		}
		if d.Count("out", "no oob.mark") != 2 || d.Count("out", "no oob.prefix") != 2 {
			t.Errorf("queue %d: reasons %+v", queue, s.Exclusions)
		}
		if all := stacktest.Recorded(name); len(all) != 7 {
			t.Errorf("queue %d: another output of the same input got %d of 7", queue, len(all))
		}
	}
}

func TestAPluginThatLosesCountIsNamed(t *testing.T) {
	gen, _ := engine.Default.Lookup(engine.InputKind, "GEN")
	bad, _ := engine.Default.Lookup(engine.OutputKind, "SLOPPY")
	in := engine.NewInstance(gen, "in1")
	stacktest.Configure(t, in, "count=5")
	log := &stacktest.Log{}
	m, problems := engine.Build(slog.New(log), []engine.StackSpec{
		{Name: "s", Instances: []*engine.Instance{in, engine.NewInstance(bad, "bad1")}},
	})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if err := m.Open(); err != nil {
		t.Fatal(err)
	}
	m.Start()
	if err := m.Wait(); err != nil {
		t.Fatal(err)
	}
	if !log.Has("ERROR " + engine.Unbalanced + " id=bad1 plugin=SLOPPY records=5 in=5") {
		t.Errorf("the log does not name the plugin:\n%s", log)
	}
}

package stacks_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ulogd/engine"
	"ulogd/engine/key"
	_ "ulogd/plugins/input/gen"
	_ "ulogd/plugins/output/null"
	"ulogd/test/stacktest"
)

// EVENMARK drops records with odd marks by a reason and filters those above 100; it gives an extra key.
type evenMark struct{}

type evenStage struct {
	mark engine.Col[uint32]
	half engine.Col[uint32]
	g    engine.Group
	odd  *engine.Drop
}

var halfKey = engine.NewKey[uint32](engine.KeyInfo{Name: "test.half", Doc: "half of the mark"})

func (evenMark) Options(*engine.Options) {}

func (evenMark) Bind(p *engine.Binder) engine.Stage {
	s := &evenStage{mark: engine.Need(p, key.OOBMark), g: p.Group(), odd: p.Stats().Drop("odd", "odd marks")}
	s.half = engine.GiveExtra(p, s.g, halfKey)
	return s
}

func (s *evenStage) Consume(b *engine.Batch) {
	mark, half, have := s.mark.Of(b), s.half.Of(b), b.Have()
	rows, n, odd := b.Rows(), 0, 0
	for _, r := range rows {
		switch {
		case mark[r]&1 == 1:
			odd++
		case mark[r] <= 100:
			half[r] = mark[r] / 2
			have[r] |= s.g.Mask()
			rows[n] = r
			n++
		}
	}
	b.Keep(n)
	s.odd.Rows(b, odd)
}

// SUMMER joins records into one per batch of ten and can run as copies.
type summer struct{ workers int }

type sumStage struct {
	mark   engine.Col[uint32]
	out    *engine.Emitter
	g      engine.Group
	pkts   engine.Col[uint64]
	stats  *engine.Stats
	n, sum uint64
}

func (s *summer) Options(o *engine.Options) { engine.Int(o, &s.workers, "workers", 1, "copies") }

func (s *summer) Shards() int { return s.workers }

func (s *summer) Bind(p *engine.Binder) engine.Stage {
	st := &sumStage{mark: engine.Need(p, key.OOBMark), stats: p.Stats()}
	st.out = p.Restart()
	st.g = p.Group()
	st.pkts = engine.Give(p, st.g, key.SumPackets)
	return st
}

type markDealer struct {
	mark engine.Col[uint32]
	hash [engine.BatchSize]uint32
}

func (s *summer) Deal(p *engine.Binder) engine.Dealer {
	return &markDealer{mark: engine.Need(p, key.OOBMark)}
}

func (d *markDealer) Hash(b *engine.Batch) *[engine.BatchSize]uint32 {
	mark := d.mark.Of(b)
	for _, r := range b.Rows() {
		d.hash[r] = mark[r] * 2654435761
	}
	return &d.hash
}

func (s *sumStage) Consume(b *engine.Batch) {
	mark := s.mark.Of(b)
	for _, r := range b.Rows() {
		s.sum += uint64(mark[r])
		if s.n++; s.n == 10 {
			s.emit()
		}
	}
	s.stats.Absorbed.Add(b.Len())
}

func (s *sumStage) emit() {
	b := s.out.Batch()
	n := b.Len()
	s.pkts.Of(b)[n] = s.sum
	b.Have()[n] = s.g.Mask()
	b.Fill(n + 1)
	s.stats.Made.Add(1)
	s.n, s.sum = 0, 0
}

func (s *sumStage) Flush() {
	if s.n > 0 {
		s.emit()
	}
}

// NARROW takes a key in a type of its own, which the engine has to convert.
var narrowKey = engine.NewKey[uint8](engine.KeyInfo{Name: "oob.mark", Doc: "the mark, cut to eight bits"})

type narrow struct{}

type narrowStage struct {
	mark engine.Col[uint8]
	sum  *engine.Counter
}

func (narrow) Options(*engine.Options) {}

func (narrow) Bind(p *engine.Binder) engine.Stage {
	return &narrowStage{engine.Need(p, narrowKey), p.Stats().Counter("sum", "sum of the marks seen")}
}

func (s *narrowStage) Consume(b *engine.Batch) {
	mark := s.mark.Of(b)
	for _, r := range b.Rows() {
		s.sum.Add(int(mark[r]))
	}
}

func init() {
	engine.Register(engine.Plugin{Name: "EVENMARK", Filter: func() engine.Filter { return evenMark{} }})
	engine.Register(engine.Plugin{Name: "SUMMER", Filter: func() engine.Filter { return &summer{} }})
	engine.Register(engine.Plugin{Name: "NARROW", Output: func() engine.Output { return narrow{} }})
}

// marks feeds n records with marks 0 to n-1, in batches of size.
func marks(name string, n, size int) {
	var rows []map[string]string
	for i := range n {
		rows = append(rows, map[string]string{"oob.mark": fmt.Sprint(i), "oob.prefix": fmt.Sprintf("p%d", i)})
		if len(rows) == size || i == n-1 {
			stacktest.Feed(name, rows...)
			rows = nil
		}
	}
}

func TestFilterDropsAndFiltersAreTold(t *testing.T) {
	marks(t.Name(), 200, 64)
	d := stacktest.Run(t, `
stack = "in:ROWS,even:EVENMARK,out:RECORD"
[in]
feed = "`+t.Name()+`"
[out]
name = "`+t.Name()+`"
`)
	got := stacktest.Recorded(t.Name())
	if len(got) != 51 || got[50] != "oob.mark=100 oob.prefix=p100" {
		t.Errorf("got %d records, the last %q", len(got), got[len(got)-1])
	}
	even := d.Stats("even")
	if even.In != 200 || even.Out != 51 || even.Dropped != 100 || even.Filtered != 49 {
		t.Errorf("%+v", even)
	}
}

func TestExtraKeysAreShownWhenAskedFor(t *testing.T) {
	stacktest.Feed(t.Name(), map[string]string{"oob.mark": "8"})
	stacktest.Run(t, `
stack = ["in:ROWS,even:EVENMARK,plain:RECORD", "in:ROWS,even:EVENMARK,all:RECORD", "in:ROWS,even:EVENMARK,named:RECORD"]
[in]
feed = "`+t.Name()+`"
[plain]
name = "plain"
[all]
name = "all"
extra_keys = true
[named]
name = "named"
keys = ["test.half"]
`)
	for name, want := range map[string]string{"plain": "oob.mark=8", "all": "oob.mark=8 test.half=4", "named": "test.half=4"} {
		if got := stacktest.Recorded(name); len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestOneInputFeedsSeveralStacksAndOneOutputIsFedBySeveral(t *testing.T) {
	marks(t.Name(), 300, 100)
	d := stacktest.Run(t, `
stack = ["in:ROWS,even:EVENMARK,one:RECORD", "in:ROWS,one:RECORD", "in:ROWS,two:RECORD"]
[in]
feed = "`+t.Name()+`"
[one]
name = "one"
queue = 1000
[two]
name = "two"
`)
	if one := stacktest.Recorded("one"); len(one) != 351 {
		t.Errorf("one got %d records, want 51 even ones and all 300", len(one))
	}
	two := stacktest.Recorded("two")
	if len(two) != 300 || two[299] != "oob.mark=299 oob.prefix=p299" {
		t.Errorf("two got %d records: a filter of another stack has changed them", len(two))
	}
	if in := d.Stats("in"); in.Made != 300 || in.Out != 300 {
		t.Errorf("the shared input counts each record once: %+v", in)
	}
}

func TestRecordsMadeOfOthers(t *testing.T) {
	for _, workers := range []int{1, 3} {
		name := fmt.Sprint(t.Name(), workers)
		marks(name, 1000, 256)
		d := stacktest.Run(t, fmt.Sprintf(`
stack = "in:ROWS,sum:SUMMER,out:RECORD"
[in]
feed = %q
[sum]
workers = %d
[out]
name = %q
`, name, workers, name))
		total, n := 0, 0
		for _, line := range stacktest.Recorded(name) {
			var v int
			if _, err := fmt.Sscanf(line, "sum.pkts=%d", &v); err != nil {
				t.Fatal(line, err)
			}
			total += v
			n++
		}
		if total != 999*1000/2 {
			t.Errorf("workers %d: the sums add up to %d", workers, total)
		}
		if s := d.Stats("sum"); s.Absorbed != 1000 || int(s.Made) != n || s.Out != s.Made {
			t.Errorf("workers %d: %d records, %+v", workers, n, s)
		}
	}
}

func TestQueueDropsAndCountsWhatDoesNotFit(t *testing.T) {
	marks(t.Name(), 5000, 100)
	d := stacktest.Run(t, `
stack = "in:ROWS,out:RECORD"
[in]
feed = "`+t.Name()+`"
[out]
name = "`+t.Name()+`"
queue = 500
when_full = "drop"
delay = "20ms"
`)
	out, got := d.Stats("out"), stacktest.Recorded(t.Name())
	if out.In != 5000 || d.Count("out", "queue_full") == 0 || int(out.Out) != len(got) || out.Out+out.Dropped != 5000 {
		t.Errorf("%d written, %+v", len(got), out)
	}
}

func TestQueueBlocksAnInputThatCanWait(t *testing.T) {
	marks(t.Name(), 3000, 100)
	d := stacktest.Run(t, `
stack = "in:ROWS,out:RECORD"
[in]
feed = "`+t.Name()+`"
[out]
name = "`+t.Name()+`"
queue = 500
delay = "2ms"
`)
	if got := stacktest.Recorded(t.Name()); len(got) != 3000 || d.Stats("out").Dropped != 0 {
		t.Errorf("%d of 3000 arrived", len(got))
	}
}

func TestSparseBatchesShareTheQueue(t *testing.T) {
	marks(t.Name(), 900, 1)
	d := stacktest.Run(t, `
stack = "in:ROWS,out:RECORD"
[in]
feed = "`+t.Name()+`"
[out]
name = "`+t.Name()+`"
queue = 1000
when_full = "drop"
delay = "50ms"
`)
	got := stacktest.Recorded(t.Name())
	if len(got) != 900 || d.Stats("out").Dropped != 0 {
		t.Fatalf("%d of 900 arrived", len(got))
	}
	for i, line := range got {
		if line != fmt.Sprintf("oob.mark=%d oob.prefix=p%d", i, i) {
			t.Fatalf("record %d is %q: order or text was lost", i, line)
		}
	}
}

func TestShutdownTimeoutCountsWhatIsLeft(t *testing.T) {
	marks(t.Name(), 5000, 250)
	d := stacktest.Start(t, `
stack = "in:ROWS,out:RECORD"
[in]
feed = "`+t.Name()+`"
[out]
name = "`+t.Name()+`"
queue = 10000
delay = "200ms"
`)
	d.Eventually("the queue fills", func() bool { return d.Stats("out").In == 5000 })
	d.Machine.Stop(100 * time.Millisecond)
	d.Wait()
	if late := d.Count("out", "shutdown_timeout"); late == 0 {
		t.Errorf("nothing is counted as late: %s", d.Sums())
	}
}

// The end of the shutdown timeout and the end of the stacks come at the same time: the race detector has nothing to
// say.
func TestShutdownTimeoutAtTheEnd(t *testing.T) {
	for range 20 {
		marks(t.Name(), 10, 10)
		d := stacktest.Start(t, "stack = \"in:ROWS,out:RECORD\"\n[in]\nfeed = \""+t.Name()+"\"\n[out]\nname = \""+t.Name()+"\"")
		d.Machine.Stop(0)
		d.Wait()
	}
}

func TestEngineConvertsAKeyOfAnotherType(t *testing.T) {
	marks(t.Name(), 300, 100)
	text := `
stack = "in:ROWS,out:NARROW"
[in]
feed = "` + t.Name() + `"
`
	plan := stacktest.Plan(t, "test.toml", text, &stacktest.Log{})
	var b strings.Builder
	plan.Explain(&b)
	if !strings.Contains(b.String(), "converted: oob.mark: unsigned int 32 of in:ROWS becomes unsigned int 8") {
		t.Errorf("the conversion is not explained:\n%s", b.String())
	}
	d := stacktest.Run(t, text)
	want := int64(0)
	for i := range 300 {
		want += int64(uint8(i))
	}
	if got := d.Count("out", "sum"); got != want {
		t.Errorf("sum is %d, want %d", got, want)
	}
}

func TestGenerator(t *testing.T) {
	d := stacktest.Run(t, `
stack = ["g:GEN,n:NULL", "g:GEN,r:RECORD", "p:GEN,q:RECORD"]
[g]
count = 1000
[p]
mode = "packets"
count = 700
[r]
name = "r"
[q]
name = "q"
`)
	if n := d.Stats("n"); n.Out != 1000 {
		t.Errorf("%+v", n)
	}
	flows, packets := stacktest.Recorded("r"), stacktest.Recorded("q")
	if len(flows) != 1000 || !strings.HasPrefix(flows[0], "orig.ip.saddr=10.0.2.209 orig.ip.daddr=198.51.100.108 orig.ip.protocol=6 ") {
		t.Errorf("%d flows, the first %q", len(flows), flows[0])
	}
	if len(packets) != 700 || !strings.Contains(packets[0], "oob.prefix=GEN oob.time.sec=1704067200 oob.time.usec=100 ") {
		t.Errorf("%d packets, the first %q", len(packets), packets[0])
	}
}

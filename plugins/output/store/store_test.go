// Whole stacks into a store that a test commands: away, full, refusing, killed.

package store_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ulogd/engine"
	"ulogd/plugins/output/store"
	"ulogd/test/dbtest"
	"ulogd/test/nstest"
	"ulogd/test/stacktest"
)

// world is a store's other side.
type world struct {
	mu    sync.Mutex
	down  bool
	bad   string // rows of this prefix are refused
	rows  []string
	fresh int           // of these, not from the spool
	taken []string      // IDs
	last  int           // with so many rows no more answers leave; 0: they always do
	stuck chan struct{} // is closed when an answer does not leave

	within time.Duration // that an attempt to connect could take
}

var there *world

func (w *world) set(f func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f()
}

type output struct{ store.Output }

func (o *output) Options(opts *engine.Options) {
	o.Declare(opts)
	o.DeclareReconnect(opts)
	opts.Seconds(&o.Within, "within", 0, "as a server's connect_timeout")
}

func (o *output) Bind(p *engine.Binder) engine.Stage { return o.BindStore(p, o, store.All(p)) }

func (o *output) Name() string { return "world" }

func (o *output) Connect(ctx context.Context, _ *engine.Env, _ []*store.Shape) (store.Conn, error) {
	there.mu.Lock()
	defer there.mu.Unlock()
	until, _ := ctx.Deadline()
	there.within = time.Until(until)
	if there.down {
		return nil, errors.New("it is down")
	}
	return conn{}, nil
}

type conn struct{}

func (conn) Close() error { return nil }

func (conn) Send(ctx context.Context, rows *store.Rows) error {
	answers, err := take(rows)
	if !answers {
		close(there.stuck)
		<-ctx.Done()
		return ctx.Err()
	}
	return err
}

// take takes rows. It reports whether whoever sent them is to know.
func take(rows *store.Rows) (answers bool, err error) {
	there.mu.Lock()
	defer there.mu.Unlock()
	if there.down {
		return true, errors.New("it went down")
	}
	if known, err := rows.Known(there.taken); known || err != nil {
		return true, err
	}
	var got []string
	v := make([]store.Value, len(rows.Shape.Keys))
	at, addr := rows.Shape.Index("oob.prefix"), rows.Shape.Index("ip.saddr")
	for i := range rows.Len() {
		rows.Read(i, v)
		text := string(v[at].Bytes)
		if there.bad != "" && strings.HasPrefix(text, there.bad) {
			return true, &store.Refused{Err: fmt.Errorf("I do not like %s", text)}
		}
		if v[addr].Valid {
			text += " " + v[addr].Addr().String()
		}
		got = append(got, text)
	}
	there.rows = append(there.rows, got...)
	there.taken = append(there.taken, rows.ID())
	if !rows.Stored {
		there.fresh += len(got)
	}
	return there.last == 0 || len(there.rows) < there.last, nil
}

// holder is an output whose store has rows in memory at first, and counts them itself.
type holder struct {
	output
	settled atomic.Int64
}

func (h *holder) Bind(p *engine.Binder) engine.Stage { return h.BindStore(p, h, store.All(p)) }

func (h *holder) Settled() int { return int(h.settled.Load()) }

var holding *holder

func init() {
	engine.Register(engine.Plugin{Name: "TESTHOLDER", Doc: "A test's.", Output: func() engine.Output {
		holding = &holder{}
		return holding
	}})
	engine.Register(engine.Plugin{Name: "TESTSTORE", Doc: "A test's.", Output: func() engine.Output { return &output{} }})
}

func setup(options ...string) stacktest.Setup {
	there = &world{stuck: make(chan struct{})}
	s := stacktest.Setup{
		Output: "TESTSTORE", Options: map[string]string{"flush_interval": "10ms", "reconnect": "20ms"},
		Shape: []stacktest.Record{
			{{Name: "oob.family", Value: "2"}, {Name: "oob.prefix", Value: "p"}, {Name: "ip.saddr", Value: "10.0.0.1"}},
			{{Name: "oob.family", Value: "10"}, {Name: "oob.prefix", Value: "q"}},
		},
	}
	for _, o := range options {
		name, text, _ := strings.Cut(o, "=")
		s.Options[name] = text
	}
	return s
}

// numbered returns n records whose prefixes count.
func numbered(s stacktest.Setup, from, n int) (list []stacktest.Record, want []string) {
	for i := range n {
		name := fmt.Sprintf("row%06d", from+i)
		list = append(list, s.Shape[0].With("oob.prefix", name))
		want = append(want, name+" 10.0.0.1")
	}
	return list, want
}

func check(t *testing.T, want []string) {
	t.Helper()
	there.mu.Lock()
	defer there.mu.Unlock()
	if !slices.Equal(there.rows, want) {
		t.Errorf("%d rows arrived, want %d, in order", len(there.rows), len(want))
	}
}

// An attempt to connect takes as long as its output says, be that longer than usual.
func TestAttemptsToConnectTakeTheirTime(t *testing.T) {
	for option, most := range map[string]time.Duration{"": 10 * time.Second, "within=1h": time.Hour} {
		if setup(strings.Fields(option)...).Run(t); there.within > most || there.within < most/2 {
			t.Errorf("%q: an attempt may take %v", option, there.within)
		}
	}
}

// A store that is down at the start gets everything in order once it is up.
func TestDownAtTheStart(t *testing.T) {
	s := setup()
	there.down = true
	st := s.Start(t)
	recs, want := numbered(s, 0, 3000)
	st.Send(recs...)
	st.Eventually("say so", func() bool { return st.Log.Has("it is down") })
	there.set(func() { there.down = false })
	st.End()
	check(t, want)
}

// What does not fit into the buffer goes through the spool, in order, and what the store does not
// take before the end comes in the next run.
func TestSpool(t *testing.T) {
	dir := t.TempDir()
	s := setup("buffer=1MiB", "spool="+dir)
	there.down = true
	st := s.Start(t)
	recs, want := numbered(s, 0, 60000) // 1.7 MB
	for c := range slices.Chunk(recs, 6000) {
		st.Send(c...)
	}
	st.Eventually("spool", func() bool { return counter(st, "spooled") > 0 })
	st.Eventually("say so", func() bool { return st.Log.Has("the buffer is full: records go to the spool") })
	there.set(func() { there.down = false })
	st.Eventually("arrive", func() bool { return st.Stats().Out == 60000 })
	there.set(func() { there.down = true })
	more, wantMore := numbered(s, 60000, 5000)
	st.Send(more...)
	st.Eventually("notice", func() bool { return st.Log.Has("it went down") })
	st.End()
	if held := st.Stats().Held; held != 5000 {
		t.Errorf("%d records wait for the next run, want 5000", held)
	}
	check(t, want)
	there.set(func() { there.down = false })
	last, wantLast := numbered(s, 65000, 10)
	st = s.Start(t)
	st.Eventually("resume", func() bool { return st.Stats().Out == 5000 })
	st.Send(last...)
	st.End()
	check(t, slices.Concat(want, wantMore, wantLast))
}

// Without a queue nothing can wait: what finds the buffer full is dropped, counted and said.
func TestBufferFull(t *testing.T) {
	s := setup("buffer=1MiB", "queue=0", "when_full=drop")
	there.down = true
	st := s.Start(t)
	st.Machine.Patience = 1e8
	recs, _ := numbered(s, 0, 60000) // 1.7 MB
	for c := range slices.Chunk(recs, 6000) {
		st.Send(c...)
	}
	st.End()
	full, late := drop(st, "buffer_full"), drop(st, "not_taken")
	if full == 0 || full+late != 60000 {
		t.Errorf("%d found the buffer full and %d were in it, of 60000", full, late)
	}
	if n := strings.Count(st.Log.String(), "dropped_so_far"); n != 1 {
		t.Errorf("said %d times:\n%s", n, st.Log)
	}
}

// A record that the store refuses costs itself alone.
func TestRefused(t *testing.T) {
	s := setup()
	there.bad = "row000"
	st := s.Start(t)
	recs, want := numbered(s, 995, 2000)
	bad, _ := numbered(s, 7, 1)
	recs, bad2 := slices.Insert(recs, 500, bad...), bad[0].With("oob.prefix", "row000x")
	st.Send(append(recs, bad2)...)
	st.End()
	check(t, slices.DeleteFunc(want, func(w string) bool { return strings.HasPrefix(w, "row000") }))
	if got := drop(st, "refused"); got != 7 {
		t.Errorf("%d are refused, want 7", got)
	}
	if !st.Log.Has("I do not like row000") {
		t.Errorf("the log does not have the store's words:\n%s", st.Log)
	}
}

// Without a spool what the store never takes is counted at the end, not lost in silence.
func TestNeverTaken(t *testing.T) {
	s := setup()
	there.down = true
	st := s.Start(t)
	st.Machine.Patience = 1e8
	recs, _ := numbered(s, 0, 300)
	st.Send(recs...)
	st.End()
	if got := drop(st, "not_taken"); got != 300 {
		t.Errorf("%d are counted as not taken, want 300", got)
	}
}

// A daemon that is killed while it empties its spool leaves it to the next run, which sends again what the store may
// or may not have: it has all of it, once.
func TestKilled(t *testing.T) {
	before := t.TempDir()
	s := setup("buffer=1MiB", "spool="+before, "spool_max=8MiB") // whose segments end within batches
	there.down, there.last = true, 80000
	first := s.Start(t)
	recs, want := numbered(s, 0, 120000) // 3.4 MB
	for c := range slices.Chunk(recs, 6000) {
		first.Send(c...)
	}
	first.Eventually("spool many", func() bool { return counter(first, "spooled") > 60000 })
	there.set(func() { there.down = false })
	<-there.stuck
	spooled := counter(first, "spooled") // behind what was in memory, which has arrived by now
	after := dbtest.SpoolOfTheDead(t, before)
	first.Machine.Patience = 1e8
	first.End()
	there.set(func() { there.last = 0 })
	s.Options["spool"] = after
	s.Start(t).End()
	check(t, want[:max(there.fresh+int(spooled), min(len(there.rows), len(want)))])
}

// What a store has only in memory stays in the spool until it is where a death of the daemon does not reach it.
func TestSettled(t *testing.T) {
	dir := t.TempDir()
	s := setup("buffer=1MiB", "spool="+dir, "spool_max=8MiB")
	s.Output = "TESTHOLDER"
	there.down = true
	st := s.Start(t)
	recs, _ := numbered(s, 0, 120000) // 3.4 MB
	for c := range slices.Chunk(recs, 6000) {
		st.Send(c...)
	}
	st.Eventually("spool many", func() bool { return counter(st, "spooled") > 60000 })
	there.set(func() { there.down = false })
	st.Eventually("take all", func() bool { there.mu.Lock(); defer there.mu.Unlock(); return len(there.rows) == 120000 })
	segments := func() int {
		list, _ := filepath.Glob(dir + "/rows/*.spool")
		return len(list)
	}
	all := segments()
	if all < 3 {
		t.Errorf("%d segments are left while nothing has settled", all)
	}
	holding.settled.Store(counter(st, "batches") - 1)
	st.Eventually("let go of some", func() bool { return segments() < all }) // of all, if the last came from memory
	holding.settled.Store(1000)
	st.Eventually("let go of the others", func() bool { return segments() == 0 })
	st.End()
}

// Where a spool finds no room for all of a batch, the rest waits.
func TestSpoolWithoutRoom(t *testing.T) {
	dir := t.TempDir()
	nstest.Disk(t, dir, 200<<10)
	s := setup("buffer=1MiB", "spool="+dir)
	there.down = true
	st := s.Start(t)
	recs, want := numbered(s, 0, 60000) // 1.7 MB
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		for c := range slices.Chunk(recs, 6000) {
			st.Send(c...)
		}
	}()
	st.Eventually("be full", func() bool { return st.Log.Has("no space left on device") })
	there.set(func() { there.down = false })
	<-sent
	st.End()
	check(t, want)
}

func TestAllocations(t *testing.T) {
	if n := setup("flush_interval=1h", "buffer=1GiB").Allocations(t); n > 1 { // a batch of 1 MiB now and then
		t.Errorf("%.1f allocations for 256 records", n)
	}
}

func counter(st *stacktest.Fixture, name string) int64 { return reading(st.Stats().Counters, name) }

func drop(st *stacktest.Fixture, name string) int64 { return reading(st.Stats().Drops, name) }

func reading(list []engine.Reading, name string) int64 {
	for _, r := range list {
		if r.Name == name {
			return r.Value
		}
	}
	return -1
}

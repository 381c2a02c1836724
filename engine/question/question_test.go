package question

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"ulogd/engine"
	"ulogd/engine/key"
	"ulogd/test/nstest"
)

func TestMatches(t *testing.T) {
	for words, want := range map[string]bool{
		"": true, "proto=udp": true, "proto=17": true, "proto=tcp": false, "port=53": true, "port=1000": true, "port=1": false,
		"src=192.0.2.0/24": true, "src=192.0.2.9": false, "dst=198.51.100.7": true, "addr=198.51.100.7": true, "addr=192.0.2.1": true, "addr=2001:db8::/32": false,
		"src=192.0.2.1 dst=192.0.2.1": false,
	} {
		q, err := ParseFlows(strings.Fields(words))
		if err != nil {
			t.Fatal(err)
		}
		if got := q.Matches(17, netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("198.51.100.7"), 1000, 53); got != want {
			t.Errorf("%q: %v", words, got)
		}
	}
}

func TestBadQuestions(t *testing.T) {
	for words, want := range map[string]string{
		"colour=red":                  `colour=red: "colour" is none of sort, limit, proto, src`,
		"proto=tpc":                   `proto=tpc: unknown protocol "tpc"; give a name such as tcp`,
		"proto=300":                   `unknown protocol "300"`,
		"src=1.2.3":                   `src=1.2.3: "1.2.3" is no address; write one such as 192.0.2.1`,
		"dst=1.2.3.4/40":              `"1.2.3.4/40" is no network`,
		"port=http":                   `port=http: "http" is no port; give a number`,
		"port=70000":                  "is no port",
		"if=nowhere0":                 `if=nowhere0: "nowhere0" is no interface here; give the number`,
		"in=0":                        `"0" is no interface here`,
		"sort=name":                   `sort=name: "name" is none of octets, packets, start, last`,
		"limit=-1":                    "is no number of flows",
		"limit=many":                  "is no number of flows",
		"tcp":                         `"tcp": write NAME=VALUE with one of`,
		"sort=octets limit=100001":    "at most 100000 are sorted",
		"sort=octets limit=999999999": "at most 100000 are sorted",
	} {
		if _, err := ParseFlows(strings.Fields(words)); err == nil || !strings.Contains(err.Error(), want) ||
			strings.Contains(err.Error(), "strconv") {
			t.Errorf("%s: %v", words, err)
		}
	}
	for words, want := range map[string]string{
		"by=colour": `by=colour: "colour" is none of src, dst,`, "window=1ms": "is no time from 1s to 1h0m0s", "limit=0": "is no number of rows",
		"sort=last": "is none of octets, packets, flows", "proto=tpc": "unknown protocol", "x": "write NAME=VALUE",
	} {
		if _, err := ParseTop(strings.Fields(words)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", words, err)
		}
	}
}

func TestBestOfMany(t *testing.T) {
	for _, n := range []int{0, 5, 20, 1000} {
		b := newBest(10, orders["octets"])
		for _, v := range rand.Perm(n) {
			b.add(&Flow{Octets: uint64(v), ReplyOctets: 1})
		}
		var got []uint64
		for _, f := range b.first() {
			got = append(got, f.Octets)
		}
		var want []uint64
		for v := n - 1; v >= max(n-10, 0); v-- {
			want = append(want, uint64(v))
		}
		if !slices.Equal(got, want) {
			t.Errorf("the first of %d are %v", n, got)
		}
	}
}

func addr(s string) netip.Addr { return netip.MustParseAddr(s) }

// A flow comes back from JSON as it was; what is not known is not there.
func TestJSON(t *testing.T) {
	full := Flow{
		Instance: "ct\"1", Proto: 6, Src: addr("192.0.2.1"), Dst: addr("2001:db8::1"), Sport: 1000, Dport: 80,
		ICMPType: 8, ICMPCode: 1,
		ReplySrc: addr("198.51.100.1"), ReplyDst: addr("198.51.100.2"), ReplySport: 8080, ReplyDport: 1001,
		Packets: 1 << 63, Octets: 1<<64 - 1, ReplyPackets: 3, ReplyOctets: 4, Start: 1700000000_123000000,
		Counted: 1700000002_000000000,
		Last:    1700000001_000000000,
		Timeout: 5, State: key.TCPEstablished, Flags: 0x12, In: 1, Out: 2, Status: 3, Mark: 4, ID: 5, Zone: 6,
		Known: Zone<<1 - 1,
	}
	bare := Flow{Instance: "f", Proto: 17, Src: addr("192.0.2.1"), Dst: addr("192.0.2.2")}
	for _, f := range []Flow{full, bare} {
		line := f.AppendJSON(nil)
		if !json.Valid(line) || bytes.ContainsRune(line, '\n') {
			t.Fatalf("no JSON on one line: %s", line)
		}
		var back Flow
		if err := json.Unmarshal(line, &back); err != nil {
			t.Fatal(err)
		}
		if back != f {
			t.Errorf("%s\ncomes back as %+v\nwant          %+v", line, back, f)
		}
	}
	if want := `{"id":"f","proto":17,"src":"192.0.2.1","dst":"192.0.2.2"}`; string(bare.AppendJSON(nil)) != want {
		t.Errorf("%s, want %s", bare.AppendJSON(nil), want)
	}
}

func TestTranslated(t *testing.T) {
	f := Flow{
		Src: addr("10.0.0.1"), Dst: addr("192.0.2.1"), Sport: 5, Dport: 80, ReplySrc: addr("192.0.2.1"),
		ReplyDst: addr("10.0.0.1"), ReplySport: 80, ReplyDport: 5, Known: Ports | ReplyTuple,
	}
	for _, c := range []struct {
		change   func(*Flow)
		src, dst bool
	}{
		{func(*Flow) {}, false, false},
		{func(f *Flow) { f.ReplyDst = addr("198.51.100.1") }, true, false},
		{func(f *Flow) { f.ReplyDport = 7 }, true, false},
		{func(f *Flow) { f.ReplySport = 8080 }, false, true},
		{func(f *Flow) { f.ReplySrc, f.ReplyDst = addr("10.0.0.9"), addr("198.51.100.1") }, true, true},
		{func(f *Flow) { f.ReplyDst, f.Known = addr("198.51.100.1"), Ports }, false, false},
	} {
		x := f
		c.change(&x)
		if src, dst := x.Translated(); src != c.src || dst != c.dst {
			t.Errorf("%+v: %v, %v", x, src, dst)
		}
	}
}

// holder is an input that holds flows.
type holder struct {
	flows  atomic.Pointer[[]Flow]
	chunk  int
	end    chan struct{}
	stuck  chan struct{} // Read waits for it
	waits  atomic.Bool   // Read waits
	during atomic.Int32
	later  int // how often it says so
}

func (h *holder) Options(*engine.Options) {}
func (h *holder) Bind(*engine.Binder)     {}
func (h *holder) Live() bool              { return true }

func (h *holder) Read(_ *engine.Batch, deadline time.Time) error {
	if h.stuck != nil {
		h.waits.Store(true)
		<-h.stuck
	}
	select {
	case <-h.end:
		return io.EOF
	case <-time.After(time.Until(deadline)):
		return nil
	}
}

func (h *holder) Query(ask any, from int64) (int64, error) {
	q, ok := ask.(*Flows)
	if !ok {
		return -1, engine.ErrNotAsked
	}
	if h.during.Add(1) != 1 {
		panic("two at once")
	}
	defer h.during.Add(-1)
	if from == 0 && h.later > 0 && q.Waits() {
		h.later--
		return from, engine.ErrLater
	}
	flows := *h.flows.Load()
	to := min(int(from)+h.chunk, len(flows))
	for i := int(from); i < to; i++ {
		f := &flows[i]
		if q.Matches(f.Proto, f.Src, f.Dst, int(f.Sport), int(f.Dport)) {
			q.Add(f)
		}
	}
	if to == len(flows) || q.Full() {
		return -1, nil
	}
	return int64(to), nil
}

type sink struct{}

func (sink) Options(*engine.Options)          {}
func (sink) Bind(*engine.Binder) engine.Stage { return sink{} }
func (sink) Consume(*engine.Batch)            {}

// run starts a machine with holders.
func run(t *testing.T, holders ...*holder) *engine.Machine {
	t.Helper()
	var specs []engine.StackSpec
	for i, h := range holders {
		h.end = make(chan struct{})
		if h.chunk == 0 {
			h.chunk = 100
		}
		in := engine.NewInstance(&engine.Plugin{Name: "HOLDER", Input: func() engine.Input { return h }}, fmt.Sprint("h", i))
		out := engine.NewInstance(&engine.Plugin{Name: "SINK", Output: func() engine.Output { return sink{} }},
			fmt.Sprint("s", i))
		specs = append(specs, engine.StackSpec{Name: fmt.Sprint(i), Instances: []*engine.Instance{in, out}})
	}
	m, errs := engine.Build(slog.New(slog.DiscardHandler), specs)
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if err := m.Open(); err != nil {
		t.Fatal(err)
	}
	m.Start()
	t.Cleanup(func() {
		for _, h := range holders {
			select {
			case <-h.end:
			default:
				close(h.end)
			}
		}
		if err := m.Wait(); err != nil {
			t.Error(err)
		}
	})
	return m
}

func holding(flows ...Flow) *holder {
	for i := range flows {
		flows[i].Src, flows[i].Dst = addr("192.0.2.1"), addr("192.0.2.2")
	}
	h := &holder{}
	h.flows.Store(&flows)
	return h
}

func many(n, net int) *holder {
	flows := make([]Flow, n)
	for i := range flows {
		flows[i] = Flow{
			Proto: 17, Src: netip.AddrFrom4([4]byte{10, byte(net), byte(i >> 8), byte(i)}), Dst: addr("192.0.2.1"),
			Sport: 1000, Dport: 53,
			Packets: 1, Octets: uint64(i) * 10, ReplyPackets: 2, ReplyOctets: uint64(net), Start: engine.Time(i + 1),
			Known: Ports | Counters | ReplyCounters | Start,
		}
	}
	h := &holder{}
	h.flows.Store(&flows)
	return h
}

func ask1(t *testing.T, m *engine.Machine, words string) (flows []Flow, sum Sum) {
	t.Helper()
	q, err := ParseFlows(strings.Fields(words))
	if err != nil {
		t.Fatal(err)
	}
	sum, err = q.Ask(t.Context(), m, func(f *Flow) error {
		flows = append(flows, *f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return flows, sum
}

// Orders and limits hold for the flows of all plugins together.
func TestSeveralPluginsAnswerTogether(t *testing.T) {
	m := run(t, many(1000, 1), many(500, 2))
	if flows, sum := ask1(t, m, ""); len(flows) != 1500 || sum.Took <= 0 {
		t.Errorf("%d flows, took %v", len(flows), sum.Took)
	}
	if flows, _ := ask1(t, m, "id=h1"); len(flows) != 500 || flows[0].Instance != "h1" {
		t.Errorf("%d flows of one instance", len(flows))
	}
	if q, err := ParseFlows([]string{"id=nobody"}); err != nil {
		t.Error(err)
	} else if _, err := q.Ask(t.Context(), m, nil); err == nil || !strings.Contains(err.Error(),
		"id=nobody: no FLOW and no NFCT") {
		t.Errorf("of an instance that is not there: %v", err)
	}
	flows, sum := ask1(t, m, "sort=octets limit=1002")
	if len(flows) != 1002 || sum.Flows != 1002 {
		t.Fatalf("%d flows, said to be %d", len(flows), sum.Flows)
	}
	if !slices.IsSortedFunc(flows, func(a, b Flow) int { return orders["octets"](&a, &b) }) {
		t.Error("not in order")
	}
	if a, b := flows[500], flows[501]; a.AllOctets() != 4992 || a.Instance != "h1" || b.Instance != "h0" ||
		b.AllOctets() != 4991 {
		t.Errorf("%+v\n%+v", a, b)
	}
	if flows, _ := ask1(t, m, "limit=1200"); len(flows) != 1200 {
		t.Errorf("limit=1200: %d", len(flows))
	}
	if flows, _ := ask1(t, m, "limit=0"); len(flows) != 0 {
		t.Errorf("limit=0: %d", len(flows))
	}
	if flows, _ := ask1(t, m, "src=10.2.0.0/16"); len(flows) != 500 || flows[0].Instance != "h1" {
		t.Errorf("src=10.2.0.0/16: %d", len(flows))
	}
	// Whoever asks may stop.
	q, _ := ParseFlows(nil)
	enough := errors.New("enough")
	n := 0
	if _, err := q.Ask(t.Context(), m, func(*Flow) error {
		if n++; n == 150 {
			return enough
		}
		return nil
	}); !errors.Is(err, enough) || n != 150 {
		t.Errorf("%v after %d", err, n)
	}
}

// An input that has ended has no flows, and keeps nobody waiting.
func TestInputThatHasEnded(t *testing.T) {
	gone, lives := many(100, 1), many(50, 2)
	m := run(t, gone, lives)
	close(gone.end)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(time.Millisecond) {
		if flows, sum := ask1(t, m, ""); len(flows) == 50 && len(sum.Unable) == 0 {
			break
		} else if time.Now().After(end) {
			t.Fatalf("%d flows, %v", len(flows), sum.Unable)
		}
	}
}

// One that does not come to the question is said, and does not keep the others from it.
func TestInputThatIsStuck(t *testing.T) {
	stuck, lives := many(100, 1), many(50, 2)
	stuck.stuck = make(chan struct{})
	m := run(t, stuck, lives)
	for !stuck.waits.Load() {
		time.Sleep(time.Millisecond)
	}
	flows, sum := ask1(t, m, "")
	if len(flows) != 50 || len(sum.Unable) != 1 || !strings.Contains(sum.Unable[0], "h0:HOLDER does not answer") {
		t.Errorf("%d flows, %q", len(flows), sum.Unable)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	q, _ := ParseFlows(nil)
	if _, err := q.Ask(ctx, m, func(*Flow) error { return nil }); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	close(stuck.stuck)
	if flows, _ := ask1(t, m, ""); len(flows) != 150 {
		t.Errorf("%d flows after it goes on", len(flows))
	}
}

// Where nobody knows which interface a flow took, it is not among those of one.
func TestInterfaces(t *testing.T) {
	nstest.Need(t, "native") // an emulator of the other byte order garbles the kernel's list of interfaces
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Fatal(err)
	}
	index := uint32(lo.Index)
	m := run(t, holding(Flow{Sport: 1, In: index, Known: In}, Flow{Sport: 2, Out: index, Known: Out},
		Flow{Sport: 3}, Flow{Sport: 4, In: index + 1, Out: index, Known: In | Out}))
	for words, want := range map[string]string{
		"if=lo": "[1 2 4]", "in=lo": "[1]", "out=lo": "[2 4]", "in=lo out=lo": "[]",
		fmt.Sprint("in=", index+1): "[4]", "": "[1 2 3 4]", "if=lo limit=2": "[1 2]",
	} {
		got := []uint16{}
		flows, _ := ask1(t, m, words)
		for _, f := range flows {
			got = append(got, f.Sport)
		}
		if fmt.Sprint(got) != want {
			t.Errorf("%q: %v, want %s", words, got, want)
		}
	}
}

// Who has to read something first is asked again, for as long as whoever asks waits; what it has told
// of is as old as it says.
func TestAnswersThatAreGathered(t *testing.T) {
	counted := time.Now().Add(-time.Minute).Truncate(time.Millisecond)
	h := holding(Flow{Sport: 1, Known: Counters, Counted: engine.Time(counted.UnixNano())}, Flow{Sport: 2})
	h.later = 20
	m := run(t, h)
	flows, sum := ask1(t, m, "")
	if len(flows) != 2 || h.later != 0 || !sum.At.Equal(counted) {
		t.Errorf("%d flows, %d times later, as of %v", len(flows), h.later, sum.At)
	}
	h.later = 1 << 30
	gone, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	q := &Flows{Limit: -1}
	if _, err := q.Ask(gone, m, func(*Flow) error { return nil }); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("who has gone is answered by %v", err)
	}
	if q.asked = time.Now().Add(-patience); q.Waits() {
		t.Error("a question waits for ever")
	}
	if thrifty := (&Flows{Share: 200}); thrifty.Age(time.Second) != 200*time.Second ||
		q.Age(time.Second) != 10*time.Second ||
		q.Age(0) <= 0 {
		t.Error("what counters cost does not say how old they may be")
	}
}

func TestTopSince(t *testing.T) {
	h := many(300, 1)
	flows := *h.flows.Load()
	flows[7].Known &^= Counters | ReplyCounters
	flows[7].Octets, flows[7].ReplyOctets, flows[7].Packets, flows[7].ReplyPackets = 0, 0, 0, 0
	m := run(t, h)
	for words, want := range map[string]string{
		"limit=2":                "10.1.1.43/2991/3/1/0 10.1.1.42/2981/3/1/0",
		"by=dst":                 "192.0.2.1/448729/897/300/1",
		"by=proto sort=flows":    "udp/448729/897/300/1",
		"by=port sort=packets":   "udp/53/448729/897/300/1",
		"by=srcnet limit=5":      "10.1.0.0/24/326585/765/256/1 10.1.1.0/24/122144/132/44/0",
		"by=host limit=1":        "192.0.2.1/448729/897/300/1",
		"by=pair limit=1":        "10.1.1.43 -> 192.0.2.1/2991/3/1/0",
		"by=in":                  "unknown/448729/897/300/1",
		"src=10.1.0.7 by=src":    "10.1.0.7/0/0/1/1",
		"proto=tcp":              "",
		"src=10.1.0.8/30 by=src": "10.1.0.11/111/3/1/0 10.1.0.10/101/3/1/0 10.1.0.9/91/3/1/0 10.1.0.8/81/3/1/0",
	} {
		q, err := ParseTop(strings.Fields(words))
		if err != nil {
			t.Fatal(err)
		}
		res, err := q.Ask(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range res.Rows {
			got = append(got, fmt.Sprintf("%s/%d/%d/%d/%d", r.Name, r.Octets, r.Packets, r.Flows, r.Unknown))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %s, want %s", words, got, want)
		}
	}
}

// Over a window counts what came within it, of old flows and of new ones, once for all watchers.
func TestTopOverAWindow(t *testing.T) {
	h := many(3, 1)
	m := run(t, h)
	meter := NewMeter(m, 10)
	q, _ := ParseTop([]string{"window=1s"})
	results := make(chan Result)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		ended <- meter.Watch(ctx, q, func(r Result) error {
			results <- r
			return nil
		})
	}()
	first := <-results
	if first.All.Octets != 0 || len(first.Rows) != 0 {
		t.Errorf("nothing came, but %+v", first)
	}
	flows := slices.Clone(*h.flows.Load())
	flows[0].Octets += 500
	flows[0].Packets++
	flows[2].Octets = 7 // counted anew, as after a reset
	flows[2].Packets = 1
	flows = append(flows, Flow{
		Proto: 6, Src: addr("10.9.9.9"), Dst: addr("192.0.2.1"), Packets: 4, Octets: 4000,
		Start: 99, Known: Counters | Start,
	})
	h.flows.Store(&flows)
	var all []Row
	for len(all) < 3 {
		all = append(all, (<-results).Rows...)
	}
	got := fmt.Sprint(all)
	if want := "[{10.9.9.9 4000 4 1 0} {10.1.0.0 500 1 1 0} {10.1.0.2 8 3 1 0}]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		meter.mu.Lock()
		running := meter.running
		meter.mu.Unlock()
		if !running {
			break
		} else if time.Now().After(end) {
			t.Fatal("nobody watches, but it goes on looking")
		}
	}
}

func FuzzQuestions(f *testing.F) {
	f.Add("proto=tcp src=10.0.0.0/8 sort=octets limit=5")
	f.Add("by=srcnet window=10s sort=flows addr=2001:db8::/32 port=53")
	f.Fuzz(func(t *testing.T, text string) {
		words := strings.Fields(text)
		if q, err := ParseFlows(words); err == nil {
			q.Matches(6, netip.Addr{}, netip.Addr{}, -1, -1)
			if q.Sort != "" && (q.Limit < 0 || q.Limit > SortedMost) {
				t.Errorf("%q: limit %d", text, q.Limit)
			}
		}
		if q, err := ParseTop(words); err == nil && (q.Limit < 1 || q.Limit > topRowsMax) {
			t.Errorf("%q: limit %d", text, q.Limit)
		}
	})
}

func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"id":"ct","proto":6,"src":"192.0.2.1","dst":"192.0.2.2","sport":1,"dport":2,"packets":1,"octets":40,"state":"ESTABLISHED"}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		var x Flow
		if json.Unmarshal(line, &x) == nil && x.Src.IsValid() && x.Dst.IsValid() &&
			x.ReplySrc.IsValid() == x.ReplyDst.IsValid() {
			if again := x.AppendJSON(nil); !json.Valid(again) {
				t.Errorf("%s", again)
			}
		}
	})
}

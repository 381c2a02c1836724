package nfct

import (
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"ulogd/engine"
	"ulogd/engine/key"
	"ulogd/engine/question"
	"ulogd/plugins/input/nfct/ctnetlink"
	"ulogd/plugins/input/nfct/table"
	"ulogd/test/cttest"
)

func TestLiveConnectionsAreListed(t *testing.T) {
	s := play(t, func(set *settings) { set.hashMax = 20_000 })
	for i := range uint32(10) {
		s.send(udp(key.EventNew, i))
	}
	ping := cttest.Samples[3]
	ping.Event = key.EventNew
	s.send(udp(key.EventDestroy, 4), ping)
	ask := func(words string) (lines []string, err error) {
		q, err := question.ParseFlows(strings.Fields(words))
		if err != nil {
			t.Fatal(err)
		}
		_, err = q.Ask(t.Context(), s.machine, func(f *question.Flow) error {
			lines = append(lines, string(f.AppendJSON(nil)))
			return nil
		})
		return lines, err
	}
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		if lines, err := ask(""); err == nil && len(lines) == 10 {
			break
		} else if time.Now().After(end) {
			t.Fatalf("%v: %q", err, lines)
		}
	}
	for words, want := range map[string]int{"proto=udp": 9, "port=53 limit=3": 3, "sort=octets limit=2": 2, "src=192.0.2.1": 9, "proto=icmpv6": 1, "port=128": 0} {
		if lines, err := ask(words); err != nil || len(lines) != want {
			t.Errorf("%s: %v, %q", words, err, lines)
		}
	}
	if lines, _ := ask("proto=icmpv6"); len(lines) != 1 || !strings.Contains(lines[0], `"icmp_type":128,"icmp_code":0`) ||
		!strings.Contains(lines[0], `"zone":`) {
		t.Errorf("%q", lines)
	}
	// What the kernel has not told is unknown, not 0.
	if lines, _ := ask("proto=udp"); len(lines) != 9 || strings.Contains(strings.Join(lines, ""), `"octets":`) {
		t.Errorf("%q", lines)
	}
	ignore := func(*engine.Instance, time.Duration) error { return nil }
	if err := s.machine.Query(t.Context(), "stars", ignore); !errors.Is(err, engine.ErrNotAsked) {
		t.Errorf("NFCT knows of stars: %v", err)
	}
}

func TestManyLiveConnectionsAreListedOnce(t *testing.T) {
	const n = 3*question.ChunkFlows + 7
	tab := table.New(n, table.NewHasher())
	for i := range n {
		tab.Entry(tab.Insert(cttest.Some(i), int64(i+1))).Sent = ctnetlink.Counters{Packets: uint64(n - i), Octets: uint64(i)}
	}
	instance := &nfct{table: tab, settings: settings{hash: true}}
	in := engine.NewInstance(&engine.Plugin{
		Name:  "NFCT",
		Input: func() engine.Input { return &answering{instance} },
	}, "ct1")
	out := engine.NewInstance(&engine.Plugin{Name: "NOTHING", Output: func() engine.Output { return nothing{} }}, "out")
	m, errs := engine.Build(slog.New(slog.DiscardHandler),
		[]engine.StackSpec{{Name: "test", Instances: []*engine.Instance{in, out}}})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	m.Start()
	defer m.Stop(time.Second)
	for words, want := range map[string]int{"": n, "limit=5000": 5000, "limit=0": 0, "sort=octets limit=9": 9} {
		q, err := question.ParseFlows(strings.Fields(words))
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		if _, err := q.Ask(t.Context(), m, func(f *question.Flow) error {
			lines = append(lines, string(f.AppendJSON(nil)))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		if words == "sort=octets limit=9" && !strings.Contains(lines[1], fmt.Sprintf(`"packets":2,"octets":%d,`, n-2)) {
			t.Errorf("the second is %q", lines[1])
		}
		if slices.Sort(lines); len(lines) != want || len(slices.Compact(lines)) != want {
			t.Errorf("%q: %d lines, want %d", words, len(lines), want)
		}
	}
}

// answering is an NFCT that hears of no events and answers questions.
type answering struct{ of *nfct }

func (*answering) Options(*engine.Options) {}
func (*answering) Bind(*engine.Binder)     {}
func (*answering) Read(_ *engine.Batch, deadline time.Time) error {
	time.Sleep(time.Until(deadline))
	return nil
}
func (a *answering) Query(ask any, from int64) (int64, error) { return a.of.Query(ask, from) }

type nothing struct{}

func (nothing) Options(*engine.Options)          {}
func (nothing) Bind(*engine.Binder) engine.Stage { return nothing{} }
func (nothing) Consume(*engine.Batch)            {}

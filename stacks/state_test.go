package stacks_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"ulogd/engine"
	"ulogd/test/stacktest"
)

// WATCHED is an output that says what a monitor is told of; its peer goes away with the first batch.
type watched struct {
	peer          *engine.Peer
	gauge, total  *engine.Counter
	level, latter *engine.Counter
}

func (w *watched) Options(*engine.Options) {}

func (w *watched) Bind(*engine.Binder) engine.Stage { return w }

func (w *watched) Blocks() bool { return true }

func (w *watched) Open(env *engine.Env) error {
	w.peer = env.Stats.Peer("far:1")
	w.peer.Up()
	w.gauge = env.Stats.Gauge("table_entries", "entries")
	w.total = env.Stats.Total("table_insertions", "insertions")
	w.level = env.Stats.Level("routes", "routes now")
	w.latter = env.Stats.Counter("reloads", "how often")
	return nil
}

func (w *watched) Consume(b *engine.Batch) {
	w.gauge.Set(7)
	w.total.Add(b.Len())
	w.level.Set(3)
	w.latter.Add(1)
	w.peer.Down(errors.New("nobody there"))
	w.peer.Waits(10, 100, 20, 200)
}

func TestWhatMonitorsAreTold(t *testing.T) {
	engine.Register(engine.Plugin{Name: "WATCHED", Doc: "For tests.", Output: func() engine.Output { return &watched{} }})
	began := time.Now()
	d := stacktest.Start(t, `
stack = "g:GEN,w:WATCHED"
[g]
count = 0
rate = 1000
`)
	d.Eventually("a second of records", func() bool {
		return !d.Stats("w").Last.IsZero() &&
			d.Count("w", "table_insertions") > 0
	})
	g, w := d.Stats("g"), d.Stats("w")
	if w.QueueMax != engine.DefaultQueue || g.QueueMax != 0 {
		t.Errorf("the queues hold %d and %d", w.QueueMax, g.QueueMax)
	}
	for _, s := range []engine.Snapshot{g, w} {
		if s.Turned.Before(began) || s.Last.Before(began) || s.Batches.Count == 0 || s.Batches.Sum <= 0 {
			t.Errorf("%s turned at %v, had records at %v, %d batches in %v", s.ID, s.Turned, s.Last, s.Batches.Count,
				s.Batches.Sum)
		}
	}
	if len(w.Peers) != 1 || w.Peers[0].Up || w.Peers[0].Error != "nobody there" || w.Peers[0].Since.Before(began) ||
		w.Peers[0].Buffer != 10 || w.Peers[0].BufferMax != 100 || w.Peers[0].Spool != 20 || w.Peers[0].SpoolMax != 200 {
		t.Errorf("its peers: %+v", w.Peers)
	}
	if d.Count("w", "table_entries") != 7 {
		t.Errorf("the gauge: %+v", w.Figures)
	}
	for name, want := range map[string]string{
		"table_entries": "entries true", "table_insertions": "insertions false", "routes": "routes now true",
		"reloads":    "how often false",
		"queue_full": "records that found the output's queue full false", "nothing": " false",
	} {
		if doc, level := w.Doc(name); fmt.Sprint(doc, " ", level) != want {
			t.Errorf("%s: %q, %v", name, doc, level)
		}
	}
	paths := d.Machine.Survey().Paths
	if len(paths) != 1 || len(paths[0].Instances) != 2 || paths[0].Instances[0] != 0 || paths[0].Instances[1] != 1 {
		t.Errorf("the stacks: %+v", paths)
	}
	text, err := json.Marshal(w)
	if err != nil || !strings.Contains(string(text), `"peers":[{"name":"far:1","up":false,`) {
		t.Errorf("%v: %s", err, text)
	}
}

// When rows are out of a kill's reach.

package parquet

import (
	"log/slog"
	"testing"
	"time"

	"ulogd/engine"
	"ulogd/plugins/output/store"
)

// A Send has settled once all its rows are in files, whatever became of later ones.
func TestSettled(t *testing.T) {
	env := &engine.Env{Log: slog.New(slog.DiscardHandler), Stats: &engine.Stats{}}
	s := &files{dir: t.TempDir(), rotateSize: 1 << 30, groupRows: 3}
	s.open(env)
	shape := &store.Shape{Keys: []store.Key{{Name: "oob.time", Type: engine.TimeType}}}
	row := make([]store.Value, 1)
	send := func(hours ...int64) {
		s.sends++
		sh := s.shape(shape)
		for _, h := range hours {
			at := h * int64(time.Hour)
			f := s.file(sh, h, time.Now())
			row[0] = store.Value{Valid: true, N: uint64(at)}
			s.take(sh, f, row, at)
		}
	}
	want := func(n int) {
		t.Helper()
		if got := s.Settled(); got != n {
			t.Errorf("%d have settled, want %d", got, n)
		}
	}
	want(0)
	send(1, 1)
	want(0)
	send(2)
	send(1) // the third of its hour: a row group is full
	want(1) // the second is not in a file
	send(2, 2)
	want(4)
	send(1)
	want(4)
	if err := s.endAll(); err != nil {
		t.Error(err)
	}
	want(5)
}

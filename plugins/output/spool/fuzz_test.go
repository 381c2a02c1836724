package spool

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"testing"

	"ulogd/engine"
)

// FuzzSegment puts any octets where a segment is expected, twice: alone, and behind whole messages.
// Nothing may be read that no checksum confirms, what stands in front stays readable, and every
// record is accounted for.
func FuzzSegment(f *testing.F) {
	whole := []byte(fileMagic)
	for i := range 5 {
		m := message(i)
		whole = m.append(whole)
	}
	complete := appendEnd(bytes.Clone(whole), int(records(0, 5)))
	f.Add([]byte{})
	f.Add(whole)
	f.Add(complete)
	f.Add(complete[:len(complete)-1])
	f.Add(whole[:len(whole)-7])
	f.Add(appendEnd(bytes.Clone(whole), 1<<30))
	f.Add(appendEnd(bytes.Clone(whole), 1))
	hole := bytes.Clone(complete)
	clear(hole[60:120])
	f.Add(hole)
	f.Add(append(bytes.Clone(complete), complete...))
	f.Add(append(bytes.Clone(complete), 'U'))
	f.Fuzz(func(t *testing.T, p []byte) {
		for _, front := range []int{0, len(whole)} {
			path := t.TempDir()
			name := filepath.Join(path, fileName(firstNumber))
			if err := os.WriteFile(name, append(bytes.Clone(whole[:front]), p...), 0o600); err != nil {
				t.Fatal(err)
			}
			stats := &engine.Stats{}
			s, err := open(path, Config{Max: MinMax, Log: slog.New(slog.DiscardHandler), Stats: stats, Go: func(f func(context.Context)) { f(context.Background()) }})
			if err != nil {
				t.Fatal(err)
			}
			made, read, out := stats.Made.Load(), 0, 0
			for m, ok := s.Next(); ok; m, ok = s.Next() {
				if want := message(read); front > 0 && read < 5 && !bytes.Equal(m.Body, want.Body) && out+m.Records <= int(records(0, 5)) {
					t.Errorf("message %d is %q", read, m.Body)
				}
				read++
				out += m.Records
			}
			if lost := s.damage.Load(); made != int64(out)+lost || s.Records() != 0 {
				t.Errorf("made %d, but read %d and lost %d; %d are left", made, out, lost, s.Records())
			}
			s.Release(s.Position())
			if s.octets != 0 {
				t.Errorf("%d octets of nothing", s.octets)
			}
			s.Close()
		}
	})
}

package parquet

import (
	"bytes"
	"testing"

	"ulogd/engine"
	"ulogd/plugins/output/store"
)

// aFile returns a file of two row groups of a row each, and where the first ends.
func aFile(t testing.TB) (octets []byte, first int) {
	t.Helper()
	f := file{rows: newGroup(&store.Shape{Keys: []store.Key{{Name: "a", Type: engine.Uint32Type}}})}
	for range 2 {
		first = len(octets)
		f.rows.add([]store.Value{{Valid: true, N: 7}}, 1)
		if err := f.encode(); err != nil {
			t.Fatal(err)
		}
		octets = append(octets, f.waits...)
		f.size, f.meta, f.waiting = int64(len(octets)), f.waitsMeta, 0
	}
	return octets, first
}

// A file that was cut anywhere is whole up to the last row group in front of that.
func TestCut(t *testing.T) {
	octets, first := aFile(t)
	for n := range len(octets) + 1 {
		wantEnd, wantRows := 0, int64(0)
		switch {
		case n == len(octets):
			wantEnd, wantRows = n, 2
		case n >= first:
			wantEnd, wantRows = first, 1
		}
		if end, rows := wholeUpTo(bytes.NewReader(octets[:n]), int64(n)); end != int64(wantEnd) || rows != wantRows {
			t.Fatalf("cut at %d of %d: whole up to %d with %d rows, want %d and %d", n, len(octets), end, rows, wantEnd,
				wantRows)
		}
	}
	long := append(bytes.Clone(octets), make([]byte, 200<<10)...)
	if end, rows := wholeUpTo(bytes.NewReader(long), int64(len(long))); end != int64(len(octets)) || rows != 2 {
		t.Errorf("with zeros behind it: whole up to %d with %d rows, want %d and 2", end, rows, len(octets))
	}
}

func FuzzWholeUpTo(f *testing.F) {
	octets, first := aFile(f)
	f.Add(octets)
	f.Add(octets[:first+20])
	f.Add([]byte("PAR1\xff\xff\xff\xffPAR1"))
	f.Fuzz(func(t *testing.T, p []byte) {
		end, rows := wholeUpTo(bytes.NewReader(p), int64(len(p)))
		if end > int64(len(p)) || end < 0 || rows < 0 {
			t.Errorf("%d octets with %d rows of %d", end, rows, len(p))
		}
	})
}

package spool

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"ulogd/engine"
)

// run is one run of a daemon with a spool.
type run struct {
	t     testing.TB
	dir   *Dir
	stats *engine.Stats
	log   *bytes.Buffer
	tasks int // begun beside the flow of records
	*Spool
}

// begin opens the spool "peer" in a directory.
func begin(t testing.TB, path string, max int64) *run {
	t.Helper()
	r := &run{t: t, stats: &engine.Stats{}, log: &bytes.Buffer{}}
	var err error
	if r.dir, err = OpenDir(path); err != nil {
		t.Fatal(err)
	}
	now := func(f func(context.Context)) {
		r.tasks++
		f(context.Background())
	}
	if r.Spool, err = r.dir.Open("peer", Config{Max: max, Log: slog.New(slog.NewTextHandler(r.log, nil)), Stats: r.stats, Go: now}); err != nil {
		t.Fatal(err)
	}
	return r
}

// die ends the run as kill -9 does: nothing is written any more, the kernel closes what is open.
func (r *run) die() {
	if r.tail.file != nil {
		r.tail.file.Close()
	}
	r.dir.Close()
}

func (r *run) end() {
	r.Close()
	r.dir.Close()
}

func message(i int) Message {
	return Message{Records: 1 + i%7, Context: fmt.Appendf(nil, "context %d", i%3), Body: fmt.Appendf(nil, "message %d %s", i, strings.Repeat("x", i%500))}
}

// put appends messages, as the queue does, which counts them.
func (r *run) put(from, to int) {
	r.t.Helper()
	for i := from; i < to; i++ {
		m := message(i)
		if !r.Append(m) {
			r.t.Fatalf("message %d was not appended\n%s", i, r.log)
		}
		r.stats.Made.Add(m.Records)
		r.stats.Held.Add(m.Records)
	}
}

// get reads all messages and returns their numbers.
func (r *run) get() (numbers []int) {
	r.t.Helper()
	for {
		m, ok := r.Next()
		if !ok {
			break
		}
		n := r.number(m)
		numbers = append(numbers, n)
		r.stats.Held.Add(-m.Records)
		r.stats.Out.Add(m.Records)
	}
	if r.Records() != 0 || r.stats.Held.Load() != 0 {
		r.t.Errorf("%d records are left, %d are held, and nothing can be read", r.Records(), r.stats.Held.Load())
	}
	return numbers
}

func (r *run) number(m Message) (n int) {
	r.t.Helper()
	fmt.Sscanf(string(m.Body), "message %d", &n)
	if want := message(n); !bytes.Equal(m.Body, want.Body) || !bytes.Equal(m.Context, want.Context) || m.Records != want.Records {
		r.t.Fatalf("message %d is not what it was", n)
	}
	return n
}

// sums checks that every record is accounted for.
func (r *run) sums() {
	r.t.Helper()
	s, dropped := r.stats, r.full.Load()+r.damage.Load()
	if s.Made.Load() != s.Out.Load()+dropped+s.Held.Load() {
		r.t.Errorf("made %d, but out %d + dropped %d + held %d", s.Made.Load(), s.Out.Load(), dropped, s.Held.Load())
	}
}

func numbers(from, to int) (all []int) {
	for i := from; i < to; i++ {
		all = append(all, i)
	}
	return all
}

func records(from, to int) (n int64) {
	for i := from; i < to; i++ {
		n += int64(message(i).Records)
	}
	return n
}

func files(t testing.TB, path string) []string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(path, "peer", "*"+suffix))
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestMessagesComeInOrder(t *testing.T) {
	path := t.TempDir()
	r := begin(t, path, MinMax)
	r.put(0, 1000)
	if n := len(files(t, path)); n < 3 {
		t.Errorf("there are %d segments; the test wants several", n)
	}
	if got := r.get(); !slices.Equal(got, numbers(0, 1000)) {
		t.Errorf("read %v", got)
	}
	r.put(1000, 1010)
	if got := r.get(); !slices.Equal(got, numbers(1000, 1010)) {
		t.Errorf("read %v", got)
	}
	r.Release(r.Position())
	if left := files(t, path); len(left) != 0 {
		t.Errorf("%v are left", left)
	}
	r.put(1010, 1020)
	r.sums()
	r.end()
}

func TestNextRunReadsWhatIsLeft(t *testing.T) {
	path := t.TempDir()
	r := begin(t, path, MinMax)
	r.put(0, 1000)
	for range 600 {
		r.Next()
	}
	position := r.Position()
	for range 10 {
		r.Next()
	}
	r.Release(position)
	r.die()
	r = begin(t, path, MinMax)
	if got, want := r.stats.Counter("resumed", "").Load(), r.stats.Made.Load(); got != want || got == 0 {
		t.Errorf("resumed %d, made %d", got, want)
	}
	got := r.get() // what was not released is there again, with the rest of its segment
	if got[0] > 600 || !slices.Equal(got, numbers(got[0], 1000)) || got[0] == 0 {
		t.Errorf("read %d to %d", got[0], got[len(got)-1])
	}
	if r.cut.Load() != 0 {
		t.Errorf("a segment is torn\n%s", r.log)
	}
	r.sums()
	r.end()
}

func TestRestore(t *testing.T) {
	path := t.TempDir()
	for _, read := range []int{0, 5, 430, 1000} {
		t.Run(fmt.Sprint(read), func(t *testing.T) {
			r := begin(t, path, MinMax)
			r.put(0, 1000)
			var memory []Message
			for i := range read {
				r.Next()
				memory = append(memory, message(i))
			}
			sent := read / 2
			r.stats.Held.Add(-int(records(0, sent)))
			r.stats.Out.Add(int(records(0, sent)))
			if failed := r.Restore(slices.Values(memory[sent:])); failed != 0 {
				t.Errorf("%d records were not restored", failed)
			}
			r.sums()
			r.end()
			r = begin(t, path, MinMax)
			if got := r.stats.Made.Load(); got != records(sent, 1000) {
				t.Errorf("%d records are there, want %d", got, records(sent, 1000))
			}
			if got := r.get(); !slices.Equal(got, numbers(sent, 1000)) {
				t.Errorf("read %v", got)
			}
			r.Restore(slices.Values([]Message(nil)))
			if left := files(t, path); len(left) != 0 {
				t.Errorf("%v are left", left)
			}
			r.sums()
			r.end()
		})
	}
}

func TestFullSpoolDropsTheOldest(t *testing.T) {
	path := t.TempDir()
	r := begin(t, path, MinMax)
	r.put(0, 10)
	r.Next()
	r.stats.Held.Add(-message(0).Records)
	r.stats.Out.Add(message(0).Records)
	r.put(10, 10000)
	size := int64(0)
	for _, f := range files(t, path) {
		fi, err := os.Stat(f)
		if err != nil {
			t.Fatal(err)
		}
		size += fi.Size()
	}
	if size > MinMax || size < MinMax/2 || size != r.octets {
		t.Errorf("%d octets are on disk, %d counted, of %d", size, r.octets, MinMax)
	}
	got := r.get()
	if !slices.Equal(got, numbers(got[0], 10000)) {
		t.Errorf("read %v", got)
	}
	if dropped := r.full.Load(); dropped != records(1, got[0]) || dropped == 0 {
		t.Errorf("%d records were counted as dropped, want %d", dropped, records(1, got[0]))
	}
	if n := strings.Count(r.log.String(), "the spool is full"); n != 1 {
		t.Errorf("%d complaints, want 1", n)
	}
	r.sums()
	r.end()
}

func TestOneOutputOneDirectory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b")
	r := begin(t, path, MinMax)
	_, err := OpenDir(path)
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "another output of this daemon") {
		t.Errorf("error %v does not say who has the spool", err)
	}
	if _, err := r.dir.Open("peer", r.Config); err == nil || !strings.Contains(err.Error(), "name each collector once") {
		t.Errorf("a second spool of that name: %v", err)
	}
	r.put(0, 1)
	r.end()
	d, err := OpenDir(path)
	if err != nil {
		t.Fatal(err)
	}
	if others := d.Others(); !slices.Equal(others, []string{filepath.Join(path, "peer")}) {
		t.Errorf("others %v", others)
	}
	d.Close()
}

// TestSynchronised: an open segment is synchronised once a second, if there is something new in it.
func TestSynchronised(t *testing.T) {
	r := begin(t, t.TempDir(), MinMax)
	at := time.Now()
	for _, step := range []struct {
		put   bool
		after time.Duration
		want  int
	}{{true, 0, 1}, {true, 900 * time.Millisecond, 1}, {false, 1100 * time.Millisecond, 2}, {false, 5 * time.Second, 2}, {true, 6 * time.Second, 3}} {
		if step.put {
			r.put(0, 1)
		}
		r.Tick(at.Add(step.after))
		if r.tasks != step.want {
			t.Errorf("after %v: synchronised %d times, want %d", step.after, r.tasks, step.want)
		}
	}
	r.end()
}

// What disks and sudden ends do to a spool.

package spool

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"ulogd/engine"
	"ulogd/test/nstest"
)

// TestFullDisk fills the disk that the spool is on, and frees it: what could not be written is
// missing, and nothing else.
func TestFullDisk(t *testing.T) {
	nstest.SmallDisk(t, 256<<10, func(dir string) {
		r := begin(t, dir, MinMax)
		var there []int
		for i := range 2000 {
			m := message(i)
			if r.Append(m) {
				there = append(there, i)
				r.stats.Made.Add(m.Records)
				r.stats.Held.Add(m.Records)
			}
			if i == 1800 {
				for range 600 {
					m, _ := r.Next()
					r.stats.Held.Add(-m.Records)
					r.stats.Out.Add(m.Records)
				}
				r.Release(r.Position())
			}
		}
		if len(there) > 1900 || there[len(there)-1] != 1999 {
			t.Errorf("%d messages were written, the last is %d", len(there), there[len(there)-1])
		}
		if n := strings.Count(r.log.String(), "no space left on device"); n != 1 {
			t.Errorf("%d complaints within a minute, want 1:\n%s", n, r.log)
		}
		if got := r.get(); !slices.Equal(got, there[600:]) {
			t.Errorf("read %v", got)
		}
		r.sums()
		r.end()
	})
}

func TestTornTail(t *testing.T) {
	for _, tail := range []string{"", "ULOG", "\xa5\xf1\x0c\x01", strings.Repeat("\x00", 5000), "half"} {
		path := t.TempDir()
		r := begin(t, path, MinMax)
		r.put(0, 50)
		r.die()
		name := files(t, path)[0]
		p, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		whole := len(p)
		if tail == "half" {
			m := message(50)
			tail = string(m.append(nil)[:m.size()-3])
		}
		if err := os.WriteFile(name, append(p, tail...), 0o600); err != nil {
			t.Fatal(err)
		}
		r = begin(t, path, MinMax)
		if got, want := r.cut.Load(), int64(min(len(tail), 1)); got != want {
			t.Errorf("tail %.10q: %d torn segments were counted, want %d", tail, got, want)
		}
		if tail != "" && !strings.Contains(r.log.String(), fmt.Sprintf("file=%s offset=%d", name, whole)) {
			t.Errorf("the log does not say where:\n%s", r.log)
		}
		r.put(50, 60)
		if got := r.get(); !slices.Equal(got, numbers(0, 60)) {
			t.Errorf("tail %.10q: read %v", tail, got)
		}
		r.sums()
		r.end()
		r = begin(t, path, MinMax)
		if r.cut.Load() != 0 {
			t.Error("the tail was not cut off")
		}
		r.end()
	}
}

// TestDamage changes one octet after the other of a segment: each costs the message that it belongs
// to, and nothing else.
func TestDamage(t *testing.T) {
	path := t.TempDir()
	r := begin(t, path, MinMax)
	r.put(0, 8)
	r.end()
	name := files(t, path)[0]
	p, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	begins, at := []int{}, len(fileMagic)
	for i := range 8 {
		begins = append(begins, at)
		m := message(i)
		at += m.size()
	}
	for off := range p {
		hit := -1 // the message that the octet belongs to
		for i, b := range begins {
			if off >= b && off < at {
				hit = i
			}
		}
		bad := slices.Clone(p)
		bad[off] ^= 0x40
		if err := os.WriteFile(name, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		r := begin(t, path, MinMax)
		want := slices.DeleteFunc(numbers(0, 8), func(i int) bool { return i == hit })
		if got := r.get(); !slices.Equal(got, want) {
			t.Fatalf("octet %d is damaged: read %v, want %v", off, got, want)
		}
		if lost := r.damage.Load(); hit >= 0 && lost != int64(message(hit).Records) {
			t.Fatalf("octet %d is damaged: %d records are counted as lost, want %d", off, lost, message(hit).Records)
		}
		r.sums()
		r.die()
	}
}

// What others have put into the spool is neither waited for nor read without end.
func TestCraftedFiles(t *testing.T) {
	path := t.TempDir()
	r := begin(t, path, MinMax)
	r.put(0, 8)
	r.die()
	name := files(t, path)[0]
	if err := os.Truncate(name, 1<<40); err != nil {
		t.Fatal(err)
	}
	r = begin(t, path, MinMax)
	if got := r.get(); !slices.Equal(got, numbers(0, 8)) {
		t.Errorf("read %v", got)
	}
	r.sums()
	if fi, err := os.Stat(name); err != nil || fi.Size() > MinMax {
		t.Errorf("the segment has %d octets, %v", fi.Size(), err)
	}
	r.end()

	for _, name := range []string{filepath.Join(path, "lock"), filepath.Join(path, "a", fileName(1))} {
		os.Remove(name)
		os.MkdirAll(filepath.Dir(name), 0o755)
		if err := syscall.Mkfifo(name, 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := OpenDir(path)
		if err == nil {
			_, err = d.Open("a", Config{Max: MinMax, Stats: &engine.Stats{}})
		}
		if err == nil || !strings.Contains(err.Error(), name+": it is no regular file") {
			t.Errorf("%s: %v", name, err)
		}
		os.Remove(name)
	}
}

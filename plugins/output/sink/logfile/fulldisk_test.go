package logfile

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ulogd/test/nstest"
)

// TestFullDisk fills a small disk, frees it, and wants whole lines only, in order, with every
// missing one counted.
func TestFullDisk(t *testing.T) {
	nstest.SmallDisk(t, 256<<10, func(dir string) {
		f, log := open(t, &File{Path: filepath.Join(dir, "x.log")})
		ballast := filepath.Join(dir, "ballast")
		if err := os.WriteFile(ballast, make([]byte, 100<<10), 0o600); err != nil {
			t.Error(err)
			return
		}
		n := 0
		write := func(batches int) {
			for range batches {
				var batch []string
				for range 100 {
					batch = append(batch, fmt.Sprintf("%06d %s\n", n, strings.Repeat("y", n%90)))
					n++
				}
				lines(f, batch...)
				f.Tick(time.Now())
			}
		}
		write(60)
		if f.file.failed.Load() == 0 {
			t.Error("the disk was never full")
		}
		full := f.Stats.Out.Load()
		os.Remove(ballast)
		write(10)
		f.Close()
		if f.Stats.Out.Load() == full {
			t.Error("writing was not resumed")
		}
		text, err := os.ReadFile(f.file.Path)
		if err != nil {
			t.Error(err)
			return
		}
		last, got := -1, 0
		for line := range strings.Lines(string(text)) {
			var i int
			if _, err := fmt.Sscanf(line, "%06d", &i); err != nil || line != fmt.Sprintf("%06d %s\n", i, strings.Repeat("y", i%90)) || i <= last {
				t.Errorf("after line %d there is %q", last, line)
				break
			}
			last, got = i, got+1
		}
		counts(t, f, int64(got), int64(n-got), 0)
		if c := strings.Count(log.String(), "level=ERROR"); c != 1 {
			t.Errorf("%d complaints within a minute, want 1:\n%s", c, log)
		}
	})
}

// TestHalfRecordIsCompleted has somebody else write behind the half record, so that it cannot be
// taken back.
func TestHalfRecordIsCompleted(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.log")
	f, _ := open(t, &File{Path: path})
	lines(f, "whole\n", "half a record\n", "gone\n")
	// What write does when the device took nine octets and the file could not be cut.
	if _, err := f.file.put(f.Begin()[:9]); err != nil {
		t.Fatal(err)
	}
	other, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	other.WriteString("|")
	other.Close()
	f.file.done(9, syscall.ENOSPC)
	f.Commit(f.Begin())
	counts(t, f, 1, 1, 1)
	lines(f, "next\n")
	f.Tick(time.Now())
	if got := content(t, path); got != "whole\nhal|f a record\nnext\n" {
		t.Errorf("the file has %q", got)
	}
	counts(t, f, 3, 1, 0)
}

// TestHeaderOnFullDisk opens a file while the disk is full. When there is room again it begins with
// its header, and a format with sections has a new one after every gap.
func TestHeaderOnFullDisk(t *testing.T) {
	nstest.SmallDisk(t, 64<<10, func(dir string) {
		for _, sections := range []bool{false, true} {
			ballast := filepath.Join(dir, "ballast")
			if err := os.WriteFile(ballast, make([]byte, 64<<10), 0o600); err != nil {
				t.Error(err)
				return
			}
			f, _ := open(t, &File{Path: filepath.Join(dir, "x"), Header: func() []byte { return []byte("HEAD\n") }, Sections: sections})
			lines(f, "lost\n")
			f.Tick(time.Now())
			before := f.Epoch()
			os.Remove(ballast)
			lines(f, "one\n")
			f.Tick(time.Now())
			lines(f, strings.Repeat("x", 100<<10)+"\n") // more than the disk has
			if f.Epoch() == before {
				t.Error("the epoch does not tell of the record that was left out")
			}
			lines(f, "two\n")
			f.Close()
			counts(t, f, 2, 2, 0)
			want := "HEAD\none\ntwo\n"
			if sections {
				want = "HEAD\none\nHEAD\ntwo\n"
			}
			if text, err := os.ReadFile(f.file.Path); string(text) != want {
				t.Errorf("sections %v: the file has %.40q, %v; want %q", sections, text, err, want)
			}
			os.Remove(f.file.Path)
		}
	})
}

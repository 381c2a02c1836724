// Files by RFC 5655: what other programs read in them, and that each can be read alone.

package ipfix

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ulogd/engine"
	"ulogd/test/nstest"
)

// unpacked returns the octets of a file, decompressed by the program for it.
func unpacked(t testing.TB, path string) []byte {
	t.Helper()
	program := ""
	switch filepath.Ext(path) {
	case ".gz":
		program = "gzip"
	case ".zst":
		program = "zstd"
	default:
		p, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	nstest.Need(t, "tool:"+program)
	p, err := exec.Command(program, "-dc", path).Output()
	if err != nil {
		t.Fatalf("%s -dc %s: %v", program, path, err)
	}
	return p
}

// readFile decodes a whole file as one session and returns how often it has each flow.
func readFile(t testing.TB, path string) map[uint32]int {
	t.Helper()
	seen, s, r := map[uint32]int{}, newSession(), bytes.NewReader(unpacked(t, path))
	for {
		msg, err := readMessage(r)
		if err == io.EOF {
			return seen
		}
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		for _, rec := range s.must(t, msg) {
			seen[uint32(rec.uint(21373, 4))]++
		}
	}
}

// everyFlow wants flows 0 to n-1 once each in some files together, of which none is empty.
func everyFlow(t testing.TB, files []string, n int) {
	t.Helper()
	all := map[uint32]int{}
	for _, path := range files {
		seen := readFile(t, path)
		if len(seen) == 0 {
			t.Errorf("%s has no record", path)
		}
		for mark, times := range seen {
			all[mark] += times
		}
	}
	for mark := range uint32(n) {
		if all[mark] != 1 {
			t.Fatalf("flow %d is there %d times", mark, all[mark])
		}
	}
	if len(all) != n {
		t.Errorf("%d flows in %d files, want %d", len(all), len(files), n)
	}
}

func inFolder(t testing.TB, dir string) (files []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// TestFilePrograms has tshark and libfixbuf's ipfixDump read files in every compression, with
// records of several templates.
func TestFilePrograms(t *testing.T) {
	flows := numbered(0, 300)
	for i := range flows {
		f := &flows[i]
		f.id, f.octets, f.pkts = uint32(1000+i), 1<<40+uint64(i), uint64(10+i)
		switch i % 3 {
		case 1:
			f.src, f.dst = "2001:db8::1", "2001:db8::2"
		case 2:
			f.rdst, f.rdport = "198.51.100.5", 60123 // translated
		}
	}
	for _, name := range []string{"flows.ipfix", "flows.ipfix.gz", "flows.ipfix.zst"} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), name)
			r := start(t, &feed{asct: true}, "file", path)
			r.give(flows...)
			r.end()
			plain := filepath.Join(t.TempDir(), "plain")
			if err := os.WriteFile(plain, unpacked(t, path), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, p := range []struct {
				name                          string
				records                       []map[string]string
				id, octets, packets, port, at string
			}{
				{"tshark", tsharkFile(t, path), "Flow Id", "Permanent Octets", "Permanent Packets", "SrcPort", "Post NAPT Source Transport Port"},
				{"ipfixDump", ipfixDumpFile(t, plain), "148", "85", "86", "7", "227"},
			} {
				if len(p.records) != len(flows) {
					t.Fatalf("%s shows %d records, want %d", p.name, len(p.records), len(flows))
				}
				shown := map[string]string{}
				for _, rec := range p.records {
					shown[rec[p.id]] = fmt.Sprint(rec[p.octets], " ", rec[p.packets], " ", rec[p.port], " ", rec[p.at])
				}
				for _, f := range flows {
					want := fmt.Sprint(f.octets, " ", f.pkts, " ", f.sport, " ")
					if f.rdport != 0 {
						want += fmt.Sprint(f.rdport)
					}
					if got := shown[fmt.Sprint(f.id)]; got != want {
						t.Errorf("%s: flow %d is %q, want %q", p.name, f.id, got, want)
					}
				}
			}
		})
	}
}

// TestFileRotation wants files of a size, each of which can be read alone, in any compression.
func TestFileRotation(t *testing.T) {
	const n = 20000
	for _, name := range []string{"flows.ipfix", "flows.ipfix.gz", "flows.ipfix.zst"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			r := start(t, &feed{asct: true}, "file", filepath.Join(dir, name), "rotate_size", "40000")
			for i := range n / 250 {
				r.give(numbered(i*250, 250)...)
			}
			r.end()
			files := inFolder(t, dir)
			if len(files) < 3 {
				t.Errorf("there are %d files", len(files))
			}
			for _, f := range files {
				if !strings.HasPrefix(filepath.Base(f), "flows") || !strings.HasSuffix(f, strings.TrimPrefix(name, "flows")) {
					t.Errorf("a file has the name %s", f)
				}
			}
			everyFlow(t, files, n)
		})
	}
}

func TestFileRotationByTime(t *testing.T) {
	dir := t.TempDir()
	r := start(t, &feed{asct: true}, "file", filepath.Join(dir, "flows.ipfix"), "rotate_seconds", "150ms", "rotate_keep", "2", "flush_interval", "10ms")
	opened := r.stats().Counter("files_opened", "")
	n := 0
	for ; opened.Load() < 5; n += 10 {
		r.give(numbered(n, 10)...)
		time.Sleep(20 * time.Millisecond)
	}
	r.end()
	files := inFolder(t, dir)
	if len(files) != 3 {
		t.Errorf("%q are left, want the present file and two", files)
	}
	for _, f := range files {
		readFile(t, f)
	}
}

// TestFileMovedAway does what logrotate does.
func TestFileMovedAway(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "flows.ipfix")
	r := start(t, &feed{asct: true}, "file", path, "flush_interval", "10ms")
	opened := r.stats().Counter("files_opened", "")
	r.give(numbered(0, 100)...)
	r.m.Signal(engine.Reopen) // nothing was moved
	for r.stats().Out.Load() < 100 {
		time.Sleep(5 * time.Millisecond)
	}
	if n := opened.Load(); n != 1 {
		t.Errorf("%d files were begun, want 1", n)
	}
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	r.m.Signal(engine.Reopen)
	for opened.Load() < 2 {
		time.Sleep(5 * time.Millisecond)
	}
	r.give(numbered(100, 100)...)
	r.end()
	if n := len(readFile(t, path+".1")); n != 100 {
		t.Errorf("the file that was moved has %d flows, want 100", n)
	}
	everyFlow(t, inFolder(t, dir), 200)
}

// TestFileCut has the file cut behind the daemon's back, as logrotate's copytruncate does: the copy
// and what is written then are files that can be read alone.
func TestFileCut(t *testing.T) {
	for _, name := range []string{"flows.ipfix", "flows.ipfix.gz", "flows.ipfix.zst"} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, name)
			r := start(t, &feed{asct: true}, "file", path, "flush_interval", "10ms")
			from := 0
			for round := range 3 {
				r.give(numbered(from, 100)...)
				from += 100
				nstest.Eventually(t, time.Minute, func() error {
					info, err := os.Stat(path) // what is compressed comes to the disk within a second
					if n := r.stats().Out.Load(); err == nil && (n < int64(from) || info.Size() == 0) {
						err = fmt.Errorf("%d records are out, the file has %d octets", n, info.Size())
					}
					return err
				})
				p, err := os.ReadFile(path)
				if err == nil {
					err = os.WriteFile(filepath.Join(dir, fmt.Sprint(round, "-", name)), p, 0o600)
				}
				if err == nil {
					err = os.Truncate(path, 0)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			r.give(numbered(from, 100)...)
			r.end()
			if n := len(readFile(t, path)); n != 100 {
				t.Errorf("the file has %d flows after the last cut, want 100", n)
			}
			everyFlow(t, inFolder(t, dir), from+100)
		})
	}
}

// TestFileOfEarlierRun wants what is there to be kept: a file holds one session.
func TestFileOfEarlierRun(t *testing.T) {
	dir := t.TempDir()
	for i := range 3 {
		r := start(t, &feed{asct: true}, "file", filepath.Join(dir, "flows.ipfix"))
		r.give(numbered(i*100, 100)...)
		r.end()
	}
	files := inFolder(t, dir)
	if len(files) != 3 {
		t.Errorf("%q are there, want 3", files)
	}
	everyFlow(t, files, 300)
}

// TestFileWithOptionsRecords wants them in each file, as in each session.
func TestFileWithOptionsRecords(t *testing.T) {
	dir := t.TempDir()
	r := start(t, &feed{asct: true}, "file", filepath.Join(dir, "flows.ipfix"), "options_interval", "60", "rotate_size", "100000")
	for i := range 10 {
		r.give(numbered(i*250, 250)...)
	}
	r.end()
	files := inFolder(t, dir)
	if len(files) < 2 {
		t.Errorf("there are %d files", len(files))
	}
	for _, path := range files {
		scoped := 0
		s, in := newSession(), bytes.NewReader(unpacked(t, path))
		for msg, err := readMessage(in); err == nil; msg, err = readMessage(in) {
			for _, rec := range s.must(t, msg) {
				if rec.scope > 0 {
					scoped++
				}
			}
		}
		if scoped == 0 {
			t.Errorf("%s has no options records", path)
		}
	}
}

// TestFileThatCannotBe wants an error at the start, where the operator sees it.
func TestFileThatCannotBe(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct{ path, want string }{
		{filepath.Join(dir, "missing", "flows.ipfix"), "missing/flows.ipfix: no such file"},
		{dir, "is no regular file"},
		{"/dev/null", "is no regular file"},
	} {
		r := build(t, &feed{asct: true}, "file", c.path)
		if err := r.m.Open(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v does not say %q", c.path, err, c.want)
		}
	}
	for _, c := range []struct {
		set  []string
		want string
	}{
		{[]string{"file", "f", "host", "h"}, "host: is for collectors"},
		{[]string{"file", "f", "proto", "udp"}, "proto: is for collectors"},
		{[]string{"file", "f", "spool", "d"}, "spool: is for collectors"},
		{[]string{"file", "f", "buffer", "512KiB"}, "buffer: must be at least 1MiB for a file"},
		{[]string{"host", "h", "rotate_size", "1MiB"}, "rotate_size: is for files"},
	} {
		if _, problems := tryBuild(t, &feed{asct: true}, c.set...); !contains(problems, c.want) {
			t.Errorf("%q: %q does not say %q", c.set, problems, c.want)
		}
	}
}

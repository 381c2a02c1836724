package logfile

import (
	"bufio"
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ulogd/engine"
	"ulogd/plugins/output/sink"
)

// opened is a file with what an output has of it.
type opened struct {
	sink.Sink
	*sink.Writer
	*engine.Stats
	file *File
}

// open opens a file for a test; log is what it logs.
func open(t testing.TB, f *File) (*opened, *bytes.Buffer) {
	t.Helper()
	log := &bytes.Buffer{}
	o := &opened{Stats: &engine.Stats{}, file: f}
	o.Writer = o.Sink.Add(f, false)
	if err := o.Open(&engine.Env{Log: slog.New(slog.NewTextHandler(log, nil)), Stats: o.Stats}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { o.Close() })
	return o, log
}

// lines appends records to f as one batch, and enters them as taken in.
func lines(f *opened, records ...string) {
	f.Stats.In.Add(len(records))
	buf := f.Begin()
	for _, r := range records {
		buf = f.End(append(buf, r...))
	}
	f.Commit(buf)
}

func content(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// counts compares what became of all records with what is expected, and that the sum closes.
func counts(t *testing.T, f *opened, out, dropped, held int64) {
	t.Helper()
	s := f.Stats
	drops := f.file.failed.Load() + f.file.noReader.Load() + f.file.slowReader.Load()
	if s.Out.Load() != out || drops != dropped || s.Held.Load() != held {
		t.Errorf("out %d, dropped %d, held %d; want %d, %d, %d", s.Out.Load(), drops, s.Held.Load(), out, dropped, held)
	}
	if in := s.In.Load(); in != s.Out.Load()+drops+s.Held.Load() {
		t.Errorf("%d records came in, %d are accounted for", in, s.Out.Load()+drops+s.Held.Load())
	}
}

func TestBuffersUntilTick(t *testing.T) {
	f, _ := open(t, &File{Path: filepath.Join(t.TempDir(), "x.log")})
	lines(f, "one\n", "two\n")
	if got := content(t, f.file.Path); got != "" {
		t.Errorf("before the tick the file has %q", got)
	}
	counts(t, f, 0, 0, 2)
	f.Tick(time.Now())
	if got := content(t, f.file.Path); got != "one\ntwo\n" {
		t.Errorf("the file has %q", got)
	}
	counts(t, f, 2, 0, 0)
}

func TestSyncWritesEachBatch(t *testing.T) {
	f, _ := open(t, &File{Path: filepath.Join(t.TempDir(), "x.log"), Sync: true})
	lines(f, "one\n")
	if got := content(t, f.file.Path); got != "one\n" {
		t.Errorf("the file has %q", got)
	}
}

func TestMissingFolderIsAnError(t *testing.T) {
	f := &File{Path: filepath.Join(t.TempDir(), "missing", "x.log")}
	var s sink.Sink
	s.Add(f, false)
	err := s.Open(&engine.Env{Log: slog.Default(), Stats: &engine.Stats{}})
	if err == nil || !strings.Contains(err.Error(), f.Path) {
		t.Errorf("error %v does not name the file", err)
	}
}

func TestReopenAfterRename(t *testing.T) {
	dir := t.TempDir()
	f, _ := open(t, &File{Path: filepath.Join(dir, "x.log")})
	lines(f, "one\n")
	os.Rename(f.file.Path, f.file.Path+".1")
	lines(f, "two\n")
	f.Signal(engine.Reopen)
	lines(f, "three\n")
	f.Close()
	if old, now := content(t, f.file.Path+".1"), content(t, f.file.Path); old != "one\ntwo\n" || now != "three\n" {
		t.Errorf("old file %q, new file %q", old, now)
	}
	counts(t, f, 3, 0, 0)
}

func TestReopenFailureKeepsTheFile(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "log")
	os.Mkdir(dir, 0o755)
	f, log := open(t, &File{Path: filepath.Join(dir, "x.log")})
	os.Rename(dir, dir+".old")
	f.Signal(engine.Reopen)
	lines(f, "kept\n")
	f.Close()
	if got := content(t, filepath.Join(dir+".old", "x.log")); got != "kept\n" {
		t.Errorf("the old file has %q", got)
	}
	if !strings.Contains(log.String(), "cannot reopen") {
		t.Errorf("the log says %q", log)
	}
}

func TestFullDeviceDropsAndComplainsOnce(t *testing.T) {
	f, log := open(t, &File{Path: "/dev/full"})
	for range 50 {
		lines(f, "lost\n")
		f.Tick(time.Now())
	}
	counts(t, f, 0, 50, 0)
	if n := strings.Count(log.String(), "no space left on device"); n != 1 {
		t.Errorf("%d complaints, want 1:\n%s", n, log)
	}
}

// TestFIFO follows a FIFO through no reader, a reader, a reader that does not read, and a reader
// that goes away.
func TestFIFO(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	f, log := open(t, &File{Path: path}) // must not wait for a reader
	lines(f, "nobody\n")
	f.Tick(time.Now())
	counts(t, f, 0, 1, 0)

	r, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	f.Tick(time.Now())
	lines(f, "hello\n")
	f.Tick(time.Now())
	in := bufio.NewReader(r)
	if line, err := in.ReadString('\n'); line != "hello\n" {
		t.Fatalf("the reader got %q, %v", line, err)
	}
	counts(t, f, 1, 1, 0)

	// 4 MiB for a reader that does not read: the pipe and 1 MiB hold some, the rest is dropped,
	// whole.
	sent := 1
	for i := range 4096 {
		lines(f, fmt.Sprintf("%04d %s\n", i, strings.Repeat("x", 1018)))
		sent++
		f.Tick(time.Now())
	}
	if f.file.slowReader.Load() == 0 || f.Stats.Held.Load() == 0 {
		t.Errorf("slow reader: dropped %d, held %d", f.file.slowReader.Load(), f.Stats.Held.Load())
	}
	got := 0
	for f.Stats.Held.Load() > 0 {
		f.Tick(time.Now())
		line, err := in.ReadString('\n')
		if err != nil || len(line) != 1024 || line[:4] != fmt.Sprintf("%04d", got) {
			t.Fatalf("line %d is torn or missing: %.20q, %v", got, line, err)
		}
		got++
	}
	if dropped := int(f.file.slowReader.Load()); int(f.Stats.Out.Load())+dropped != sent {
		t.Errorf("%d sent, %d written, %d dropped", sent, f.Stats.Out.Load(), dropped)
	}

	r.Close()
	lines(f, "nobody again\n")
	f.Tick(time.Now())
	if f.file.noReader.Load() != 2 {
		t.Errorf("no_reader %d, want 2", f.file.noReader.Load())
	}
	r, err = os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	f.Tick(time.Now())
	lines(f, "back\n")
	f.Tick(time.Now())
	if line, err := bufio.NewReader(r).ReadString('\n'); line != "back\n" {
		t.Errorf("the new reader got %q, %v: it must begin with a whole record", line, err)
	}
	if n := strings.Count(log.String(), "level=ERROR"); n != 3 {
		t.Errorf("%d complaints within a minute, want one of each kind:\n%s", n, log)
	}
}

func TestHeaderAndFooter(t *testing.T) {
	f, _ := open(t, &File{Path: filepath.Join(t.TempDir(), "x.xml"), Header: func() []byte { return []byte("<a>\n") }, Footer: "</a>\n"})
	if got := content(t, f.file.Path); got != "<a>\n" {
		t.Errorf("after opening the file has %q", got)
	}
	lines(f, "one\n")
	f.Close()
	if got := content(t, f.file.Path); got != "<a>\none\n</a>\n" {
		t.Errorf("after closing the file has %q", got)
	}
}

func TestRotationBySize(t *testing.T) {
	dir := t.TempDir()
	f, _ := open(t, &File{Path: filepath.Join(dir, "x.log"), Rotate: Rotation{Size: 1000, Keep: 3}, Header: func() []byte { return []byte("HEAD\n") }})
	line := strings.Repeat("x", 99) + "\n"
	for range 100 {
		lines(f, line)
	}
	f.Close()
	old, _ := filepath.Glob(filepath.Join(dir, "x-*.log"))
	if len(old) != 3 {
		t.Fatalf("%d files put aside, want 3: %v", len(old), old)
	}
	for _, path := range old {
		text := content(t, path)
		if !strings.HasPrefix(text, "HEAD\n"+line) || len(text) != len("HEAD\n")+10*len(line) {
			t.Errorf("%s has %d octets, %.20q...", path, len(text), text)
		}
	}
	counts(t, f, 100, 0, 0)
}

func TestRotationByAge(t *testing.T) {
	dir := t.TempDir()
	f, _ := open(t, &File{Path: filepath.Join(dir, "x.log"), Rotate: Rotation{Every: time.Hour}})
	lines(f, "old\n")
	f.Tick(time.Now().Add(59 * time.Minute))
	f.Tick(time.Now().Add(61 * time.Minute))
	lines(f, "new\n")
	f.Close()
	old, _ := filepath.Glob(filepath.Join(dir, "x-*.log"))
	if len(old) != 1 || content(t, old[0]) != "old\n" || content(t, f.file.Path) != "new\n" {
		t.Errorf("put aside %v; the file has %q", old, content(t, f.file.Path))
	}
}

func TestAppendingAllocatesNothing(t *testing.T) {
	f, _ := open(t, &File{Path: os.DevNull})
	record := bytes.Repeat([]byte("x"), 200)
	if n := testing.AllocsPerRun(1000, func() {
		buf := f.Begin()
		for range 256 {
			buf = f.End(append(buf, record...))
		}
		f.Commit(buf)
	}); n != 0 {
		t.Errorf("%v allocations per batch, want 0", n)
	}
}

func BenchmarkAppend(b *testing.B) {
	f, _ := open(b, &File{Path: os.DevNull})
	record := bytes.Repeat([]byte("x"), 200)
	b.ReportAllocs()
	for b.Loop() {
		buf := f.Begin()
		for range 256 {
			buf = f.End(append(buf, record...))
		}
		f.Commit(buf)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/256, "ns/record")
}

package gprint

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ulogd/test/stacktest"
)

// write runs GPRINT over records and returns the file.
func write(t *testing.T, options map[string]string, clock int64, recs ...stacktest.Record) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "gprint.log")
	set := map[string]string{"file": path}
	for k, v := range options {
		set[k] = v
	}
	stacktest.Setup{Output: "GPRINT", Options: set, Shape: recs, Clock: clock}.Run(t)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func golden(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestLinesOfULOGD2 gives GPRINT the values that stand in lines of ulogd2 and wants the lines back.
// Version 2.0.9 prints IPv6 addresses right.
func TestLinesOfULOGD2(t *testing.T) {
	for _, name := range []string{"packets-2.0.9.log", "flows-2.0.9.log"} {
		t.Run(name, func(t *testing.T) {
			want := golden(t, name)
			stacktest.SameLines(t, write(t, nil, 0, stacktest.Parse(want)...), want)
		})
	}
	for _, name := range []string{"packets-2.0.8.log", "flows-2.0.8.log", "bridge-2.0.8.log"} {
		t.Run(name, func(t *testing.T) {
			want := golden(t, name)
			recs := stacktest.Parse(want)
			for i := range recs {
				recs[i] = whole(recs[i])
			}
			stacktest.SameLines(t, write(t, map[string]string{"compat": "ulogd2"}, 0, recs...), want)
		})
	}
}

// whole gives a record its IPv6 addresses back, of which ulogd2 2.0.8 printed four octets.
func whole(rec stacktest.Record) stacktest.Record {
	for _, f := range rec {
		switch f.Value {
		case "253.119.0.0":
			rec = rec.With(f.Name, "fd77::1")
		case "254.128.0.0":
			rec = rec.With(f.Name, "fe80::1")
		case "255.2.0.0":
			rec = rec.With(f.Name, "ff02::1")
		}
	}
	return rec
}

func TestTimestamp(t *testing.T) {
	t.Setenv("TZ", "UTC")
	want := strings.SplitAfter(golden(t, "counters-2.0.8.log"), "\n")[0]
	_, values, _ := strings.Cut(want, ",")
	got := write(t, map[string]string{"timestamp": "1"}, 1795227993_571785000, stacktest.Parse(values)...)
	stacktest.SameLines(t, got, want)
}

var packet = stacktest.Record{
	{Name: "raw.pkt", Value: "4500"},
	{Name: "oob.prefix", Value: `IN: "a" 100% 'b'`},
	{Name: "oob.time", Value: "1795226048651231000"},
	{Name: "oob.family", Value: "10"},
	{Name: "ip.saddr", Value: "fd77::2"},
	{Name: "tcp.seq", Value: "4294967295"},
	{Name: "tcp.syn", Value: "1"},
}

func TestIPv6(t *testing.T) {
	const right = `oob.prefix=IN: "a" 100% 'b',oob.time.sec=1795226048,oob.time.usec=651231,oob.family=10,ip.saddr=fd77::2,tcp.seq=4294967295,tcp.syn=1` + "\n"
	stacktest.SameLines(t, write(t, nil, 0, packet), right)
	stacktest.SameLines(t, write(t, map[string]string{"compat": "ulogd2"}, 0, packet), strings.ReplaceAll(right, "fd77::2", "253.119.0.0"))
}

func TestForgedPrefix(t *testing.T) {
	forged := packet.With("oob.prefix", "x,oob.uid=0\noob.prefix=y, z")
	got := write(t, map[string]string{"compat": "ulogd2"}, 0, forged)
	if want := `oob.prefix=x\x2coob.uid=0\x0aoob.prefix=y, z,oob.time.sec`; !strings.HasPrefix(got, want) || strings.Count(got, "\n") != 1 {
		t.Errorf("got %q", got)
	}
}

func TestKeys(t *testing.T) {
	got := write(t, map[string]string{"keys": "tcp.seq,oob.time,ip.saddr"}, 0, packet)
	stacktest.SameLines(t, got, "tcp.seq=4294967295,oob.time=1795226048651231000,ip.saddr=fd77::2\n")
	refusal := stacktest.Setup{Output: "GPRINT", Options: map[string]string{"keys": "tcp.sec"}, Shape: []stacktest.Record{packet}}.Refusal(t)
	if !strings.Contains(refusal, "tcp.sec") {
		t.Errorf("refusal %q does not name the key", refusal)
	}
}

func TestNoAllocations(t *testing.T) {
	if testing.Short() { // built for the race detector a batch allocates once
		t.Skip("-short")
	}
	s := stacktest.Setup{Output: "GPRINT", Options: map[string]string{"file": os.DevNull, "timestamp": "1"}, Shape: stacktest.Parse(golden(t, "packets-2.0.8.log"))}
	if n := s.Allocations(t); n != 0 {
		t.Errorf("%v allocations per batch, want 0", n)
	}
}

func BenchmarkGPRINT(b *testing.B) {
	text, err := os.ReadFile("testdata/packets-2.0.8.log")
	if err != nil {
		b.Fatal(err)
	}
	stacktest.Setup{Output: "GPRINT", Options: map[string]string{"file": os.DevNull}, Shape: stacktest.Parse(string(text))[:1]}.Bench(b)
}

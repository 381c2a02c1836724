package oprint

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"ulogd/test/stacktest"
)

// records reads OPRINT's lines back. Raw data is shown as a word; two octets stand for it.
func records(t *testing.T, log string) (recs []stacktest.Record) {
	t.Helper()
	for text := range strings.SplitSeq(log, "===>PACKET BOUNDARY\n") {
		var rec stacktest.Record
		for line := range strings.Lines(text) {
			name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
			base, sec := strings.CutSuffix(name, ".sec")
			if usec, ok := strings.CutSuffix(name, ".usec"); ok {
				if n, _ := strconv.Atoi(value); n > 0 {
					rec = rec.With(usec, strings.TrimSuffix(rec.Get(usec), "000000000")+("000000" + value)[len(value):]+"000")
				}
				continue
			}
			switch {
			case name == "raw" || name == "ct" || name == "sum":
			case sec:
				rec = append(rec, stacktest.Field{Name: base, Value: value + "000000000"})
			case value == "default":
				rec = append(rec, stacktest.Field{Name: name, Value: "4500"})
			default:
				rec = append(rec, stacktest.Field{Name: name, Value: value})
			}
		}
		if len(rec) > 0 {
			recs = append(recs, rec)
		}
	}
	return recs
}

// forward turns addresses that ulogd2 2.0.8 printed backwards.
func forward(rec stacktest.Record) stacktest.Record {
	for _, f := range rec {
		o := strings.Split(f.Value, ".")
		switch {
		case f.Value == "0.0.119.253":
			rec = rec.With(f.Name, "fd77::1")
		case len(o) == 4:
			rec = rec.With(f.Name, strings.Join([]string{o[3], o[2], o[1], o[0]}, "."))
		}
	}
	return rec
}

func write(t *testing.T, input, compat string, recs []stacktest.Record) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "oprint.log")
	stacktest.Setup{Input: input, Output: "OPRINT", Options: map[string]string{"file": path, "compat": compat}, Shape: recs}.Run(t)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestLinesOfULOGD2 gives OPRINT the values that stand in ulogd2's files and wants the files back.
func TestLinesOfULOGD2(t *testing.T) {
	for _, c := range []struct{ file, input, compat string }{
		{"packets-2.0.9.log", "NFLOG", "none"},
		{"packets-2.0.8.log", "NFLOG", "ulogd2"},
		{"flows-2.0.8.log", "NFCT", "ulogd2"},
		{"counters-2.0.8.log", "NFACCT", "ulogd2"},
	} {
		t.Run(c.file, func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join("testdata", c.file))
			if err != nil {
				t.Fatal(err)
			}
			recs := records(t, string(text))
			if c.compat == "ulogd2" {
				for i := range recs {
					recs[i] = forward(recs[i])
				}
			}
			stacktest.SameLines(t, write(t, c.input, c.compat, recs), string(text))
		})
	}
}

func TestForgedPrefix(t *testing.T) {
	rec := stacktest.Record{{Name: "oob.prefix", Value: "a b=\"c\"\n===>PACKET BOUNDARY\noob.uid=0"}}
	got := write(t, "NFLOG", "ulogd2", []stacktest.Record{rec})
	stacktest.SameLines(t, got, "===>PACKET BOUNDARY\noob.prefix=a b=\"c\"\\x0a===>PACKET BOUNDARY\\x0aoob.uid=0\n")
}

func TestNoAllocations(t *testing.T) {
	text, err := os.ReadFile("testdata/packets-2.0.9.log")
	if err != nil {
		t.Fatal(err)
	}
	s := stacktest.Setup{Output: "OPRINT", Options: map[string]string{"file": os.DevNull}, Shape: records(t, string(text))}
	if n := s.Allocations(t); n != 0 {
		t.Errorf("%v allocations per batch, want 0", n)
	}
}

func BenchmarkOPRINT(b *testing.B) {
	rec := stacktest.Parse(`raw.pktlen=44,oob.prefix=IN: ,oob.time.sec=1795226048,oob.time.usec=651231,oob.mark=42,oob.hook=0,oob.family=2,oob.protocol=2048,ip.saddr=10.77.0.2,ip.daddr=10.77.0.1,ip.protocol=6,tcp.sport=40001,tcp.dport=80`)
	stacktest.Setup{Output: "OPRINT", Options: map[string]string{"file": os.DevNull}, Shape: rec}.Bench(b)
}

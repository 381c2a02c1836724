package nacct

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ulogd/test/stacktest"
)

// flow makes the record whose line is given.
func flow(line string) stacktest.Record {
	f := strings.Split(line, "\t")
	rec := stacktest.Record{{Name: "orig.ip.protocol", Value: f[1]}, {Name: "orig.l4.sport", Value: f[3]}, {Name: "orig.l4.dport", Value: f[5]}}
	if f[1] == "1" {
		rec = stacktest.Record{{Name: "orig.ip.protocol", Value: f[1]}, {Name: "icmp.code", Value: f[5]}, {Name: "icmp.type", Value: f[3]}}
	}
	return append(rec, stacktest.Record{
		{Name: "reply.raw.pktlen", Value: f[7]},
		{Name: "reply.raw.pktcount", Value: f[6]},
		{Name: "flow.end", Value: f[0] + "999999999"},
		{Name: "orig.ip.saddr.str", Value: f[2]},
		{Name: "orig.ip.daddr.str", Value: f[4]},
	}...)
}

func flows(t testing.TB) (text string, recs []stacktest.Record) {
	t.Helper()
	data, err := os.ReadFile("testdata/nacct-2.0.8.log")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		recs = append(recs, flow(strings.TrimSuffix(line, "\n")))
	}
	return string(data), recs
}

func write(t *testing.T, recs ...stacktest.Record) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "nacct.log")
	stacktest.Setup{Input: "NFCT", Output: "NACCT", Options: map[string]string{"file": path}, Shape: recs}.Run(t)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestLinesOfULOGD2(t *testing.T) {
	want, recs := flows(t)
	stacktest.SameLines(t, write(t, recs...), want)
}

func TestMissingKeys(t *testing.T) {
	rec := flow("1	6	a	2	b	3	4	5")
	for _, name := range []string{"flow.end", "orig.l4.sport", "orig.l4.dport", "reply.raw.pktlen", "reply.raw.pktcount"} {
		rec = rec.Without(name)
	}
	stacktest.SameLines(t, write(t, rec), "0\t6\ta\t0\tb\t0\t0\t0\n")
}

func TestNeedsIP2STR(t *testing.T) {
	rec := flow("1	6	a	2	b	3	4	5").Without("orig.ip.saddr.str")
	refusal := stacktest.Setup{Output: "NACCT", Shape: []stacktest.Record{rec}}.Refusal(t)
	if !strings.Contains(refusal, "orig.ip.saddr.str") {
		t.Errorf("refusal %q", refusal)
	}
}

func TestNoAllocations(t *testing.T) {
	_, recs := flows(t)
	s := stacktest.Setup{Output: "NACCT", Options: map[string]string{"file": os.DevNull}, Shape: recs}
	if n := s.Allocations(t); n != 0 {
		t.Errorf("%v allocations per batch, want 0", n)
	}
}

func BenchmarkNACCT(b *testing.B) {
	_, recs := flows(b)
	stacktest.Setup{Output: "NACCT", Options: map[string]string{"file": os.DevNull}, Shape: recs}.Bench(b)
}

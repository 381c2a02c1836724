package json

import (
	stdjson "encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"ulogd/engine/text"
	"ulogd/test/stacktest"
)

func golden(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, options map[string]string, clock int64, recs ...stacktest.Record) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.json")
	set := map[string]string{"file": path}
	for k, v := range options {
		set[k] = v
	}
	stacktest.Setup{Output: "JSON", Options: set, Shape: recs, Clock: clock}.Run(t)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// The packets of one run of ulogd2 2.0.8: GPRINT's lines are the values, JSON's lines are wanted.
func TestPacketsOfULOGD2(t *testing.T) {
	stacktest.Zone(t, "UTC")
	recs := stacktest.Parse(golden(t, "packets-2.0.8.log"))
	stacktest.SameLines(t, write(t, nil, 0, recs...), golden(t, "packets-2.0.8.json"))
}

func TestEventV1OfULOGD2(t *testing.T) {
	stacktest.Zone(t, "UTC")
	want := golden(t, "packets-eventv1-2.0.8.json")
	recs := stacktest.Parse(golden(t, "packets-2.0.8.log"))[:strings.Count(want, "\n")]
	options := map[string]string{"eventv1": "1", "boolean_label": "1", "device": "fw one"}
	stacktest.SameLines(t, write(t, options, 0, recs...), want)
}

// Flows have no time of their own: the time of writing stands for it, or their end where a file is replayed.
func TestFlowsOfULOGD2(t *testing.T) {
	stacktest.Zone(t, "UTC")
	recs := stacktest.Parse(golden(t, "flows-2.0.8.log"))
	for i, want := range strings.SplitAfter(strings.TrimSuffix(golden(t, "flows-2.0.8.json"), "\n"), "\n") {
		var values map[string]any
		if err := stdjson.Unmarshal([]byte(want), &values); err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse("2006-01-02T15:04:05", values["timestamp"].(string))
		if err != nil {
			t.Fatal(err)
		}
		rec := recs[i]
		for _, k := range [][2]string{
			{"orig.ip.saddr.str", "src_ip"},
			{"orig.ip.daddr.str", "dest_ip"},
			{"reply.ip.saddr.str", "reply.ip.saddr.str"},
			{"reply.ip.daddr.str", "reply.ip.daddr.str"},
		} {
			rec = append(rec, stacktest.Field{Name: k[0], Value: values[k[1]].(string)})
		}
		if sec, ok := values["flow.end.sec"].(float64); ok { // the records come as those of a file, whose flows are dated by their end
			end := time.Unix(int64(sec), int64(values["flow.end.usec"].(float64))*1000).UTC().Format("2006-01-02T15:04:05.000000")
			want = strings.Replace(want, values["timestamp"].(string), end, 1)
		}
		stacktest.SameLines(t, strings.TrimSuffix(write(t, nil, at.UnixNano()+5e8, rec), "\n"), strings.TrimSuffix(want, "\n"))
	}
}

func TestOffset(t *testing.T) {
	stacktest.Zone(t, "America/St_Johns")
	want := golden(t, "st_johns-2.0.8.json")
	stamp, _, _ := strings.Cut(want, `, "dvc"`)
	got := write(t, nil, 0, stacktest.Record{{Name: "oob.time", Value: "1795226893021255000"}})
	if !strings.HasPrefix(got, stamp+`, "dvc": "Netfilter"`) {
		t.Errorf("got %q, want the stamp %q", got, stamp)
	}
	got = write(t, nil, 1795226893e9, stacktest.Record{{Name: "oob.mark", Value: "1"}})
	if want := `{"timestamp": "2026-11-20T22:38:13-0330", "dvc": "Netfilter", "oob.mark": 1}` + "\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestNoTimestamp(t *testing.T) {
	got := write(t, map[string]string{"timestamp": "0"}, 0, stacktest.Record{{Name: "tcp.syn", Value: "1"}, {Name: "raw.label", Value: "0"}})
	if want := `{"dvc": "Netfilter", "tcp.syn": 1, "raw.label": 0}` + "\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	got = write(t, map[string]string{"timestamp": "0", "boolean_label": "1"}, 0, stacktest.Record{{Name: "raw.label", Value: "0"}})
	if want := `{"dvc": "Netfilter", "action": "blocked"}` + "\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Two keys of one name: the last value in the place of the first, as in ulogd2.
func TestSameName(t *testing.T) {
	recs := []stacktest.Record{
		{{Name: "tcp.sport", Value: "1"}, {Name: "oob.mark", Value: "9"}, {Name: "udp.sport", Value: "2"}},
		{{Name: "tcp.sport", Value: "1"}, {Name: "oob.mark", Value: "9"}},
		{{Name: "oob.mark", Value: "9"}, {Name: "udp.sport", Value: "2"}},
	}
	got := write(t, map[string]string{"timestamp": "0"}, 0, recs...)
	stacktest.SameLines(t, got, `{"dvc": "Netfilter", "src_port": 2, "oob.mark": 9}
{"dvc": "Netfilter", "src_port": 1, "oob.mark": 9}
{"dvc": "Netfilter", "oob.mark": 9, "src_port": 2}
`)
}

func TestKeys(t *testing.T) {
	rec := stacktest.Record{{Name: "raw.pkt", Value: "45ff"}, {Name: "oob.family", Value: "10"}, {Name: "ip.saddr", Value: "fd77::2"}, {Name: "oob.time", Value: "5"}}
	got := write(t, map[string]string{"timestamp": "0", "keys": "ip.saddr,oob.time,raw.pkt"}, 0, rec)
	if want := `{"dvc": "Netfilter", "ip.saddr": "fd77::2", "oob.time": 5, "raw.pkt": "45ff"}` + "\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRefusals(t *testing.T) {
	shape := []stacktest.Record{{{Name: "oob.mark", Value: "1"}}}
	for _, c := range []struct{ option, value, with string }{{"port", "99999", "99999"}, {"mode", "carrier-pigeon", "unix"}} {
		options := map[string]string{"mode": "tcp", c.option: c.value}
		if got := (stacktest.Setup{Output: "JSON", Options: options, Shape: shape}).Refusal(t); !strings.Contains(got, c.with) || !strings.Contains(got, c.option) {
			t.Errorf("%s=%s: refusal %q", c.option, c.value, got)
		}
	}
}

// FuzzString wants that any bytes become a string that another decoder reads as what encoding/json
// makes of them.
func FuzzString(f *testing.F) {
	for _, s := range []string{"", `IN: "x" \ 100%`, "\x00\x1f\x7f\b\f\n\r\t", "é\u2028\U0001f600", "\xff\xc3(\xed\xa0\x80\xf4\x90\x80\x80", "\ufffd"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, s []byte) {
		out := text.AppendJSON(nil, s)
		var got string
		if err := stdjson.Unmarshal(out, &got); err != nil {
			t.Fatalf("%q becomes %q: %v", s, out, err)
		}
		if want := strings.Map(func(r rune) rune { return r }, string(s)); got != want {
			t.Errorf("%q comes back as %q, want %q", s, got, want)
		}
		if !utf8.Valid(out) {
			t.Errorf("%q is no UTF-8", out)
		}
	})
}

func TestHostileRecord(t *testing.T) {
	rec := stacktest.Record{{Name: "oob.prefix", Value: "a\", \"forged\": 1}\n{\xff"}}
	got := write(t, nil, 0, rec)
	var values map[string]any
	if err := stdjson.Unmarshal([]byte(got), &values); err != nil || values["oob.prefix"] != "a\", \"forged\": 1}\n{\ufffd" || values["forged"] != nil {
		t.Errorf("%q reads as %v, %v", got, values, err)
	}
}

func TestNoAllocations(t *testing.T) {
	s := stacktest.Setup{Output: "JSON", Options: map[string]string{"file": os.DevNull, "queue": "0"}, Shape: stacktest.Parse(golden(t, "packets-2.0.8.log"))}
	if n := s.Allocations(t); n != 0 {
		t.Errorf("%v allocations per batch, want 0", n)
	}
}

func BenchmarkJSON(b *testing.B) {
	recs := stacktest.Parse(golden(b, "packets-2.0.8.log"))[:1]
	stacktest.Setup{Output: "JSON", Options: map[string]string{"file": os.DevNull, "queue": "0"}, Shape: recs}.Bench(b)
}

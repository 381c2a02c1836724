// Names of members for readers that take a point for an object within an object.
package json

import (
	stdjson "encoding/json"
	"reflect"
	"strings"
	"testing"

	"ulogd/test/stacktest"
)

var zoned = stacktest.Record{
	{Name: "ct.zone", Value: "7"},
	{Name: "oob.in", Value: "eth0"},
	{Name: "ct.zone.orig", Value: "8"},
	{Name: "ct.mark", Value: "9"},
	{Name: "orig.l4.sport", Value: "1000"},
}

// TestNested: what stands in an object does so once, also where a record lacks some, and lines are JSON.
func TestNested(t *testing.T) {
	options := map[string]string{"nested": "true", "timestamp": "false", "extra_keys": "true"}
	out := write(t, options, 0, zoned, zoned[2:], stacktest.Record{{Name: "oob.in", Value: "eth1"}}, zoned[:1])
	number := func(n float64) any { return n }
	for i, want := range []map[string]any{
		{
			"dvc": "Netfilter", "ct": map[string]any{
				"zone": map[string]any{"value": number(7), "orig": number(8)}, "mark": number(9),
			}, "oob": map[string]any{"in": "eth0"}, "orig": map[string]any{"l4": map[string]any{"sport": number(1000)}},
		},
		{
			"dvc": "Netfilter", "ct": map[string]any{"zone": map[string]any{"orig": number(8)}, "mark": number(9)},
			"orig": map[string]any{"l4": map[string]any{"sport": number(1000)}},
		},
		{"dvc": "Netfilter", "oob": map[string]any{"in": "eth1"}},
		{"dvc": "Netfilter", "ct": map[string]any{"zone": map[string]any{"value": number(7)}}},
	} {
		line := strings.Split(out, "\n")[i]
		var got map[string]any
		if err := stdjson.Unmarshal([]byte(line), &got); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %s, want %v", line, want)
		}
		for _, name := range []string{`"ct"`, `"zone"`, `"oob"`} { // the decoder takes the last of two
			if strings.Count(line, name) > 1 {
				t.Errorf("%s stands twice in %s", name, line)
			}
		}
	}
}

func TestSeparator(t *testing.T) {
	options := map[string]string{"separator": "_", "timestamp": "false", "extra_keys": "true"}
	out := write(t, options, 0, zoned)
	want := `{"dvc": "Netfilter", "ct_zone": 7, "oob_in": "eth0", "ct_zone_orig": 8, "ct_mark": 9, "orig_l4_sport": 1000}` + "\n"
	stacktest.SameLines(t, out, want)
}

func TestNamesThatContradict(t *testing.T) {
	for _, c := range []struct{ option, value, with string }{
		{"separator", "_", "separator: nested = true leaves nothing between"},
		{"dscp", "ef", "dscp: mode = file sends nothing to another machine"},
	} {
		options := map[string]string{"nested": "true", c.option: c.value}
		got := stacktest.Setup{Output: "JSON", Options: options, Shape: []stacktest.Record{zoned}}.Refusal(t)
		if !strings.Contains(got, c.with) {
			t.Errorf("%s=%s: refusal %q, want %q", c.option, c.value, got, c.with)
		}
	}
}

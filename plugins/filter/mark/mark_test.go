package mark

import (
	"fmt"
	"testing"

	"ulogd/test/stacktest"
)

func TestMark(t *testing.T) {
	rows := []map[string]string{
		{"oob.family": "1", "oob.mark": "0x10", "ct.mark": "0x20"}, // the connection's counts
		{"oob.family": "2", "oob.mark": "0x21"},
		{"oob.family": "3", "ct.mark": "0x31"},
		{"oob.family": "4"}, // neither: passes
		{"oob.family": "5", "oob.mark": "0xffffff20"},
	}
	for settings, want := range map[string]string{
		"mark = 0x20":                    "[1 4]",
		"mark = 0x20\nmask = 0xf0":       "[1 2 4 5]",
		"mark = 0x20\nmask = 0xfffffff0": "[1 2 4]",
		"mark = -224":                    "[4 5]",
		"mark = 0\nmask = 0":             "[1 2 3 4 5]",
	} {
		name := t.Name() + settings
		stacktest.Feed(name, rows...)
		d := stacktest.Run(t, fmt.Sprintf(`stack = ["in:ROWS,m:MARK,o:RECORD"]
[in]
feed = %q
[m]
%s
[o]
name = %q
keys = ["oob.family"]`, name, settings, name))
		var got []string
		for _, line := range stacktest.Recorded(name) {
			got = append(got, line[len("oob.family="):])
		}
		if fmt.Sprint(got) != want {
			t.Errorf("%q passes %v, want %s", settings, got, want)
		}
		if s := d.Stats("m"); s.Filtered != int64(len(rows)-len(got)) {
			t.Errorf("%q: %d counted as filtered of %d", settings, s.Filtered, len(rows)-len(got))
		}
	}
}

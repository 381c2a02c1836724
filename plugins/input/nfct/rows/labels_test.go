package rows

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"ulogd/engine"
)

func TestLabelNames(t *testing.T) {
	path := filepath.Join(t.TempDir(), "connlabel.conf")
	if _, err := readLabels(path); err != nil {
		t.Errorf("a missing file: %v", err)
	}
	os.WriteFile(path, []byte("# names\n0\tweb\n\n0x7f last # the last\n"), 0o644)
	l, err := readLabels(path)
	if err != nil {
		t.Fatal(err)
	}
	labels := engine.Label{0: 1 | 1<<3, 15: 1 << 7}
	if got := string(l.appendNames(nil, &labels)); got != "web,3,last" {
		t.Errorf("names %q", got)
	}
	for _, bad := range []string{"128 x\n", "1\n", "1 a b\n", "x 1\n"} {
		os.WriteFile(path, []byte("1 ok\n"+bad), 0o644)
		if _, err := readLabels(path); err == nil || !strings.Contains(err.Error(), path+":2: ") {
			t.Errorf("%q: error %v", bad, err)
		}
	}
	os.Truncate(path, 1<<40)
	if _, err := readLabels(path); err == nil || !strings.Contains(err.Error(), "is larger than 16 MiB") {
		t.Errorf("a file without end: error %v", err)
	}
}

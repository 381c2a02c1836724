// Package ledgertest holds the conformance ledger of a plugin to what it promises: tables whose
// rows name a requirement, the test that holds it, or why there is none.
package ledgertest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Check reads a ledger with the columns row, requirement, held by, and why not or how far. parts
// says how many rows there are of each kind: {"V9": 2} wants V9-1 and V9-2. Each row must have a
// test, which one of the folders has, or a reason.
func Check(t *testing.T, ledger string, parts map[string]int, folders ...string) {
	t.Helper()
	text, err := os.ReadFile(ledger)
	if err != nil {
		t.Fatal(err)
	}
	tests := sources(t, folders)
	seen := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) != 6 {
			continue
		}
		id, test, reason := strings.TrimSpace(cells[1]), strings.TrimSpace(cells[3]), strings.TrimSpace(cells[4])
		part, _, numbered := cutLast(id)
		if _, known := parts[part]; !numbered || !known {
			continue
		}
		seen[id] = true
		switch {
		case test == "" && reason == "":
			t.Errorf("%s has neither a test nor a reason", id)
		case test != "" && !strings.Contains(tests, "\nfunc "+test+"("):
			t.Errorf("%s names %s, which does not exist", id, test)
		}
	}
	total := 0
	for part, n := range parts {
		for i := range n {
			if id := fmt.Sprintf("%s-%d", part, i+1); !seen[id] {
				t.Errorf("%s is missing", id)
			}
		}
		total += n
	}
	if len(seen) != total {
		t.Errorf("the ledger has %d rows, the checklist %d", len(seen), total)
	}
}

func cutLast(id string) (part, number string, ok bool) {
	i := strings.LastIndexByte(id, '-')
	if i < 0 {
		return id, "", false
	}
	return id[:i], id[i+1:], true
}

// sources returns the text of all tests of the folders.
func sources(t *testing.T, folders []string) string {
	t.Helper()
	var all strings.Builder
	for _, dir := range folders {
		files, _ := filepath.Glob(filepath.Join(dir, "*_test.go"))
		for _, f := range files {
			code, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(code)
		}
	}
	return all.String()
}

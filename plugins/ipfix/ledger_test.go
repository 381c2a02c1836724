package ipfix

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// rows is how many requirements each part of the checklist has.
var rows = map[string]int{
	"I-MSG": 10, "I-SET": 4, "I-TPL": 6, "I-ENC": 10, "I-TM": 8, "I-UDP": 10, "I-TCP": 6, "I-SCTP": 3, "I-PORT": 1, "I-SESS": 1,
	"I-TLS": 10, "I-OPT": 4, "I-BI": 10, "I-LST": 6, "I-IM": 5,
}

// TestLedger holds CONFORMANCE.md to what it promises.
func TestLedger(t *testing.T) {
	text, err := os.ReadFile("CONFORMANCE.md")
	if err != nil {
		t.Fatal(err)
	}
	var source strings.Builder
	files, _ := filepath.Glob("*_test.go")
	for _, f := range files {
		code, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		source.Write(code)
	}
	seen := map[string]bool{}
	for line := range strings.SplitSeq(string(text), "\n") {
		cells := strings.Split(line, "|")
		if len(cells) != 6 || !strings.HasPrefix(cells[1], " I-") {
			continue
		}
		id, test, reason := strings.TrimSpace(cells[1]), strings.TrimSpace(cells[3]), strings.TrimSpace(cells[4])
		seen[id] = true
		switch {
		case test == "" && reason == "":
			t.Errorf("%s has neither a test nor a reason", id)
		case test != "" && !strings.Contains(source.String(), "\nfunc "+test+"("):
			t.Errorf("%s names %s, which does not exist", id, test)
		}
	}
	total := 0
	for part, n := range rows {
		for i := range n {
			if id := fmt.Sprintf("%s-%d", part, i+1); !seen[id] {
				t.Errorf("%s is missing", id)
			}
		}
		total += n
	}
	if len(seen) != total {
		t.Errorf("%d rows, the checklist has %d", len(seen), total)
	}
}

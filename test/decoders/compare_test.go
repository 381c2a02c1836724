package decoders

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// enough is how many programs must agree on each element of each cell.
const enough = 3

// A program reads messages and returns what it shows of the data records, by the registry's names,
// in the form that cells have.
type program struct {
	name string
	read func(t *testing.T, messages [][]byte) []fields
	own  [][]byte // messages for it alone, where it needs another setting
}

// A lack is a row of a ledger's last table: what a program does not show, or not rightly.
type lack struct {
	program, element string
	cells            []string // empty: all
	met              bool     // it was indeed not shown
	line             string
}

// lacks reads the table from a conformance ledger. Its columns are program, cells, elements, and
// what the program prints instead.
func lacks(t *testing.T, ledger string) (list []*lack) {
	t.Helper()
	text, err := os.ReadFile(ledger)
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(text), "| program | cells | elements | it prints |\n")
	if !ok {
		t.Fatalf("%s has no table of what programs do not show", ledger)
	}
	for line := range strings.Lines(table) {
		columns := strings.Split(line, "|")
		if len(columns) != 6 {
			break
		}
		name, cells := strings.TrimSpace(columns[1]), words(columns[2])
		if strings.HasPrefix(name, "-") {
			continue
		}
		if strings.TrimSpace(columns[4]) == "" {
			t.Errorf("%s does not say what is printed: %s", ledger, line)
		}
		if slices.Equal(cells, []string{"all"}) {
			cells = nil
		}
		for _, e := range words(columns[3]) {
			list = append(list, &lack{program: name, element: e, cells: cells, line: line})
		}
	}
	return list
}

func words(s string) (out []string) {
	for w := range strings.SplitSeq(s, ",") {
		out = append(out, strings.TrimSpace(w))
	}
	return out
}

// matrixOf runs all programs on the messages and holds what they show against what went in. Where a
// program differs, the ledger must say so; where the ledger says so, the program must differ.
func matrixOf(t *testing.T, cells []cell, messages [][]byte, programs []program, ledger string) {
	known := lacks(t, ledger)
	agree := map[string]map[string]int{} // by cell and element
	for _, c := range cells {
		agree[c.name] = map[string]int{}
	}
	for _, p := range programs {
		t.Run(p.name, func(t *testing.T) {
			read := messages
			if p.own != nil {
				read = p.own
			}
			got := slices.DeleteFunc(p.read(t, read), func(f fields) bool { return !tells(f) })
			for _, c := range cells {
				for _, want := range c.want {
					var found fields
					found, got = take(got, want)
					check(t, p.name, &c, want, found, known, agree[c.name])
				}
			}
			for _, f := range got {
				t.Errorf("a record that nobody sent: %v", f)
			}
		})
	}
	for _, k := range known {
		if !k.met {
			t.Errorf("%s shows %s after all; the ledger says otherwise: %s", k.program, k.element, k.line)
		}
	}
	for _, c := range cells {
		for _, want := range c.want {
			for element := range want {
				if n := agree[c.name][element]; n < enough*holding(c.want, element) {
					t.Errorf("%s: only %d readings of %d records agree on %s", c.name, n, holding(c.want, element), element)
				}
			}
		}
	}
}

// holding counts the records that have an element.
func holding(records []fields, element string) (n int) {
	for _, r := range records {
		if _, ok := r[element]; ok {
			n++
		}
	}
	return n
}

// tells says whether a record is one of data: an options record has neither addresses nor a
// counter's name.
func tells(f fields) bool {
	return f["sourceIPv4Address"] != "" || f["sourceIPv6Address"] != "" || f["sum.name"] != ""
}

// take finds the record that has most in common with the one that is wanted, if it has the same
// source or name.
func take(got []fields, want fields) (best fields, rest []fields) {
	at, most := -1, 0
	for i, g := range got {
		if g["sourceIPv4Address"] != want["sourceIPv4Address"] || g["sourceIPv6Address"] != want["sourceIPv6Address"] || g["sum.name"] != want["sum.name"] {
			continue
		}
		same := 0
		for element, value := range want {
			if g[element] == value {
				same++
			}
		}
		if same > most {
			at, most = i, same
		}
	}
	if at < 0 {
		return nil, got
	}
	return got[at], slices.Delete(slices.Clone(got), at, at+1)
}

func check(t *testing.T, name string, c *cell, want, got fields, known []*lack, agree map[string]int) {
	t.Helper()
	for element, value := range want {
		if got[element] == value {
			agree[element]++
			continue
		}
		excused := false
		for _, k := range known {
			if k.program == name && (k.element == element || k.element == "all") && (k.cells == nil || slices.Contains(k.cells, c.name)) {
				k.met, excused = true, true
			}
		}
		if !excused {
			t.Errorf("%s: %s is %q, want %q", c.name, element, got[element], value)
		}
	}
}

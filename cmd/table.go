// Tables on the screen: aligned columns with a header, cut where the terminal ends.

package cmd

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/term"

	"ulogd/engine/text"
)

// screen is where a table goes.
type screen struct {
	w             *bufio.Writer
	width, height int // of the terminal; 0: it is none

	moving bool // pictures replace each other
	rows   int  // of this one
	hidden int  // lines that it had no room for
}

func newScreen(w io.Writer) *screen {
	s := &screen{w: bufio.NewWriter(w)}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		s.resize(f)
	}
	return s
}

func (s *screen) resize(f *os.File) {
	if width, height, err := term.GetSize(int(f.Fd())); err == nil && width > 0 && height > 0 {
		s.width, s.height = width, height
	}
}

func (s *screen) terminal() bool { return s.width > 0 }

// line writes a line, as far as the terminal is wide. What a daemon says of others, or another user in its place, does
// not command the terminal.
func (s *screen) line(line string) {
	if s.moving && s.rows >= s.height-1 {
		s.hidden++
		return
	}
	s.rows++
	line = printable(line)
	if s.width > 0 && utf8.RuneCountInString(line) > s.width {
		line = string([]rune(line)[:s.width])
	}
	s.w.WriteString(line)
	if s.terminal() {
		s.w.WriteString("\x1b[K") // what was there before
	}
	s.w.WriteByte('\n')
}

// prose writes a line of text, whose end matters as much as its beginning: it takes as many lines as it needs.
func (s *screen) prose(line string) {
	if line = printable(line); !s.moving {
		s.w.WriteString(line + "\n") // the terminal breaks it
		return
	}
	for utf8.RuneCountInString(line) > s.width {
		at := len(string([]rune(line)[:s.width]))
		if blank := strings.LastIndexByte(line[:at], ' '); blank > at/2 {
			at = blank
		}
		s.line(line[:at])
		line = "  " + strings.TrimLeft(line[at:], " ")
	}
	s.line(line)
}

// printable escapes control characters.
func printable(s string) string { return string(text.AppendClean(nil, []byte(s))) }

// object writes a line of JSON.
func (s *screen) object(line []byte) {
	if s.terminal() {
		line = text.AppendClean(nil, line)
	}
	s.w.Write(line)
	s.w.WriteByte('\n')
}

// home begins a picture that replaces the one before; end ends it.
func (s *screen) home() {
	if s.rows, s.hidden, s.moving = 0, 0, s.terminal(); s.moving {
		s.w.WriteString("\x1b[H")
	}
}

func (s *screen) end() {
	if s.hidden > 0 {
		fmt.Fprintf(s.w, "(%d more lines: name instances, or make the window higher)\x1b[K", s.hidden)
	}
	if s.terminal() {
		s.w.WriteString("\x1b[J") // below
	}
	s.w.Flush()
}

// A column of a table. Numbers stand on the right.
type column struct {
	head  string
	right bool
}

// table is rows of cells. The widths are those of the rows that come first: a long table is not kept in memory.
type table struct {
	s      *screen
	cols   []column
	rows   [][]string
	widths []int
	sep    string
}

// measured is how many rows decide on the widths.
const measured = 2000

func newTable(s *screen, cols ...column) *table { return &table{s: s, cols: cols, sep: "  "} }

func (t *table) add(cells ...string) {
	if t.widths == nil {
		if t.rows = append(t.rows, cells); len(t.rows) >= measured {
			t.flush()
		}
		return
	}
	t.row(cells)
}

// flush writes what waits.
func (t *table) flush() {
	if t.widths == nil {
		t.widths = make([]int, len(t.cols))
		head := make([]string, len(t.cols))
		for i, c := range t.cols {
			t.widths[i], head[i] = utf8.RuneCountInString(c.head), c.head
		}
		for _, r := range t.rows {
			for i, cell := range r {
				t.widths[i] = max(t.widths[i], utf8.RuneCountInString(cell))
			}
		}
		t.row(head)
	}
	for _, r := range t.rows {
		t.row(r)
	}
	t.rows = nil
}

func (t *table) row(cells []string) {
	var b strings.Builder
	for i, cell := range cells {
		if i > 0 {
			b.WriteString(t.sep)
		}
		pad := max(t.widths[i]-utf8.RuneCountInString(cell), 0)
		if t.cols[i].right {
			b.WriteString(strings.Repeat(" ", pad))
		}
		b.WriteString(cell)
		if !t.cols[i].right && i < len(cells)-1 {
			b.WriteString(strings.Repeat(" ", pad))
		}
	}
	t.s.line(b.String())
}

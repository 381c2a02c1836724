// Records as rows of a table.

package print

import (
	"bytes"
	"os"
	"unicode/utf8"

	"golang.org/x/sys/unix"

	"ulogd/engine"
	"ulogd/engine/safefile"
	"ulogd/engine/text"
)

// A cell is a column of the table: how its value is written, and where it stands.
type cell struct {
	head  string
	width int
	least int // width from which on it may lose its middle; 0: it is as wide as it is
	right bool
	last  bool // nothing stands behind it: no blanks are written
	value func(buf []byte, b *engine.Batch, r engine.Row) []byte
}

// table is the columns, in order.
type table struct {
	cells   []cell
	colours bool
	scratch []byte
}

// mostColumns is how wide a table of known columns is at most.
const mostColumns = 120

// newTable lays columns out. What may lose its middle has the least that it needs, and shares the room that is left.
func newTable(cells []cell, path string) *table {
	width, tty := terminal(path)
	room := mostColumns
	if tty && width >= 80 && width < room {
		room = width
	}
	flexible := 0
	for i := range cells {
		if i > 0 {
			room-- // for the blank between two columns
		}
		if cells[i].least > 0 {
			flexible++
			room -= cells[i].least
		} else {
			room -= cells[i].width
		}
	}
	for i := range cells {
		if c := &cells[i]; c.least > 0 {
			more := min(c.width-c.least, max(room, 0)/flexible)
			c.width = c.least + more
			room, flexible = room-more, flexible-1
		}
	}
	if len(cells) > 0 {
		last := &cells[len(cells)-1]
		last.last = !last.right
	}
	return &table{cells: cells, colours: tty && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

func (t *table) head(buf []byte) []byte {
	if t.colours {
		buf = append(buf, "\x1b[1m"...)
	}
	for i := range t.cells {
		c := &t.cells[i]
		buf = t.put(buf, i, append(t.scratch[:0], c.head...))
	}
	buf = bytes.TrimRight(buf, " ")
	if t.colours {
		buf = append(buf, "\x1b[0m"...)
	}
	return append(buf, '\n')
}

func (t *table) line(buf []byte, b *engine.Batch, r engine.Row) []byte {
	for i := range t.cells {
		t.scratch = t.cells[i].value(t.scratch[:0], b, r)
		if len(t.scratch) == 0 {
			t.scratch = append(t.scratch, '-')
		}
		buf = t.put(buf, i, t.scratch)
	}
	return buf
}

// put writes a value into its column.
func (t *table) put(buf []byte, i int, v []byte) []byte {
	c := &t.cells[i]
	if i > 0 {
		buf = append(buf, ' ')
	}
	n := utf8.RuneCount(v)
	pad := c.width - n
	if c.right {
		buf = blanks(buf, pad)
	}
	if n > c.width && c.least > 0 {
		buf = appendShort(buf, v, c.width)
	} else {
		buf = t.colour(buf, v)
	}
	if !c.right && !c.last {
		buf = blanks(buf, pad)
	}
	return buf
}

// appendShort appends what is too wide without its middle, so that both ends can be told.
func appendShort(buf, v []byte, width int) []byte {
	r := []rune(string(v))
	back := width / 2
	buf = append(buf, string(r[:width-1-back])...)
	return append(append(buf, "…"...), string(r[len(r)-back:])...)
}

func blanks(buf []byte, n int) []byte {
	for ; n > 0; n-- {
		buf = append(buf, ' ')
	}
	return buf
}

// hues are the words that have a colour on a terminal.
var hues = map[string]string{
	"tcp": "\x1b[32m", "udp": "\x1b[36m", "icmp": "\x1b[35m", "icmpv6": "\x1b[35m", "forced": "\x1b[33m",
	"no room": "\x1b[31m",
}

func (t *table) colour(buf, v []byte) []byte {
	if hue := hues[string(v)]; t.colours && hue != "" {
		return append(append(append(buf, hue...), v...), "\x1b[0m"...)
	}
	return append(buf, v...)
}

// terminal reports whether a path is a terminal, and how wide it is.
func terminal(path string) (width int, is bool) {
	f := os.Stdout
	if path != "/dev/stdout" {
		info, err := os.Stat(path)
		if err != nil || info.Mode()&os.ModeCharDevice == 0 {
			return 0, false
		}
		f, err = safefile.Open(path, os.O_WRONLY|unix.O_NOCTTY|unix.O_NONBLOCK, 0, safefile.User)
		if err != nil {
			return 0, false
		}
		defer f.Close()
	}
	raw, err := f.SyscallConn()
	if err != nil {
		return 0, false
	}
	raw.Control(func(fd uintptr) {
		if size, err := unix.IoctlGetWinsize(int(fd), unix.TIOCGWINSZ); err == nil {
			width, is = int(size.Col), true
		}
	})
	return width, is
}

// chosen is a table of the columns that the configuration names, each as wide as its type needs.
func chosen(fields []engine.Field, path string) *table {
	cells := make([]cell, len(fields))
	for i := range fields {
		f := &fields[i]
		c := cell{head: f.Name, value: valueOf(f)}
		switch t := f.Type(); {
		case t == engine.TimeType:
			c.width, c.value = timeWidth, timeValue(f)
		case t.Integer():
			c.width, c.right = 8, true
		case t == engine.AddrType:
			c.width = 15
		case t == engine.MACType:
			c.width = 17
		}
		if words := wordsOf(f); words != nil {
			c.value, c.right = words, false
		}
		c.width = max(c.width, len(c.head))
		cells[i] = c
	}
	return newTable(cells, path)
}

// valueOf writes a value without a unit.
func valueOf(f *engine.Field) func([]byte, *engine.Batch, engine.Row) []byte {
	return func(buf []byte, b *engine.Batch, r engine.Row) []byte {
		switch {
		case !f.Has(b, r):
			return buf
		case f.Type() == engine.StringType || f.Type() == engine.RawTextType:
			return text.AppendClean(buf, f.Bytes(b, r))
		}
		return f.AppendText(buf, b, r)
	}
}

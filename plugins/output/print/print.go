// Package print is the PRINT output: records on the screen, a line each.
package print

import (
	"slices"

	"ulogd/engine"
	"ulogd/engine/key"
	"ulogd/plugins/output/sink"
	"ulogd/plugins/output/sink/logfile"
)

func init() {
	engine.Register(engine.Plugin{
		Name: "PRINT",
		Doc: `Prints a line per record: as a table for people, as name=value of every key, or as CSV.

A table has aligned columns with a header, at most 120 columns wide: of flows when they began, how long they lasted,
protocol, both ends, packets and octets, replies where they are counted, and why they ended; of packets the time,
interfaces, protocol, both ends, length, TCP flags or ICMP type, and the rule's prefix; of counters their name, packets
and octets. Times are local. A value that a record does not have is "-"; what has no room loses its middle. keys
chooses other columns, which are as wide as they need. On a terminal it has colours, unless NO_COLOR is set.

Flows come as they end, those that end together by their start. sort = "start" has all flows of a file by their start:
they wait until the file's end, about 400,000 of them in 64 MiB; of more the earliest are printed before.

With keys and CSV, times are UTC with microseconds, addresses in their usual form, text in quotes where it has blanks
or control characters. Raw data is printed, in hexadecimal, only where the option keys names it.`,
		Example: `stack = "ct1:NFCT,screen1:PRINT"

[screen1]
format = "table"
`,
		Output: func() engine.Output { return &print{} },
	})
}

type print struct {
	sink.Sink
	file   logfile.File
	keys   engine.Selection
	format string
	sort   string

	waiting []*stage // whose records wait
	last    *stage   // who wrote last: another one has columns of its own
}

// The optional part of the contract that it implements itself (engine/plugin.go).
var _ engine.Flusher = (*print)(nil)

func (p *print) Options(o *engine.Options) {
	p.file.Declare(o, "/dev/stdout")
	p.keys.Options(o)
	o.Enum(&p.format, "format", "keys", []string{"table", "keys", "csv"},
		"table: aligned columns for people; keys: name=value of each key; csv: values, with a first line of names")
	o.Enum(&p.sort, "sort", asTheyEnd, []string{asTheyEnd, byTheirStart}, "order of flows: end: as they end; start: by "+
		"flow.start, where the input is a file; they wait until its end, or until 64 MiB wait")
}

func (p *print) Bind(b *engine.Binder) engine.Stage {
	s := &stage{print: p, Writer: p.Sink.Bind(b, &p.file), epoch: -1, stats: b.Stats()}
	if p.sort == byTheirStart {
		s.start = binder{b}.field(key.FlowStart.Name())
		switch {
		case s.start == nil:
			b.Problem("sort: start needs flow.start, which no plugin before it gives; put FLOW before it, or remove sort")
		case !b.Stack().Patient:
			b.Problem("sort: start needs an input that ends, such as a file; remove it")
		}
		s.waiting = &waiting{most: waitingMax}
		p.waiting = append(p.waiting, s)
	}
	if p.format == "table" && len(p.keys.Keys) == 0 {
		if s.lines = usual(b, p.file.Path); s.lines != nil {
			s.order = byStart(b)
			return s
		}
	}
	var fields []engine.Field
	for _, f := range engine.Whole(p.keys.Fields(b)) {
		if len(p.keys.Keys) > 0 || f.Type() != engine.RawType {
			fields = append(fields, f)
		}
	}
	switch p.format {
	case "table":
		s.lines = chosen(fields, p.file.Path)
	case "csv":
		s.lines = csvLines(fields)
	default:
		s.lines = keyLines(fields)
	}
	return s
}

// lines is how records look.
type lines interface {
	// head appends what stands above records, if anything does.
	head(buf []byte) []byte
	// line appends a record, without the end of the line.
	line(buf []byte, b *engine.Batch, r engine.Row) []byte
}

// stage is PRINT at the end of one stack.
type stage struct {
	*print
	*sink.Writer
	lines lines
	epoch int
	order func(b *engine.Batch, x, y engine.Row) int // of a table; nil: as the records come
	rows  []engine.Row

	waiting *waiting // records that are printed by their start; nil: they do not wait
	start   *engine.Field
	stats   *engine.Stats
}

// inOrder returns the rows of a batch. Flows that end together come in no order of their own: a table has them by their
// start.
func (s *stage) inOrder(b *engine.Batch) []engine.Row {
	if s.order == nil {
		return b.Rows()
	}
	s.rows = append(s.rows[:0], b.Rows()...)
	slices.SortStableFunc(s.rows, func(x, y engine.Row) int { return s.order(b, x, y) })
	return s.rows
}

func (s *stage) Consume(b *engine.Batch) {
	if s.waiting != nil {
		s.wait(b)
		return
	}
	buf := s.Begin()
	for _, r := range s.inOrder(b) {
		buf = s.above(buf)
		buf = s.End(append(s.lines.line(buf, b, r), '\n'))
	}
	s.Commit(buf)
}

// above appends what stands above records, where it does not stand there yet.
func (s *stage) above(buf []byte) []byte {
	if epoch := s.Epoch(); s.last != s || epoch != s.epoch {
		s.last, s.epoch = s, epoch
		buf = s.lines.head(buf)
	}
	return buf
}

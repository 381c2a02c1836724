// ROWS gives the records of a test, RECORD keeps what comes to the end of a stack.

package stacktest

import (
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"time"

	"ulogd/engine"
)

func init() {
	engine.Register(engine.Plugin{
		Name: "ROWS", Input: func() engine.Input { return &rows{} },
		Doc: "For tests: gives the records that Feed was handed, one batch per call.",
	})
	engine.Register(engine.Plugin{
		Name: "RECORD", Output: func() engine.Output { return &record{} },
		Doc: "For tests: keeps every record as a line name=value ..., for Recorded.",
	})
}

var (
	feeds    = map[string][][]map[string]string{}
	recorded = map[string][]string{}
)

// Feed hands records to the ROWS input that has name as its feed option: each is a map of keys to
// text. All calls come before the daemon starts; each makes one batch.
func Feed(name string, rows ...map[string]string) {
	mu.Lock()
	defer mu.Unlock()
	feeds[name] = append(feeds[name], rows)
}

// Recorded returns the lines that the RECORD output with that name option has kept, and forgets
// them.
func Recorded(name string) []string {
	mu.Lock()
	defer mu.Unlock()
	defer delete(recorded, name)
	return recorded[name]
}

// rows gives records from text. It gives every key of the list that it was fed with.
type rows struct {
	feed    string
	live    bool
	every   time.Duration
	counts  string
	batches [][]map[string]string
	next    int // of the batches
	set     []func(b *engine.Batch, r engine.Row, row map[string]string)
}

func (s *rows) Options(o *engine.Options) {
	o.String(&s.feed, "feed", "default", "name that Feed was called with")
	o.Bool(&s.live, "live", false, "do not end after the last record")
	o.Seconds(&s.every, "every", 0, "give the batches again and again, one each time; 0: once")
	o.Enum(&s.counts, "counts", "unknown", []string{"unknown", "delta", "total"}, "what octets and packets count")
}

func (s *rows) Bind(p *engine.Binder) {
	mu.Lock()
	s.batches = feeds[s.feed]
	mu.Unlock()
	names := map[string]bool{}
	for _, b := range s.batches {
		for _, row := range b {
			for k := range row {
				names[k] = true
			}
		}
	}
	for _, k := range known {
		if names[k.name] {
			s.set = append(s.set, rowSetter(p, k))
			delete(names, k.name)
		}
	}
	for k := range names {
		p.Problem("ROWS does not know the key %s", k)
	}
}

// rowSetter makes what fills a key, in a group of its own, in the rows that have it. Raw data is
// written as it is.
func rowSetter(p *engine.Binder, k givenKey) func(*engine.Batch, engine.Row, map[string]string) {
	g := p.Group()
	set := k.bind(p, g)
	return func(b *engine.Batch, r engine.Row, row map[string]string) {
		text, ok := row[k.name]
		if !ok {
			return
		}
		if k.hexed {
			text = hex.EncodeToString([]byte(text))
		}
		if err := set(b, r, text); err != nil {
			panic(err)
		}
		b.Have()[r] |= g.Mask()
	}
}

// Counts implements engine.Counting.
func (s *rows) Counts() engine.Counts {
	return map[string]engine.Counts{"delta": engine.CountsDelta, "total": engine.CountsTotal}[s.counts]
}

func (s *rows) Backpressure() bool { return true }

func (s *rows) Read(b *engine.Batch, deadline time.Time) error {
	if s.next == len(s.batches) {
		if s.live {
			time.Sleep(time.Until(deadline))
			return nil
		}
		return io.EOF
	}
	if s.every > 0 {
		time.Sleep(min(s.every, time.Until(deadline)))
	}
	batch := s.batches[s.next]
	if s.next++; s.every > 0 {
		s.next %= len(s.batches)
	}
	for i, row := range batch {
		r := engine.Row(i)
		b.Have()[r] = 0
		for _, set := range s.set {
			set(b, r, row)
		}
	}
	b.Fill(len(batch))
	return nil
}

// record keeps records as text.
type record struct {
	name  string
	delay time.Duration
	keys  engine.Selection
}

func (o *record) Options(opts *engine.Options) {
	opts.String(&o.name, "name", "default", "name for Recorded")
	opts.Seconds(&o.delay, "delay", 0, "how long each batch takes")
	o.keys.Options(opts)
}

func (o *record) Bind(p *engine.Binder) engine.Stage { return &recordStage{o, o.keys.Fields(p)} }

type recordStage struct {
	*record
	fields []engine.Field
}

func (s *recordStage) Consume(b *engine.Batch) {
	time.Sleep(s.delay)
	var lines []string
	for _, r := range b.Rows() {
		var parts []string
		for i := range s.fields {
			if f := &s.fields[i]; f.Has(b, r) {
				parts = append(parts, fmt.Sprintf("%s=%s", f.Name, f.AppendText(nil, b, r)))
			}
		}
		lines = append(lines, strings.Join(parts, " "))
	}
	mu.Lock()
	defer mu.Unlock()
	recorded[s.name] = append(recorded[s.name], lines...)
}

// Records in the order of their start, where the input comes to an end: they wait for those that end later.

package print

import (
	"bytes"
	"cmp"
	"container/heap"

	"ulogd/engine"
)

const (
	byTheirStart, asTheyEnd = "start", "end" // what the option sort says

	// waitingMax is how many octets of lines wait, with what Go adds to each: about 400,000 flows. Beyond it the
	// earliest goes first.
	waitingMax = 64 << 20
	lineCosts  = 48
)

// waiting is a heap of lines, the one that began first on top.
type waiting struct {
	lines  []waitingLine
	octets int
	most   int
}

type waitingLine struct {
	start uint64
	text  []byte
}

// Len, Less, Swap, Push and Pop implement heap.Interface. Lines of the same start have an order of their own, whatever
// batches they came in.
func (w *waiting) Len() int { return len(w.lines) }

func (w *waiting) Less(i, j int) bool {
	x, y := &w.lines[i], &w.lines[j]
	return cmp.Or(cmp.Compare(x.start, y.start), bytes.Compare(x.text, y.text)) < 0
}

func (w *waiting) Swap(i, j int) { w.lines[i], w.lines[j] = w.lines[j], w.lines[i] }

func (w *waiting) Push(x any) { w.lines = append(w.lines, x.(waitingLine)) }

func (w *waiting) Pop() any {
	n := len(w.lines) - 1
	x := w.lines[n]
	w.lines[n] = waitingLine{}
	w.lines = w.lines[:n]
	return x
}

// wait keeps the batch's records, and prints the earliest of those for which there is no room.
func (s *stage) wait(b *engine.Batch) {
	buf, w := s.Begin(), s.waiting
	for _, r := range b.Rows() {
		s.stats.Held.Add(1)
		for w.add(uintOf(s.start, b, r), s.lines.line(nil, b, r)); w.full(); {
			buf = s.printWaited(buf, w.next())
		}
	}
	s.Commit(buf)
}

// add takes a line.
func (w *waiting) add(start uint64, text []byte) {
	heap.Push(w, waitingLine{start, text})
	w.octets += len(text) + lineCosts
}

// full reports whether more wait than may.
func (w *waiting) full() bool { return w.octets > w.most }

// next gives the line that began first.
func (w *waiting) next() []byte {
	text := heap.Pop(w).(waitingLine).text
	w.octets -= len(text) + lineCosts
	return text
}

// printWaited prints a line that waited.
func (s *stage) printWaited(buf, text []byte) []byte {
	s.stats.Held.Add(-1)
	buf = s.above(buf)
	return s.End(append(append(buf, text...), '\n'))
}

// Flush implements engine.Flusher: the input has come to its end.
func (p *print) Flush() {
	for _, s := range p.waiting {
		buf := s.Begin()
		for s.waiting.Len() > 0 {
			buf = s.printWaited(buf, s.waiting.next())
		}
		s.Commit(buf)
	}
	p.Sink.Flush()
}

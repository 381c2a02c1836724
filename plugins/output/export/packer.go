// Messages under construction: where the next record goes.

package export

import (
	"encoding/binary"

	"ulogd/plugins/output/export/collector"
)

// Announce is when a template travels in the message of its records.
type Announce uint8

// First: with the first record ever; Always: in each message; Never.
const (
	First Announce = iota
	Always
	Never
)

// A Packer lays records out in messages. Finished messages and the one being filled stand one
// behind another in one buffer; take hands the finished ones over.
type Packer struct {
	Registry *Templates
	Announce Announce
	Limit    int // octets of a message

	buf     []byte
	end     int       // where the next octet goes
	begin   int       // where the open message begins
	stop    int       // where it must end
	set     int       // where its open set begins; 0: none is open
	open    *Template // of that set
	mark    collector.Mark
	count   int // data records in the open message, also when mark is not yet up to date
	told    uint64
	done    []finished
	started bool // a message is open
}

type finished struct {
	begin, end int
	mark       collector.Mark
}

// SetLimit says how many octets a message may have, from the next one on.
func (w *Packer) SetLimit(octets int) { w.Limit = octets }

// Pending returns how many records wait in the message being filled.
func (w *Packer) Pending() int {
	if !w.started {
		return 0
	}
	return w.count
}

// places returns where the next records of size octets go in the buffer, and how many of the wanted
// number stand there side by side; 0 if no message can hold one.
func (w *Packer) places(t *Template, size, want int) (pos, n int) {
	if t == w.open {
		n = min(want, (w.stop-w.end)/size)
	}
	if n == 0 {
		if !w.turn(t, size) {
			return 0, 0
		}
		n = min(want, (w.stop-w.end)/size)
	}
	pos = w.end
	w.end += n * size
	w.count += n
	return pos, n
}

// turn opens a set, and perhaps a message, in which there is room for a record.
func (w *Packer) turn(t *Template, size int) bool {
	for range 2 {
		if !w.started {
			w.start()
		}
		head := w.end
		if w.set != 0 {
			head = w.padded()
		}
		tell := t.Needs&w.tells(t) != 0
		need := 4 + size
		if tell {
			need += t.SetSize()
		}
		if t == w.open {
			need, head, tell = size, w.end, false
		}
		if tell && w.Announce == First && head+need > w.stop && w.count == 0 {
			need, tell = 4+size, false // it travels ahead on its own
		}
		if head+need <= w.stop {
			if t != w.open {
				w.openSet(t, tell)
			}
			return true
		}
		if w.count == 0 {
			return false
		}
		w.finish()
	}
	return false
}

// tells returns the template's bit if the message has to announce it.
func (w *Packer) tells(t *Template) uint64 {
	switch w.Announce {
	case First:
		return t.Needs &^ w.told
	case Always:
		return t.Needs &^ w.mark.Brings
	}
	return 0
}

func (w *Packer) start() {
	w.begin, w.set, w.open, w.count, w.started = w.end, 0, nil, 0, true
	w.stop = w.begin + w.Limit
	if w.Registry.Dialect.Pad {
		w.stop -= 3 // what the last set may need
	}
	w.mark = collector.Mark{}
	if room := w.begin + w.Limit; len(w.buf) < room {
		w.buf = append(w.buf, make([]byte, room-len(w.buf)+w.Limit)...)
	}
	clear(w.buf[w.begin : w.begin+w.Registry.Dialect.Header])
	binary.BigEndian.PutUint16(w.buf[w.begin:], w.Registry.Dialect.Version)
	w.end += w.Registry.Dialect.Header
}

// padded returns where the open set ends with its padding.
func (w *Packer) padded() int {
	if !w.Registry.Dialect.Pad {
		return w.end
	}
	return w.set + (w.end-w.set+3)&^3
}

func (w *Packer) closeSet() {
	if w.set == 0 {
		return
	}
	end := w.padded()
	clear(w.buf[w.end:end])
	w.end = end
	binary.BigEndian.PutUint16(w.buf[w.set+2:], uint16(w.end-w.set))
	w.set, w.open = 0, nil
}

func (w *Packer) openSet(t *Template, tell bool) {
	w.closeSet()
	if tell {
		binary.BigEndian.PutUint16(w.buf[w.end:], t.set)
		binary.BigEndian.PutUint16(w.buf[w.end+2:], uint16(t.SetSize()))
		copy(w.buf[w.end+4:], t.record)
		w.end += t.SetSize()
		w.mark.Brings |= t.Needs
		w.told |= t.Needs
		w.Registry.count(w.buf[w.begin:], 1)
	}
	w.mark.Needs |= t.Needs
	w.set, w.open = w.end, t
	binary.BigEndian.PutUint16(w.buf[w.set:], t.ID)
	w.end += 4
}

// finish closes the open message. Its records may still have to be written into it.
func (w *Packer) finish() {
	if !w.started || w.count == 0 {
		return
	}
	w.closeSet()
	w.Registry.count(w.buf[w.begin:], w.count)
	w.Registry.seal(w.buf[w.begin:w.end], 0)
	w.mark.Records = w.count
	w.done = append(w.done, finished{w.begin, w.end, w.mark})
	w.started, w.open, w.count, w.stop = false, nil, 0, 0
}

// Finish closes the open message, for Take.
func (w *Packer) Finish() { w.finish() }

// Take hands over the finished messages in their order and moves the open one to the front of the
// buffer.
func (w *Packer) Take(add func(msg []byte, m collector.Mark)) {
	if len(w.done) == 0 {
		return
	}
	for _, d := range w.done {
		add(w.buf[d.begin:d.end], d.mark)
	}
	w.done = w.done[:0]
	if !w.started {
		w.end, w.begin = 0, 0
		return
	}
	copy(w.buf, w.buf[w.begin:w.end])
	w.end -= w.begin
	w.stop -= w.begin
	if w.set != 0 {
		w.set -= w.begin
	}
	w.begin = 0
}

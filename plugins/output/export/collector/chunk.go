// Where messages wait: in pieces of memory that hold many each, with a mark for every message.

package collector

import (
	"time"

	"ulogd/engine/hugepage"
)

var origin = time.Now()

// ticks is a time as nanoseconds that nobody moves by setting the clock.
func ticks(t time.Time) int64 { return int64(t.Sub(origin)) }

// A Mark is what a queue knows of a message.
type Mark struct {
	Records int    // data records in it
	Needs   uint64 // for the protocol: what the receiver must have been told before, one bit each
	Brings  uint64 // for the protocol: what the message itself tells

	length  uint16
	session uint32 // the session it was sent in; 0 if it was not
	end     int64  // octets that this session had taken with the message's last
	sent    int64  // when, by ticks
}

// chunkSize is large enough for any message, and to make bookkeeping rare.
const chunkSize = 128 << 10

// pieceSize returns the octets of a chunk, of a queue of at most so many. Where many chunks are going to be filled,
// since what was sent is kept for a while, it is a huge page: to take their memory page by page costs more than to copy
// the messages.
func pieceSize(most int64, w Window) int64 {
	const many = 16
	if (w.Octets > 0 || w.Time > 0) && most >= many*hugepage.Size {
		return hugepage.Size
	}
	return chunkSize
}

// A chunk is a run of messages, oldest first.
type chunk struct {
	data  []byte
	marks []Mark
	ends  []uint32 // where in data each message ends
	read  int64    // position in the spool behind the last message that came from there
}

func newChunk(octets int64) *chunk {
	if octets == hugepage.Size {
		return &chunk{data: hugepage.Make(hugepage.Size)}
	}
	return &chunk{data: make([]byte, 0, octets)}
}

func (c *chunk) fits(n int) bool { return len(c.data)+n <= cap(c.data) }

func (c *chunk) add(msg []byte, m Mark) {
	m.length = uint16(len(msg))
	c.data = append(c.data, msg...)
	c.marks = append(c.marks, m)
	c.ends = append(c.ends, uint32(len(c.data)))
}

// begin returns where message i begins.
func (c *chunk) begin(i int) int {
	if i == 0 {
		return 0
	}
	return int(c.ends[i-1])
}

func (c *chunk) message(i int) []byte { return c.data[c.begin(i):c.ends[i]] }

// last returns the newest message's mark.
func (c *chunk) last() *Mark { return &c.marks[len(c.marks)-1] }

func (c *chunk) reset() { c.data, c.marks, c.ends, c.read = c.data[:0], c.marks[:0], c.ends[:0], 0 }

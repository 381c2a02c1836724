// What waits between an output and its target: whole records, one after the other.

package sink

import "ulogd/engine"

// A Buffer holds the records of one target that are not written yet. It is the target's side of a
// [Writer].
type Buffer struct {
	Data []byte // the records
	Ends []int  // where in Data each of them ends

	Limit   int  // size of Data from which on the target is asked to write
	Prompt  bool // the target is asked to write at the end of each batch, too
	Patient bool // wait for the other side: nothing is lost by it, or a queue in front decides what is dropped

	// Epoch changes when what was written before is not there for what comes after, as in a new
	// file: what later records refer to must then be written again.
	Epoch int

	Env *engine.Env

	held int // records that the Held counter has
}

// Len returns how many records wait.
func (b *Buffer) Len() int { return len(b.Ends) }

// Whole returns how many records end within the first n octets, and where the last of them does.
func (b *Buffer) Whole(n int) (records, octets int) {
	for records < len(b.Ends) && b.Ends[records] <= n {
		octets = b.Ends[records]
		records++
	}
	return records, octets
}

// Forget takes the first n octets out, and with them the first i records. Whoever calls it has
// counted them.
func (b *Buffer) Forget(n, i int) {
	if n == 0 && i == 0 {
		return
	}
	b.Data = b.Data[:copy(b.Data, b.Data[n:])]
	b.Ends = b.Ends[:copy(b.Ends, b.Ends[i:])]
	for j := range b.Ends {
		b.Ends[j] -= n
	}
}

// Written counts the first i records as written and takes them out.
func (b *Buffer) Written(i int) {
	b.Env.Stats.Out.Add(i)
	b.first(i)
}

// DropFirst drops the first i records.
func (b *Buffer) DropFirst(why *engine.Drop, i int) {
	why.Add(i)
	b.first(i)
}

func (b *Buffer) first(i int) {
	if i > 0 {
		b.Forget(b.Ends[i-1], i)
	}
}

// DropFrom drops the records from the i-th on.
func (b *Buffer) DropFrom(why *engine.Drop, i int) {
	if i >= len(b.Ends) {
		return
	}
	why.Add(len(b.Ends) - i)
	b.Ends = b.Ends[:i]
	if i == 0 {
		b.Data = b.Data[:0]
	} else {
		b.Data = b.Data[:b.Ends[i-1]]
	}
}

// settle brings the Held counter up to what is in the buffer.
func (b *Buffer) settle() {
	b.Env.Stats.Held.Add(len(b.Ends) - b.held)
	b.held = len(b.Ends)
}

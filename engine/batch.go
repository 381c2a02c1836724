// Batches: up to 256 records, by column, and who owns them.

package engine

import "sync/atomic"

// BatchSize is the most rows a batch holds. A Row is a uint8 and so cannot be out of range: arrays
// of BatchSize need no bounds check.
const BatchSize = 256

// Row is the place of one record in a batch.
type Row = uint8

var allRows = func() (r [BatchSize]Row) {
	for i := range r {
		r[i] = Row(i)
	}
	return
}()

// A Batch is up to 256 records, stored by column.
//
// Who owns it: the engine hands an empty batch to an input's Read; the input writes rows 0 to n-1
// and calls Fill. The engine then hands it from plugin to plugin; each may read any column it asked
// for, write those it gives, shorten the row list, and set presence bits of its own groups. When
// Consume returns, the batch is the engine's again: a plugin keeps no pointer into it, nor into its
// bytes. Behind a queue several outputs may hold a batch at once, so an output writes nothing.
type Batch struct {
	rows [BatchSize]Row
	n    int

	have *[BatchSize]uint64 // by row: one bit per group of keys
	cols []any              // by slot: *[BatchSize]T

	data []byte // bytes that the input read; spans below textBit
	text []byte // bytes that filters wrote; spans above
	own  [BatchSize]uint64

	clock    int64 // newest time that the input has seen, nanoseconds since 1970
	replay   bool  // clock is packet time, not wall time
	dropped  int   // rows that the running plugin dropped by a named reason
	filtered int   // records that an input left out on purpose
	excluded int   // rows that the running plugin filtered by a named reason

	refs   atomic.Int32
	block  *Block
	parent *Batch // the batch whose columns this one shares
	home   *pool
}

// textBit in a span's offset says that the bytes are in the batch's own text, not in the input's
// block.
const textBit = 1 << 31

// Len returns the number of rows that are left.
func (b *Batch) Len() int { return b.n }

// Rows returns the rows that are left, in order. A filter may compact the slice in place and then
// call Keep.
func (b *Batch) Rows() []Row { return b.rows[:b.n] }

// Keep shortens the row list to its first n entries.
func (b *Batch) Keep(n int) { b.n = n }

// Fill makes rows 0 to n-1 the batch's rows. Inputs, and plugins that fill a batch of their own,
// call it when the rows are written.
func (b *Batch) Fill(n int) {
	copy(b.rows[:], allRows[:n])
	b.n = n
}

// Have returns the presence words: bit g of word r says that row r has the keys of group g. An
// input sets the whole word; a filter adds the bits of its own groups.
func (b *Batch) Have() *[BatchSize]uint64 { return b.have }

// Bytes returns what a span names. The slice is valid until the batch is given back.
func (b *Batch) Bytes(s Span) []byte {
	if s.Off&textBit != 0 {
		off := s.Off &^ textBit
		return b.text[off : off+s.Len : off+s.Len]
	}
	return b.data[s.Off : s.Off+s.Len : s.Off+s.Len]
}

// Text starts a string of a filter's own: append to what it returns and hand the result to SetText.
func (b *Batch) Text() []byte { return b.text }

// SetText ends a string begun with Text; start is the length Text had. It returns the string's
// span.
func (b *Batch) SetText(text []byte, start int) Span {
	b.text = text
	return Span{uint32(start) | textBit, uint32(len(text) - start)}
}

// AddText copies p into the batch's text.
func (b *Batch) AddText(p []byte) Span {
	start := len(b.text)
	b.text = append(b.text, p...)
	return Span{uint32(start) | textBit, uint32(len(p))}
}

// SetData makes the block's bytes those that spans of this batch name, and holds the block until
// the batch is given back.
func (b *Batch) SetData(k *Block) {
	k.refs.Add(1)
	if b.block != nil {
		b.block.Release()
	}
	b.block, b.data = k, k.Data
}

// SetReplay says that the batch comes from a record of the past whose newest time so far is clock.
func (b *Batch) SetReplay(clock int64) { b.clock, b.replay = clock, true }

// Clock returns the newest time that the input has seen, in nanoseconds since 1970: the wall clock
// for live inputs, the newest packet's for files.
func (b *Batch) Clock() int64 { return b.clock }

// Replay reports whether Clock is a file's time.
func (b *Batch) Replay() bool { return b.replay }

// appendTo copies the batch's rows, as far as cols go, behind those of dst, which is of the same
// segment and has columns and text of its own.
func (b *Batch) appendTo(dst *Batch, cols []*column) {
	first := dst.n
	for _, r := range b.Rows() {
		to := Row(dst.n)
		dst.rows[to], dst.have[to] = to, b.have[r]
		dst.n++
	}
	for _, c := range cols {
		c.copy(dst, first, b)
	}
	dst.clock, dst.replay = b.clock, b.replay
}

// Skip says that an input left out n records that its settings exclude.
func (b *Batch) Skip(n int) { b.filtered += n }

// hold keeps the batch from being reused until as many calls of release.
func (b *Batch) hold() { b.refs.Add(1) }

// release gives up one hold; the last one empties the batch and returns it to where it came from.
func (b *Batch) release() {
	if b.refs.Add(-1) != 0 {
		return
	}
	if b.block != nil {
		b.block.Release()
		b.block = nil
	}
	b.n, b.data, b.replay, b.clock = 0, nil, false, 0
	if p := b.parent; p != nil {
		b.parent = nil
		if b.have != &b.own { // a view: the text was the parent's
			b.text = nil
		}
		p.release()
	}
	if cap(b.text) > maxKeptText {
		b.text = nil
	}
	b.text = b.text[:0]
	b.home.giveBack(b)
}

// maxKeptText bounds what one long string leaves behind in a pooled batch.
const maxKeptText = 1 << 20

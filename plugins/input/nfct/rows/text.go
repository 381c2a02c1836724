// Text of records: names of helpers, security contexts and labels. Few connections have any, so it
// lies in a block of its own that is there only when needed.

package rows

import "ulogd/engine"

// text gathers the strings of one batch.
type text struct {
	blocks *engine.Blocks
	block  *engine.Block
	used   int
}

const (
	textBlock = 64 << 10
	textRow   = 8 << 10 // what the strings of one record take at most
)

func newBlocks() *engine.Blocks { return engine.NewBlocks(textBlock) }

func (x *text) full() bool { return x.used > textBlock-textRow }

// add copies a string in, cut where it is absurdly long.
func (x *text) add(s []byte) engine.String {
	if x.block == nil {
		x.block = x.blocks.Get()
	}
	n := copy(x.block.Data[x.used:], s[:min(len(s), textRow/2)])
	span := engine.Span{Off: uint32(x.used), Len: uint32(n)}
	x.used += n
	return engine.String(span)
}

// finish hands the block to the batch.
func (x *text) finish(b *engine.Batch) {
	if x.block != nil {
		b.SetData(x.block)
		x.block.Release()
	}
}

// Filling one batch with connections.

package rows

import (
	"ulogd/engine"
	"ulogd/plugins/input/nfct/ctnetlink"
)

// Maker is what the batches of one instance have in common.
type Maker struct {
	Columns columns
	blocks  *engine.Blocks
	labels  *labelNames
	scratch []byte
}

// Filler writes connections into the rows of one batch.
type Filler struct {
	*Maker
	w     writer
	Batch *engine.Batch
	Count int // of the rows so far
	text  text
}

// Open takes the file of the labels' names; a missing one is no error.
func (m *Maker) Open(connlabels string) (err error) {
	m.blocks = newBlocks()
	m.labels, err = readLabels(connlabels)
	return err
}

// Fill returns a filler of the batch.
func (m *Maker) Fill(b *engine.Batch) Filler {
	return Filler{Maker: m, w: m.Columns.of(b), Batch: b, text: text{blocks: m.blocks}}
}

// Full reports whether there is no room for another row.
func (x *Filler) Full() bool { return x.Count == engine.BatchSize || x.text.full() }

// Put writes a connection into the next row. reason is 0 for a record that is not an end; start and
// end are 0 where they are not known; recovered says that nobody has seen the end.
func (x *Filler) Put(f *ctnetlink.Flow, reason uint8, start, end int64, recovered bool) engine.Row {
	row := engine.Row(x.Count)
	x.w.put(x.Batch, row, f, reason, start, end)
	if f.Has&(ctnetlink.HasHelper|ctnetlink.HasSecCtx|ctnetlink.HasLabels) != 0 {
		x.putText(row, f)
	}
	if recovered {
		x.w.isRecovered.Of(x.Batch)[row] = true
		x.w.have[row] |= x.w.recovered.Mask()
	}
	x.Count++
	return row
}

// putText writes the strings that somebody reads.
func (x *Filler) putText(row engine.Row, f *ctnetlink.Flow) {
	w := &x.w
	if f.Has&ctnetlink.HasHelper != 0 && w.helperName.Wanted() {
		w.helperName.Of(x.Batch)[row] = x.text.add(f.Helper)
		w.have[row] |= w.helper.Mask()
	}
	if f.Has&ctnetlink.HasSecCtx != 0 && w.secctxName.Wanted() {
		w.secctxName.Of(x.Batch)[row] = x.text.add(f.SecCtx)
		w.have[row] |= w.secctx.Mask()
	}
	if f.Has&ctnetlink.HasLabels != 0 && w.labelNames.Wanted() {
		x.scratch = x.labels.appendNames(x.scratch[:0], &f.Labels)
		w.labelNames.Of(x.Batch)[row] = x.text.add(x.scratch)
		w.have[row] |= w.labelText.Mask()
	}
}

// Finish hands the rows to the engine.
func (x *Filler) Finish() {
	x.Batch.Fill(x.Count)
	x.text.finish(x.Batch)
}

// From messages to rows of one batch.

package nfct

import (
	"time"

	"ulogd/engine"
	"ulogd/plugins/input/netlink/nlattr"
)

// reader fills one batch.
type reader struct {
	*nfct
	w                                writer
	b                                *engine.Batch
	rows                             int
	malformedRows, longRows, leftOut int
	unknownEnds                      int
	recovering                       bool // records are of ends that were not seen
	sift                             bool // some rows are ends that may have been told before
	text                             text
}

func (r *reader) full() bool { return r.rows == engine.BatchSize || r.text.full() }

// take handles the messages that a socket has brought, as long as there is room for rows, and
// returns their number.
func (r *reader) take(k *socket) (taken int) {
	now := time.Now().UnixNano()
	for !r.full() {
		cut := len(k.rest) == 0 && k.next < k.received && k.receiver.Truncated(k.next)
		m, ok := k.message()
		if !ok {
			break
		}
		taken++
		switch {
		case cut:
			r.longRows++
		case m.Type != msgNew && m.Type != msgDelete && m.Type != nlattr.Malformed:
			// Another subsystem's, or an answer: nothing that was asked for.
		case m.Type == nlattr.Malformed || !r.flow.decode(&m):
			r.malformedRows++
		case !r.filter.tracks(&r.flow):
			r.leftOut++
		case r.isOwn(&r.flow):
			r.leftOut++
			r.ownFlows.Add(1)
		default:
			r.event(&r.flow, now)
		}
	}
	return taken
}

// emit makes a row of the connection if its mark is wanted, and reports whether it did.
func (r *reader) emit(f *flow, reason uint8, start, end int64) bool {
	if !r.filter.acceptsMark(f.mark) {
		r.leftOut++
		return false
	}
	row := engine.Row(r.rows)
	r.ended.keys[row] = 0
	r.w.put(r.b, row, f, reason, start, end)
	if f.has&(hasHelper|hasSecCtx|hasLabels) != 0 {
		r.putText(row, f)
	}
	if r.recovering {
		r.w.isRecovered.Of(r.b)[row] = true
		r.w.have[row] |= r.w.recovered.Mask()
	}
	r.rows++
	return true
}

// isOwn reports whether the connection is one of the daemon's own sessions, seen from either end.
func (r *reader) isOwn(f *flow) bool {
	for i := range r.own {
		o := &r.own[i]
		if o.Protocol != f.orig.proto {
			continue
		}
		if f.orig.sport == o.LocalPort && f.orig.dport == o.RemotePort && f.orig.src == o.Local && f.orig.dst == o.Remote ||
			f.orig.sport == o.RemotePort && f.orig.dport == o.LocalPort && f.orig.src == o.Remote && f.orig.dst == o.Local {
			return true
		}
	}
	return false
}

// finish hands the rows to the engine and counts what made none.
func (r *reader) finish() {
	r.b.Fill(r.rows)
	if r.sift {
		kept := r.ended.sift(r.b.Rows())
		r.b.Keep(kept)
		r.leftOut += r.rows - kept
		r.duplicates.Add(r.rows - kept)
	}
	r.text.finish(r.b)
	if r.leftOut > 0 {
		r.b.Skip(r.leftOut)
	}
	if r.unknownEnds > 0 {
		r.endUnknown.Add(r.unknownEnds)
	}
	if r.malformedRows > 0 {
		r.malformed.Rows(r.b, r.malformedRows)
	}
	if r.longRows > 0 {
		r.truncated.Rows(r.b, r.longRows)
	}
}

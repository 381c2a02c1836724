// From messages to rows of one batch.

package nfct

import (
	"time"

	"golang.org/x/sys/unix"

	"ulogd/plugins/input/netlink/nlattr"
	"ulogd/plugins/input/nfct/ctnetlink"
	"ulogd/plugins/input/nfct/rows"
)

// reader fills one batch.
type reader struct {
	in *nfct
	rows.Filler
	malformedRows, longRows, leftOut int
	untranslated                     int    // of translated_only
	hidden                           [2]int // IPv4, IPv6: left out for their family
	unknownEnds                      int
	recovering                       bool // records are of ends that were not seen
	sift                             bool // some rows are ends that may have been told before
}

// take handles the messages that a socket has brought, as long as there is room for rows, and
// returns their number.
func (r *reader) take(k *ctnetlink.Socket) (taken int) {
	now := time.Now().UnixNano()
	for !r.Full() {
		cut := k.CutOff()
		m, ok := k.Message()
		if !ok {
			break
		}
		taken++
		switch {
		case cut:
			r.longRows++
		case m.Type != ctnetlink.MsgNew && m.Type != ctnetlink.MsgDelete && m.Type != nlattr.Malformed:
			// Another subsystem's, or an answer: nothing that was asked for.
		case m.Type == nlattr.Malformed || !r.in.flow.Decode(&m):
			r.malformedRows++
		case !r.in.filter.tracks(&r.in.flow):
			r.leaveOut(&r.in.flow)
		case r.in.isOwn(&r.in.flow):
			r.leftOut++
			r.in.ownFlows.Add(1)
		default:
			r.event(&r.in.flow, now)
		}
	}
	return taken
}

// leaveOut counts an event of a connection that is not wanted.
func (r *reader) leaveOut(f *ctnetlink.Flow) {
	switch {
	case !r.in.filter.hides(f):
		r.leftOut++
	case f.Family == unix.AF_INET6:
		r.hidden[1]++
	default:
		r.hidden[0]++
	}
}

// emit makes a row of the connection if its mark is wanted, and reports whether it did.
func (r *reader) emit(f *ctnetlink.Flow, reason uint8, start, end int64) bool {
	if r.in.translated && f.Status&ctnetlink.StatusNAT == 0 {
		r.untranslated++
		return false
	}
	if !r.in.filter.acceptsMark(f.Mark) {
		r.leftOut++
		return false
	}
	if end != 0 && end < start && !r.in.compat {
		// The clock was set back since it began: by the present one it lasted no time at all. Of a length
		// below zero collectors make 49 days or more.
		start = end
	}
	row := r.Put(f, reason, start, end, r.recovering)
	r.in.ended.Expect(row, 0)
	return true
}

// isOwn reports whether the connection is one of the daemon's own sessions, seen from either end.
func (n *nfct) isOwn(f *ctnetlink.Flow) bool {
	for i := range n.own {
		o := &n.own[i]
		if o.Protocol != f.Orig.Proto {
			continue
		}
		if f.Orig.Sport == o.LocalPort && f.Orig.Dport == o.RemotePort && f.Orig.Src == o.Local && f.Orig.Dst == o.Remote ||
			f.Orig.Sport == o.RemotePort && f.Orig.Dport == o.LocalPort && f.Orig.Src == o.Remote && f.Orig.Dst == o.Local {
			return true
		}
	}
	return false
}

// finish hands the rows to the engine and counts what made none.
func (r *reader) finish() {
	r.Filler.Finish()
	b := r.Batch
	if r.sift {
		kept := r.in.ended.Sift(b.Rows())
		b.Keep(kept)
		r.leftOut += r.Count - kept
		r.in.duplicates.Add(r.Count - kept)
	}
	if r.leftOut > 0 {
		b.Skip(r.leftOut)
	}
	if r.untranslated > 0 {
		r.in.untranslated.Rows(b, r.untranslated)
	}
	for i, n := range r.hidden {
		if n > 0 {
			r.in.hidden[i].Rows(b, n)
		}
	}
	if r.unknownEnds > 0 {
		r.in.endUnknown.Add(r.unknownEnds)
	}
	if r.malformedRows > 0 {
		r.in.malformed.Rows(b, r.malformedRows)
	}
	if r.longRows > 0 {
		r.in.truncated.Rows(b, r.longRows)
	}
}

// What events and dumps mean for the remembered connections, and what is reported of them.

package nfct

import (
	"time"

	"ulogd/engine"
	"ulogd/engine/key"
	"ulogd/plugins/input/nfct/ctnetlink"
	"ulogd/plugins/input/nfct/lastpacket"
	"ulogd/plugins/input/nfct/table"
)

// event handles one event, read at the time now.
func (r *reader) event(f *ctnetlink.Flow, now int64) {
	switch {
	case f.Event == key.EventDestroy:
		r.end(f, now)
	case r.in.table != nil:
		r.alive(f, now)
	case f.Event == key.EventNew:
		r.emit(f, 0, pick(f.Start, pick(f.Stamp, now)), 0)
	default: // of a change the time is told, too
		r.emit(f, 0, f.Start, pick(f.Stamp, now))
	}
}

// end reports a connection that has ended.
func (r *reader) end(f *ctnetlink.Flow, now int64) {
	r.in.drain.arrived(r.in, f)
	start, reason := f.Start, f.EndReason()
	stop := pick(f.Stop, pick(f.Stamp, now))
	f.Ended = stop
	active, odd := start, false
	key := r.in.ended.Fingerprint(f)
	if t := r.in.table; t != nil {
		if r.in.ended.Again(key) {
			r.leftOut++
			r.in.duplicates.Add(1)
			return
		}
		if i := t.Find(f); i != 0 {
			start = pick(start, t.Entry(i).Start)
			t.Complete(i, f)
			if !t.Another(i, f) {
				e := t.Entry(i)
				active, odd = max(start, e.Active), e.Flags&table.IsOdd != 0
				t.Observe(i, f)
				if r.in.deltas() {
					t.Delta(i, f)
				}
				t.Remove(i)
			}
		}
	}
	if r.emit(f, reason, start, r.lastPacket(f, stop, active, odd)) && r.in.table == nil {
		r.in.ended.Expect(engine.Row(r.Count-1), key)
		r.sift = true
	}
}

// lastPacket returns when the last packet of a connection came that ended at the time stop, and
// that had a packet at active or later. It is the stop time where nobody knows, as of a connection
// that is odd.
func (r *reader) lastPacket(f *ctnetlink.Flow, stop, active int64, odd bool) int64 {
	if r.in.compat || f.Refused() {
		return stop
	}
	when, known := r.in.timeouts.Last(f, stop, active)
	if odd || !known {
		r.unknownEnds++
		return stop
	}
	return when
}

// alive remembers a connection that began or changed.
func (r *reader) alive(f *ctnetlink.Flow, now int64) {
	t := r.in.table
	i := t.Find(f)
	start := pick(f.Start, pick(f.Stamp, now))
	if i == 0 {
		i = r.remember(f, start)
	} else {
		t.Update(i, f)
		e := t.Entry(i)
		e.Active = max(e.Active, f.Stamp) // a kernel that does not stamp events says nothing of when they were
		if f.Event == key.EventNew {
			t.Unmute(i) // it has been announced, so its end will be
			e.Start = pick(f.Stamp, e.Start)
		}
	}
	if f.Event == key.EventNew && r.in.begun {
		r.begin(i, f, start)
	}
}

// begin reports the beginning of a connection that is translated, once, and reports whether it did.
// i is 0 where it is not remembered.
func (r *reader) begin(i uint32, f *ctnetlink.Flow, start int64) bool {
	if f.Status&ctnetlink.StatusNAT == 0 {
		return false
	}
	if i != 0 {
		e := r.in.table.Entry(i)
		if e.Flags&table.IsBegun != 0 {
			return false
		}
		e.Flags |= table.IsBegun
		start = e.Start
	}
	f.Event = key.EventNew
	f.Sent, f.Answered = ctnetlink.Counters{}, ctnetlink.Counters{}
	r.emit(f, 0, start, 0)
	return true
}

// remember enters a connection; it returns 0 if the table is full.
func (r *reader) remember(f *ctnetlink.Flow, start int64) uint32 {
	i := r.in.table.Insert(f, start)
	if i == 0 {
		r.in.forgotten.Add(1)
	}
	return i
}

// dumped handles one entry of a dump.
func (r *reader) dumped(f *ctnetlink.Flow, why purpose, now int64) {
	i := r.meet(f, why, now)
	if i == 0 {
		switch why {
		case forReset:
			r.emit(f, 0, f.Start, r.livingEnd(f, now, f.Start))
		case forExit:
			r.emit(f, key.EndForced, f.Start, r.livingEnd(f, now, f.Start))
		}
		return
	}
	t := r.in.table
	start := t.Entry(i).Start
	r.date(i, f, now)
	t.Observe(i, f)
	// The event of the beginning may have been lost. There is room for one row: an interim report
	// comes with the next dump.
	if r.in.begun && f.Start >= r.in.joined && why != forReset && why != forExit && r.begin(i, f, start) {
		return
	}
	switch why {
	case forReset:
		t.Zeroed(i)
		total := *f
		r.interim(i, f, 0, start, now)
		t.Reported(i, &total, now)
	case forReport:
		since := now - t.LastReport(i) // negative where the clock was set back
		if since >= 0 && since < int64(r.in.activeTimeout-r.in.activeTimeout/8) {
			return
		}
		total := *f
		r.interim(i, f, key.EndActive, start, now)
		t.Reported(i, &total, now)
	case forExit:
		r.interim(i, f, key.EndForced, start, now)
	}
}

// interim reports a living connection.
func (r *reader) interim(i uint32, f *ctnetlink.Flow, reason uint8, start, now int64) {
	if r.in.deltas() {
		r.in.table.Delta(i, f)
	}
	r.in.table.Complete(i, f)
	end := now
	if e := r.in.table.Entry(i); !r.in.compat && e.Flags&table.IsDated != 0 {
		end = e.Active
	}
	if r.in.compat && reason == 0 {
		end = 0
	}
	r.emit(f, reason, start, end)
}

// livingEnd is the end of a record of a living connection that is not remembered.
func (r *reader) livingEnd(f *ctnetlink.Flow, now, active int64) int64 {
	if r.in.compat {
		if r.in.dump.why == forExit {
			return now
		}
		return 0
	}
	if when, known := r.in.timeouts.Last(f, now, active); known {
		return when
	}
	return now
}

// date notes when a connection that a dump shows had its last packet, as far as that can be told:
// the dump before did not show all of its packets, or the time that it still has to live says so.
// Both must agree.
func (r *reader) date(i uint32, f *ctnetlink.Flow, now int64) {
	e := r.in.table.Entry(i)
	still := false // no packet came since the dump before
	if e.Seen == r.in.table.Round-1 {
		still = f.Sent == e.Sent && f.Answered == e.Answered && f.Sent.Packets > 0
		if !still {
			e.Active = max(e.Active, r.in.dump.before)
		}
	}
	e.Seen = r.in.table.Round
	when, known := r.in.timeouts.Last(f, now, e.Active)
	if still && e.Flags&table.IsOdd != 0 || still && e.Flags&table.IsDated != 0 && when > e.Active+lastpacket.Slack {
		known = false
	}
	e.Flags &^= table.IsDated | table.IsOdd
	if !known {
		e.Flags |= table.IsOdd
		return
	}
	e.Active = when
	e.Flags |= table.IsDated
}

// meet finds or makes the entry of a connection that a dump shows; 0: there is none. Parts of a
// dump that zeroes counters may come late, from another instance, so that they make no entry.
func (r *reader) meet(f *ctnetlink.Flow, why purpose, now int64) uint32 {
	t := r.in.table
	if t == nil {
		return 0
	}
	i := t.Find(f)
	if i == 0 && why == forReset {
		return 0
	}
	if i == 0 {
		i = r.remember(f, pick(f.Start, now))
		if i != 0 && why == forStart && !r.in.eventsAlways && f.Start < r.in.joined {
			t.Mute(i)
		}
		return i
	}
	t.Update(i, f)
	e := t.Entry(i)
	e.Start = pick(f.Start, e.Start)
	return i
}

// sweep reports the connections that the dump did not find, as long as there is room, and reports
// whether it came to its end.
func (r *reader) sweep() (done bool) {
	t, d, f := r.in.table, &r.in.dump, &r.in.flow
	now := time.Now().UnixNano()
	for ; d.place <= t.Used; d.place++ {
		i := d.place
		if t.Vacant(i) || t.Entry(i).Seen == t.Round {
			continue
		}
		if r.Full() {
			return false
		}
		t.Recall(i, f)
		f.Event = key.EventDestroy
		if r.in.deltas() {
			t.Delta(i, f)
		}
		end, dated := t.Entry(i).Active, t.Entry(i).Flags&table.IsDated != 0
		if r.in.compat || !dated {
			end = now
		}
		if !r.in.compat && !dated {
			r.unknownEnds++
		}
		reason := f.EndReason()
		r.recovering = d.why != forPoll
		if r.recovering {
			reason = key.EndResources
			if t.Entry(i).Flags&table.IsSilent == 0 || r.in.eventsAlways {
				r.in.losses.giveBack()
			}
			r.in.recoveredEnds.Add(1)
		}
		t.Remove(i)
		r.emit(f, reason, f.Start, end)
		r.recovering = false
	}
	return true
}

// pick prefers the kernel's time to the clock.
func pick(kernel, clock int64) int64 {
	if kernel != 0 {
		return kernel
	}
	return clock
}

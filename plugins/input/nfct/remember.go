// What events and dumps mean for the remembered connections, and what is reported of them.

package nfct

import (
	"time"

	"ulogd/engine/key"
)

// event handles one event, read at the time now.
func (r *reader) event(f *flow, now int64) {
	switch {
	case f.event == key.EventDestroy:
		r.end(f, now)
	case r.table != nil:
		r.alive(f, now)
	case f.event == key.EventNew:
		r.emit(f, 0, pick(f.start, pick(f.stamp, now)), 0)
	default:
		r.emit(f, 0, f.start, 0)
	}
}

// end reports a connection that has ended.
func (r *reader) end(f *flow, now int64) {
	r.drain.arrived(r.nfct, f)
	start, reason := f.start, f.endReason()
	stop := pick(f.stop, pick(f.stamp, now))
	f.ended = stop
	active, odd := start, false
	key := r.ended.fingerprint(f)
	if t := r.table; t != nil {
		if r.ended.again(key) {
			r.leftOut++
			r.duplicates.Add(1)
			return
		}
		if i := t.find(f); i != 0 {
			start = pick(start, t.entries.at(i).start)
			t.complete(i, f)
			if !t.another(i, f) {
				e := t.entries.at(i)
				active, odd = max(start, e.active), e.flags&isOdd != 0
				t.observe(i, f)
				if r.deltas() {
					t.delta(i, f)
				}
				t.remove(i)
			}
		}
	}
	if r.emit(f, reason, start, r.lastPacket(f, stop, active, odd)) && r.table == nil {
		r.ended.keys[r.rows-1], r.sift = key, true
	}
}

// lastPacket returns when the last packet of a connection came that ended at the time stop, and
// that had a packet at active or later. It is the stop time where nobody knows, as of a connection
// that is odd.
func (r *reader) lastPacket(f *flow, stop, active int64, odd bool) int64 {
	if r.compat || f.refused() {
		return stop
	}
	when, known := r.timeouts.last(f, stop, active)
	if odd || !known {
		r.unknownEnds++
		return stop
	}
	return when
}

// another reports whether the entry is that of the next connection, whose beginning was read first,
// and not of f, which has ended: an identifier and a tuple may be used again at once. It rests on
// the kernel's own times; the clock may have been set back between them.
func (t *table) another(i uint32, f *flow) bool {
	return f.stamp != 0 && f.start <= f.stop && t.entries.at(i).start > f.stop
}

// alive remembers a connection that began or changed.
func (r *reader) alive(f *flow, now int64) {
	t := r.table
	i := t.find(f)
	start := pick(f.start, pick(f.stamp, now))
	if i == 0 {
		i = r.remember(f, start)
	} else {
		t.update(i, f)
		e := t.entries.at(i)
		e.active = max(e.active, f.stamp) // a kernel that does not stamp events says nothing of when they were
		if f.event == key.EventNew {
			t.unmute(i) // it has been announced, so its end will be
			e.start = pick(f.stamp, e.start)
		}
	}
	if f.event == key.EventNew && r.begun {
		r.begin(i, f, start)
	}
}

// begin reports the beginning of a connection that is translated, once, and reports whether it did.
// i is 0 where it is not remembered.
func (r *reader) begin(i uint32, f *flow, start int64) bool {
	if f.status&statusNAT == 0 {
		return false
	}
	if i != 0 {
		e := r.table.entries.at(i)
		if e.flags&isBegun != 0 {
			return false
		}
		e.flags |= isBegun
		start = e.start
	}
	f.event = key.EventNew
	f.sent, f.answered = counters{}, counters{}
	r.emit(f, 0, start, 0)
	return true
}

// remember enters a connection; it returns 0 if the table is full.
func (r *reader) remember(f *flow, start int64) uint32 {
	i := r.table.insert(f, start)
	if i == 0 {
		r.forgotten.Add(1)
	}
	return i
}

// dumped handles one entry of a dump.
func (r *reader) dumped(f *flow, why purpose, now int64) {
	i := r.meet(f, why, now)
	if i == 0 {
		switch why {
		case forReset:
			r.emit(f, 0, f.start, r.livingEnd(f, now, f.start))
		case forExit:
			r.emit(f, key.EndForced, f.start, r.livingEnd(f, now, f.start))
		}
		return
	}
	t := r.table
	start := t.entries.at(i).start
	r.date(i, f, now)
	t.observe(i, f)
	// The event of the beginning may have been lost. There is room for one row: an interim report
	// comes with the next dump.
	if r.begun && f.start >= r.joined && why != forReset && why != forExit && r.begin(i, f, start) {
		return
	}
	switch why {
	case forReset:
		t.zeroed(i)
		total := *f
		r.interim(i, f, 0, start, now)
		t.reported(i, &total, now)
	case forReport:
		since := now - t.lastReport(i) // negative where the clock was set back
		if since >= 0 && since < int64(r.activeTimeout-r.activeTimeout/8) {
			return
		}
		total := *f
		r.interim(i, f, key.EndActive, start, now)
		t.reported(i, &total, now)
	case forExit:
		r.interim(i, f, key.EndForced, start, now)
	}
}

// interim reports a living connection.
func (r *reader) interim(i uint32, f *flow, reason uint8, start, now int64) {
	if r.deltas() {
		r.table.delta(i, f)
	}
	r.table.complete(i, f)
	end := now
	if e := r.table.entries.at(i); !r.compat && e.flags&isDated != 0 {
		end = e.active
	}
	if r.compat && reason == 0 {
		end = 0
	}
	r.emit(f, reason, start, end)
}

// livingEnd is the end of a record of a living connection that is not remembered.
func (r *reader) livingEnd(f *flow, now, active int64) int64 {
	if r.compat {
		if r.dump.why == forExit {
			return now
		}
		return 0
	}
	if when, known := r.timeouts.last(f, now, active); known {
		return when
	}
	return now
}

// date notes when a connection that a dump shows had its last packet, as far as that can be told:
// the dump before did not show all of its packets, or the time that it still has to live says so.
// Both must agree.
func (r *reader) date(i uint32, f *flow, now int64) {
	e := r.table.entries.at(i)
	still := false // no packet came since the dump before
	if e.seen == r.table.round-1 {
		still = f.sent == e.sent && f.answered == e.answered && f.sent.packets > 0
		if !still {
			e.active = max(e.active, r.dump.before)
		}
	}
	e.seen = r.table.round
	when, known := r.timeouts.last(f, now, e.active)
	if still && e.flags&isOdd != 0 || still && e.flags&isDated != 0 && when > e.active+slack {
		known = false
	}
	e.flags &^= isDated | isOdd
	if !known {
		e.flags |= isOdd
		return
	}
	e.active = when
	e.flags |= isDated
}

// meet finds or makes the entry of a connection that a dump shows; 0: there is none. Parts of a
// dump that zeroes counters may come late, from another instance, so that they make no entry.
func (r *reader) meet(f *flow, why purpose, now int64) uint32 {
	t := r.table
	if t == nil {
		return 0
	}
	i := t.find(f)
	if i == 0 && why == forReset {
		return 0
	}
	if i == 0 {
		i = r.remember(f, pick(f.start, now))
		if i != 0 && why == forStart && !r.eventsAlways && f.start < r.joined {
			t.mute(i)
		}
		return i
	}
	t.update(i, f)
	e := t.entries.at(i)
	e.start = pick(f.start, e.start)
	return i
}

// sweep reports the connections that the dump did not find, as long as there is room, and reports
// whether it came to its end.
func (r *reader) sweep() (done bool) {
	t, d, f := r.table, &r.dump, &r.flow
	now := time.Now().UnixNano()
	for ; d.place <= t.used; d.place++ {
		i := d.place
		if t.vacant(i) || t.entries.at(i).seen == t.round {
			continue
		}
		if r.full() {
			return false
		}
		t.recall(i, f)
		f.event = key.EventDestroy
		if r.deltas() {
			t.delta(i, f)
		}
		end, dated := t.entries.at(i).active, t.entries.at(i).flags&isDated != 0
		if r.compat || !dated {
			end = now
		}
		if !r.compat && !dated {
			r.unknownEnds++
		}
		reason := f.endReason()
		r.recovering = d.why != forPoll
		if r.recovering {
			reason = key.EndResources
			if t.entries.at(i).flags&isSilent == 0 || r.eventsAlways {
				r.losses.giveBack()
			}
			r.recoveredEnds.Add(1)
		}
		t.remove(i)
		r.emit(f, reason, f.start, end)
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

// When the table is read.

package nfct

import "time"

// schedule holds the times of the next dumps; zero is never.
type schedule struct{ recover, poll, report, check, dates time.Time }

// schedule sets the first times.
func (n *nfct) schedule(now time.Time) {
	n.due = schedule{}
	if n.pollInterval > 0 {
		n.due.poll = now
		return
	}
	n.dump.wanted[forStart] = n.hash && n.initialDump
	n.due.check = now.Add(n.resync)
	if n.hash && n.expireInterval > 0 {
		n.due.dates = now.Add(n.expireInterval)
	}
	if n.activeTimeout > 0 {
		n.due.report = now.Add(n.activeTimeout)
	}
}

// Tick looks for losses that no error told of, and whether it is time to read the table.
func (n *nfct) Tick(now time.Time) {
	if !n.stopping {
		n.place.Tick(now, n.leave, n.listen)
	}
	if !n.listening {
		return
	}
	var filled, room int64
	for _, k := range n.sockets() {
		n.countLosses(k)
		if f, r, err := k.Filled(); err == nil {
			filled, room = filled+f, room+r
		}
	}
	n.filled.Set(filled)
	n.room.Set(room)
	if n.pressure.conn != nil {
		n.pressure.look(n, now)
	}
	n.want(forPoll, &n.due.poll, now, n.pollInterval)
	n.timeouts.Look(now)
	n.want(forReport, &n.due.report, now, n.activeTimeout)
	if n.table == nil {
		return
	}
	if n.limit.place != nil {
		n.limit.look(n, now)
	}
	n.liveFlows.Set(int64(n.table.Live))
	n.entries.Set(int64(n.table.Live))
	n.most.Set(int64(n.table.Most))
	n.insertions.Set(n.table.Inserted)
	if n.table.Silent > 0 {
		n.want(forCheck, &n.due.check, now, n.resync)
	}
	n.want(forDates, &n.due.dates, now, n.datesEvery())
	if !n.due.recover.IsZero() && (n.stopping || !now.Before(n.due.recover)) {
		n.due.recover = time.Time{}
		n.dump.wanted[forRecovery] = true
	}
}

// datesEvery is the time between dumps that date connections: expire_interval, and longer where a
// dump costs more than its share of a core.
func (n *nfct) datesEvery() time.Duration { return max(n.expireInterval, share*n.dumpCost()) }

// dumpCost is what reading the whole table is likely to cost. What it cost when the table had another
// size is scaled; reading a table that has nothing costs something, too.
func (n *nfct) dumpCost() time.Duration {
	const nothing = 1000
	size := float64(n.table.Live+nothing) / float64(n.dump.entries+nothing)
	return time.Duration(float64(n.dump.cost) * max(size, 1))
}

// want asks for a dump if its time has come, and sets the next time. A daemon that stops begins
// none: where a dump takes longer than the interval it would never end.
func (n *nfct) want(why purpose, at *time.Time, now time.Time, every time.Duration) {
	if !at.IsZero() && !now.Before(*at) && !n.stopping && !n.leaving {
		*at = now.Add(every)
		n.dump.wanted[why] = true
	}
}

// What an operator reads in the log of a collector that is away or slow, and of its return.

package collector

import (
	"log/slog"
	"time"
)

// notices are the lines about one collector, each kind of them at most once a minute.
type notices struct {
	log  *slog.Logger
	name string

	away    time.Time // since when there is no session; zero: there is one, or there was none yet
	dropped int       // records, in all
	atAway  int       // of them when it went away
	spooled int
	full    told // of those dropped
	spool   told // of those spooled

	lateSince time.Time // nothing can be sent
	lateTold  time.Time

	refusing  bool
	refusedAt time.Time // the first time
	clear     time.Time // since when records are sent without a refusal; zero: none was sent since the last one

	toldHurry bool
}

// told is how much of a number was reported, and when.
type told struct {
	n  int
	at time.Time
}

const noticeEvery = time.Minute

// more returns what has come since the last report, if it is time for another.
func (t *told) more(n int, now time.Time) (fresh int) {
	if n == t.n || !t.at.IsZero() && now.Sub(t.at) < noticeEvery {
		return 0
	}
	fresh = n - t.n
	t.n, t.at = n, now
	return fresh
}

// tick reports what is due, and whether the collector's host has just ceased to refuse. absent says that there is no
// session, though one was tried for.
func (n *notices) tick(now time.Time, absent bool) (back bool) {
	if absent {
		n.down(now)
	}
	if fresh := n.full.more(n.dropped, now); fresh > 0 {
		n.log.Warn("the buffer of collector "+n.name+" is full: records are dropped", "records", fresh, "in all", n.dropped)
	}
	if fresh := n.spool.more(n.spooled, now); fresh > 0 {
		n.log.Warn("the buffer of collector "+n.name+" is full: records go to the spool", "records", fresh)
	}
	if n.refusing && !n.clear.IsZero() && now.Sub(n.clear) >= 2*time.Second {
		n.log.Warn("collector "+n.name+" is back: its host refuses no more", "away", n.clear.Sub(n.refusedAt).Round(time.Second))
		n.refusing = false
		return true
	}
	return false
}

// down notes that there is no session.
func (n *notices) down(now time.Time) {
	if n.away.IsZero() {
		n.away, n.atAway = now, n.dropped
	}
}

// up reports the end of an absence, with how many records were kept for the collector.
func (n *notices) up(now time.Time, kept int) {
	if n.away.IsZero() {
		return
	}
	n.log.Warn("collector "+n.name+" is back", "away", now.Sub(n.away).Round(time.Millisecond), "kept", kept, "dropped", n.dropped-n.atAway)
	n.away = time.Time{}
}

// late notes that datagrams cannot be sent now.
func (n *notices) late(err error, now time.Time) {
	if !n.lateSince.IsZero() {
		return
	}
	n.lateSince = now
	if now.Sub(n.lateTold) >= noticeEvery {
		n.lateTold = now
		n.log.Warn("nothing can be sent to collector "+n.name+" now: records wait and are tried again", "error", err)
	}
}

// onTime notes that records were sent.
func (n *notices) onTime(now time.Time) {
	if !n.lateSince.IsZero() {
		if n.lateTold.Equal(n.lateSince) {
			n.log.Warn("sending to collector "+n.name+" works again", "after", now.Sub(n.lateSince).Round(time.Millisecond))
		}
		n.lateSince = time.Time{}
	}
	if n.clear.IsZero() {
		n.clear = now
	}
}

// refused notes that the collector's host has nobody who listens.
func (n *notices) refused(now time.Time) {
	n.clear = time.Time{}
	if !n.refusing {
		n.refusing, n.refusedAt = true, now
		n.log.Warn("collector " + n.name + " is away: its host refuses datagrams; what is sent to it now is lost")
	}
}

// hurried reports that so many records have to go out faster than they should.
func (n *notices) hurried(records float64) {
	if !n.toldHurry {
		n.toldHurry = true
		n.log.Warn("shutdown_timeout is too short for the rate: what is left for collector "+n.name+" is sent faster, and it may lose some of it",
			"records", int(records), "remedy", "raise shutdown_timeout, or rate if the collector takes more")
	}
}

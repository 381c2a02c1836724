// Sessions that are up and take nothing: a firewall drops the packets, or the collector has stopped
// reading.

package collector

import (
	"fmt"
	"time"
)

// Patience has a session given up when nothing of what waits is acknowledged for so long. What was
// not goes to the next collector.
func (q *Queue) Patience(d time.Duration) { q.patience = d }

// stalled reports whether the session has made no progress for too long.
func (q *Queue) stalled(now time.Time) bool {
	if q.patience == 0 {
		return false
	}
	acked := q.session.Acked()
	if acked != q.reached || acked >= q.taken && q.waiting == 0 {
		q.reached, q.progress = acked, now
		return false
	}
	return now.Sub(q.progress) >= q.patience
}

// giveUp leaves a session that stands still.
func (q *Queue) giveUp(now time.Time) {
	err := fmt.Errorf("nothing was acknowledged for %v", now.Sub(q.progress).Round(time.Second))
	if l, ok := q.link.(*Connector); ok {
		l.avoid(now)
	}
	q.broke(err, now)
}

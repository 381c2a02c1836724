// What was sent, and what arrived, by number.

package main

import (
	"sync/atomic"
	"testing"
	"time"

	"ulogd/test/bench/measure"
)

// ledger holds when each number was sent and when it arrived, in nanoseconds since 1970; 0 is never.
// The sender writes one, the sink the other. A number may be told of in several records, such as one
// for each direction, and has then as many places in came.
type ledger struct {
	sent, came []int64
	arrived    atomic.Int64 // packets, connections: what sent counts
	strange    atomic.Int64 // what arrived without a number that can be
}

func newLedger(numbers, records int) *ledger {
	return &ledger{sent: make([]int64, numbers), came: make([]int64, numbers*records)}
}

// settle waits until everything has arrived, or for so long nothing has, and returns how much.
func (l *ledger) settle(t testing.TB, sent int, quiet time.Duration) int64 {
	t.Helper()
	const longest = 2 * time.Minute
	begun, last, since := time.Now(), int64(-1), time.Now()
	for {
		n := l.arrived.Load()
		switch {
		case n >= int64(sent), n == last && time.Since(since) > quiet:
			return n
		case n != last:
			last, since = n, time.Now()
		}
		if time.Since(begun) > longest {
			t.Fatalf("still something arrives after %v: %d of %d so far", longest, n, sent)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// latencies returns the median and the 99th percentile of the time from sending to arrival, of what
// arrived until the given moment.
func (l *ledger) latencies(until time.Time) (p50, p99 time.Duration) {
	var all []time.Duration
	records := len(l.came) / len(l.sent)
	for i, came := range l.came {
		if came != 0 && came <= until.UnixNano() {
			all = append(all, time.Duration(came-l.sent[i/records]))
		}
	}
	return measure.Percentile(all, 50), measure.Percentile(all, 99)
}

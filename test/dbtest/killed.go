// A daemon that is killed while it empties its spool.

package dbtest

import (
	"fmt"
	"testing"

	"ulogd/test/stacktest"
)

// KilledDaemon has a stack write flows into table flows, with a session in the way that locks it, so
// that they go to the spool; kills it while it empties that; and has another empty what is left.
// Every row is there, once. The table has been made.
func (s *Server) KilledDaemon(t *testing.T, stack stacktest.Setup, flow stacktest.Record, lock string) {
	t.Helper()
	before, db := t.TempDir(), stack.Options["db"]
	stack.Options["spool"] = before
	release := s.Hold(db, lock)
	first := stack.Start(t)
	const n = 100000
	for i := 0; i < n; i += 5000 {
		recs := make([]stacktest.Record, 5000)
		for j := range recs {
			recs[j] = flow.With("orig.raw.pktlen", fmt.Sprint(i+j))
		}
		first.Send(recs...)
	}
	first.Eventually("spool", func() bool { return first.Count("spooled") > n/2 })
	release()
	first.Eventually("go on", func() bool { return first.Stats().Out > n*3/4 })
	spooled := first.Count("spooled")
	release = s.Hold(db, lock)
	after := SpoolOfTheDead(t, before)
	first.Machine.Patience = 1e8
	first.End()
	release()
	stack.Options["spool"] = after
	stack.Start(t).End()
	var rows, different, last int
	if _, err := fmt.Sscan(s.SQL(db, "SELECT count(*), count(DISTINCT orig_raw_pktlen), max(orig_raw_pktlen) FROM flows "+
		"WHERE orig_raw_pktlen < 5000000000"), &rows, &different, &last); err != nil {
		t.Fatal(err)
	}
	if rows != different || rows != last+1 || rows < int(spooled) {
		t.Errorf("there are %d rows, %d different ones, up to %d; %d had been spooled", rows, different, last, spooled)
	}
}

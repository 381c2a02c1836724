//go:build !mips && !mipsle

// Tables of the output's own.

package sqlite3_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ulogd/test/stacktest"
)

func native(t *testing.T, more ...string) (s stacktest.Setup, db string) {
	s, db = setup(t, "")
	s.Options["layout"], s.Options["table"] = "native", ""
	for _, o := range more {
		name, text, _ := strings.Cut(o, "=")
		s.Options[name] = text
	}
	return s, db
}

// The table is made, gets the columns that it lacks, and what is older than the retention goes.
func TestNative(t *testing.T) {
	s, db := native(t, "columns=orig.ip.saddr,orig.l4.sport")
	s.Run(t)
	same := func(query, want string) {
		t.Helper()
		if got := shell(t, db, query); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", query, got, want)
		}
	}
	same("SELECT time, orig_ip_saddr, orig_l4_sport FROM flows ORDER BY time LIMIT 1;",
		"2023-11-14 22:13:20.123456|10.77.0.200|45001\n")
	s.Options["columns"], s.Options["retention"] = "orig.ip.saddr,ct.mark", "30d"
	st := s.Start(t)
	st.Send(flows[0].With("flow.start", fmt.Sprint(time.Now().UnixNano())))
	st.End()
	same("SELECT orig_ip_saddr, orig_l4_sport, ct_mark FROM flows ORDER BY 1;",
		"10.77.0.200|NULL|4294967295\nfd77::2|NULL|NULL\n")
	same("SELECT count(*) FROM flows_last_hour;", "2\n")
	same("SELECT count(*) FROM ulogd_batches;", "2\n")
}

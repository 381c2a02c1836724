//go:build !mips && !mipsle

// Tables of the output's own.

package sqlite3_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ulogd/test/nstest"
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

// A file that is moved away or deleted is made anew; what comes then is in the new one.
func TestMovedAway(t *testing.T) {
	s, db := native(t)
	st := s.Start(t)
	st.Send(flows...)
	st.Eventually("write", func() bool { return st.Stats().Out == 2 })
	for _, name := range []string{"", "-wal", "-shm"} {
		if err := os.Rename(db+name, db+".old"+name); err != nil {
			t.Error(err)
		}
	}
	st.Send(flows[0])
	st.End()
	for file, want := range map[string]string{db + ".old": "2\n", db: "1\n"} {
		if got := shell(t, file, "SELECT count(*) FROM flows;"); got != want {
			t.Errorf("%s has %s rows, want %s", file, got, want)
		}
	}
	if !st.Log.Has("has been moved away or deleted") {
		t.Errorf("the log does not say so:\n%s", st.Log)
	}
}

// While the disk is full rows wait; once there is room all of them are there, once.
func TestFullDisk(t *testing.T) {
	s, db := native(t)
	resize := nstest.Disk(t, filepath.Dir(db), 512<<10)
	st := s.Start(t)
	const n = 20000
	for i := range n {
		st.Send(flows[0].With("orig.raw.pktlen", fmt.Sprint(i)))
	}
	st.Eventually("say so", func() bool { return st.Log.Has("disk is full") })
	resize(64 << 20)
	st.End()
	got := shell(t, db, "SELECT count(*), count(DISTINCT orig_raw_pktlen) FROM flows;")
	if want := fmt.Sprintf("%d|%d\n", n, n); got != want {
		t.Errorf("rows and different ones: %s, want %s", got, want)
	}
}

// Rows wait for somebody who has the file for himself, also in tables of the output's own.
func TestNativeLocked(t *testing.T) {
	s, db := native(t, "columns=orig.l4.sport")
	s.Run(t)
	locked(t, s, db)
	if got := shell(t, db, "SELECT orig_l4_sport FROM flows ORDER BY 1;"); got != "NULL\n45001\n45001\n" {
		t.Errorf("got %q", got)
	}
}

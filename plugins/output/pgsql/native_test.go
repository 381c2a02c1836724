// Tables of the output's own.

package pgsql_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"ulogd/test/dbtest"
	"ulogd/test/stacktest"
)

func native(s stacktest.Setup, more ...string) stacktest.Setup {
	options := map[string]string{"layout": "native", "table": ""}
	for _, o := range more {
		name, text, _ := strings.Cut(o, "=")
		options[name] = text
	}
	return with(s, options)
}

// The table is made with a column of its own type for each key, and has a partition for the day; what is
// older than that is in the default one.
func TestNative(t *testing.T) {
	s, sql := database(t, "")
	s = native(s)
	now := time.Now().UTC()
	st := s.Start(t)
	st.Send(flows[0], flows[1], flows[0].With("flow.start", fmt.Sprint(now.UnixNano())))
	st.End()
	same(t, sql(`SELECT orig_ip_saddr, orig_l4_sport, orig_raw_pktlen, ct_helper, tcp_syn, orig_mac_saddr, flow_start
		FROM flows ORDER BY time LIMIT 1`),
		"10.77.0.200\t45001\t5000000000\tit's \\ftp\tt\t02:00:00:00:00:01\t2023-11-14 22:13:20.123456+00\n")
	same(t, sql("SELECT tableoid::regclass, count(*) FROM flows GROUP BY 1 ORDER BY 1"),
		"flows_default\t1\nflows_"+now.Format("20060102")+"\t2\n")
	same(t, sql("SELECT count(*) FROM flows_last_hour"), "2\n")
	same(t, sql("SELECT count(*) FROM ulogd_batches"), "1\n")
	same(t, sql("SELECT count(*) FROM flows WHERE time = flow_start"), "2\n")
}

// A table that lacks a column gets it; without leave to, the output says what to run, and waits.
func TestNativeMigrates(t *testing.T) {
	s, sql := database(t, "")
	native(s, "columns=orig.ip.saddr,orig.l4.sport").Run(t)
	same(t, sql("SELECT orig_ip_saddr, orig_l4_sport FROM flows ORDER BY 2 DESC"), "10.77.0.200\t45001\nfd77::2\t7\n")
	st := native(s, "create=false", "columns=orig.ip.saddr,ct.helper").Start(t)
	st.Send(flows...)
	st.Eventually("say what to run", func() bool {
		return st.Log.Has("lacks the column ct_helper") && st.Log.Has("ADD COLUMN IF NOT EXISTS")
	})
	sql(`ALTER TABLE flows ADD COLUMN ct_helper text`)
	st.End()
	native(s, "columns=orig.ip.saddr,orig.raw.pktlen").Run(t)
	same(t, sql("SELECT orig_l4_sport, ct_helper, orig_raw_pktlen FROM flows WHERE orig_ip_saddr = '10.77.0.200' "+
		"ORDER BY 1, 2"),
		"45001\tNULL\tNULL\nNULL\tit's \\ftp\tNULL\nNULL\tNULL\t5000000000\n")
}

// Days that are over for as long as rows are kept go, with their partitions; so do rows of the default one.
func TestNativeForgets(t *testing.T) {
	s, sql := database(t, "")
	s = native(s, "retention=30d")
	var recs []stacktest.Record
	for _, days := range []int{0, 29, 30, 500} {
		recs = append(recs, flows[0].With("flow.start", fmt.Sprint(time.Now().AddDate(0, 0, -days).UnixNano())))
	}
	st := s.Start(t)
	st.Send(recs...)
	st.End()
	same(t, sql("SELECT count(*) FROM flows"), "4\n")
	sql("UPDATE ulogd_batches SET time = now() - interval '31 days'")
	day := time.Now().AddDate(0, 0, -40).UTC()
	sql(fmt.Sprintf("CREATE TABLE flows_%s PARTITION OF flows FOR VALUES FROM ('%s') TO ('%s')",
		day.Format("20060102"), day.Format(time.DateOnly), day.AddDate(0, 0, 1).Format(time.DateOnly)))
	st = s.Start(t) // which tidies up when it connects
	st.Send(flows[0].With("flow.start", fmt.Sprint(time.Now().UnixNano())))
	st.End()
	// The day of 30 days ago is not over for as long: some of it stays, unless it is midnight.
	same(t, sql("SELECT count(*) FROM flows"), "4\n")
	same(t, sql("SELECT count(*) FROM flows_default"), "0\n")
	same(t, sql("SELECT to_regclass('flows_"+day.Format("20060102")+"')"), "NULL\n")
	same(t, sql("SELECT count(*) FROM ulogd_batches"), "1\n")
}

// A daemon that is killed while it empties its spool leaves it to the next run: every row is there, once.
func TestDaemonIsKilled(t *testing.T) {
	s, _ := database(t, "")
	s = native(s, "columns=orig.raw.pktlen", "buffer=1MiB", "spool_max=8MiB", "reconnect=20ms")
	s.Run(t) // makes the table
	shared.Get(t, dbtest.PostgreSQL).KilledDaemon(t, s, flows[0], "BEGIN; LOCK TABLE flows")
}

// TestKilled kills the server without mercy while rows come. With ULOGD_STORES it does so in a loop.
func TestKilled(t *testing.T) {
	kills, each := 1, 20000
	if os.Getenv("ULOGD_STORES") != "" {
		kills, each = 12, 40000
	}
	server := dbtest.PostgreSQL(t)
	db := server.Database()
	s, _ := database(t, "")
	s = native(s, "host="+server.Dir, "port="+fmt.Sprint(server.Port), "db="+db, "columns=orig.ip.saddr,orig.raw.pktlen",
		"buffer=1MiB", "spool="+t.TempDir(), "flush_interval=1ms")
	st := s.Start(t)
	sent := 0
	for range kills {
		for range each / 500 {
			recs := make([]stacktest.Record, 500)
			for i := range recs {
				recs[i] = flows[0].With("orig.raw.pktlen", fmt.Sprint(sent))
				sent++
			}
			st.Send(recs...)
			if sent%each == each/2 {
				before := st.Stats().Out
				st.Eventually("write", func() bool { return st.Stats().Out > before })
				server.Kill()
			}
		}
		server.Start()
	}
	for out := int64(-1); out < int64(sent); out = st.Stats().Out {
		st.Eventually("go on", func() bool { return st.Stats().Out > out })
	}
	st.End()
	same(t, server.SQL(db, "SELECT count(*), count(DISTINCT orig_raw_pktlen), max(orig_raw_pktlen) FROM flows"),
		fmt.Sprintf("%d\t%d\t%d\n", sent, sent, sent-1))
	t.Logf("%d rows, the server was killed %d times, %d connections were made, %d rows went through the spool", sent,
		kills,
		st.Count("connections"), st.Count("spooled"))
}

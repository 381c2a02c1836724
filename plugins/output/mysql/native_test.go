// Tables of the output's own, and servers that are killed.

package mysql_test

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

// many are enough records for LOAD DATA, one of each number.
func many(n int) (recs []stacktest.Record) {
	for i := range n {
		recs = append(recs, flows[i%2].With("orig.l4.sport", fmt.Sprint(1000+i)))
	}
	return recs
}

// The table is made, gets the columns that it lacks, and what is older than the retention goes.
func TestNative(t *testing.T) {
	s, sql := database(t, "")
	st := native(s).Start(t)
	st.Send(many(100)...)
	st.End()
	same(t, sql(`SELECT time, orig_ip_saddr, orig_l4_sport, orig_raw_pktlen, ct_helper, tcp_syn, orig_mac_saddr,
		hex(ct_labels) FROM flows WHERE orig_l4_sport = 1002`), "2023-11-14 22:13:20.123456\t10.77.0.200\t1002\t5000000000\t"+
		"it's \\ftp\t1\t02:00:00:00:00:01\t0102030405060708090A0B0C0D0E0F10\n")
	sql("ALTER TABLE flows DROP COLUMN ct_helper")
	st = native(s, "retention=30d").Start(t)
	now := fmt.Sprint(time.Now().UnixNano())
	st.Send(flows[0].With("flow.start", now))
	st.End()
	same(t, sql("SELECT count(*), count(ct_helper) FROM flows"), "51\t1\n")
	same(t, sql("SELECT count(*) FROM flows_last_hour"), "51\n")
}

// LOAD DATA neither skips nor bends: what it would, is refused as by INSERT, and costs itself alone.
func TestLoad(t *testing.T) {
	s, sql := database(t, "CREATE TABLE t (_id int auto_increment primary key, orig_l4_sport int unique, ct_helper "+
		"varchar(12))")
	st := s.Start(t)
	recs := many(100)
	recs[10] = recs[10].With("orig.l4.sport", "1042")
	recs[20] = recs[20].With("ct.helper", "longer than twelve")
	recs[30] = recs[30].With("ct.helper", "tab\tline\nnul\x00")
	st.Send(recs...)
	st.End()
	same(t, sql("SELECT count(*), count(DISTINCT orig_l4_sport) FROM t"), "98\t98\n")
	same(t, sql("SELECT hex(ct_helper) FROM t WHERE orig_l4_sport = 1030"), "746162096C696E650A6E756C\n")
	if got := st.Count("refused"); got != 2 {
		t.Errorf("%d records are refused, want 2\n%s", got, st.Log)
	}
}

// A server that takes no files gets statements.
func TestNoLocalFiles(t *testing.T) {
	s, sql := database(t, "CREATE TABLE t (_id int auto_increment primary key, orig_l4_sport int)")
	sql("SET GLOBAL local_infile = 0")
	defer sql("SET GLOBAL local_infile = 1")
	st := s.Start(t)
	st.Send(many(100)...)
	st.End()
	same(t, sql("SELECT count(*) FROM t"), "100\n")
}

// A daemon that is killed while it empties its spool leaves it to the next run: every row is there, once.
func TestDaemonIsKilled(t *testing.T) {
	s, _ := database(t, "")
	s = native(s, "columns=orig.raw.pktlen", "buffer=1MiB", "spool_max=8MiB", "reconnect=20ms")
	s.Run(t) // makes the table
	shared.Get(t, dbtest.MariaDB).KilledDaemon(t, s, flows[0], "LOCK TABLES flows WRITE")
}

// TestKilled has a server that is not there at the start, and that is killed without mercy while rows
// come. With ULOGD_STORES it is killed in a loop.
func TestKilled(t *testing.T) {
	kills, each := 1, 20000
	if os.Getenv("ULOGD_STORES") != "" {
		kills, each = 12, 40000
	}
	server := dbtest.MariaDB(t, "--innodb-flush-log-at-trx-commit=2")
	db := server.Database()
	server.Kill()
	s, _ := database(t, "")
	s = native(s, "host="+server.Dir+"/socket", "db="+db, "columns=orig.ip.saddr,orig.raw.pktlen", "buffer=1MiB",
		"spool="+t.TempDir(), "flush_interval=1ms")
	st := s.Start(t)
	st.Eventually("say so", func() bool { return st.Log.Has("cannot connect; trying again") })
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
				if sent < each {
					server.Start()
				}
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

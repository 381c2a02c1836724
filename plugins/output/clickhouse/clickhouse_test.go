// Whole stacks into Debian's ClickHouse, the oldest that must do, which reads the rows back.

package clickhouse_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	_ "ulogd/plugins/output/clickhouse"
	"ulogd/test/dbtest"
	"ulogd/test/stacktest"
)

var shared dbtest.Shared

func TestMain(m *testing.M) { os.Exit(shared.Main(m)) }

func setup(s *dbtest.Server, options ...string) stacktest.Setup {
	set := stacktest.Setup{
		Output: "CLICKHOUSE",
		Options: map[string]string{
			"url": "http://127.0.0.1:" + strconv.Itoa(s.Port), "flush_interval": "10ms", "reconnect": "100ms",
		},
		Shape: []stacktest.Record{
			{
				{Name: "oob.family", Value: "2"},
				{Name: "oob.prefix", Value: "it's `in`\t\\"},
				{Name: "ip.saddr", Value: "10.0.0.1"},
				{Name: "ip.totlen", Value: "1500"},
				{Name: "oob.mark", Value: "4294967295"},
				{Name: "oob.time", Value: "1767225599999999999"},
			},
			{
				{Name: "oob.family", Value: "10"},
				{Name: "oob.prefix", Value: strings.Repeat("\xffa", 50)},
				{Name: "ip.saddr", Value: "2001:db8::1"},
				{Name: "oob.time", Value: "1767225600000001000"},
			},
		},
	}
	for _, o := range options {
		name, text, _ := strings.Cut(o, "=")
		set.Options[name] = text
	}
	return set
}

// A made table has all keys with their values, and what a row lacks is NULL.
func TestMadeTable(t *testing.T) {
	s := shared.Get(t, dbtest.ClickHouse)
	for _, compression := range []string{"none", "gzip"} {
		db := s.Database()
		setup(s, "create=true", "database="+db, "compression="+compression).Run(t)
		want := "1767225599\t2\tit's `in`\t\\\t::ffff:10.0.0.1\t1500\t4294967295\t1767225599\n" +
			"1767225600\t10\t" + strings.Repeat("\ufffda", 50) + "\t2001:db8::1\t0\t0\t1767225600\n"
		got := s.SQL(db, "SELECT toUnixTimestamp(time), oob_family, oob_prefix, "+
			"IPv6NumToString(assumeNotNull(ip_saddr)), ifNull(ip_totlen, 0), ifNull(oob_mark, 0), "+
			"toUnixTimestamp(assumeNotNull(oob_time)) FROM ulogd ORDER BY time FORMAT TabSeparatedRaw")
		if got != want {
			t.Errorf("%s: the table has\n%q\nwant\n%q", compression, got, want)
		}
		if got := s.SQL(db, "SELECT count() FROM ulogd WHERE ip_totlen IS NULL AND oob_mark IS NULL"); got != "1\n" {
			t.Errorf("%s rows have NULL, want 1", got)
		}
		if got := s.SQL(db, "SELECT groupUniqArray(partition) FROM system.parts WHERE database = '"+db+"'"); !strings.Contains(got, "20251231") {
			t.Errorf("the table's partitions are %s", got)
		}
	}
}

// Columns of somebody's own table get values in their own types.
func TestOwnTypes(t *testing.T) {
	s := shared.Get(t, dbtest.ClickHouse)
	db := s.Database()
	s.SQL(db, "CREATE TABLE mine (ip_saddr String, oob_time UInt64, ip_totlen UInt16, oob_prefix Nullable(String), "+
		"oob_mark Int64, host String DEFAULT 'gw') ENGINE = Memory")
	setup(s, "table=mine", "database="+db).Run(t)
	got := s.SQL(db, "SELECT ip_saddr, oob_time, ip_totlen, length(oob_prefix), oob_mark, host FROM mine ORDER BY "+
		"oob_time")
	want := "10.0.0.1\t1767225599999999999\t1500\t11\t4294967295\tgw\n2001:db8::1\t1767225600000001000\t0\t200\t0\tgw\n"
	if got != want {
		t.Errorf("the table has\n%s\nwant\n%s", got, want)
	}
}

// Without the table nothing is lost: the log has the statement that makes it, and rows wait.
func TestNoTable(t *testing.T) {
	s := shared.Get(t, dbtest.ClickHouse)
	db := s.Database()
	set := setup(s, "table=later", "database="+db)
	st := set.Start(t)
	st.Send(set.Shape...)
	statement := "CREATE TABLE IF NOT EXISTS `later` (time DateTime, `oob_family` Nullable(UInt8)"
	st.Eventually("say so", func() bool { return st.Log.Has(statement) })
	s.SQL(db, "CREATE TABLE later (time DateTime, oob_family UInt8) ENGINE = MergeTree PARTITION BY toYYYYMMDD(time) "+
		"ORDER BY time")
	st.End()
	if got := s.SQL(db, "SELECT oob_family FROM later ORDER BY time"); got != "2\n10\n" {
		t.Errorf("the table has %q", got)
	}
}

// A table that is altered while rows come gets all of them.
func TestAltered(t *testing.T) {
	s := shared.Get(t, dbtest.ClickHouse)
	db := s.Database()
	set := setup(s, "create=true", "database="+db)
	st := set.Start(t)
	st.Send(set.Shape...)
	st.Eventually("arrive", func() bool { return st.Stats().Out == 2 })
	s.SQL(db, "ALTER TABLE ulogd MODIFY COLUMN oob_mark Nullable(UInt64)")
	s.SQL(db, "ALTER TABLE ulogd DROP COLUMN ip_totlen")
	st.Send(set.Shape...)
	st.End()
	if got := s.SQL(db, "SELECT count(), countIf(oob_mark = 4294967295) FROM ulogd"); got != "4\t2\n" {
		t.Errorf("the table has %q", got)
	}
}

// Both directions of a flow, and all its records, go to the same of several servers.
func TestShards(t *testing.T) {
	s := shared.Get(t, dbtest.ClickHouse)
	a, b := s.Database(), s.Database()
	front := newProxy(t, s.Port, b)
	set := setup(s, "create=true", "database="+a, "url=http://127.0.0.1:"+strconv.Itoa(s.Port)+","+front)
	var recs []stacktest.Record
	shape := stacktest.Record{
		{Name: "oob.family", Value: "2"},
		{Name: "ip.saddr", Value: "10.0.0.1"},
		{Name: "ip.daddr", Value: "10.0.0.2"},
		{Name: "ip.protocol", Value: "17"},
		{Name: "udp.sport", Value: "1"},
		{Name: "udp.dport", Value: "2"},
	}
	set.Shape = []stacktest.Record{shape}
	for i := range 200 {
		r := shape.With("udp.sport", strconv.Itoa(1000+i))
		back := r.With("ip.saddr", "10.0.0.2").With("ip.daddr", "10.0.0.1").With("udp.sport", "2").With("udp.dport",
			strconv.Itoa(1000+i))
		recs = append(recs, r, back)
	}
	st := set.Start(t)
	st.Send(recs...)
	st.End()
	list := func(db string) string {
		return s.SQL(db, "SELECT arraySort(groupUniqArray(assumeNotNull(greatest(udp_sport, udp_dport)))), count() FROM "+
			"ulogd")
	}
	ports := map[string]int{}
	for _, db := range []string{a, b} {
		text, count, _ := strings.Cut(strings.TrimSpace(list(db)), "\t")
		n, _ := strconv.Atoi(count)
		if n < 120 || n > 280 {
			t.Errorf("%s has %d of 400 rows", db, n)
		}
		for port := range strings.SplitSeq(strings.Trim(text, "[]"), ",") {
			ports[port]++
		}
	}
	for port, n := range ports {
		if n != 1 {
			t.Errorf("port %s is in %d shards", port, n)
		}
	}
	if len(ports) != 200 {
		t.Errorf("%d flows are there, want 200", len(ports))
	}
}

// TestKilled kills the server without mercy while rows come; every row is there afterwards. With
// ULOGD_STORES it does so in a loop.
func TestKilled(t *testing.T) {
	kills, each := 1, 20000
	if os.Getenv("ULOGD_STORES") != "" {
		kills, each = 12, 40000
	}
	s := dbtest.ClickHouse(t)
	set := setup(s, "create=true", "buffer=2MiB", "spool="+t.TempDir())
	set.Shape = []stacktest.Record{set.Shape[0]}
	st := set.Start(t)
	sent := 0
	send := func(n int) {
		for range n / 1000 {
			var recs []stacktest.Record
			for range 1000 {
				recs = append(recs, set.Shape[0].With("oob.mark", strconv.Itoa(sent)))
				sent++
			}
			st.Send(recs...)
		}
	}
	for range kills {
		send(each)
		at := st.Stats().Out
		st.Eventually("go on", func() bool { return st.Stats().Out > at || st.Stats().Out == int64(sent) })
		s.Kill()
		send(each)
		s.Start()
	}
	// At the end of a daemon that has not noticed that the server is back, rows go to the spool for the next run.
	st.Eventually("have all rows taken", func() bool { return st.Stats().Out == int64(sent) })
	st.End()
	got := strings.Fields(s.SQL("default", "SELECT uniqExact(oob_mark), count() FROM ulogd"))
	if got[0] != strconv.Itoa(sent) {
		t.Errorf("%s different rows are there of %d", got[0], sent)
	}
	t.Logf("%d rows, the server was killed %d times; %s rows are in the table", sent, kills, got[1])
}

func TestRefusals(t *testing.T) {
	s := &dbtest.Server{Port: 1}
	for option, want := range map[string]string{
		"url=ftp://x": "url: must be http://HOST:PORT", "url=http://a:b@c:1": "url: must not have a user", "table=": "table: must not be empty",
	} {
		if got := setup(s, option).Refusal(t); !strings.Contains(got, want) {
			t.Errorf("%s: %q, want %q", option, got, want)
		}
	}
}

// A password is neither in the log nor in what stats shows.
func TestNoPassword(t *testing.T) {
	s := shared.Get(t, dbtest.ClickHouse)
	set := setup(s, "user=nobody", "pass=secret word")
	st := set.Start(t)
	st.Machine.Patience = 100 * time.Millisecond
	st.Send(set.Shape...)
	st.Eventually("complain", func() bool { return st.Log.Has("nobody") })
	st.End()
	if text := st.Log.String() + fmt.Sprintf("%+v", st.Stats()); strings.Contains(text, "secret") {
		t.Errorf("the password is shown: %s", text)
	}
}

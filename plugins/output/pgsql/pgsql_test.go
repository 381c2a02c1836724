// Rows as psql reads them back from a PostgreSQL of the test's own.

package pgsql_test

import (
	"maps"
	"os"
	"strconv"
	"strings"
	"testing"

	_ "ulogd/plugins/output/pgsql"
	"ulogd/test/dbtest"
	"ulogd/test/stacktest"
)

var shared dbtest.Shared

func TestMain(m *testing.M) { os.Exit(shared.Main(m)) }

var flows = []stacktest.Record{
	{
		{Name: "oob.family", Value: "2"},
		{Name: "flow.start", Value: "1700000000123456789"},
		{Name: "orig.ip.saddr", Value: "10.77.0.200"},
		{Name: "orig.ip.daddr.str", Value: "10.77.0.1"},
		{Name: "orig.l4.sport", Value: "45001"},
		{Name: "orig.raw.pktlen", Value: "5000000000"},
		{Name: "ct.helper", Value: `it's \ftp`},
		{Name: "tcp.syn", Value: "1"},
		{Name: "orig.mac.saddr", Value: "02:00:00:00:00:01"},
		{Name: "ct.labels", Value: "0102030405060708090a0b0c0d0e0f10"},
	},
	{
		{Name: "oob.family", Value: "10"},
		{Name: "orig.ip.saddr", Value: "fd77::2"},
		{Name: "orig.ip.daddr.str", Value: "fd77::1"},
		{Name: "orig.l4.sport", Value: "7"},
	},
}

// database makes one with a table, and returns a set-up that fills it and what queries it.
func database(t *testing.T, table string) (s stacktest.Setup, sql func(text string) string) {
	t.Helper()
	server := shared.Get(t, dbtest.PostgreSQL)
	db := server.Empty()
	sql = func(text string) string { return server.SQL(db, text) }
	if table != "" {
		sql(table)
	}
	return stacktest.Setup{
		Output: "PGSQL",
		Options: map[string]string{
			"host": server.Dir, "port": strconv.Itoa(server.Port), "db": db, "user": "postgres", "table": "t",
			"flush_interval": "50ms", "reconnect": "100ms",
		},
		Shape: flows,
	}, sql
}

// with returns the set-up with other options.
func with(s stacktest.Setup, options map[string]string) stacktest.Setup {
	s.Options = maps.Clone(s.Options)
	maps.Copy(s.Options, options)
	return s
}

func same(t *testing.T, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// columns are of the types that a table may show the records in.
const columns = `(_id serial, flow_start_sec bigint, flow_start timestamptz, orig_ip_saddr inet,
	orig_ip_daddr_str inet, orig_l4_sport int check (orig_l4_sport != 13), orig_raw_pktlen bigint, ct_helper text,
	tcp_syn boolean, orig_mac_saddr macaddr, ct_labels bytea)`

const rows = `1700000000	2023-11-14 22:13:20.123456+00	10.77.0.200	10.77.0.1	45001	5000000000	it's \ftp	t	` +
	`02:00:00:00:00:01	\x0102030405060708090a0b0c0d0e0f10
NULL	NULL	fd77::2	fd77::1	7	NULL	NULL	NULL	NULL	NULL
`

const query = `SELECT flow_start_sec, flow_start, orig_ip_saddr, orig_ip_daddr_str, orig_l4_sport, orig_raw_pktlen,
	ct_helper, tcp_syn, orig_mac_saddr, ct_labels FROM t ORDER BY _id`

// Rows go by COPY, in its binary form; one that breaks a constraint costs itself alone.
func TestCopy(t *testing.T) {
	s, sql := database(t, "CREATE TABLE t "+columns)
	st := s.Start(t)
	st.Send(flows[0], flows[0].With("orig.l4.sport", "13"), flows[1])
	st.End()
	same(t, sql(query), rows)
	if !st.Log.Has("violates check constraint") {
		t.Errorf("the log does not have the server's words:\n%s", st.Log)
	}
}

// Types that COPY's binary form is not known for here, and views, are filled by INSERT.
func TestInsert(t *testing.T) {
	for _, table := range []string{
		strings.Replace("CREATE TABLE t "+columns, "orig_raw_pktlen bigint", "orig_raw_pktlen numeric(20)", 1),
		"CREATE TABLE x " + columns + "; CREATE VIEW t AS SELECT * FROM x",
	} {
		s, sql := database(t, table)
		st := s.Start(t)
		st.Send(flows[0], flows[0].With("orig.l4.sport", "13"), flows[1])
		st.End()
		same(t, sql(query), rows)
	}
}

// Numbers show addresses of IPv4 as their octets spell them, or as ulogd2 did.
func TestAddressesAsNumbers(t *testing.T) {
	for _, c := range []struct{ compat, want string }{{"", "172818632\nNULL\n"}, {"ulogd2", "3355462922\nNULL\n"}} {
		for _, typ := range []string{"bigint", "numeric(20)"} { // COPY, INSERT
			s, sql := database(t, "CREATE TABLE t (orig_ip_saddr "+typ+")")
			if c.compat != "" {
				s = with(s, map[string]string{"compat": c.compat})
			}
			s.Run(t)
			same(t, sql("SELECT * FROM t"), c.want)
		}
	}
}

// Functions, procedures and statements of the user's own are called with the table's columns.
func TestProcedures(t *testing.T) {
	const made = `CREATE TABLE t (orig_l4_sport int, ct_helper text);
		CREATE FUNCTION put(port int, helper text) RETURNS int AS $$
			BEGIN
				IF port = 13 THEN RAISE EXCEPTION 'unlucky'; END IF;
				INSERT INTO t VALUES (port, helper);
				RETURN 1;
			END $$ LANGUAGE plpgsql;
		CREATE PROCEDURE keep(port int, helper text) AS $$
			BEGIN
				IF port = 13 THEN RAISE EXCEPTION 'unlucky'; END IF;
				INSERT INTO t VALUES (port, helper);
			END $$ LANGUAGE plpgsql;`
	for _, procedure := range []string{"put", "SELECT put", "CALL keep", "insert into t"} {
		t.Run(procedure, func(t *testing.T) {
			s, sql := database(t, made)
			if procedure == "insert into t" {
				sql("ALTER TABLE t ADD CHECK (orig_l4_sport != 13)")
			}
			st := with(s, map[string]string{"procedure": procedure}).Start(t)
			st.Send(flows[0], flows[0].With("orig.l4.sport", "13"), flows[1])
			st.End()
			same(t, sql("SELECT * FROM t ORDER BY 1"), "7\tNULL\n45001\tit's \\ftp\n")
			if got := st.Count("refused"); got != 1 {
				t.Errorf("%d records are refused, want 1", got)
			}
		})
	}
}

// A table that comes later is waited for, and the log has the statement that makes it.
func TestTableComesLater(t *testing.T) {
	s, sql := database(t, "")
	st := s.Start(t)
	st.Send(flows...)
	st.Eventually("say so", func() bool { return st.Log.Has("CREATE TABLE public.t (") })
	sql("CREATE TABLE t (nosuch int)")
	st.Eventually("say which column", func() bool {
		return strings.Contains(st.Stats().Peers[0].Error, "nosuch")
	})
	sql("DROP TABLE t; CREATE TABLE t " + columns)
	st.End()
	same(t, sql(query), rows)
}

// A table that is altered gets what fits it then.
func TestTableIsAltered(t *testing.T) {
	s, sql := database(t, "CREATE TABLE t (orig_l4_sport int, ct_helper text)")
	st := s.Start(t)
	st.Send(flows...)
	st.Eventually("write", func() bool { return st.Stats().Out == 2 })
	sql("ALTER TABLE t DROP COLUMN ct_helper, ADD COLUMN orig_ip_saddr inet")
	st.Send(flows...)
	st.End()
	same(t, sql("SELECT * FROM t"), "45001\tNULL\n7\tNULL\n45001\t10.77.0.200\n7\tfd77::2\n")
}

// A column that gets another type does not make bad rows of good ones.
func TestTypeIsAltered(t *testing.T) {
	s, sql := database(t, "CREATE TABLE t (orig_l4_sport int, ct_helper varchar(20))")
	st := s.Start(t)
	st.Send(flows...)
	st.Eventually("write", func() bool { return st.Stats().Out == 2 })
	sql("ALTER TABLE t ALTER orig_l4_sport TYPE bigint")
	st.Send(flows[0], flows[0].With("ct.helper", strings.Repeat("x", 21)), flows[1])
	st.End()
	same(t, sql("SELECT orig_l4_sport FROM t"), "45001\n7\n45001\n7\n")
	if got := st.Count("refused"); got != 1 {
		t.Errorf("%d records are refused, want 1\n%s", got, st.Log)
	}
}

// A locked table is waited for, in both layouts, and said in the server's words.
func TestLocked(t *testing.T) {
	for _, layout := range []string{"ulogd2", "native"} {
		s, sql := database(t, "CREATE TABLE t (orig_l4_sport int)")
		table := "t"
		if layout == "native" {
			table = "flows"
			native(s).Run(t) // makes it
			s = native(s)
		}
		server := shared.Get(t, dbtest.PostgreSQL)
		sql("ALTER ROLE postgres SET lock_timeout = '100ms'")
		release := server.Hold(s.Options["db"], "BEGIN; LOCK TABLE "+table)
		st := s.Start(t)
		st.Send(flows...)
		st.Eventually("say so", func() bool { return st.Log.Has("canceling statement due to lock timeout") })
		release()
		st.End()
		sql("ALTER ROLE postgres RESET lock_timeout")
		want := "45001\n7\n"
		if layout == "native" {
			want = "45001\n45001\n7\n7\n"
		}
		same(t, sql("SELECT orig_l4_sport FROM "+table+" ORDER BY 1 DESC"), want)
	}
}

// Rows as the program mariadb reads them back from a MariaDB of the test's own.

package mysql_test

import (
	"maps"
	"os"
	"strings"
	"testing"

	_ "ulogd/plugins/output/mysql"
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
	server := shared.Get(t, dbtest.MariaDB)
	db := server.Empty()
	sql = func(text string) string { return server.SQL(db, text) }
	if table != "" {
		sql(table)
	}
	return stacktest.Setup{
		Output: "MYSQL",
		Options: map[string]string{
			"host": server.Dir + "/socket", "db": db, "user": "root", "table": "t",
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
const columns = `(_id int auto_increment primary key, flow_start_sec int unsigned, flow_start datetime(6),
	orig_ip_saddr varbinary(16), orig_ip_daddr_str varchar(40), orig_l4_sport int check (orig_l4_sport != 13),
	orig_raw_pktlen bigint, ct_helper varchar(20), tcp_syn boolean, orig_mac_saddr varchar(20), ct_labels binary(16))`

const rows = `1700000000	2023-11-14 22:13:20.123456	00000000000000000000FFFF0A4D00C8	10.77.0.1	45001	5000000000	` +
	`it's \ftp	1	02:00:00:00:00:01	0102030405060708090A0B0C0D0E0F10
NULL	NULL	FD770000000000000000000000000002	fd77::1	7	NULL	NULL	NULL	NULL	NULL
`

const query = `SELECT flow_start_sec, flow_start, hex(orig_ip_saddr), orig_ip_daddr_str, orig_l4_sport, orig_raw_pktlen,
	ct_helper, tcp_syn, orig_mac_saddr, hex(ct_labels) FROM t ORDER BY _id`

// A record that breaks a constraint, or does not fit, costs itself alone.
func TestInsert(t *testing.T) {
	s, sql := database(t, "CREATE TABLE t "+columns)
	st := s.Start(t)
	st.Send(flows[0], flows[0].With("orig.l4.sport", "13"), flows[0].With("ct.helper", strings.Repeat("x", 21)), flows[1])
	st.End()
	same(t, sql(query), rows)
	if !st.Log.Has("CONSTRAINT `t.orig_l4_sport` failed") {
		t.Errorf("the log does not have the server's words:\n%s", st.Log)
	}
	if got := st.Count("refused"); got != 2 {
		t.Errorf("%d records are refused, want 2", got)
	}
}

// Numbers show addresses of IPv4 as their octets spell them, or as ulogd2 did.
func TestAddressesAsNumbers(t *testing.T) {
	for _, c := range []struct{ compat, want string }{{"", "172818632\nNULL\n"}, {"ulogd2", "3355462922\nNULL\n"}} {
		s, sql := database(t, "CREATE TABLE t (_id int auto_increment primary key, orig_ip_saddr int unsigned)")
		if c.compat != "" {
			s = with(s, map[string]string{"compat": c.compat})
		}
		s.Run(t)
		same(t, sql("SELECT orig_ip_saddr FROM t ORDER BY _id"), c.want)
	}
}

// Functions, procedures and statements of the user's own are called with the table's columns.
func TestProcedures(t *testing.T) {
	const body = `BEGIN
			IF port = 13 THEN SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'unlucky'; END IF;
			INSERT INTO t (orig_l4_sport, ct_helper) VALUES (port, helper);`
	const made = `CREATE TABLE t (_id int auto_increment primary key, orig_l4_sport int, ct_helper varchar(20)) ENGINE=InnoDB;
		DELIMITER $$
		CREATE FUNCTION put(port int, helper text) RETURNS int ` + body + `RETURN 1; END $$
		CREATE PROCEDURE keep(port int, helper text) ` + body + `END $$`
	for _, procedure := range []string{"put", "SELECT put", "CALL keep", "insert into t"} {
		t.Run(procedure, func(t *testing.T) {
			s, sql := database(t, made)
			if procedure == "insert into t" {
				sql("ALTER TABLE t ADD CHECK (orig_l4_sport != 13)")
			}
			st := with(s, map[string]string{"procedure": procedure}).Start(t)
			st.Send(flows[0], flows[0].With("orig.l4.sport", "13"), flows[1])
			st.End()
			same(t, sql("SELECT orig_l4_sport, ct_helper FROM t ORDER BY 1"), "7\tNULL\n45001\tit's \\ftp\n")
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
	st.Eventually("say so", func() bool { return st.Log.Has("CREATE TABLE t (") })
	sql("CREATE TABLE t (_id int auto_increment primary key, nosuch int)")
	st.Eventually("say which column", func() bool {
		return strings.Contains(st.Stats().Peers[0].Error, "nosuch")
	})
	sql("DROP TABLE t; CREATE TABLE t " + columns)
	st.End()
	same(t, sql(query), rows)
}

// A table that is altered gets what fits it then.
func TestTableIsAltered(t *testing.T) {
	s, sql := database(t, "CREATE TABLE t (_id int auto_increment primary key, orig_l4_sport int, ct_helper text)")
	st := s.Start(t)
	st.Send(flows...)
	st.Eventually("write", func() bool { return st.Stats().Out == 2 })
	sql("ALTER TABLE t DROP COLUMN ct_helper, ADD COLUMN orig_ip_saddr varchar(40)")
	st.Send(flows...)
	st.End()
	same(t, sql("SELECT orig_l4_sport, orig_ip_saddr FROM t ORDER BY _id"),
		"45001\tNULL\n7\tNULL\n45001\t10.77.0.200\n7\tfd77::2\n")
}

// A column that gets another type does not make bad rows of good ones.
func TestTypeIsAltered(t *testing.T) {
	s, sql := database(t, "CREATE TABLE t (_id int auto_increment primary key, orig_ip_saddr varchar(40), ct_helper "+
		"varchar(20))")
	st := s.Start(t)
	st.Send(flows[0])
	st.Eventually("write", func() bool { return st.Stats().Out == 1 })
	sql("UPDATE t SET orig_ip_saddr = '1'; ALTER TABLE t MODIFY orig_ip_saddr int unsigned")
	st.Send(flows[0], flows[0].With("ct.helper", strings.Repeat("x", 21)), flows[1])
	st.End()
	same(t, sql("SELECT orig_ip_saddr FROM t"), "1\n172818632\nNULL\n")
	if got := st.Count("refused"); got != 1 {
		t.Errorf("%d records are refused, want 1\n%s", got, st.Log)
	}
}

// A locked table is waited for, in both layouts, and said in the server's words.
func TestLocked(t *testing.T) {
	for _, layout := range []string{"ulogd2", "native"} {
		s, sql := database(t, "CREATE TABLE t (_id int auto_increment primary key, orig_l4_sport int)")
		table := "t"
		if layout == "native" {
			table = "flows"
			native(s).Run(t) // makes it
			s = native(s)
		}
		server := shared.Get(t, dbtest.MariaDB)
		sql("SET GLOBAL lock_wait_timeout = 0")
		release := server.Hold(s.Options["db"], "LOCK TABLES "+table+" WRITE")
		st := s.Start(t)
		st.Send(many(40)...)
		st.Eventually("say so", func() bool { return st.Log.Has("Lock wait timeout exceeded") })
		release()
		st.End()
		sql("SET GLOBAL lock_wait_timeout = 86400")
		want := "40\n"
		if layout == "native" {
			want = "42\n"
		}
		same(t, sql("SELECT count(*) FROM "+table), want)
	}
}

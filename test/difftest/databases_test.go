// ulogd2's own tables, filled by both daemons with the same packets and connections: PostgreSQL,
// MariaDB and SQLite, of Debian's packages and with the schemas that ulogd2 comes with.

package difftest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"ulogd/test/dbtest"
	"ulogd/test/nstest"
	. "ulogd/test/packettest"
)

// databases are where one daemon writes.
type databases struct {
	pg, my                         *dbtest.Server
	pgFull, pgFlat, myFull, myFlat string
	lite                           string // the file
}

func newDatabases(t *testing.T, pg, my *dbtest.Server) databases {
	d := databases{pg: pg, my: my, lite: filepath.Join(t.TempDir(), "ulogd.sqlite3")}
	for _, f := range []struct {
		server *dbtest.Server
		name   *string
		file   string
	}{
		{pg, &d.pgFull, "pgsql-ulogd2.sql.gz"},
		{pg, &d.pgFlat, "pgsql-ulogd2-flat.sql.gz"},
		{my, &d.myFull, "mysql-ulogd2.sql.gz"},
		{my, &d.myFlat, "mysql-ulogd2-flat.sql.gz"},
	} {
		*f.name = f.server.Database()
		f.server.Load(*f.name, f.file)
	}
	made, err := os.ReadFile("/usr/share/doc/ulogd2/sqlite3.table")
	if err != nil {
		t.Fatal(err)
	}
	d.sqlite(t, string(made))
	return d
}

func (d databases) sqlite(t *testing.T, text string) string {
	t.Helper()
	c := exec.Command("sqlite3", d.lite)
	c.Stdin = strings.NewReader(".timeout 5000\n.nullvalue NULL\n" + text)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("sqlite3: %v: %s", err, out)
	}
	return string(out)
}

const databaseStacks = `[global]
loglevel=3
stack=log1:NFLOG,b:BASE,i:IFINDEX,s:IP2STR,h:HWHDR,pgpkt:PGSQL
stack=log1:NFLOG,b:BASE,i:IFINDEX,s:IP2STR,h:HWHDR,pgflat:PGSQL
stack=log1:NFLOG,b:BASE,i:IFINDEX,n:IP2BIN,h:HWHDR,mypkt:MYSQL
stack=log1:NFLOG,b:BASE,i:IFINDEX,n:IP2BIN,h:HWHDR,myflat:MYSQL
stack=log1:NFLOG,b:BASE,litepkt:SQLITE3
stack=ct1:NFCT,s:IP2STR,pgct:PGSQL
stack=ct1:NFCT,n:IP2BIN,myct:MYSQL
stack=ct1:NFCT,litect:SQLITE3
`

// config is what stands behind the stacks.
func (d databases) config(group int, socket string) string {
	var b strings.Builder
	fmt.Fprintf(&b, `[log1]
group=%d
[ct1]
hash_enable=0
`, group)
	for _, s := range []struct{ id, db, table, procedure string }{
		{"pgpkt", d.pgFull, "ulog", "INSERT_PACKET_FULL"},
		{"pgflat", d.pgFlat, "ulog2", "INSERT"},
		{"pgct", d.pgFull, "ulog2_ct", "INSERT_CT"},
	} {
		fmt.Fprintf(&b, "[%s]\nhost=%q\nport=%d\ndb=%q\nuser=\"postgres\"\ntable=%q\nprocedure=%q\n",
			s.id, d.pg.Dir, d.pg.Port, s.db, s.table, s.procedure)
	}
	for _, s := range []struct{ id, db, table, procedure string }{
		{"mypkt", d.myFull, "ulog", "INSERT_PACKET_FULL"},
		{"myflat", d.myFlat, "ulog2", "INSERT"},
		{"myct", d.myFull, "conntrack", "INSERT_CT"},
	} {
		fmt.Fprintf(&b, "[%s]\nhost=%q\ndb=%q\nuser=\"ulogd\"\npass=\"secret\"\ntable=%q\nprocedure=%q\n",
			s.id, socket, s.db, s.table, s.procedure)
	}
	fmt.Fprintf(&b, `[litepkt]
db=%q
table="ulog_pkt"
[litect]
db=%q
table="ulog_ct"
`, d.lite, d.lite)
	return b.String()
}

// A filled is a table as both daemons fill it.
type filled struct {
	name    string
	columns func(t *testing.T, d databases) string // tab-separated: name and type, a line for each
	rows    func(t *testing.T, d databases, selected string) string
}

func serverTable(name, table string, server func(databases) *dbtest.Server, db func(databases) string) filled {
	return filled{
		name,
		func(t *testing.T, d databases) string {
			return server(d).SQL(db(d), "SELECT column_name, data_type FROM information_schema.columns WHERE table_name = '"+
				table+"' AND table_schema IN ('public', '"+db(d)+"') ORDER BY ordinal_position;")
		},
		func(t *testing.T, d databases, selected string) string {
			return server(d).SQL(db(d), "SELECT "+selected+" FROM "+table+" ORDER BY 1;")
		},
	}
}

func liteTable(table string) filled {
	return filled{
		"SQLite " + table,
		func(t *testing.T, d databases) string {
			return strings.ReplaceAll(d.sqlite(t, "SELECT name, type FROM pragma_table_info('"+table+"');"), "|", "\t")
		},
		func(t *testing.T, d databases, selected string) string {
			return d.sqlite(t, "SELECT "+selected+" FROM "+table+" ORDER BY rowid;")
		},
	}
}

func pgServer(d databases) *dbtest.Server { return d.pg }
func myServer(d databases) *dbtest.Server { return d.my }

var packetTables = []filled{
	serverTable("PostgreSQL ulog", "ulog", pgServer, func(d databases) string { return d.pgFull }),
	serverTable("PostgreSQL ulog2, flat", "ulog2", pgServer, func(d databases) string { return d.pgFlat }),
	serverTable("MariaDB ulog", "ulog", myServer, func(d databases) string { return d.myFull }),
	serverTable("MariaDB ulog2, flat", "ulog2", myServer, func(d databases) string { return d.myFlat }),
	liteTable("ulog_pkt"),
}

var flowTables = []filled{
	serverTable("PostgreSQL ulog2_ct", "ulog2_ct", pgServer, func(d databases) string { return d.pgFull }),
	serverTable("MariaDB ulog2_ct", "ulog2_ct", myServer, func(d databases) string { return d.myFull }),
	liteTable("ulog_ct"),
}

// selected is what of a table is compared: all columns, in lines that begin with the id, by which
// rows are ordered, and end with it; of times, which each daemon takes itself, whether they are there.
func (f filled) selected(t *testing.T, d databases) string {
	var list []string
	for line := range strings.Lines(f.columns(t, d)) {
		name, typ, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		switch {
		case strings.HasSuffix(name, "sec"), name == "timestamp":
			name += " IS NULL"
		case strings.HasSuffix(typ, "binary"):
			name = "hex(" + name + ")"
		case strings.HasPrefix(f.name, "SQLite") && strings.HasPrefix(name, "orig_ip_") && name != "orig_ip_protocol":
			// ulogd2 2.0.8 has no IPv6 there: what it writes is no part of an address.
			name = "CASE WHEN orig_l4_dport IN (443, 5353) OR orig_ip_protocol = 58 THEN 'IPv6' ELSE " + name + " END"
		}
		list = append(list, name)
	}
	return strings.Join(list, ", ")
}

// compare waits until both daemons have filled a table with n rows, and compares them.
func (f filled) compare(t *testing.T, theirs, ours databases, n int) {
	t.Helper()
	selected := f.selected(t, ours)
	if strings.Count(selected, ",") < 8 {
		t.Fatalf("%s has the columns %s alone", f.name, selected)
	}
	var want, got []string
	nstest.Eventually(t, startTimeout, func() error {
		want, got = lines(f.rows(t, theirs, selected)), lines(f.rows(t, ours, selected))
		if len(want) != n || len(got) != n {
			return fmt.Errorf("%s: ulogd2 has written %d rows, this daemon %d, of %d", f.name, len(want), len(got), n)
		}
		return nil
	})
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%s, by %s: ulogd2 has\n%s\nthis daemon\n%s", f.name, selected, want[i], got[i])
		}
	}
}

func lines(text string) []string { return strings.Split(strings.TrimSuffix(text, "\n"), "\n") }

// TestDatabases has ulogd2 and this daemon, with compat, fill ulogd2's own tables.
func TestDatabases(t *testing.T) {
	home, peer := cable(t)
	nstest.Need(t, "nf_conntrack", "tool:conntrack", "tool:sqlite3")
	// Strict, as MariaDB is by default, it refuses packets of IPv6: ulogd2's tables have no room for their protocol.
	pg, my := dbtest.PostgreSQL(t), dbtest.MariaDB(t, "--sql-mode=")
	my.SQL("mysql", "CREATE USER ulogd@localhost IDENTIFIED BY 'secret'; GRANT ALL ON *.* TO ulogd@localhost;")
	track(t, home)
	home.Nft(t, `table inet logged { chain pre {
		type filter hook prerouting priority -500
		ether saddr 02:00:00:00:00:02 log prefix "it's \\IN: " group 1 log prefix "it's \\IN: " group 2
	}; }`)
	theirs, ours := newDatabases(t, pg, my), newDatabases(t, pg, my)

	var load strings.Builder
	load.WriteString("[global]\n")
	files, _ := filepath.Glob("/usr/lib/*/ulogd/*.so")
	for _, f := range files {
		fmt.Fprintf(&load, "plugin=%q\n", f)
	}
	start := func(program, config string) *nstest.Proc {
		path := filepath.Join(t.TempDir(), "ulogd.conf")
		config = "[global]\nlogfile=\"" + path + ".log\"\n" + config
		if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		p := home.Start(t, "env MYSQL_UNIX_PORT="+my.Dir+"/socket", program, "-v", "-c", path)
		p.WaitOutput("entering main loop", startTimeout)
		return p
	}
	their := start("/usr/sbin/ulogd", strings.Replace(databaseStacks, "[global]\n", load.String()[len("[global]\n"):], 1)+
		theirs.config(1, "localhost"))
	our := start(built.Path(t), strings.Replace(databaseStacks, "[global]\n", "compat=\"ulogd2\"\n", 1)+
		ours.config(2, my.Dir+"/socket"))

	events := home.Start(t, "conntrack -E")
	events.WaitSubscribed(time.Minute)
	sent := connections()
	sent = append(sent, kind{"sctp", eth(ip4, SCTP{Src: 40021, Dst: 36412})})
	link := func(k kind) { frames(peer, "far0", []kind{k})(t) }
	for _, k := range sent {
		link(k)
		time.Sleep(20 * time.Millisecond) // so that both daemons write rows in one order
	}
	home.Run(t, "conntrack -F")
	n := len(told(t, events, "NEW|DESTROY", len(connections())))
	for _, f := range packetTables {
		f.compare(t, theirs, ours, len(sent))
	}
	for _, f := range flowTables {
		f.compare(t, theirs, ours, n)
	}
	their.Stop(unix.SIGKILL)
	if state := our.Stop(unix.SIGTERM); state.ExitCode() != 0 {
		t.Errorf("this daemon ended with %v", state)
	}
}

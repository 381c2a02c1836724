//go:build !mips && !mipsle

// Rows as the program sqlite3 reads them back.

package sqlite3_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	_ "ulogd/plugins/output/sqlite3"
	"ulogd/test/stacktest"
)

func shell(t *testing.T, db, text string) string {
	t.Helper()
	program, err := exec.LookPath("sqlite3")
	if err != nil {
		if os.Getenv("ULOGD_KERNEL_TESTS") == "require" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	c := exec.Command(program, db)
	c.Stdin = strings.NewReader(".timeout 5000\n.nullvalue NULL\n" + text)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v: %s", text, err, out)
	}
	return string(out)
}

var flows = []stacktest.Record{
	{
		{Name: "oob.family", Value: "2"},
		{Name: "flow.start", Value: "1700000000123456789"},
		{Name: "orig.ip.saddr", Value: "10.77.0.200"},
		{Name: "orig.ip.daddr", Value: "10.77.0.1"},
		{Name: "orig.l4.sport", Value: "45001"},
		{Name: "orig.raw.pktlen", Value: "5000000000"},
		{Name: "ct.mark", Value: "4294967295"},
		{Name: "ct.helper", Value: "it's \"ftp\""},
	},
	{
		{Name: "oob.family", Value: "10"},
		{Name: "orig.ip.saddr", Value: "fd77::2"},
		{Name: "orig.ip.daddr", Value: "fd77::1"},
	},
}

func setup(t *testing.T, table string) (s stacktest.Setup, db string) {
	db = filepath.Join(t.TempDir(), "ulogd.sqlite3")
	if table != "" {
		shell(t, db, table)
	}
	return stacktest.Setup{
		Output:  "SQLITE3",
		Options: map[string]string{"db": db, "table": "t", "flush_interval": "10ms", "reconnect": "50ms"},
		Shape:   flows,
	}, db
}

func TestRows(t *testing.T) {
	s, db := setup(t, `create table t (flow_start_sec INT, flow_start_usec INT, flow_start INT, orig_ip_saddr INT UNSIGNED, orig_ip_daddr TEXT,
		orig_l4_sport SMALLINT, orig_raw_pktlen INT, ct_mark INT, ct_helper VARCHAR(20));`)
	s.Run(t)
	want := `1700000000|123456|1700000000123456789|172818632|10.77.0.1|45001|5000000000|4294967295|it's "ftp"
NULL|NULL|NULL|fd77::2|fd77::1|NULL|NULL|NULL|NULL
`
	if got := shell(t, db, "select * from t;"); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// A column of sixteen octets takes addresses of both versions.
func TestBlob(t *testing.T) {
	s, db := setup(t, "create table t (orig_ip_saddr BLOB);")
	s.Run(t)
	want := "00000000000000000000FFFF0A4D00C8\nFD770000000000000000000000000002\n"
	if got := shell(t, db, "select hex(orig_ip_saddr) from t;"); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// A table that is not there is said, with the statement that makes it, and waited for.
func TestTableComesLater(t *testing.T) {
	s, db := setup(t, "")
	st := s.Start(t)
	st.Send(flows...)
	st.Eventually("say so", func() bool { return st.Log.Has("CREATE TABLE t (") })
	shell(t, db, "create table t (ct_mark INT, nosuch INT);")
	st.Eventually("say which column", func() bool {
		return st.Stats().Peers[0].Error != "" && strings.Contains(st.Stats().Peers[0].Error, "nosuch")
	})
	shell(t, db, "drop table t; create table t (ct_mark INT);")
	st.End()
	if got, want := shell(t, db, "select * from t;"), "4294967295\nNULL\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

// A row that breaks a constraint costs itself alone.
func TestConstraint(t *testing.T) {
	s, db := setup(t, "create table t (orig_l4_sport INT CHECK (orig_l4_sport != 7));")
	st := s.Start(t)
	for _, port := range []string{"1", "2", "7", "3", "7", "4"} {
		st.Send(flows[0].With("orig.l4.sport", port))
	}
	st.End()
	if got, want := shell(t, db, "select * from t;"), "1\n2\n3\n4\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if !st.Log.Has("CHECK constraint failed") {
		t.Errorf("the log does not have SQLite's words:\n%s", st.Log)
	}
}

// More rows than one statement inserts keep their order and their values, also around one that is refused, and what a
// row lacks is not that of the row before.
func TestManyRows(t *testing.T) {
	s, db := setup(t, "create table t (orig_l4_sport INT CHECK (orig_l4_sport != 40), ct_helper TEXT);")
	st := s.Start(t)
	var rows []stacktest.Record
	var want strings.Builder
	for port := 1; port <= 75; port++ {
		if number := strconv.Itoa(port); port%3 == 0 {
			rows = append(rows, flows[1])
			want.WriteString("NULL|NULL\n")
		} else {
			rows = append(rows, flows[0].With("orig.l4.sport", number).With("ct.helper", "h"+number))
			if port != 40 {
				want.WriteString(number + "|h" + number + "\n")
			}
		}
	}
	st.Send(rows...)
	st.End()
	if got := shell(t, db, "select * from t;"); got != want.String() {
		t.Errorf("got\n%swant\n%s", got, want.String())
	}
	if n := st.Count("refused"); n != 1 {
		t.Errorf("%d records are refused, want 1", n)
	}
}

// A file that somebody else has locked is waited for.
func TestLocked(t *testing.T) {
	s, db := setup(t, "create table t (orig_l4_sport INT);")
	locked(t, s, db)
	if got := shell(t, db, "select * from t;"); got != "45001\n" {
		t.Errorf("got %q", got)
	}
}

// locked sends a record while another process has the file for itself.
func locked(t *testing.T, s stacktest.Setup, db string) {
	t.Helper()
	c := exec.Command("sqlite3", db)
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Skip(err)
	}
	in.Write([]byte("begin exclusive; select 'locked';\n"))
	out.Read(make([]byte, 1))
	st := s.Start(t)
	st.Send(flows[0])
	st.Eventually("say so", func() bool { return st.Log.Has("locked") })
	in.Close()
	c.Process.Kill()
	c.Wait()
	st.End()
}

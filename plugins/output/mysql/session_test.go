// Who connects to whom: passwords and TLS.

package mysql_test

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"ulogd/test/dbtest"
	"ulogd/test/stacktest"
)

// A password comes from a file, is no part of any message, and opens a session that TLS protects with
// a certificate that was checked.
func TestPasswordAndTLS(t *testing.T) {
	server := dbtest.MariaDB(t)
	cert, key := server.Certificate("server")
	other, _ := server.Certificate("other")
	server.Kill()
	server.Args = []string{"--ssl-cert=" + cert, "--ssl-key=" + key, "--require-secure-transport"}
	server.Start()
	db := server.Database()
	server.SQL(db, `CREATE TABLE t (_id int auto_increment primary key, orig_l4_sport int);
		CREATE USER fw@'127.0.0.1' IDENTIFIED BY 'the right one'; GRANT ALL ON *.* TO fw@'127.0.0.1';`)
	file := filepath.Join(t.TempDir(), "password")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := stacktest.Setup{
		Output: "MYSQL",
		Options: map[string]string{
			"host": "127.0.0.1", "port": strconv.Itoa(server.Port), "db": db, "user": "fw", "pass_file": file, "table": "t",
			"tls": "verify", "ca_file": cert, "flush_interval": "50ms", "reconnect": "100ms",
		},
		Shape: flows,
	}
	write("the wrong one\n")
	st := s.Start(t)
	st.Send(flows[0])
	st.Eventually("be refused", func() bool { return st.Log.Has("Access denied for user 'fw'") })
	write("the right one\n")
	st.End()
	same(t, server.SQL(db, "SELECT orig_l4_sport FROM t"), "45001\n")
	silent(t, st.Log)

	for what, options := range map[string]map[string]string{
		"certificate signed by unknown authority": {"ca_file": other},
		"cannot connect": {"pass_file": "", "pass": "the wrong one"},
	} {
		st := with(s, options).Start(t)
		st.Machine.Patience = 1e8
		st.Send(flows[0])
		st.Eventually(what, func() bool { return st.Log.Has(what) })
		st.End()
		if got := st.Count("not_taken"); got != 1 {
			t.Errorf("%s: %d records are not taken, want 1\n%s", what, got, st.Log)
		}
		silent(t, st.Log)
	}
	same(t, server.SQL(db, "SELECT orig_l4_sport FROM t"), "45001\n")
}

func silent(t *testing.T, log *stacktest.Log) {
	t.Helper()
	if log.Has("the wrong one") || log.Has("the right one") {
		t.Errorf("the log has the password:\n%s", log)
	}
}

// A stack whose server is down starts and says so. All that comes until the server is there is in the table then.
func TestServerComesLater(t *testing.T) {
	s, sql := database(t, "CREATE TABLE t "+columns)
	shared.Get(t, dbtest.MariaDB).ComesLater(t, s, flows...)
	same(t, sql(query), rows)
}

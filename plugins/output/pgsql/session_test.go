// Who connects to whom: passwords and TLS.

package pgsql_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"ulogd/test/dbtest"
	"ulogd/test/stacktest"
)

// A password comes from a file, is no part of any message, and opens a session that TLS protects with
// a certificate that was checked.
func TestPasswordAndTLS(t *testing.T) {
	server := dbtest.PostgreSQL(t)
	cert, key := server.Certificate("server")
	other, _ := server.Certificate("other")
	server.Kill()
	server.Args = []string{"-c", "ssl=on", "-c", "ssl_cert_file=" + cert, "-c", "ssl_key_file=" + key}
	server.Start()
	server.SQL("postgres", `CREATE TABLE t (orig_l4_sport int); CREATE ROLE fw LOGIN PASSWORD 'the right one';
		GRANT ALL ON t TO fw;`)
	file := filepath.Join(t.TempDir(), "password")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := stacktest.Setup{
		Output: "PGSQL",
		Options: map[string]string{
			"host": "127.0.0.1", "port": strconv.Itoa(server.Port), "db": "postgres", "user": "fw", "pass_file": file, "table": "t",
			"sslmode": "verify-full", "sslrootcert": cert, "flush_interval": "50ms", "reconnect": "100ms",
		},
		Shape: flows,
	}
	write("the wrong one\n")
	st := s.Start(t)
	st.Send(flows[0])
	st.Eventually("be refused", func() bool { return st.Log.Has("password authentication failed") })
	write("the right one\n")
	st.End()
	same(t, server.SQL("postgres", "SELECT * FROM t"), "45001\n")
	silent(t, st.Log, "the wrong one", "the right one")

	for what, options := range map[string]map[string]string{
		"certificate": {"sslrootcert": other},
		"word":        {"pass_file": "", "pass": "the wrong one"},
		"connstring": {
			"pass_file": "", "connstring": "host=127.0.0.1 port=" + strconv.Itoa(server.Port) +
				" dbname=postgres user=fw password='the wrong one' sslmode=require",
		},
		"broken connstring": {"pass_file": "", "connstring": "host=127.0.0.1 password='the wrong one' port=none"},
	} {
		st := with(s, options).Start(t)
		st.Machine.Patience = 1e8
		st.Send(flows[0])
		st.Eventually(what, func() bool { return st.Log.Has("cannot connect") })
		st.End()
		if got := st.Count("not_taken"); got != 1 {
			t.Errorf("%s: %d records are not taken, want 1\n%s", what, got, st.Log)
		}
		if what == "certificate" && !st.Log.Has("certificate signed by unknown authority") {
			t.Errorf("the log does not say what is wrong with the certificate:\n%s", st.Log)
		}
		silent(t, st.Log, "the wrong one")
		for _, p := range st.Stats().Peers {
			if strings.Contains(p.Name+p.Error, "the wrong one") {
				t.Errorf("%s: the counters show the password: %+v", what, p)
			}
		}
	}
	same(t, server.SQL("postgres", "SELECT * FROM t"), "45001\n")
}

func silent(t *testing.T, log *stacktest.Log, words ...string) {
	t.Helper()
	for _, w := range words {
		if log.Has(w) {
			t.Errorf("the log has the password:\n%s", log)
		}
	}
}

// A table of one column takes a text of any length; a wait of 0 is one of 2 seconds.
func TestLongTextAndNoReconnect(t *testing.T) {
	s, sql := database(t, "CREATE TABLE t (ct_helper text)")
	long := strings.Repeat("x", 20000)
	st := with(s, map[string]string{"reconnect": "0"}).Start(t)
	st.Send(flows[0].With("ct.helper", long))
	st.End()
	same(t, sql("SELECT * FROM t"), long+"\n")
	if !st.Log.Has("reconnect = 0 means 2 s") {
		t.Errorf("the log does not say what reconnect = 0 means:\n%s", st.Log)
	}
}

// The connection comes from where the options say: from there the server takes none, and says so.
func TestSourceAddress(t *testing.T) {
	s, _ := database(t, "CREATE TABLE t (orig_l4_sport int)")
	st := with(s, map[string]string{"host": "127.0.0.1", "source_address": "127.0.0.7"}).Start(t)
	st.Machine.Patience = 1e8
	st.Send(flows[0])
	st.Eventually("be refused", func() bool { return st.Log.Has(`no pg_hba.conf entry for host "127.0.0.7"`) })
	st.End()
}

// A stack whose server is down starts and says so. All that comes until the server is there is in the table then.
func TestServerComesLater(t *testing.T) {
	s, sql := database(t, "CREATE TABLE t "+columns)
	shared.Get(t, dbtest.PostgreSQL).ComesLater(t, s, flows...)
	same(t, sql(query), rows)
}

// What is the server's: certificates, and days that are forgotten.

package clickhouse_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ulogd/test/dbtest"
	"ulogd/test/nstest"
	"ulogd/test/stacktest"
)

// The server's certificate is checked, against those that ca names.
func TestTLS(t *testing.T) {
	s := dbtest.ClickHouse(t)
	cert, key := s.Certificate("server")
	other, _ := s.Certificate("other")
	s.Kill()
	port := nstest.FreePort(t)
	url := fmt.Sprintf("https://127.0.0.1:%d", port)
	file := filepath.Join(s.Dir, "config.xml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	with := strings.Replace(string(text), "</yandex>", fmt.Sprintf(`<https_port>%d</https_port><openSSL><server>
<certificateFile>%s</certificateFile><privateKeyFile>%s</privateKeyFile>
<verificationMode>none</verificationMode><loadDefaultCAFile>false</loadDefaultCAFile>
</server></openSSL></yandex>`, port, cert, key), 1)
	if err := os.WriteFile(file, []byte(with), 0o644); err != nil {
		t.Fatal(err)
	}
	s.Start()

	setup(s, "create=true", "url="+url, "ca="+cert).Run(t)
	if got := s.SQL("default", "SELECT count() FROM ulogd"); got != "2\n" {
		t.Errorf("%s rows are there, want 2", got)
	}

	set := setup(s, "url="+url, "ca="+other)
	st := set.Start(t)
	st.Machine.Patience = 1e8
	st.Send(set.Shape[0])
	st.Eventually("refuse the certificate", func() bool { return st.Log.Has("certificate signed by unknown authority") })
	st.End()
	if got := s.SQL("default", "SELECT count() FROM ulogd"); got != "2\n" {
		t.Errorf("%s rows are there, want 2", got)
	}
}

// Days that are older than the retention are dropped, others are not.
func TestRetention(t *testing.T) {
	s := shared.Get(t, dbtest.ClickHouse)
	db := s.Database()
	set := setup(s, "create=true", "database="+db)
	at := func(days int) stacktest.Record {
		r := append(stacktest.Record(nil), set.Shape[1]...)
		r[len(r)-1].Value = fmt.Sprint(time.Now().AddDate(0, 0, -days).UnixNano())
		return r
	}
	st := set.Start(t)
	st.Send(at(0), at(20), at(40), at(400))
	st.End()
	set.Options["retention"] = "30d"
	st = set.Start(t)
	st.Send(at(0))
	st.End()
	if got := s.SQL(db, "SELECT intDiv(toUInt32(now()) - toUnixTimestamp(time) + 3600, 86400) AS days FROM ulogd ORDER BY days"); got != "0\n0\n20\n" {
		t.Errorf("rows of %q days ago are left, want those of 0, 0 and 20", strings.Fields(got))
	}
}

// MariaDB.

package dbtest

import (
	"os/exec"
	"strconv"
	"testing"
)

// MariaDB starts a server. Its user root needs no password. Further arguments are those of the
// program mariadbd.
func MariaDB(t testing.TB, args ...string) *Server {
	t.Helper()
	if _, err := exec.LookPath("mariadbd"); err != nil {
		need(t, "MariaDB")
	}
	return start(t, kind{
		user: "mysql", first: "mysql", alive: "SELECT 1",
		session: []string{"-n"},
		reset:   "DROP DATABASE DB; CREATE DATABASE DB",
		setup: func(s *Server) {
			s.must("mariadb-install-db", "--no-defaults", "--datadir="+s.Dir+"/data", "--skip-test-db",
				"--auth-root-authentication-method=normal", "--skip-name-resolve", "--innodb-log-file-size=16M")
		},
		server: func(s *Server) []string {
			return []string{
				"mariadbd", "--no-defaults", "--datadir=" + s.Dir + "/data", "--socket=" + s.Dir + "/socket",
				"--bind-address=127.0.0.1", "--port=" + strconv.Itoa(s.Port), "--pid-file=" + s.Dir + "/pid",
				"--innodb-buffer-pool-size=64M", "--innodb-log-file-size=48M", "--skip-name-resolve",
				"--character-set-server=utf8mb4", "--default-time-zone=+00:00",
			}
		},
		client: func(s *Server, db string) []string {
			return []string{
				"mariadb", "--no-defaults", "-u", "root", "--socket=" + s.Dir + "/socket", "-N", "-B", "--raw", db,
			}
		},
	}, args...)
}

// PostgreSQL.

package dbtest

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// PostgreSQL starts a server. Its user postgres needs no password through the socket; others, and
// all over TCP, need theirs. Further arguments are those of the program postgres.
func PostgreSQL(t testing.TB, args ...string) *Server {
	t.Helper()
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin")
	if len(found) == 0 {
		need(t, "PostgreSQL")
	}
	bin := found[len(found)-1]
	return start(t, kind{
		user: "postgres", first: "postgres", alive: "SELECT 1",
		reset: "DROP SCHEMA public CASCADE; CREATE SCHEMA public",
		setup: func(s *Server) {
			s.must(bin+"/initdb", "-D", s.Dir+"/data", "--auth-local=trust", "--auth-host=scram-sha-256", "-N", "-E", "UTF8",
				"--locale=C.UTF-8")
		},
		server: func(s *Server) []string {
			return []string{
				bin + "/postgres", "-D", s.Dir + "/data", "-k", s.Dir, "-h", "127.0.0.1", "-p", strconv.Itoa(s.Port),
				"-c", "dynamic_shared_memory_type=mmap", // which goes with the folder, whoever is killed
				"-c", "timezone=UTC", "-c", "fsync=off", // what is killed here is the server, not the machine
			}
		},
		client: func(s *Server, db string) []string {
			return []string{
				bin + "/psql", "-h", s.Dir, "-p", strconv.Itoa(s.Port), "-AtqX", "-F", "\t", "-P", "null=NULL",
				"-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=terse", "-d", db,
			}
		},
	}, args...)
}

// need skips the test for want of a server, or fails it where that is forbidden.
func need(t testing.TB, what string) {
	t.Helper()
	if os.Getenv("ULOGD_KERNEL_TESTS") == "require" {
		t.Fatalf("there is no %s", what)
	}
	t.Skipf("there is no %s", what)
}

// ClickHouse.

package dbtest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// ClickHouse starts a server, Debian's 18.16. Its user default needs no password.
func ClickHouse(t testing.TB, args ...string) *Server {
	t.Helper()
	program, err := exec.LookPath("clickhouse-server")
	if err != nil {
		need(t, "clickhouse-server")
	}
	return start(t, kind{
		user: "clickhouse", first: "default", alive: "SELECT 1",
		setup: func(s *Server) {
			write := func(name, text string) {
				if err := os.WriteFile(filepath.Join(s.Dir, name), []byte(text), 0o644); err != nil {
					s.t.Fatal(err)
				}
			}
			write("config.xml", fmt.Sprintf(`<yandex>
<logger><level>error</level><console>1</console></logger>
<http_port>%d</http_port><listen_host>127.0.0.1</listen_host>
<path>%s/data/</path><tmp_path>%s/tmp/</tmp_path>
<users_config>users.xml</users_config><default_profile>default</default_profile><default_database>default</default_database>
<mark_cache_size>67108864</mark_cache_size>
</yandex>`, s.Port, s.Dir, s.Dir))
			write("users.xml", `<yandex><profiles><default></default></profiles><quotas><default></default></quotas>
<users><default><password></password><networks><ip>::/0</ip></networks><profile>default</profile><quota>default</quota></default></users>
</yandex>`)
			s.must("mkdir", "-p", "data", "tmp")
		},
		server: func(s *Server) []string { return []string{program, "--config-file=" + s.Dir + "/config.xml"} },
		client: func(s *Server, db string) []string {
			return []string{
				"curl", "-sS", "--fail-with-body", "--data-binary", "@-",
				"http://127.0.0.1:" + strconv.Itoa(s.Port) + "/?database=" + db,
			}
		},
	}, args...)
}

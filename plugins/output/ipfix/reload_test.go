// SIGHUP, on the daemon as it is built: names are resolved and certificates read again.

package ipfix

import (
	"bufio"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ulogd/test/nstest"
)

// TestReload moves a collector's name to another address, gives the daemon another certificate, and
// signals it until the collector there says that somebody with the new one has come: again after six
// seconds, since Go reads /etc/hosts at most every five, and not sooner, since a signal begins a
// handshake under way anew.
func TestReload(t *testing.T) {
	for _, c := range []struct{ proto, version string }{{"tls", "-tls1_3"}, {"dtls", "-dtls1_2"}} {
		t.Run(c.proto, func(t *testing.T) {
			t.Parallel()
			nstest.Need(t, "root", "tool:unshare")
			a, dir := newAuthority(t), t.TempDir()
			named := func() *x509.Certificate { return &x509.Certificate{DNSNames: []string{"collector.test"}} }
			first := a.dtls(t, named())
			first = a.sServer(t, c.version, "127.0.0.1", first.port, named())
			second := a.sServer(t, c.version, "127.0.0.2", first.port, named())

			file := func(name string, content []byte) string {
				path := filepath.Join(dir, name)
				if err := os.WriteFile(path, content, 0o600); err != nil {
					t.Fatal(err)
				}
				return path
			}
			identity := func(name string) {
				cert, key := a.files(&x509.Certificate{Subject: pkix.Name{CommonName: name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
				for from, to := range map[string]string{cert: "cert.pem", key: "key.pem"} {
					content, err := os.ReadFile(from)
					if err != nil {
						t.Fatal(err)
					}
					file(to, content)
				}
			}
			identity("exporter one")
			hosts := file("hosts", []byte("127.0.0.1 collector.test\n"))
			first.start()
			said := listenTo(first)
			d := startDaemon(t, fmt.Sprintf(`
[global]
stack = "flows:GEN,out:IPFIX"
[flows]
count = 0
rate = 100
[out]
host = "collector.test:%s"
proto = %q
tls_cert = "%[3]s/cert.pem"
tls_key = "%[3]s/key.pem"
tls_ca = %[4]q
flush_interval = 0.1
`, first.port, c.proto, dir, a.file), "unshare", "--mount", "sh", "-c", `mount --bind "$0" /etc/hosts && exec "$@"`, hosts)
			waitFor(t, "the first session", func() bool { return strings.Contains(said.String(), "CN = exporter one") })

			identity("exporter two")
			file("hosts", []byte("127.0.0.2 collector.test\n"))
			second.start()
			said = listenTo(second)
			arrived := func() bool { return strings.Contains(said.String(), "CN = exporter two") }
			for tries := 0; tries < 6 && !arrived(); tries++ {
				d.cmd.Process.Signal(syscall.SIGHUP)
				for end := time.Now().Add(6 * time.Second); time.Now().Before(end) && !arrived(); {
					time.Sleep(10 * time.Millisecond)
				}
			}
			if !arrived() {
				t.Fatalf("nobody with the new certificate came to the new address; the daemon says:\n%s", &d.log)
			}
			d.signal(syscall.SIGTERM)
		})
	}
}

// listenTo gathers what openssl prints in lines; what it decrypts stands between them.
func listenTo(s *sServer) *transcript {
	said := &transcript{}
	out := s.out
	go func() {
		for r := bufio.NewReader(out); ; {
			line, err := r.ReadString('\n')
			fmt.Fprint(said, line)
			if err != nil {
				return
			}
		}
	}()
	return said
}

func waitFor(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: waited in vain", what)
		}
	}
}

// A collector that is a process of its own, reads at once, and is killed again and again while
// flows end.

package ipfix

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"ulogd/test/nstest"
)

// The environment that makes the test program a collector: where to listen, and the files of its
// TLS certificate and key.
const (
	collectorListen = "ULOGD_TEST_COLLECTOR"
	collectorCert   = "ULOGD_TEST_COLLECTOR_CERT"
	collectorKey    = "ULOGD_TEST_COLLECTOR_KEY"
)

// collectorMain takes one connection and copies what it reads to standard output, which survives
// it.
func collectorMain() error {
	l, err := net.Listen("tcp", os.Getenv(collectorListen))
	if err != nil {
		return err
	}
	conn, err := l.Accept()
	if err != nil {
		return err
	}
	if file := os.Getenv(collectorCert); file != "" {
		pair, err := tls.LoadX509KeyPair(file, os.Getenv(collectorKey))
		if err != nil {
			return err
		}
		conn = tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAnyClientCert})
	}
	_, err = io.Copy(os.Stdout, conn)
	return err
}

// life is one life of the collector's process.
type life struct {
	t     *testing.T
	cmd   *exec.Cmd
	begun chan struct{} // closed when it has read something
	out   bytes.Buffer
	err   bytes.Buffer
}

// Write takes what the process prints.
func (l *life) Write(p []byte) (int, error) {
	if l.out.Len() == 0 {
		close(l.begun)
	}
	return l.out.Write(p)
}

func beginLife(t *testing.T, env ...string) *life {
	t.Helper()
	l := &life{t: t, cmd: exec.Command(os.Args[0]), begun: make(chan struct{})}
	l.cmd.Env = append(os.Environ(), env...)
	l.cmd.Stdout, l.cmd.Stderr = l, &l.err
	if err := l.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.cmd.Process.Kill() })
	return l
}

// end waits for the end of the process and enters the flows that it has read. A message that it had
// not read to its end does not count.
func (l *life) end(seen map[uint32]int) {
	l.t.Helper()
	l.cmd.Wait()
	if l.err.Len() > 0 {
		l.t.Errorf("collector: %s", &l.err)
	}
	s := newSession()
	s.stored = true
	for {
		msg, err := readMessage(&l.out)
		if err != nil {
			return
		}
		for _, r := range s.must(l.t, msg) {
			seen[uint32(r.uint(21373, 4))]++
		}
	}
}

// TestCollectorKilled: of 20,000 flows each arrives in one of six lives of the collector, which is
// away for a second in between; with ULOGD_STORMS set, of 200,000, and for a minute.
func TestCollectorKilled(t *testing.T) {
	nstest.Need(t, "native") // the collector is this program, started anew
	flows, up, down := 20000, 300*time.Millisecond, time.Second
	if os.Getenv("ULOGD_STORMS") != "" {
		flows, up, down = 200000, 5*time.Second, time.Minute
	}
	for _, proto := range []string{"tcp", "tls"} {
		t.Run(proto, func(t *testing.T) {
			t.Parallel()
			c := closedPort(t)
			set, env := []string{"host", c.addr, "reconnect_interval", "200ms", "flush_interval", "20ms"}, []string{collectorListen + "=" + c.addr}
			if proto == "tls" {
				a := newAuthority(t)
				key, der := a.sign(&x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
				raw, err := x509.MarshalPKCS8PrivateKey(key)
				if err != nil {
					t.Fatal(err)
				}
				set = append(set, a.client("tls", a)...)
				env = append(env, collectorCert+"="+a.write("CERTIFICATE", der), collectorKey+"="+a.write("PRIVATE KEY", raw))
			}
			r := start(t, &feed{asct: true}, set...)
			fed := make(chan struct{})
			go func() {
				defer close(fed)
				const batch = 250
				for i := 0; i < flows; i += batch {
					r.feed.rows <- numbered(i, batch)
					time.Sleep(5 * (up + down) / time.Duration(flows/batch))
				}
			}()
			seen := map[uint32]int{}
			for range 5 {
				l := beginLife(t, env...)
				select {
				case <-l.begun:
				case <-time.After(20 * time.Second):
					t.Fatal("the collector gets nothing")
				}
				time.Sleep(up)
				l.cmd.Process.Kill()
				time.Sleep(down)
				l.end(seen)
			}
			last := beginLife(t, env...)
			<-fed
			r.end()
			last.end(seen)
			if len(seen) != flows {
				t.Errorf("%d flows of %d arrived", len(seen), flows)
			}
			r.nothingDropped()
			again := 0
			for _, n := range seen {
				again += n - 1
			}
			t.Logf("%d flows arrived again, %d were sent again, in %d sessions", again, r.count("resent"), r.count("sessions"))
		})
	}
}

// DTLS, against OpenSSL's server: what it decrypts goes to the strict decoder.

package ipfix

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/pion/dtls/v3"

	"ulogd/test/nstest"
)

// sServer is `openssl s_server`, a collector that wants a certificate and writes what it decrypts
// to its standard output.
type sServer struct {
	t             testing.TB
	address, port string
	args          []string
	cmd           *exec.Cmd
	stdin         io.WriteCloser
	out           io.ReadCloser
	ended         chan error
	log           transcript
	within        *nstest.NS // nil: where the test is
}

// dtls prepares a collector at the loopback address that shows such a certificate of this authority
// and wants one of it.
func (a *authority) dtls(t testing.TB, c *x509.Certificate) *sServer {
	t.Helper()
	return a.sServer(t, "-dtls1_2", "127.0.0.1", strconv.Itoa(nstest.FreePort(t)), c)
}

// sServer prepares one; version is the option for its protocol.
func (a *authority) sServer(t testing.TB, version, address, port string, c *x509.Certificate) *sServer {
	t.Helper()
	nstest.Need(t, "tool:openssl")
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	cert, key := a.files(c)
	s := &sServer{t: t, address: address, port: port, args: []string{
		"s_server", version, "-accept", address + ":" + port, "-cert", cert, "-key", key,
		"-CAfile", a.file, "-Verify", "1", "-verify_return_error",
	}}
	t.Cleanup(s.kill)
	return s
}

func (s *sServer) host() string { return s.address + ":" + s.port }

// start begins a life; -quiet leaves nothing but the data on standard output, and commands on
// standard input unread.
func (s *sServer) start(args ...string) {
	s.t.Helper()
	args = append(slices.Clone(s.args), args...)
	s.cmd = exec.Command("openssl", args...)
	if s.within != nil {
		s.cmd = s.within.Cmd("openssl", args...)
	}
	s.cmd.Stderr = &s.log
	s.stdin, _ = s.cmd.StdinPipe()
	s.out, _ = s.cmd.StdoutPipe()
	if err := s.cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.ended = make(chan error, 1)
	go func(p *os.Process, ended chan error) {
		_, err := p.Wait()
		ended <- err
	}(s.cmd.Process, s.ended)
	bound := nstest.BoundTCP
	if s.args[1] == "-dtls1_2" {
		bound = nstest.BoundUDP
	}
	ok := false
	wait := func() { ok = bound(s.port, s.ended) }
	if s.within != nil {
		s.within.Do(s.t, wait)
	} else {
		wait()
	}
	if !ok {
		s.t.Fatalf("openssl does not listen: %s", s.log.String())
	}
}

// kill ends it without a word to its peer.
func (s *sServer) kill() {
	if s.cmd == nil {
		return
	}
	s.cmd.Process.Kill()
	<-s.ended
	s.stdin.Close()
	s.out.Close()
	s.cmd = nil
}

func loopbackCertificate() *x509.Certificate {
	return &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
}

func TestDTLS(t *testing.T) {
	for _, c := range []struct {
		name string
		cert *x509.Certificate
		set  []string
	}{
		{"by address", loopbackCertificate(), nil},
		{"by a name asked for", &x509.Certificate{DNSNames: []string{"collector.example"}}, []string{"tls_peer_names", "other.example,collector.example"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := newAuthority(t)
			s := a.dtls(t, c.cert)
			s.start("-quiet")
			r := start(t, &feed{asct: true}, append(append(a.client("dtls", a), "host", s.host(), "flush_interval", "20ms"), c.set...)...)
			seen := map[uint32]int{}
			decoder := newSession()
			for i := range 8 { // no more at a time than the collector's socket holds
				r.give(numbered(i*250, 250)...)
				for mark, n := range decoder.read(t, s.out, 250) {
					seen[mark] += n
				}
			}
			r.end()
			if len(seen) != 2000 {
				t.Errorf("%d flows arrived, want 2000", len(seen))
			}
		})
	}
}

// TestDTLSRefused wants nothing to be sent to a collector that does not prove who it is, or to
// which we do not.
func TestDTLSRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		cert *x509.Certificate
		set  func(a, other *authority) []string
	}{
		{"another authority's collector", loopbackCertificate(), func(a, other *authority) []string { return a.client("dtls", other) }},
		{"another address's collector", &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 9)}}, func(a, _ *authority) []string { return a.client("dtls", a) }},
		{"another name's collector", &x509.Certificate{DNSNames: []string{"collector.example"}}, func(a, _ *authority) []string {
			return append(a.client("dtls", a), "tls_peer_names", "other.example")
		}},
		{"an expired certificate", &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(-time.Hour)}, func(a, _ *authority) []string {
			return a.client("dtls", a)
		}},
		{"a certificate of ours that the collector does not trust", loopbackCertificate(), func(a, other *authority) []string { return other.client("dtls", a) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, other := newAuthority(t), newAuthority(t)
			s := a.dtls(t, c.cert)
			s.start("-quiet")
			r := start(t, &feed{asct: true}, append(c.set(a, other), "host", s.host(), "flush_interval", "20ms", "reconnect_interval", "50ms")...)
			r.give(numbered(0, 10)...)
			for end := time.Now().Add(10 * time.Second); !strings.Contains(s.log.String(), "alert") && !strings.Contains(s.log.String(), "verify"); time.Sleep(5 * time.Millisecond) {
				if time.Now().After(end) {
					t.Fatalf("the collector tells of no refusal: %q", s.log.String())
				}
			}
			r.m.Stop(100 * time.Millisecond)
			r.m.Wait()
			r.m = nil
			r.balanced()
			if n := r.stats().Drop("collector_away", "").Load(); n != 10 {
				t.Errorf("%d records were given up, want all 10", n)
			}
			out := s.out
			go s.cmd.Process.Kill()
			if data, _ := io.ReadAll(out); len(data) > 0 {
				t.Errorf("the collector got %d octets", len(data))
			}
		})
	}
}

// TestDTLSCollectorThatDies kills a collector while the exporter goes on: what comes later is read
// by the next, which learns the templates anew.
func TestDTLSCollectorThatDies(t *testing.T) {
	a := newAuthority(t)
	s := a.dtls(t, loopbackCertificate())
	s.start("-quiet")
	r := start(t, &feed{asct: true}, append(a.client("dtls", a), "host", s.host(), "flush_interval", "20ms", "reconnect_interval", "50ms")...)
	r.give(numbered(0, 10)...)
	newSession().read(t, s.out, 10)
	s.kill()
	n := 10
	for ; r.stats().Held.Load() < 20; n++ { // what leaves before the refusal arrives is lost, as with UDP
		r.give(numbered(n, 1)...)
		time.Sleep(10 * time.Millisecond)
	}
	s.start("-quiet")
	if seen := newSession().read(t, s.out, 20); seen[uint32(n-1)] != 1 {
		t.Errorf("the last of %d flows did not come with the %d others", n, len(seen))
	}
	r.end()
}

// listenDTLS is a collector that does what OpenSSL's server does not: it says close_notify, and
// tells who has come.
func (a *authority) listenDTLS(t testing.TB) net.Listener {
	t.Helper()
	c := loopbackCertificate()
	c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	key, der := a.sign(c)
	l, err := dtls.ListenWithOptions("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)},
		dtls.WithCertificates(tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}),
		dtls.WithClientAuth(dtls.RequireAndVerifyClientCert), dtls.WithClientCAs(a.pool))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// TestDTLSCollectorThatCloses has a collector end each session as soon as it is up, while nothing
// is sent: only its close_notify can tell the exporter, which connects again.
func TestDTLSCollectorThatCloses(t *testing.T) {
	a := newAuthority(t)
	l := a.listenDTLS(t)
	r := start(t, &feed{asct: true}, append(a.client("dtls", a), "host", l.Addr().String(), "flush_interval", "10ms", "reconnect_interval", "50ms")...)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				conn.(*dtls.Conn).HandshakeContext(t.Context()) // one that fails is tried again
				conn.Close()
			}()
		}
	}()
	for r.stats().Counter("sessions", "").Load() < 3 {
		time.Sleep(5 * time.Millisecond)
	}
	r.stop()
}

// TestDTLSRenews kills a collector while nothing is sent, so that no refusal tells of it, and has
// the next one at the same port know nothing of the session.
func TestDTLSRenews(t *testing.T) {
	a := newAuthority(t)
	s := a.dtls(t, loopbackCertificate())
	s.start("-quiet")
	r := start(t, &feed{asct: true}, append(a.client("dtls", a), "host", s.host(), "flush_interval", "10ms", "dtls_renew", "300ms", "reconnect_interval", "100ms")...)
	r.give(numbered(0, 10)...)
	newSession().read(t, s.out, 10)
	s.kill()
	s.start("-quiet")
	for r.stats().Counter("sessions", "").Load() < 2 {
		time.Sleep(10 * time.Millisecond)
	}
	r.give(numbered(10, 10)...)
	newSession().read(t, s.out, 10)
	r.end()
}

// TestDTLSOnTheWire looks at the packets of a path with an MTU of 1500: none is longer, and tshark,
// given the keys, decrypts what openssl did.
func TestDTLSOnTheWire(t *testing.T) {
	nstest.Need(t, "root", "tool:openssl", "tool:tcpdump", "tool:tshark")
	a, ns, dir := newAuthority(t), nstest.New(t), t.TempDir()
	ns.Run(t, "ip link set lo mtu 1500")
	file := func(name string) string { return filepath.Join(dir, name) }
	tcpdump := ns.Start(t, "tcpdump -i lo -U --immediate-mode -Z root -B 65536 -w "+file("capture"), "udp")
	tcpdump.WaitOutput("listening on", time.Minute)
	s := a.sServer(t, "-dtls1_2", "127.0.0.1", "4740", loopbackCertificate())
	s.within = ns
	s.start("-quiet", "-keylogfile", file("keys"))
	cert, key := a.files(&x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	config := file("ulogd.toml")
	if err := os.WriteFile(config, fmt.Appendf(nil, `
[global]
stack = "flows:GEN,out:IPFIX"
[flows]
count = 2000
rate = 4000
[out]
host = "127.0.0.1"
proto = "dtls"
tls_cert = %q
tls_key = %q
tls_ca = %q
flush_interval = 0.1
`, cert, key, a.file), 0o600); err != nil {
		t.Fatal(err)
	}
	d := ns.Start(t, built.Path(t)+" -v -l 3 -c "+config)
	decoder, records := newSession(), 0
	for records < 4000 { // a record each way
		msg, err := readMessage(s.out)
		if err != nil {
			t.Fatal(err)
		}
		records += len(decoder.must(t, msg))
	}
	d.Wait(time.Minute)
	nstest.Unchanged(t, file("capture"))
	tcpdump.Stop(os.Interrupt)

	tshark := func(args ...string) string {
		out, err := exec.Command("tshark", append([]string{"-r", file("capture"), "-o", "tls.keylog_file:" + file("keys"), "-d", "udp.port==4740,dtls"}, args...)...).Output()
		if err != nil {
			t.Fatalf("tshark: %v", err)
		}
		return string(out)
	}
	longest := 0
	for line := range strings.Lines(tshark("-T", "fields", "-e", "ip.len")) {
		n, _ := strconv.Atoi(strings.TrimSpace(line))
		longest = max(longest, n)
	}
	if longest > 1500 || longest < 1400 {
		t.Errorf("the longest packet has %d octets, want 1500 or little less", longest)
	}
	// Each message begins with version 10 and its length, in the first line of what was decrypted.
	messages := regexp.MustCompile(`(?m)^Decrypted DTLS \(\d+ bytes\):\n0000  00 0a `).FindAllString(tshark("-x"), -1)
	sealed := strings.Count(tshark("-Y", "dtls.record.content_type == 23"), "\n") // application data
	if len(messages) != sealed || sealed == 0 {
		t.Errorf("tshark decrypts %d messages of %d; the collector got %d", len(messages), sealed, decoder.messages)
	}
}

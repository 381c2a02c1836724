package syslog

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ulogd/test/stacktest"
)

const (
	line  = "IN:  IN=eth0 OUT= MAC=02:00:00:00:00:01:02:00:00:00:00:02:08:00 SRC=10.77.0.2 DST=10.77.0.1 LEN=48 TOS=00 PREC=0x00 TTL=64 ID=10760 DF PROTO=UDP SPT=44866 DPT=9 LEN=28 MARK=0x2a \n"
	clock = 1795226788_900000000 // Nov 21 02:06:28 UTC 2026
)

var packet = stacktest.Record{{Name: "print", Value: line}, {Name: "oob.time", Value: "1795226788012345678"}}

func start(t *testing.T, options map[string]string) *stacktest.Fixture {
	t.Helper()
	return stacktest.Setup{Output: "SYSLOG", Options: options, Shape: []stacktest.Record{packet}, Clock: clock}.Start(t)
}

// local returns what the local log's socket gets.
func local(t *testing.T, rec stacktest.Record, options map[string]string) string {
	t.Helper()
	stacktest.Zone(t, "UTC")
	path := filepath.Join(t.TempDir(), "log")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	options["socket"] = path
	st := start(t, options)
	st.Send(rec)
	l.SetReadDeadline(time.Now().Add(20 * time.Second))
	buf := make([]byte, 2000)
	n, err := l.Read(buf)
	if err != nil {
		t.Fatal(err)
	}
	st.End()
	return string(buf[:n])
}

// The datagrams that ulogd2 2.0.8 sent through syslog(3).
func TestDatagramsOfULOGD2(t *testing.T) {
	want := fmt.Sprintf("<149>Nov 21 02:06:28 ulogd[%d]: %s", os.Getpid(), line)
	if got := local(t, packet, map[string]string{"facility": "LOG_LOCAL2"}); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	want = fmt.Sprintf("<31>Nov 21 02:06:28 ulogd[%d]: %s", os.Getpid(), line)
	if got := local(t, packet, map[string]string{"level": "LOG_DEBUG"}); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestTimeFormat: the local log's lines can say year and zone. RFC 5424 does so by itself, and has no
// other form.
func TestTimeFormat(t *testing.T) {
	for format, want := range map[string]string{
		"rfc3164": "Nov 21 02:06:28", "iso8601": "2026-11-21T02:06:28Z",
		"unix": "1795226788",
	} {
		want = fmt.Sprintf("<29>%s ulogd[%d]: %s", want, os.Getpid(), line)
		if got := local(t, packet, map[string]string{"time_format": format}); got != want {
			t.Errorf("%s: got %q, want %q", format, got, want)
		}
	}
}

// TestLogThatRestarts: messages that come while nobody has the socket wait, and arrive where it is
// next.
func TestLogThatRestarts(t *testing.T) {
	stacktest.Zone(t, "UTC")
	path := filepath.Join(t.TempDir(), "log")
	st := start(t, map[string]string{"socket": path})
	sent := 0
	for range 3 {
		for range 50 {
			st.Send(packet.With("print", fmt.Sprintf("message %d\n", sent)))
			sent++
		}
		l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		l.SetReadDeadline(time.Now().Add(20 * time.Second))
		for n := sent - 50; n < sent; n++ {
			buf := make([]byte, 2000)
			got, err := l.Read(buf)
			if want := fmt.Sprintf(": message %d\n", n); !strings.HasSuffix(string(buf[:got]), want) {
				t.Fatalf("got %q, %v; want the end %q", buf[:got], err, want)
			}
		}
		l.Close()
		os.Remove(path)
	}
	st.End()
	if s := st.Stats(); s.Out != int64(sent) || s.Dropped != 0 {
		t.Errorf("%+v", s)
	}
}

func TestForgedMessage(t *testing.T) {
	got := local(t, packet.With("print", "a\n<0>Nov 21 02:06:28 root: forged\n"), map[string]string{})
	if want := `: a\x0a<0>Nov 21 02:06:28 root: forged` + "\n"; !strings.HasSuffix(got, want) {
		t.Errorf("got %q, want the end %q", got, want)
	}
}

// wanted is the message in the form of RFC 5424.
func wanted(t *testing.T, priority int) string {
	t.Helper()
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("<%d>1 2026-11-21T02:06:28.012345Z %s ulogd %d - - %s", priority, host, os.Getpid(), strings.TrimSuffix(line, "\n"))
}

func TestUDP(t *testing.T) {
	stacktest.Zone(t, "UTC")
	l, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	host, port, _ := net.SplitHostPort(l.LocalAddr().String())
	st := start(t, map[string]string{"transport": "udp", "host": host, "port": port, "level": "LOG_ERR"})
	st.Send(packet)
	l.SetReadDeadline(time.Now().Add(20 * time.Second))
	buf := make([]byte, 2000)
	n, _, err := l.ReadFrom(buf)
	if want := wanted(t, 27); string(buf[:n]) != want {
		t.Errorf("got %q, %v; want %q", buf[:n], err, want)
	}
	st.End()
}

// wantCounted reads two messages that are preceded by their lengths.
func wantCounted(t *testing.T, c net.Conn) {
	t.Helper()
	c.SetReadDeadline(time.Now().Add(20 * time.Second))
	r := bufio.NewReader(c)
	for range 2 {
		var n int
		if _, err := fmt.Fscanf(r, "%d", &n); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, n+1)
		_, err := io.ReadFull(r, buf)
		if want := " " + wanted(t, 29); string(buf) != want {
			t.Fatalf("got %q, %v; want %q", buf, err, want)
		}
	}
}

func TestTCP(t *testing.T) {
	stacktest.Zone(t, "UTC")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	host, port, _ := net.SplitHostPort(l.Addr().String())
	st := start(t, map[string]string{"transport": "tcp", "host": host, "port": port})
	st.Send(packet, packet)
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	wantCounted(t, c)
	st.End()
}

// certificate makes a self-signed certificate for log.example.org, and a file with it.
func certificate(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "log.example.org"}, DNSNames: []string{"log.example.org"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, path
}

func TestTLS(t *testing.T) {
	stacktest.Zone(t, "UTC")
	cert, ca := certificate(t)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	host, port, _ := net.SplitHostPort(l.Addr().String())
	st := start(t, map[string]string{"transport": "tls", "host": host, "port": port, "ca_file": ca, "server_name": "log.example.org"})
	st.Send(packet, packet)
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	wantCounted(t, c)
	st.End()
}

// A server with another name gets nothing.
func TestTLSWrongName(t *testing.T) {
	cert, ca := certificate(t)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for c, err := l.Accept(); err == nil; c, err = l.Accept() {
			c.(*tls.Conn).Handshake()
			c.Close()
		}
	}()
	defer l.Close()
	host, port, _ := net.SplitHostPort(l.Addr().String())
	st := start(t, map[string]string{"transport": "tls", "host": host, "port": port, "ca_file": ca})
	st.Send(packet)
	st.Eventually("the record to be taken", func() bool { return st.Stats().In == 1 })
	st.Eventually("a complaint about the certificate", func() bool { return strings.Contains(st.Log.String(), "certificate") })
	st.Machine.Stop(10 * time.Millisecond)
	st.End()
	if s := st.Stats(); s.Out != 0 || s.Dropped != 1 {
		t.Errorf("%+v", s)
	}
}

// TestIdent: messages are said to be from the program that ident names, in both forms.
func TestIdent(t *testing.T) {
	if got := local(t, packet, map[string]string{"ident": "fw-edge"}); !strings.Contains(got,
		fmt.Sprintf(" fw-edge[%d]: ", os.Getpid())) {
		t.Errorf("got %q", got)
	}
	l, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	host, port, _ := net.SplitHostPort(l.LocalAddr().String())
	st := start(t, map[string]string{"transport": "udp", "host": host, "port": port, "ident": "fw-edge"})
	st.Send(packet)
	l.SetReadDeadline(time.Now().Add(20 * time.Second))
	buf := make([]byte, 2000)
	n, _, err := l.ReadFrom(buf)
	if f := strings.Fields(string(buf[:n])); err != nil || len(f) < 5 || f[3] != "fw-edge" ||
		f[4] != fmt.Sprint(os.Getpid()) {
		t.Errorf("got %q, %v", buf[:n], err)
	}
	st.End()
}

func TestRefusals(t *testing.T) {
	for _, c := range []struct{ option, value, with string }{
		{"ident", "", "ident: must have 1 to 48"},
		{"ident", "a b", "is \"a b\""},
		{"ident", "x[1]", "brackets"},
		{"ttl", "3", "ttl: transport = local sends nothing to another machine"},
		{"facility", "LOG_MAIL", "LOG_LOCAL7"},
		{"level", "LOUD", "LOG_DEBUG"},
		{"transport", "udp", "host"},
	} {
		got := stacktest.Setup{Output: "SYSLOG", Options: map[string]string{c.option: c.value}, Shape: []stacktest.Record{packet}}.Refusal(t)
		if !strings.Contains(got, c.with) {
			t.Errorf("%s=%s: refusal %q does not name %s", c.option, c.value, got, c.with)
		}
	}
}

func BenchmarkSYSLOG(b *testing.B) {
	l, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	host, port, _ := net.SplitHostPort(l.LocalAddr().String())
	stacktest.Setup{Output: "SYSLOG", Options: map[string]string{"transport": "udp", "host": host, "port": port}, Shape: []stacktest.Record{packet}}.Bench(b)
}

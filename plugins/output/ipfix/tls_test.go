package ipfix

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"ulogd/engine"
)

// authority signs certificates for a test.
type authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pool *x509.CertPool
	file string
}

func newAuthority(t testing.TB) *authority {
	t.Helper()
	a := &authority{t: t, pool: x509.NewCertPool()}
	var der []byte
	a.key, der = a.sign(&x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	a.cert, _ = x509.ParseCertificate(der)
	a.pool.AddCert(a.cert)
	a.file = a.write("CERTIFICATE", der)
	return a
}

func (a *authority) sign(c *x509.Certificate) (*ecdsa.PrivateKey, []byte) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	c.SerialNumber = big.NewInt(time.Now().UnixNano())
	if c.Subject.CommonName == "" {
		c.Subject.CommonName = "test"
	}
	if c.IsCA { // a certificate with its issuer's name would pass for one that signed itself
		c.Subject.CommonName = "test authority"
	}
	if c.NotAfter.IsZero() {
		c.NotAfter = time.Now().Add(time.Hour)
	}
	c.NotBefore = time.Now().Add(-2 * time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	return key, der
}

func (a *authority) write(kind string, der []byte) string {
	a.t.Helper()
	f, err := os.CreateTemp(a.t.TempDir(), "*.pem")
	if err != nil {
		a.t.Fatal(err)
	}
	pem.Encode(f, &pem.Block{Type: kind, Bytes: der})
	f.Close()
	return filepath.Clean(f.Name())
}

// files signs a certificate and returns where it and its key are.
func (a *authority) files(c *x509.Certificate) (cert, key string) {
	a.t.Helper()
	private, der := a.sign(c)
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		a.t.Fatal(err)
	}
	return a.write("CERTIFICATE", der), a.write("PRIVATE KEY", raw)
}

// client makes the options of an exporter with a certificate of this authority.
func (a *authority) client(proto string, trust *authority) []string {
	cert, key := a.files(&x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	return []string{"proto", proto, "tls_cert", cert, "tls_key", key, "tls_ca", trust.file}
}

// listen is a collector that shows a certificate of these names and wants one of this authority.
func (a *authority) listen(t testing.TB, version uint16, names []string, ips ...net.IP) *collectTCP {
	t.Helper()
	key, der := a.sign(&x509.Certificate{DNSNames: names, IPAddresses: ips, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}})
	c := listenTCP(t)
	c.tls = &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, ClientAuth: tls.RequireAndVerifyClientCert,
		ClientCAs: a.pool, MinVersion: version, MaxVersion: version,
	}
	return c
}

func TestTLS(t *testing.T) {
	loopback := net.IPv4(127, 0, 0, 1)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		t.Run(tls.VersionName(version), func(t *testing.T) {
			a := newAuthority(t)
			c := a.listen(t, version, nil, loopback)
			r := start(t, &feed{asct: true}, append(a.client("tls", a), "host", c.addr, "flush_interval", "20ms")...)
			conn := c.accept()
			go r.give(numbered(0, 5000)...)
			seen := newSession().read(t, conn, 5000)
			go io.Copy(io.Discard, conn)
			r.end()
			if len(seen) != 5000 {
				t.Errorf("%d flows arrived, want 5000", len(seen))
			}
		})
	}
	t.Run("name asked for", func(t *testing.T) {
		a := newAuthority(t)
		c := a.listen(t, tls.VersionTLS13, []string{"collector.example"})
		r := start(t, &feed{asct: true}, append(a.client("tls", a), "host", c.addr, "tls_peer_names", "other.example,collector.example", "flush_interval", "20ms")...)
		conn := c.accept()
		r.give(numbered(0, 10)...)
		newSession().read(t, conn, 10)
		r.end()
	})
	for _, bad := range []struct {
		name string
		set  func(a, other *authority) []string
		ips  []net.IP
	}{
		{"another authority's collector", func(a, other *authority) []string { return a.client("tls", other) }, []net.IP{loopback}},
		{"another name's collector", func(a, _ *authority) []string { return a.client("tls", a) }, []net.IP{net.IPv4(127, 0, 0, 9)}},
		{"a certificate that the collector does not trust", func(a, other *authority) []string { return other.client("tls", a) }, []net.IP{loopback}},
	} {
		t.Run(bad.name, func(t *testing.T) {
			a, other := newAuthority(t), newAuthority(t)
			c := a.listen(t, tls.VersionTLS12, nil, bad.ips...)
			r := start(t, &feed{asct: true}, append(bad.set(a, other), "host", c.addr, "flush_interval", "20ms")...)
			go func() {
				if conn, err := c.l.Accept(); err == nil {
					s := tls.Server(conn, c.tls)
					if n, err := s.Read(make([]byte, 1)); n > 0 {
						t.Errorf("the collector got data (%v)", err)
					}
					conn.Close()
				}
			}()
			r.give(numbered(0, 10)...)
			time.Sleep(200 * time.Millisecond)
			r.m.Stop(100 * time.Millisecond)
			r.m.Wait()
			r.m = nil
			if n := r.stats().Drop("collector_away", "").Load(); n != 10 {
				t.Errorf("%d records were given up, want all 10", n)
			}
		})
	}
}

func TestTLSCollectorThatDies(t *testing.T) {
	a := newAuthority(t)
	c := a.listen(t, tls.VersionTLS13, nil, net.IPv4(127, 0, 0, 1))
	r := start(t, &feed{asct: true}, append(a.client("tls", a), "host", c.addr, "reconnect_interval", "50ms", "flush_interval", "20ms")...)
	dying(t, c, r)
}

// TestDoctorOnCertificates wants the doctor to see what would keep every session from coming up.
func TestDoctorOnCertificates(t *testing.T) {
	a := newAuthority(t)
	old, oldKey := a.files(&x509.Certificate{NotAfter: time.Now().Add(-time.Minute)})
	good, goodKey := a.files(&x509.Certificate{})
	for _, c := range []struct{ cert, key, ca, want string }{
		{good, goodKey, a.file, ""},
		{old, oldKey, a.file, "has expired"},
		{good, oldKey, a.file, "does not match"},
		{good, goodKey, good + ".none", "no such file"},
		{good, goodKey, goodKey, "holds no certificate"},
	} {
		r := build(t, &feed{asct: true}, "host", "127.0.0.1", "proto", "dtls", "tls_cert", c.cert, "tls_key", c.key, "tls_ca", c.ca)
		d := &engine.DoctorReport{}
		r.m.Doctor(d)
		f := d.Findings()
		if c.want == "" && len(f) > 0 || c.want != "" && (len(f) != 1 || !strings.Contains(f[0].What, c.want)) {
			t.Errorf("want %q, the doctor finds %+v", c.want, f)
		}
	}
}

package cmd_test

import (
	"bytes"
	"context"
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
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"ulogd/test/nstest"
)

const testToken = "correct-horse-battery"

// served is a daemon with a listener, and a client that follows no redirection.
type served struct {
	t      *testing.T
	p      *running
	base   string
	config string
	client *http.Client
}

// serve starts a daemon with a listener on a port of loopback. more are lines of [global], in which
// DIR is a directory of the test's.
func serve(t *testing.T, scheme, more string) *served {
	t.Helper()
	dir := t.TempDir()
	address := fmt.Sprint("127.0.0.1:", nstest.FreePort(t))
	if err := os.WriteFile(dir+"/token", []byte(testToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &served{t: t, base: scheme + "://" + address, client: &http.Client{
		Timeout:       10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	s.config = conf(t, "[global]\nhttp = \""+address+"\"\n"+strings.ReplaceAll(more, "DIR", dir))
	s.p = start(t, "-c", s.config).up()
	return s
}

// ask sends a request and returns the answer with its body.
func (s *served) ask(method, path, body string, headers ...string) (*http.Response, string) {
	s.t.Helper()
	r, err := http.NewRequest(method, s.base+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	a, err := s.client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return a, string(text)
}

func (s *served) wants(status int, method, path string, headers ...string) string {
	s.t.Helper()
	a, text := s.ask(method, path, "", headers...)
	if a.StatusCode != status {
		s.t.Errorf("%s %s %q: %s, want %d: %s", method, path, headers, a.Status, status, text)
	}
	return text
}

// login types a token, and returns the cookie.
func (s *served) login(token string) (status int, cookie *http.Cookie) {
	s.t.Helper()
	a, _ := s.ask("POST", "/login", url.Values{"token": {token}}.Encode(), "Content-Type",
		"application/x-www-form-urlencoded")
	for _, c := range a.Cookies() {
		return a.StatusCode, c
	}
	return a.StatusCode, nil
}

func TestPageNeedsTheToken(t *testing.T) {
	s := serve(t, "http", "http_token_file = \"DIR/token\"")
	for _, path := range []string{"/healthz", "/readyz"} {
		if text := s.wants(200, "GET", path); text != "ok\n" {
			t.Errorf("%s: %q", path, text)
		}
	}
	if text := s.wants(200, "GET", "/metrics"); !strings.Contains(text, `ulogd_records_made_total{id="g",kind="input",plugin="GEN"}`) {
		t.Errorf("the metrics:\n%.2000s", text)
	}
	closed := []string{
		"/api/about", "/api/events", "/api/series", "/api/doctor", "/api/log", "/api/manual/input/GEN",
		"/assets/index.html",
	}
	for _, path := range closed {
		s.wants(401, "GET", path)
		s.wants(401, "GET", path, "Authorization", "Bearer "+testToken+"x")
		s.wants(401, "GET", path, "Cookie", "ulogd=AAAA")
		if strings.HasPrefix(path, "/api/e") {
			continue // it does not end
		}
		s.wants(200, "GET", path, "Authorization", "Bearer "+testToken)
	}
	for _, path := range []string{"/api/flows?sort=octets&limit=1", "/api/talkers?window=1s"} { // who talks to whom
		s.wants(401, "GET", path)
		s.wants(503, "GET", path, "Authorization", "Bearer "+testToken) // nobody holds flows here
	}
	if a, _ := s.ask("GET", "/", ""); a.StatusCode != 303 || a.Header.Get("Location") != "/login" {
		t.Errorf("without a token / is answered by %s", a.Status)
	}
	a, text := s.ask("GET", "/login", "")
	policy := a.Header.Get("Content-Security-Policy")
	if a.StatusCode != 200 || !strings.Contains(text, `type="password"`) || !strings.Contains(policy, "default-src 'none'") ||
		strings.Contains(policy, "unsafe") || !strings.Contains(policy, "frame-ancestors 'none'") ||
		a.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("the login: %s, %v", a.Status, a.Header)
	}
	status, c := s.login(testToken)
	if status != 303 || c == nil || !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || c.Path != "/" ||
		c.MaxAge <= 0 {
		t.Fatalf("the login answers %d, %v", status, c)
	}
	for _, path := range append(closed, "/") {
		if path != "/api/events" {
			s.wants(200, "GET", path, "Cookie", c.Name+"="+c.Value)
		}
	}
	for _, method := range []string{"POST", "PUT", "DELETE"} {
		s.wants(405, method, "/api/about", "Cookie", c.Name+"="+c.Value)
	}
	s.wants(404, "GET", "/nothing", "Cookie", c.Name+"="+c.Value)
	s.wants(404, "GET", "/assets/..%2fpage.go", "Cookie", c.Name+"="+c.Value)
}

// Another site's page may have its own name point to 127.0.0.1 and ask the daemon by it.
func TestNamesOfOthersAreRefused(t *testing.T) {
	s := serve(t, "http", "http_token_file = \"DIR/token\"")
	for _, host := range []string{
		"evil.example", "evil.example:9477", "localhost.evil.example",
		"127.0.0.1.evil.example", "",
	} {
		if host != "" {
			s.wants(421, "GET", "/metrics", "Host", host)
		}
		s.wants(421, "GET", "/healthz", "Host", "x"+host)
	}
	for _, host := range []string{"localhost", "localhost:9477", "127.0.0.1", "[::1]:80", "192.0.2.1:1"} {
		s.wants(200, "GET", "/healthz", "Host", host)
	}
	// Nor may it have a browser log in.
	a, _ := s.ask("POST", "/login", "token="+testToken, "Content-Type", "application/x-www-form-urlencoded",
		"Sec-Fetch-Site", "cross-site", "Origin", "http://evil.example")
	if a.StatusCode != 403 || len(a.Cookies()) > 0 {
		t.Errorf("a login from another site: %s", a.Status)
	}
}

func TestLoginIsRateLimited(t *testing.T) {
	s := serve(t, "http", "http_token_file = \"DIR/token\"")
	late := 0
	for range 20 {
		if status, c := s.login("wrong-wrong-wrong-wrong"); c != nil || status != 403 && status != 429 {
			t.Fatalf("a wrong token is answered by %d, %v", status, c)
		} else if status == 429 {
			late++
		}
	}
	if late < 10 {
		t.Errorf("%d of 20 wrong tokens at once came too soon", late)
	}
	if status, c := s.login(testToken); status != 429 || c != nil {
		t.Errorf("then even the right one is answered by %d", status)
	}
	s.wants(429, "GET", "/api/about", "Authorization", "Bearer "+testToken)
	s.wants(200, "GET", "/metrics")
	s.p.logs("somebody has typed a wrong token")
}

func TestPageCommand(t *testing.T) {
	s := serve(t, "http", "http_token_file = \"DIR/token\"")
	r := ulogd(t, "page", "-c", s.config).exits(0)
	path, ok := strings.CutPrefix(strings.TrimSpace(r.stdout), s.base)
	if !ok || !strings.HasPrefix(path, "/login?key=") {
		t.Fatalf("it prints %q", r.stdout)
	}
	a, _ := s.ask("GET", path, "")
	if a.StatusCode != 303 || len(a.Cookies()) != 1 {
		t.Fatalf("the address: %s, %v", a.Status, a.Cookies())
	}
	c := a.Cookies()[0]
	s.wants(200, "GET", "/api/about", "Cookie", c.Name+"="+c.Value)
	if a, _ := s.ask("GET", path, ""); a.StatusCode != 403 || len(a.Cookies()) > 0 {
		t.Errorf("the same address once more: %s", a.Status)
	}
	ulogd(t, "page", "-c", conf(t, "")).exits(1).says("has no HTTP listener; set http = ")
}

// A token file that is not there is made; one that is good for nothing is refused, as is a listener
// that all users of the host could ask.
func TestTokenFiles(t *testing.T) {
	s := serve(t, "http", "http_token_file = \"DIR/made\"")
	m := regexp.MustCompile(`http_token_file = "(.*)"`).FindStringSubmatch(read(t, s.config))
	fi, err := os.Stat(m[1])
	if err != nil || fi.Mode().Perm() != 0o600 || len(strings.TrimSpace(read(t, m[1]))) < 24 {
		t.Fatalf("%v, %v: %q", err, fi, read(t, m[1]))
	}
	ulogd(t, "page", "-c", s.config).exits(0).says("/login?key=")
	for text, want := range map[string]string{
		"short\n": "at least 16 characters", "\n": "at least 16",
		"two lines of text\nand more": "one line",
	} {
		path := conf(t, fmt.Sprintf("[global]\nhttp = \"127.0.0.1:0\"\nhttp_token_file = %q", file(t, "token", text)))
		ulogd(t, "-c", path).exits(1).says("http_token_file", want)
	}
	ulogd(t, "-c", conf(t, "[global]\nhttp = \"127.0.0.1:0\"")).exits(1).says("other users of this host could read the " +
		"flows: set http_token_file")
	taken := strings.TrimPrefix(s.base, "http://")
	ulogd(t, "-c", conf(t, "[global]\nhttp = \""+taken+"\"\nhttp_token_file = "+
		"\""+m[1]+"\"")).exits(1).says("http: listen tcp "+taken, "address already in use")
	// SIGHUP reads it again, and whoever has come in by the old one has to come again.
	_, c := s.login(strings.TrimSpace(read(t, m[1])))
	s.wants(200, "GET", "/api/about", "Cookie", c.Name+"="+c.Value)
	if err := os.WriteFile(m[1], []byte("another-token-of-mine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.p.signal(syscall.SIGHUP)
	eventually(t, func() error {
		time.Sleep(time.Second) // tries are bounded
		if a, _ := s.ask("GET", "/api/about", "", "Authorization", "Bearer another-token-of-mine"); a.StatusCode != 200 {
			return fmt.Errorf("the new token: %s", a.Status)
		}
		return nil
	})
	s.wants(401, "GET", "/api/about", "Cookie", c.Name+"="+c.Value)
}

// The token may be a file that root alone reads: it is read before the daemon becomes another user,
// and stays in use when it cannot be read again.
func TestTokenOfRootUnderAnotherUser(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte(testToken), 0o600); err != nil {
		t.Fatal(err)
	}
	path := conf(t, fmt.Sprintf(`[global]
http = "127.0.0.1:0"
http_token_file = %q
control = "%s/control"
`, token, dir))
	openForAll(t, dir)
	openForAll(t, filepath.Dir(path))
	p := start(t, "-u", "nobody", "-c", path).up()
	p.logs(`page are served http=\S+`)
	address := regexp.MustCompile(`served http=(127\.0\.0\.1:\d+)`).FindStringSubmatch(read(t, p.stderr))[1]
	s := &served{t: t, p: p, base: "http://" + address, client: &http.Client{}}
	for range 2 {
		s.wants(200, "GET", "/api/about", "Authorization", "Bearer "+testToken)
		p.signal(syscall.SIGHUP)
		p.logs("token cannot be read again; the old one stays in use.*permission denied.*let the daemon's user read the file")
	}
	ulogd(t, "reload", "-c", path).exits(0)
	s.wants(200, "GET", "/api/about", "Authorization", "Bearer "+testToken)
}

// overUnix asks a daemon on a unix socket.
func overUnix(t *testing.T, socket string) *served {
	return &served{t: t, base: "http://localhost", client: &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}}
}

func TestUnixSocketIsItsOwners(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "http.sock")
	config := conf(t, "[global]\nhttp = \""+socket+"\"")
	p := start(t, "-c", config).up()
	if fi, err := os.Stat(socket); err != nil || fi.Mode().Perm() != 0o600 || fi.Mode().Type() != os.ModeSocket {
		t.Fatalf("%v, %v; want a socket of mode 0600", err, fi)
	}
	s := overUnix(t, socket)
	for _, path := range []string{"/", "/api/about", "/metrics", "/healthz"} {
		s.wants(200, "GET", path)
	}
	s.wants(421, "GET", "/", "Host", "evil.example") // a page that asks through a forwarded port
	if err := os.Remove(socket); err != nil {
		t.Fatal(err)
	}
	p.logs("the socket of http had been removed, and is made again")
	overUnix(t, socket).wants(200, "GET", "/healthz")
	ulogd(t, "page", "-c", config).exits(1).says("no browser opens", "ssh -L 9477:"+socket)
	ulogd(t, "-c", config).exits(1).says("listen " + socket + ": another program answers on it")
	p.signal(syscall.SIGKILL)
	<-p.done
	again := start(t, "-c", config).up() // in place of what the crash left
	again.signal(syscall.SIGTERM)
	again.ends(0)
	if _, err := os.Stat(socket); !os.IsNotExist(err) {
		t.Errorf("the socket is left behind: %v", err)
	}
}

// authority signs certificates.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	file string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, file: filepath.Join(t.TempDir(), "ca")}
	a.cert, a.key, _ = a.sign("test authority", true)
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
	if err := os.WriteFile(a.file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *authority) sign(name string, ca bool) (*x509.Certificate, *ecdsa.PrivateKey, tls.Certificate) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	want := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour),
		IsCA:     ca, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	parent, by := a.cert, a.key
	if parent == nil {
		parent, by = want, key
	}
	raw, err := x509.CreateCertificate(rand.Reader, want, parent, &key.PublicKey, by)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(raw)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key, tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key}
}

// files writes a certificate and its key, and returns lines of [global] that name them.
func (a *authority) files(name string) string {
	a.t.Helper()
	cert, key, _ := a.sign(name, false)
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	c := file(a.t, "cert", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw})))
	k := file(a.t, "key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})))
	return "http_cert = \"" + c + "\"\nhttp_key = \"" + k + "\"\n"
}

// trusts has the client trust the authority and show certificates.
func (s *served) trusts(a *authority, show ...tls.Certificate) {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	s.client.Transport = &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool, Certificates: show}}
}

func TestClientCertificatesOpenThePage(t *testing.T) {
	ours, others := newAuthority(t), newAuthority(t)
	s := serve(t, "https", ours.files("gateway.example")+"http_client_ca = \""+ours.file+"\"\n")
	s.trusts(ours)
	s.wants(200, "GET", "/healthz")
	s.wants(200, "GET", "/healthz", "Host", "gateway.example:9477") // a name of the certificate
	s.wants(421, "GET", "/healthz", "Host", "other.example")
	s.wants(401, "GET", "/api/about")
	_, _, good := ours.sign("operator", false)
	s.trusts(ours, good)
	s.wants(200, "GET", "/api/about")
	_, _, bad := others.sign("operator", false)
	s.trusts(ours, bad)
	if a, err := s.client.Get(s.base + "/api/about"); err == nil && a.StatusCode == 200 {
		t.Error("the certificate of another authority opens the page")
	}
	plain := "http" + strings.TrimPrefix(s.base, "https")
	if a, err := http.Get(plain + "/healthz"); err == nil && a.StatusCode == 200 {
		t.Error("it answers without TLS")
	}
}

func TestTokenOverTLS(t *testing.T) {
	ours := newAuthority(t)
	s := serve(t, "https", ours.files("gateway.example")+"http_token_file = \"DIR/token\"\n")
	s.trusts(ours)
	status, c := s.login(testToken)
	if status != 303 || c == nil || !c.Secure || c.Name != "__Host-ulogd" {
		t.Fatalf("%d, %v", status, c)
	}
	s.wants(200, "GET", "/api/about", "Cookie", c.Name+"="+c.Value)
	ulogd(t, "page", "-c", s.config).exits(0).says(s.base + "/login?key=")
	ulogd(t, "-c", conf(t, "[global]\nhttp = \":0\"\nhttp_token_file = "+
		"\"/x\"")).exits(1).says("can be reached from other hosts, so it needs TLS")
}

// Beyond loopback /metrics are not free either.
func TestMetricsBeyondLoopbackNeedTheToken(t *testing.T) {
	ours := newAuthority(t)
	port := nstest.FreePort(t)
	path := conf(t, fmt.Sprintf("[global]\nhttp = \"0.0.0.0:%d\"\nhttp_token_file = %q\n%s", port,
		file(t, "token", testToken), ours.files("gateway.example")))
	start(t, "-c", path).up()
	s := &served{t: t, base: fmt.Sprintf("https://127.0.0.1:%d", port), client: &http.Client{}}
	s.trusts(ours)
	s.wants(200, "GET", "/healthz")
	s.wants(200, "GET", "/readyz")
	s.wants(401, "GET", "/metrics")
	s.wants(200, "GET", "/metrics", "Authorization", "Bearer "+testToken)
}

func TestReadinessTellsWhatIsMissing(t *testing.T) {
	dir := t.TempDir()
	// In a ulogd.conf a stack that does not work is left out, and the others run.
	text := "[global]\nloglevel=3\nhttp=" + dir + "/http.sock\ncontrol=" + dir + "/control\nstack=g:GEN,n:NULL\n" +
		`stack=g:GEN,s:SYSLOG,n:NULL
[g]
count=0
rate=100
`
	path := file(t, "x.conf", text)
	start(t, "-c", path).up()
	s := overUnix(t, dir+"/http.sock")
	s.wants(200, "GET", "/healthz")
	if text := s.wants(503, "GET", "/readyz"); !strings.Contains(text, "the stack g:GEN,s:SYSLOG,n:NULL is left out") {
		t.Errorf("/readyz: %s", text)
	}
	// It is ready once the file has been mended and read again.
	if err := os.WriteFile(path, []byte(strings.Replace(text, ",s:SYSLOG", "", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	ulogd(t, "reload", "-c", path).exits(0)
	s.wants(200, "GET", "/readyz")
}

// An input that has lost what it reads is tried again until it is back.
func TestReadinessWantsInputs(t *testing.T) {
	nstest.Need(t, "root")
	ns, dir := nstest.New(t), t.TempDir()
	ns.Run(t, "ip link add here type veth peer name there")
	ns.Run(t, "ip link set here up")
	path := file(t, "x.toml", fmt.Sprintf(`stack = "c:PCAP,n:NULL"
[global]
http = "%s/http.sock"
control = `+
		"\"%s/control\"\n[c]\ninterface = \"here\"\n", dir, dir))
	ns.Start(t, binary+" -v -c "+path).WaitOutput("all is open", time.Minute)
	s := overUnix(t, dir+"/http.sock")
	s.wants(200, "GET", "/readyz")
	ready := func(status int, want string) {
		t.Helper()
		eventually(t, func() error {
			if a, text := s.ask("GET", "/readyz", ""); a.StatusCode != status || !strings.Contains(text, want) {
				return fmt.Errorf("/readyz: %s: %s", a.Status, text)
			}
			return nil
		})
	}
	ns.Run(t, "ip link del here")
	ready(503, "the input c:PCAP is down: there is no interface here\n")
	s.wants(200, "GET", "/healthz")
	ns.Run(t, "ip link add here type veth peer name there")
	ns.Run(t, "ip link set here up")
	ready(200, "ok")
}

func TestReadinessWantsAnOutput(t *testing.T) {
	nobody := nstest.FreePort(t)
	dir := t.TempDir()
	path := file(t, "x.toml", fmt.Sprintf(`
stack = "g:GEN,i:IPFIX"
[global]
loglevel = 3
http = "%s/http.sock"
[g]
count = 0
rate = 100
[i]
host = "127.0.0.1"
port = %d
proto = "tcp"
`, dir, nobody))
	start(t, "-c", path).up()
	s := overUnix(t, dir+"/http.sock")
	if text := s.wants(503, "GET", "/readyz"); text != "all outputs are down\n" {
		t.Errorf("/readyz: %s", text)
	}
	s.wants(200, "GET", "/healthz")
	if text := s.wants(200, "GET", "/metrics"); !regexp.MustCompile(`ulogd_collector_up\{id="i",kind="output",peer="127.0.0.1:\d+",plugin="IPFIX"\} 0`).MatchString(text) {
		t.Errorf("the metrics: %s", regexp.MustCompile("(?m)^ulogd_collector.*").FindAllString(text, -1))
	}
}

// TestMetricsKeepPrometheussConventions has promtool look at the names of what many plugins count.
func TestMetricsKeepPrometheussConventions(t *testing.T) {
	nstest.Need(t, "native", "tool:promtool") // an emulator has no TPACKET_V3
	dir := t.TempDir()
	path := file(t, "x.toml", `
stack = ["g:GEN,n:NULL", "g:GEN,i:IPFIX", "g:GEN,p:PRINT", "c:PCAP,b:BASE,f:FLOW,n:NULL", "c:PCAP,b:BASE,f2:FLOW,r:ROUTE,n:NULL", "g:GEN,nf:NETFLOW9"]
[global]
loglevel = 3
http = "`+dir+`/http.sock"
[g]
count = 0
rate = 1000
[i]
host = "127.0.0.1"
port = 9
proto = "tcp"
spool = "`+dir+`/spool"
[nf]
host = "127.0.0.1"
port = 9
[p]
file = "/dev/null"
[c]
interface = "lo"
`)
	s := overUnix(t, dir+"/http.sock")
	if os.Geteuid() != 0 {
		text := strings.NewReplacer(`, "c:PCAP,b:BASE,f:FLOW,n:NULL", "c:PCAP,b:BASE,f2:FLOW,r:ROUTE,n:NULL"`, "", "[c]\ninterface = \"lo\"\n", "").Replace(read(t, path))
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	start(t, "-c", path).up()
	var said string
	eventually(t, func() error {
		if said = s.wants(200, "GET", "/metrics"); !strings.Contains(said, "ulogd_batch_duration_seconds_bucket") {
			return fmt.Errorf("no batch was timed")
		}
		return nil
	})
	c := exec.Command("promtool", "check", "metrics")
	c.Stdin = strings.NewReader(said)
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("promtool: %v\n%s", err, out)
	}
	for line := range strings.Lines(said) {
		name := regexp.MustCompile(`^[a-z_0-9]+`).FindString(line)
		if name != "" && !regexp.MustCompile("^(ulogd|go|process)_").MatchString(name) {
			t.Errorf("%s is named like nobody's", name)
		}
	}
	for _, want := range []string{
		"ulogd_collector_spool_max_bytes{", "ulogd_queue_records_max{", "ulogd_last_record_age_seconds{",
		"ulogd_build_info{", "process_cpu_seconds_total ",
		"go_goroutines ", "ulogd_records_dropped_total{", `reason="queue_full"`, "ulogd_input_up{",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("there is no %s", want)
		}
	}
	if os.Geteuid() == 0 && !strings.Contains(said, `ulogd_table_entries_max{id="f",kind="filter",plugin="FLOW"} `) {
		t.Error("there is no ulogd_table_entries_max of FLOW")
	}
	// By protocol buffers the histogram has native buckets, too.
	a, text := s.ask("GET", "/metrics", "", "Accept",
		"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited")
	if !strings.HasPrefix(a.Header.Get("Content-Type"), "application/vnd.google.protobuf") ||
		!bytes.Contains([]byte(text), []byte("ulogd_batch_duration_seconds")) {
		t.Errorf("asked for protocol buffers it answers %s", a.Header.Get("Content-Type"))
	}
}

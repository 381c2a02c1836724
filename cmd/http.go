//go:build !small

// The HTTP listener as part of the daemon, and `ulogd page`.

package cmd

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"ulogd/cmd/web"
	"ulogd/conf"
	"ulogd/engine"
	"ulogd/engine/safefile"
	"ulogd/stacks"
)

type httpServer = web.Server

// listenHTTP opens the listener, if the configuration has one.
func (p *process) listenHTTP() (err error) {
	if h := &p.plan.Global.HTTP; h.Address != "" {
		p.web, err = web.Listen(webSettings(h), p.log)
	}
	return err
}

func webSettings(h *stacks.HTTP) web.Settings {
	s := web.Settings{
		Address: h.Address, Loopback: h.Loopback(), TokenFile: h.TokenFile, Cert: h.Cert, Key: h.Key,
		ClientCA: h.ClientCA,
	}
	if path, ok := h.Unix(); ok {
		s.Address, s.Unix = path, true
	}
	return s
}

// serveHTTP answers on the listener.
func (p *process) serveHTTP(m *engine.Machine) {
	if p.web == nil {
		return
	}
	p.noteMissing(p.file)
	go p.web.Serve(web.Daemon{
		Machine: m, Version: Version(), Config: p.file.Path, Since: time.Now(), Log: p.tail.lines,
		Missing: func() []string { return *p.missing.Load() },
		Doctor:  func() []engine.DoctorFinding { return findings(p.file.Path) },
	})
	p.log.Info("metrics, health and the page are served", "http", p.web.Addr())
}

// findings is what `ulogd doctor` finds while the daemon runs with the configuration.
func findings(config string) []engine.DoctorFinding {
	file, _ := conf.Load(config)
	plan, _ := stacks.Build(file, &engine.Default, slog.New(slog.DiscardHandler))
	d := &engine.DoctorReport{}
	doctorGlobal(d, &plan.Global)
	d.Running = os.Getpid()
	plan.Machine.Doctor(d)
	return d.Findings()
}

func pageCommand(o *options) *cobra.Command {
	c := &cobra.Command{
		Use:   "page",
		Short: "print the address of the running daemon's page",
		Long: `page prints the address at which a browser shows the running daemon: its stacks, live flows, who talks most,
and what is wrong. The address holds for two minutes and for one visit; the browser stays logged in for twelve hours.
The configuration names the listener: http and http_token_file in [global].`,
		Example: "  sudo ulogd page -c /etc/ulogd.conf",
	}
	does(c, o, "", func(o *options, stdout, stderr io.Writer) int {
		address, err := pageAddress(o.config)
		if err == nil {
			fmt.Fprintln(stdout, address)
		}
		return report(err, stderr)
	})
	return c
}

// pageAddress asks the daemon for a key that opens its page once.
func pageAddress(config string) (string, error) {
	file, problems := conf.Load(config)
	if errs := problems.Errors(); len(errs) > 0 && len(file.Global.Options) == 0 {
		return "", errs[0]
	}
	plan, _ := stacks.Build(file, &engine.Default, slog.New(slog.DiscardHandler))
	h := &plan.Global.HTTP
	if h.Address == "" {
		return "", fmt.Errorf(`%s has no HTTP listener; set http = "127.0.0.1:9477" and http_token_file in [global] and restart the daemon`, config)
	}
	if path, ok := h.Unix(); ok {
		return "", fmt.Errorf("the page is on the unix socket %s, which no browser opens; forward a port to it: "+
			"ssh -L 9477:%s HOST, then http://localhost:9477/", path, path)
	}
	if h.TokenFile == "" {
		return "", errors.New("there is no http_token_file: the page is opened with a client certificate")
	}
	token, err := web.ReadToken(h.TokenFile)
	if err != nil {
		return "", fmt.Errorf("%w; who runs the daemon may read it: use sudo", err)
	}
	host, port, err := net.SplitHostPort(h.Address)
	if err != nil {
		return "", err
	}
	if ip := net.ParseIP(host); host == "" || ip.IsUnspecified() {
		host = "localhost"
	}
	base, client := "http://"+net.JoinHostPort(host, port), &http.Client{Timeout: 10 * time.Second}
	if h.Cert != "" {
		base = "https" + strings.TrimPrefix(base, "http")
		if client.Transport, err = trusting(h.Cert); err != nil {
			return "", err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/login/key", http.NoBody)
	if err != nil {
		return "", err
	}
	r.Header.Set("Authorization", "Bearer "+token)
	a, err := client.Do(r)
	if err != nil {
		return "", fmt.Errorf("%w; is the daemon running?", err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(io.LimitReader(a.Body, 1<<10))
	said := strings.TrimSpace(string(text))
	switch {
	case err != nil:
		return "", err
	case a.StatusCode == http.StatusUnauthorized:
		return "", fmt.Errorf("the daemon does not take the token of %s; it reads the file at its start and at "+
			"SIGHUP", h.TokenFile)
	case a.StatusCode != http.StatusOK:
		return "", fmt.Errorf("the daemon answers: %s", said)
	}
	return base + "/login?key=" + said, nil
}

// trusting is a transport that trusts the very certificate in a file, whatever name it has: it is
// the daemon's own.
func trusting(cert string) (http.RoundTripper, error) {
	text, err := safefile.Read(cert)
	if err != nil {
		return nil, err
	}
	own, err := parseCertificate(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cert, err)
	}
	return &http.Transport{TLSClientConfig: &tls.Config{
		InsecureSkipVerify: true, // what is compared below is more than a name
		VerifyConnection: func(c tls.ConnectionState) error {
			if len(c.PeerCertificates) == 0 || !bytes.Equal(c.PeerCertificates[0].Raw, own.Raw) {
				return fmt.Errorf("who answers has another certificate than %s", cert)
			}
			return nil
		},
	}}, nil
}

func parseCertificate(text []byte) (*x509.Certificate, error) {
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, errors.New("there is no certificate in PEM")
	}
	return x509.ParseCertificate(block.Bytes)
}

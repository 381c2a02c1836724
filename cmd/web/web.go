// Package web is the daemon's HTTP listener: metrics for Prometheus, health for whoever watches the
// daemon, and a page for people. It reads and changes nothing.
//
// Metrics and health say nothing of whom records are of; the page does. So it is opened by a token,
// a client certificate, or being the user who owns a unix socket ([gate]).
package web

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync/atomic"
	"time"

	"ulogd/cmd/web/metrics"
	"ulogd/cmd/web/page"
	"ulogd/engine/health"
	"ulogd/engine/safefile"
)

// Settings say where to listen and who may come. They have been validated.
type Settings struct {
	Address   string // host:port, or where Unix is set the path of a socket
	Unix      bool
	Loopback  bool // nobody but this host reaches it
	TokenFile string
	Cert, Key string
	ClientCA  string
}

// A Daemon is what is shown.
type Daemon = page.Daemon

// A Server is the listener.
type Server struct {
	settings Settings
	log      *slog.Logger
	l        net.Listener
	unix     *safefile.Kept
	gate     *gate
	tls      atomic.Pointer[tls.Config]
	http     *http.Server
	end      context.CancelFunc // of requests that go on and on
}

// What is bounded, so that nobody who can reach the listener costs the records anything.
const (
	maxConns   = 128
	maxHeader  = 16 << 10
	headerTime = 10 * time.Second
	idleTime   = time.Minute
	writeTime  = 30 * time.Second
)

// Listen opens the listener, and the files that it needs.
func Listen(s Settings, log *slog.Logger) (*Server, error) {
	w := &Server{settings: s, log: log}
	var err error
	if w.gate, err = newGate(s, log); err != nil {
		return nil, err
	}
	if s.Cert != "" {
		c, err := w.readTLS()
		if err != nil {
			return nil, err
		}
		w.tls.Store(c)
	}
	if s.Unix {
		w.unix, err = safefile.Keep("the socket of http", s.Address, 0o600, log) // for its owner alone
		w.l = w.unix
	} else {
		w.l, err = net.Listen("tcp", s.Address)
	}
	if err != nil {
		return nil, fmt.Errorf("http: %w", err)
	}
	return w, nil
}

// Addr is where it listens.
func (w *Server) Addr() string { return w.l.Addr().String() }

// Give makes a unix socket a user's.
func (w *Server) Give(uid, gid int) error {
	if w.unix == nil {
		return nil
	}
	return w.unix.Chown(uid, gid)
}

// Serve answers until Close.
func (w *Server) Serve(d Daemon) {
	ctx, cancel := context.WithCancel(context.Background())
	w.end = cancel
	p := page.New(ctx, d, w.log)
	m := http.NewServeMux()
	m.HandleFunc("GET /healthz", func(rw http.ResponseWriter, _ *http.Request) {
		answerHealth(rw, health.Alive(d.Machine, time.Now()))
	})
	m.HandleFunc("GET /readyz", func(rw http.ResponseWriter, _ *http.Request) {
		answerHealth(rw, health.Ready(d.Machine, d.Missing()))
	})
	scrape := metrics.Handler(d.Version, d.Machine.Snapshot)
	if w.settings.Loopback {
		m.Handle("GET /metrics", scrape)
	} else {
		m.Handle("GET /metrics", w.gate.need(scrape))
	}
	w.gate.routes(m)
	m.Handle("GET /", w.gate.need(p))
	w.http = &http.Server{
		Handler:           seated(w.guard(m)),
		ReadHeaderTimeout: headerTime, ReadTimeout: headerTime, WriteTimeout: writeTime, IdleTimeout: idleTime,
		MaxHeaderBytes: maxHeader,
		ErrorLog:       slog.NewLogLogger(w.log.Handler(), slog.LevelDebug),
		BaseContext:    func(net.Listener) context.Context { return ctx },
		ConnContext:    remember,
	}
	var l net.Listener = &places{Listener: w.l, max: maxConns}
	if w.tls.Load() != nil {
		present := func(*tls.ClientHelloInfo) (*tls.Config, error) { return w.tls.Load(), nil }
		l = tls.NewListener(l, &tls.Config{GetConfigForClient: present})
	}
	if err := w.http.Serve(l); !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
		w.log.Error("the HTTP listener has ended", "error", err)
	}
}

// Close ends listening and all answers.
func (w *Server) Close() {
	if w.end != nil {
		w.end()
	}
	if w.http != nil {
		w.http.Close()
	}
	w.l.Close()
}

// guard is what every request passes: a name that is not this host's would be another site's page
// that had its name point here (DNS rebinding), and no answer may be shown in another page's frame.
func (w *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		h := rw.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "+
			"connect-src 'self'; "+
			"form-action 'self'; base-uri 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if w.tls.Load() != nil {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		if !w.known(r.Host) {
			http.Error(rw, "this host is not known by that name; use its address, localhost, or a name of its certificate",
				http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(rw, r)
	})
}

// known reports whether a Host header names this host: by an address, which no other site can have
// point here, as localhost, or by a name of the certificate.
func (w *Server) known(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.ToLower(strings.Trim(host, "[]")), ".")
	if _, err := netip.ParseAddr(host); err == nil || host == "localhost" {
		return true
	}
	c := w.tls.Load()
	return c != nil && c.Certificates[0].Leaf.VerifyHostname(host) == nil
}

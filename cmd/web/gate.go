// Who may see the page: a token, typed once and then a cookie; a one-time key, which `ulogd page`
// asks for with the token; a client certificate; or the owner of a unix socket.

package web

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ulogd/engine/safefile"
)

const (
	// leastToken is how long a token must be at least, so that it cannot be guessed.
	leastToken = 16
	// sessionTime is how long a login lasts, keyTime how long a one-time key does.
	sessionTime = 12 * time.Hour
	keyTime     = 2 * time.Minute
	// maxSecrets bounds sessions, and keys: the oldest goes.
	maxSecrets = 64
)

// gate lets in who may.
type gate struct {
	settings Settings
	log      *slog.Logger
	token    atomic.Pointer[[sha256.Size]byte] // nil: there is none
	sessions secrets
	keys     secrets
	tries    limiter
}

func newGate(s Settings, log *slog.Logger) (*gate, error) {
	g := &gate{settings: s, log: log, sessions: secrets{life: sessionTime}, keys: secrets{life: keyTime}}
	if s.TokenFile == "" {
		return g, nil
	}
	if _, err := os.Stat(s.TokenFile); errors.Is(err, fs.ErrNotExist) {
		if err := makeToken(s.TokenFile); err != nil {
			return nil, fmt.Errorf("http_token_file: %w", err)
		}
		log.Warn("the token file was not there: it was made, with a random token that only its owner can read", "file",
			s.TokenFile)
	}
	return g, g.read()
}

func makeToken(path string) error {
	f, err := safefile.Open(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600, safefile.User)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(f, rand.Text())
	return errors.Join(err, f.Close())
}

// read reads the token.
func (g *gate) read() error {
	if g.settings.TokenFile == "" {
		return nil
	}
	token, err := ReadToken(g.settings.TokenFile)
	if err != nil {
		return err
	}
	if fi, err := os.Stat(g.settings.TokenFile); err == nil && fi.Mode().Perm()&0o044 != 0 {
		g.log.Warn("others can read the token and, with it, the flows", "file", g.settings.TokenFile, "remedy",
			"chmod 600 "+g.settings.TokenFile)
	}
	sum := sha256.Sum256([]byte(token))
	if old := g.token.Swap(&sum); old != nil && *old != sum { // who came in by the old one is to come again
		g.sessions.forget()
		g.keys.forget()
	}
	return nil
}

// ReadToken reads a token file.
func ReadToken(path string) (string, error) {
	text, err := safefile.Read(path)
	if err != nil {
		return "", fmt.Errorf("http_token_file: %w", err)
	}
	token := strings.TrimSpace(string(text))
	if len(token) < leastToken || strings.ContainsAny(token, "\r\n") {
		return "", fmt.Errorf("http_token_file: %s is to have one line of at least %d characters; remove it, and the "+
			"daemon makes a good one", path, leastToken)
	}
	return token, nil
}

// need answers those who may, and sends the others to the login.
func (g *gate) need(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch allowed, late := g.allowed(r); {
		case allowed:
			next.ServeHTTP(rw, r)
		case late:
			tooMany(rw)
		case r.URL.Path == "/":
			http.Redirect(rw, r, "/login", http.StatusSeeOther)
		default:
			rw.Header().Set("WWW-Authenticate", `Bearer realm="ulogd"`)
			http.Error(rw, "the token is needed: log in at /login, or send Authorization: Bearer TOKEN", http.StatusUnauthorized)
		}
	})
}

// allowed reports whether a request comes from somebody who may see everything; late, that there
// were too many wrong tokens to look at this one.
func (g *gate) allowed(r *http.Request) (allowed, late bool) {
	if g.settings.Unix && g.token.Load() == nil || r.TLS != nil && len(r.TLS.VerifiedChains) > 0 {
		return true, false
	}
	if c, err := r.Cookie(g.cookie()); err == nil && g.sessions.has(c.Value) {
		return true, false
	}
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
		return g.try(r, token)
	}
	return false, false
}

// try compares a token in constant time, unless too many were tried.
func (g *gate) try(r *http.Request, token string) (right, late bool) {
	want := g.token.Load()
	if want == nil {
		return false, false
	}
	from := source(r)
	if !g.tries.may(from, time.Now()) {
		return false, true
	}
	sum := sha256.Sum256([]byte(token))
	if subtle.ConstantTimeCompare(sum[:], want[:]) == 1 {
		g.tries.right(from)
		return true, false
	}
	return false, false
}

// source is whose tries are counted together: an IPv4 address, an IPv6 network, all of a unix
// socket.
func source(r *http.Request) netip.Prefix {
	host, _, _ := net.SplitHostPort(r.RemoteAddr)
	a, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Prefix{}
	}
	a = a.Unmap().WithZone("")
	bits := 32
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // of so many bits there is always one
	return p
}

func tooMany(rw http.ResponseWriter) {
	rw.Header().Set("Retry-After", "10")
	http.Error(rw, "too many wrong tokens; wait ten seconds", http.StatusTooManyRequests)
}

// cookie is the name of the login's cookie. The prefix has browsers refuse one that another port
// without TLS would set.
func (g *gate) cookie() string {
	if g.settings.Cert != "" {
		return "__Host-ulogd"
	}
	return "ulogd"
}

//go:embed login.html
var loginPage string

//go:embed login.css
var loginStyle string

//go:embed icon.svg
var icon string

// routes adds what is open to all: the login.
func (g *gate) routes(m *http.ServeMux) {
	m.HandleFunc("GET /login", g.login)
	m.HandleFunc("GET /login.css", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/css; charset=utf-8")
		fmt.Fprint(rw, loginStyle)
	})
	m.HandleFunc("GET /icon.svg", func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "image/svg+xml")
		fmt.Fprint(rw, icon)
	})
	same := http.NewCrossOriginProtection()
	m.Handle("POST /login", same.Handler(http.HandlerFunc(g.enter)))
	m.Handle("POST /login/key", g.need(http.HandlerFunc(g.key)))
}

// login shows the form, or takes a one-time key.
func (g *gate) login(rw http.ResponseWriter, r *http.Request) {
	if key := r.URL.Query().Get("key"); key != "" {
		if g.keys.take(key) {
			g.welcome(rw, r)
			return
		}
		g.form(rw, http.StatusForbidden, "That key was used or is too old. Ask for another one: ulogd page")
		return
	}
	if allowed, _ := g.allowed(r); allowed {
		http.Redirect(rw, r, "/", http.StatusSeeOther)
		return
	}
	g.form(rw, http.StatusOK, "")
}

// form shows the login with a constant text.
func (g *gate) form(rw http.ResponseWriter, status int, text string) {
	rw.Header().Set("Content-Type", "text/html; charset=utf-8")
	rw.WriteHeader(status)
	fmt.Fprint(rw, strings.Replace(loginPage, "<!-- error -->", text, 1))
}

// enter takes a token that was typed.
func (g *gate) enter(rw http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(rw, r.Body, 4<<10)
	switch right, late := g.try(r, strings.TrimSpace(r.PostFormValue("token"))); {
	case late:
		rw.Header().Set("Retry-After", "10")
		g.form(rw, http.StatusTooManyRequests, "Too many wrong tokens. Wait ten seconds.")
	case right:
		g.welcome(rw, r)
	default:
		g.log.Warn("somebody has typed a wrong token", "from", r.RemoteAddr)
		g.form(rw, http.StatusForbidden, "That is not the token. It stands in the file of http_token_file.")
	}
}

// welcome begins a session.
func (g *gate) welcome(rw http.ResponseWriter, r *http.Request) {
	http.SetCookie(rw, &http.Cookie{
		Name: g.cookie(), Value: g.sessions.add(), Path: "/", MaxAge: int(sessionTime.Seconds()),
		HttpOnly: true, Secure: g.settings.Cert != "", SameSite: http.SameSiteStrictMode,
	})
	http.Redirect(rw, r, "/", http.StatusSeeOther)
}

// key gives who has the token a key that opens the page once.
func (g *gate) key(rw http.ResponseWriter, _ *http.Request) { fmt.Fprintln(rw, g.keys.add()) }

// secrets are random texts that hold for some time.
type secrets struct {
	life time.Duration
	mu   sync.Mutex
	list []secret // oldest first
}

type secret struct {
	sum  [sha256.Size]byte
	ends time.Time
}

func (s *secrets) add() string {
	text := rand.Text()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.list) >= maxSecrets {
		s.list = s.list[1:]
	}
	s.list = append(s.list, secret{sha256.Sum256([]byte(text)), time.Now().Add(s.life)})
	return text
}

func (s *secrets) find(text string) int {
	sum, found := sha256.Sum256([]byte(text)), -1
	for i := range s.list {
		if subtle.ConstantTimeCompare(sum[:], s.list[i].sum[:]) == 1 && time.Now().Before(s.list[i].ends) {
			found = i
		}
	}
	return found
}

func (s *secrets) has(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.find(text) >= 0
}

// take is has, once.
func (s *secrets) take(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.find(text)
	if i >= 0 {
		s.list = append(s.list[:i], s.list[i+1:]...)
	}
	return i >= 0
}

func (s *secrets) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list = nil
}

// limiter bounds how many tokens are tried: some at once, then one every few seconds.
type limiter struct {
	mu   sync.Mutex
	from map[netip.Prefix]time.Time // until when the tries so far are paid for
}

const (
	tryCost    = 5 * time.Second
	triesAtOne = 5
	maxSources = 1024
)

func (l *limiter) may(from netip.Prefix, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.from == nil {
		l.from = map[netip.Prefix]time.Time{}
	}
	paid, known := l.from[from]
	if paid.Before(now) {
		paid = now
	}
	if paid.Sub(now) >= triesAtOne*tryCost {
		return false
	}
	if !known && len(l.from) >= maxSources {
		for p, until := range l.from {
			if until.Before(now) {
				delete(l.from, p)
			}
		}
		if len(l.from) >= maxSources {
			return false // so many sources at once are one who guesses
		}
	}
	l.from[from] = paid.Add(tryCost)
	return true
}

// right forgets the tries of who had the token.
func (l *limiter) right(from netip.Prefix) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.from, from)
}

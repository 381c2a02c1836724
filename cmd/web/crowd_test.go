// What clients of the listener can do to a daemon: nothing.

package web

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"ulogd/engine"
	"ulogd/test/nstest"
)

// steady is an input that makes records without end.
type steady struct{ end atomic.Bool }

func (*steady) Options(*engine.Options) {}
func (*steady) Bind(*engine.Binder)     {}

func (s *steady) Read(b *engine.Batch, deadline time.Time) error {
	if s.end.Load() {
		return io.EOF
	}
	time.Sleep(min(time.Until(deadline), time.Millisecond))
	b.Fill(100)
	return nil
}

type nowhere struct{}

func (nowhere) Options(*engine.Options)          {}
func (nowhere) Bind(*engine.Binder) engine.Stage { return nowhere{} }
func (nowhere) Consume(*engine.Batch)            {}

// served is a machine with a listener on a unix socket.
type served struct {
	t       *testing.T
	machine *engine.Machine
	path    string
	client  http.Client
}

func serve(t *testing.T) *served {
	t.Helper()
	s := &served{t: t, path: filepath.Join(t.TempDir(), "http")}
	input := &steady{}
	in := engine.NewInstance(&engine.Plugin{Name: "STEADY", Input: func() engine.Input { return input }}, "in1")
	out := engine.NewInstance(&engine.Plugin{Name: "NOWHERE", Output: func() engine.Output { return nowhere{} }}, "out1")
	m, errs := engine.Build(slog.New(slog.DiscardHandler),
		[]engine.StackSpec{{Name: "test", Instances: []*engine.Instance{in, out}}})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if err := m.Open(); err != nil {
		t.Fatal(err)
	}
	w, err := Listen(Settings{Address: s.path, Unix: true, Loopback: true}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	m.Start()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		w.Serve(Daemon{
			Machine: m, Missing: func() []string { return nil }, Log: func() []string { return nil },
			Doctor: func() []engine.DoctorFinding { return nil },
		})
	}()
	s.machine = m
	s.client.Transport = &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", s.path)
		},
	}
	nstest.Eventually(t, time.Minute, func() error { return s.get("/healthz") })
	t.Cleanup(func() {
		w.Close()
		<-ended
		input.end.Store(true)
		if err := m.Wait(); err != nil {
			t.Error(err)
		}
		all := m.Snapshot()
		if all[0].Made == 0 || all[0].Made != all[1].Out || all[0].Dropped+all[1].Dropped != 0 {
			t.Errorf("records are missing: %+v", all)
		}
	})
	return s
}

func (s *served) get(path string) error {
	a, err := s.client.Get("http://localhost" + path)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err == nil && (a.StatusCode != http.StatusOK || len(text) == 0) {
		err = fmt.Errorf("%s: %s, %d octets", path, a.Status, len(text))
	}
	return err
}

func (s *served) dial(text string) net.Conn {
	s.t.Helper()
	c, err := net.Dial("unix", s.path)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { c.Close() })
	io.WriteString(c, text)
	return c
}

// goesOn waits until records have gone on.
func (s *served) goesOn() {
	s.t.Helper()
	before := s.machine.Snapshot()[1].Out
	nstest.Eventually(s.t, time.Minute, func() error {
		if n := s.machine.Snapshot()[1].Out; n < before+1000 {
			return fmt.Errorf("%d records since", n-before)
		}
		return nil
	})
}

// nothingLeft calls f and waits until there are as many goroutines and descriptors as before.
func (s *served) nothingLeft(f func()) {
	s.t.Helper()
	left := func() (goroutines, descriptors int) {
		list, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			s.t.Fatal(err)
		}
		return runtime.NumGoroutine(), len(list)
	}
	goroutines, descriptors := left()
	f()
	nstest.Eventually(s.t, time.Minute, func() error {
		if g, d := left(); g > goroutines || d > descriptors {
			return fmt.Errorf("%d goroutines and %d descriptors, before %d and %d", g, d, goroutines, descriptors)
		}
		return nil
	})
}

// A hundred that say nothing, or not all, keep nobody from asking, and have to go.
func TestClientsThatAreSlow(t *testing.T) {
	s := serve(t)
	s.nothingLeft(func() {
		var slow []net.Conn
		for i := range 100 {
			slow = append(slow, s.dial([]string{"", "GET /heal", "GET /metrics HTTP/1.1\r\nHost: localhost\r\n"}[i%3]))
		}
		s.goesOn()
		if err := s.get("/metrics"); err != nil {
			t.Error(err)
		}
		for _, c := range slow { // the listener lets them go
			c.SetDeadline(time.Now().Add(time.Minute))
			if _, err := io.Copy(io.Discard, c); err != nil {
				t.Error(err)
			}
			c.Close()
		}
	})
}

// More than there are places say nothing, or not all, and come again as often as they are let go: whoever asks is answered.
func TestMoreSlowClientsThanPlaces(t *testing.T) {
	s := serve(t)
	s.nothingLeft(func() {
		var slow []net.Conn
		for i := range 1000 {
			slow = append(slow, s.dial([]string{"", "GET /heal", "GET /metrics HTTP/1.1\r\nHost: localhost\r\n"}[i%3]))
			if i%100 == 99 {
				s.goesOn()
				if err := s.get("/healthz"); err != nil {
					t.Error(err)
				}
			}
		}
		for _, c := range slow {
			c.Close()
		}
	})
}

// Of a hundred streams as many are served as there are places; whoever does not read his holds up
// nobody, and what is kept for him is what his socket takes.
func TestHundredStreams(t *testing.T) {
	s := serve(t)
	s.nothingLeft(func() {
		served, refused := 0, 0
		var all []net.Conn
		for range 100 {
			c := s.dial("GET /api/events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
			c.SetReadDeadline(time.Now().Add(time.Minute))
			a, err := http.ReadResponse(bufio.NewReaderSize(c, 16), nil)
			if err != nil {
				t.Fatal(err)
			}
			switch a.StatusCode {
			case http.StatusOK:
				served++
			case http.StatusServiceUnavailable:
				refused++
			}
			all = append(all, c)
		}
		if served != 16 || refused != 84 {
			t.Errorf("%d streams are served, %d refused", served, refused)
		}
		s.goesOn()
		if err := s.get("/healthz"); err != nil {
			t.Error(err)
		}
		runtime.GC()
		var m runtime.MemStats
		if runtime.ReadMemStats(&m); m.HeapAlloc > 32<<20 {
			t.Errorf("%d MB are kept for streams that nobody reads", m.HeapAlloc>>20)
		}
		for _, c := range all {
			c.Close()
		}
		nstest.Eventually(t, time.Minute, func() error { // there is room again
			c := s.dial("GET /api/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
			defer c.Close()
			a, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err == nil && a.StatusCode != http.StatusOK {
				err = fmt.Errorf("a new stream: %s", a.Status)
			}
			return err
		})
	})
}

func TestThousandsOfRequests(t *testing.T) {
	s := serve(t)
	s.nothingLeft(func() {
		const askers = 20
		done := make(chan error, askers)
		for i := range askers {
			go func() {
				path := []string{"/healthz", "/readyz", "/metrics", "/api/about", "/assets/app.js"}[i%5]
				for range 5000 / askers {
					if err := s.get(path); err != nil {
						done <- err
						return
					}
				}
				done <- nil
			}()
		}
		for range askers {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		s.goesOn()
	})
}

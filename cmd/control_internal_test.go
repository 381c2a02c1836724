// What clients of the control socket can do to a daemon: nothing. These tests hold the socket in the test's own process,
// to see that nothing is left.

package cmd

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"ulogd/engine"
	"ulogd/engine/question"
)

// steady is an input that makes records as fast as its output takes them, and holds many flows.
type steady struct {
	flows int
	end   atomic.Bool
}

func (s *steady) Options(*engine.Options) {}
func (s *steady) Bind(*engine.Binder)     {}
func (s *steady) Live() bool              { return true }

func (s *steady) Read(b *engine.Batch, deadline time.Time) error {
	if s.end.Load() {
		return io.EOF
	}
	time.Sleep(min(time.Until(deadline), time.Millisecond))
	b.Fill(100)
	return nil
}

func (s *steady) Query(ask any, from int64) (int64, error) {
	q, ok := ask.(*question.Flows)
	if !ok {
		return -1, engine.ErrNotAsked
	}
	to := min(int(from)+question.ChunkFlows, s.flows)
	for i := int(from); i < to; i++ {
		q.Add(&question.Flow{
			Proto: 6, Src: netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}),
			Dst:   netip.AddrFrom4([4]byte{192, 0, 2, 1}),
			Sport: uint16(i), Dport: 443, Packets: 10, Octets: uint64(i), ReplyPackets: 8, ReplyOctets: 12345,
			Start: engine.Time(time.Now().UnixNano()),
			Known: question.Ports | question.Counters | question.ReplyCounters | question.Start,
		})
	}
	if to == s.flows || q.Full() {
		return -1, nil
	}
	return int64(to), nil
}

type nowhere struct{}

func (nowhere) Options(*engine.Options)          {}
func (nowhere) Bind(*engine.Binder) engine.Stage { return nowhere{} }
func (nowhere) Consume(*engine.Batch)            {}

// served is a machine with a control socket.
type served struct {
	t       testing.TB
	in      *steady
	machine *engine.Machine
	control *control
	path    string
}

func serve(t testing.TB, flows int) *served {
	t.Helper()
	s := &served{t: t, in: &steady{flows: flows}, path: filepath.Join(t.TempDir(), "control")}
	in := engine.NewInstance(&engine.Plugin{Name: "STEADY", Input: func() engine.Input { return s.in }}, "in1")
	out := engine.NewInstance(&engine.Plugin{Name: "NOWHERE", Output: func() engine.Output { return nowhere{} }}, "out1")
	m, errs := engine.Build(slog.New(slog.DiscardHandler),
		[]engine.StackSpec{{Name: "test", Instances: []*engine.Instance{in, out}}})
	if len(errs) > 0 {
		t.Fatal(errs)
	}
	if err := m.Open(); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.control, err = listen(s.path, slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	m.Start()
	s.machine = m
	go s.control.serve(m)
	return s
}

// stop ends all, and checks that no record is missing.
func (s *served) stop() {
	s.t.Helper()
	s.control.close()
	s.in.end.Store(true)
	if err := s.machine.Wait(); err != nil {
		s.t.Error(err)
	}
	all := s.machine.Snapshot()
	if all[0].Made == 0 || all[0].Made != all[1].Out || all[1].Dropped+all[0].Dropped != 0 {
		s.t.Errorf("records are missing: %+v", all)
	}
}

// grows waits until records have gone on.
func (s *served) grows() {
	s.t.Helper()
	before := s.machine.Snapshot()[1].Out
	s.eventually("records go on", func() bool { return s.machine.Snapshot()[1].Out > before+1000 })
}

func (s *served) eventually(what string, ok func() bool) {
	s.t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			buf := make([]byte, 1<<20)
			s.t.Fatalf("%s: waited in vain\n%s", what, buf[:runtime.Stack(buf, true)])
		}
	}
}

func (s *served) dial() net.Conn {
	s.t.Helper()
	c, err := net.Dial("unix", s.path)
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// left counts goroutines and file descriptors.
func left(t testing.TB) (goroutines, descriptors int) {
	t.Helper()
	list, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return runtime.NumGoroutine(), len(list)
}

// nothingLeft calls f and waits until there are as many goroutines and descriptors as before.
func (s *served) nothingLeft(f func()) {
	s.t.Helper()
	ask(s.path, []string{"stats"}, func([]byte) error { return nil }) // what is made once
	goroutines, descriptors := left(s.t)
	f()
	s.eventually("everything is given back", func() bool {
		g, d := left(s.t)
		return g <= goroutines && d <= descriptors
	})
}

func TestHundredClientsThatDoNothing(t *testing.T) {
	s := serve(t, 100)
	defer s.stop()
	s.nothingLeft(func() {
		var idle []net.Conn
		for range 100 {
			idle = append(idle, s.dial())
		}
		s.grows()
		time.Sleep(idleTime) // from then on they have to make room
		for range 100 {
			idle = append(idle, s.dial())
		}
		// They keep nobody from asking.
		for range 20 {
			if _, err := ask(s.path, []string{"stats"}, func([]byte) error { return nil }); err != nil {
				t.Error(err)
			}
		}
		// Half of a question is none.
		for _, c := range idle[180:] {
			c.Write([]byte(`["sta`))
		}
		n := 0
		if _, err := ask(s.path, []string{"flows"}, func([]byte) error { n++; return nil }); err != nil || n != 100 {
			t.Errorf("%d flows, %v", n, err)
		}
		for _, c := range idle {
			c.Close()
		}
	})
}

func TestTenThousandRequests(t *testing.T) {
	s := serve(t, 10)
	defer s.stop()
	s.nothingLeft(func() {
		const askers = 20
		done := make(chan error, askers)
		for i := range askers {
			go func() {
				words := [][]string{{"stats"}, {"who"}, {"flows", "limit=3"}, {"top", "by=port"}}[i%4]
				for range 10_000 / askers {
					if _, err := ask(s.path, words, func([]byte) error { return nil }); err != nil {
						done <- fmt.Errorf("%q: %w", words, err)
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
		s.grows()
	})
}

// Whoever stops reading holds up nobody, and what the daemon keeps for him is a chunk.
func TestClientThatStopsReading(t *testing.T) {
	const flows = 300_000 // some 60 MB of answer
	s := serve(t, flows)
	defer s.stop()
	s.nothingLeft(func() {
		var stuck []net.Conn
		for range 8 {
			c := s.dial()
			fmt.Fprintln(c, `["flows"]`)
			if line, err := bufio.NewReaderSize(c, 16).ReadString('\n'); err != nil || line != "ok\n" {
				t.Fatalf("%q, %v", line, err)
			}
			stuck = append(stuck, c)
		}
		s.grows()
		n := 0
		if _, err := ask(s.path, []string{"flows"}, func([]byte) error { n++; return nil }); err != nil || n != flows {
			t.Errorf("%d flows, %v", n, err)
		}
		s.grows()
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		if m.HeapAlloc > 64<<20 {
			t.Errorf("%d MB are kept for 8 clients that do not read", m.HeapAlloc>>20)
		}
		for _, c := range stuck {
			c.Close()
		}
	})
}

// More clients than are answered at once wait for their turn, and one that there is no room for is told.
func TestManyClientsAtOnce(t *testing.T) {
	s := serve(t, 10)
	defer s.stop()
	s.nothingLeft(func() {
		var all []net.Conn
		for range maxConns + 10 {
			c := s.dial()
			c.SetDeadline(time.Now().Add(time.Minute))
			fmt.Fprintln(c, `["stats"]`)
			all = append(all, c)
		}
		answered, refused := 0, 0
		for _, c := range all {
			text, err := io.ReadAll(c)
			switch {
			case strings.HasPrefix(string(text), "ok\n") && strings.HasSuffix(string(text), "{\"end\":true}\n"):
				answered++
			case strings.HasPrefix(string(text), "error the daemon has too many clients"):
				refused++
			default:
				t.Errorf("%q, %v", text, err)
			}
			c.Close()
		}
		if answered < maxConns/2 || answered+refused != len(all) {
			t.Errorf("%d are answered, %d refused", answered, refused)
		}
	})
}

// A window's answer goes on as long as its client listens.
func TestTopGoesOnWhileSomebodyListens(t *testing.T) {
	s := serve(t, 50)
	defer s.stop()
	s.nothingLeft(func() {
		rounds := 0
		_, err := ask(s.path, []string{"top", "by=port", "window=1s"}, func(line []byte) error {
			var res question.Result
			if err := json.Unmarshal(line, &res); err != nil || res.Took < time.Second/2 {
				t.Errorf("%v, %s", err, line)
			}
			if rounds++; rounds == 2 {
				return io.ErrClosedPipe
			}
			return nil
		})
		if err != io.ErrClosedPipe || rounds != 2 {
			t.Errorf("%d rounds, %v", rounds, err)
		}
	})
}

// Whoever has a daemon's socket, such as the user of -u, does not command the terminal of root, who asks.
func TestAnswersDoNotCommandTheTerminal(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			line, _ := bufio.NewReader(c).ReadString('\n')
			evil := `{"id":"\u001b[2Ja","plugin":"X","peers":[{"name":"p","error":"\u001b]0;x\u0007"}]}` + "\n"
			if strings.Contains(line, "who") {
				evil = `{"pid":1,"config":"\u001b[2J","since":"2026-01-01T00:00:00Z"}` + "\n"
			}
			if strings.Contains(line, "flows") {
				fmt.Fprint(c, "error \x1b[2Jno\n")
			} else {
				fmt.Fprint(c, "ok\n"+evil+`{"end":true,"unable":["\u001b[2J"]}`+"\n")
			}
			c.Close()
		}
	}()
	for _, args := range [][]string{{"stats"}, {"stats", "--watch", "--interval", "1h"}, {"flows"}} {
		var out, errs syncBuffer
		go run(append(args, "--socket", path), &out, &errs)
		for end := time.Now().Add(time.Minute); out.String()+errs.String() == "" && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
		if text := out.String() + errs.String(); text == "" || strings.ContainsAny(text, "\x1b\x07") {
			t.Errorf("%q: %q", args, text)
		}
	}
	running, _ := daemons(path)
	if text := listed("", running); len(running) != 1 || strings.Contains(text, "\x1b") {
		t.Errorf("%q", text)
	}
}

// syncBuffer takes what several goroutines write and read.
type syncBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// BenchmarkMillionFlows says what a list of a million flows costs a client and the daemon together.
func BenchmarkMillionFlows(b *testing.B) {
	s := serve(b, 1_000_000)
	defer s.stop()
	for b.Loop() {
		n := 0
		if _, err := ask(s.path, []string{"flows"}, func([]byte) error { n++; return nil }); err != nil || n != 1_000_000 {
			b.Fatal(n, err)
		}
	}
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "VmHWM:" {
			kib, _ := strconv.Atoi(f[1])
			b.ReportMetric(float64(kib)/1024, "MiB-most")
		}
	}
}

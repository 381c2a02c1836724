package cmd

import (
	"errors"
	"fmt"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// gate is a sink that waits until it is opened.
type gate struct {
	open  chan struct{}
	mu    sync.Mutex
	lines []string
	fail  bool
}

func (g *gate) write(e entry) error {
	<-g.open
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.fail {
		return errors.New("no space left on device")
	}
	g.lines = append(g.lines, e.text)
	return nil
}

// Lines that do not fit are counted, and told when the log flows again. Those that fit are all there, in order.
func TestLogThatIsStuckTellsWhatIsMissing(t *testing.T) {
	g := &gate{open: make(chan struct{})}
	q := newQueue(g)
	q.put(entry{text: "first"})
	for len(q.entries) > 0 { // until the goroutine has it
		time.Sleep(time.Millisecond)
	}
	for i := range queueLines + 100 {
		q.put(entry{text: fmt.Sprint(i)})
	}
	if q.then(func() { t.Error("done out of order") }) {
		t.Error("a full queue took more")
	}
	close(g.open)
	q.flush(nil)
	var said string
	next := 0
	for _, l := range g.lines[1:] {
		switch {
		case strings.Contains(l, "missing"):
			said = l
		case l != fmt.Sprint(next):
			t.Fatalf("%q, want %d", l, next)
		default:
			next++
		}
	}
	if next != queueLines || !strings.HasPrefix(said, "100 lines of this log are missing") {
		t.Errorf("%d lines of %d, and %q", next, queueLines, said)
	}
}

// A full disk costs lines, which are told when there is room again.
func TestLogOnAFullDisk(t *testing.T) {
	g := &gate{open: make(chan struct{}), fail: true}
	close(g.open)
	q := newQueue(g)
	for range 3 {
		q.put(entry{text: "lost"})
	}
	q.flush(nil)
	g.mu.Lock()
	g.fail = false
	g.mu.Unlock()
	q.put(entry{text: "again"})
	q.flush(nil)
	if len(g.lines) != 2 || g.lines[0] != "again" || !strings.HasPrefix(g.lines[1], "3 lines of this log are missing") {
		t.Errorf("%q", g.lines)
	}
}

// However many signals wait, SIGTERM is there, and those of a kind are few.
func TestNoSIGTERMIsLost(t *testing.T) {
	s := newSignals()
	s.listen()
	defer signal.Reset()
	for range 1500 {
		syscall.Kill(syscall.Getpid(), syscall.SIGHUP)
		syscall.Kill(syscall.Getpid(), syscall.SIGUSR2)
	}
	syscall.Kill(syscall.Getpid(), syscall.SIGTERM)
	syscall.Kill(syscall.Getpid(), syscall.SIGTERM)
	if got := <-s.end; got != syscall.SIGTERM {
		t.Errorf("%v", got)
	}
	counts := map[string]int{}
	for _, kind := range []syscall.Signal{syscall.SIGHUP, syscall.SIGUSR2} {
		counts[kind.String()] = 0
	}
	for deadline := time.After(10 * time.Second); counts["hangup"] == 0 || counts["user defined signal 2"] == 0; {
		select {
		case got := <-s.other:
			counts[got.String()]++
		case <-deadline:
			t.Fatalf("only %v arrived", counts)
		}
	}
	for {
		select {
		case got := <-s.other:
			counts[got.String()]++
			continue
		case <-time.After(200 * time.Millisecond):
		}
		break
	}
	for kind, n := range counts {
		if n > 3 {
			t.Errorf("%s: %d of 1500 arrived one by one", kind, n)
		}
	}
}

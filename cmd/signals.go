// Signals: none that ends the daemon is lost, and a thousand of a kind are one.

package cmd

import (
	"os"
	"os/signal"
	"syscall"
	"time"
)

// secondSignal is how long after the first a second SIGTERM or SIGINT is one: timeout(1) and service managers send the
// same twice at once, to the process and to its group.
const secondSignal = time.Second

// signals takes each kind of signal in a place of its own, where a second of the kind finds the first.
type signals struct {
	end   chan os.Signal
	other chan os.Signal
	kinds map[os.Signal]chan os.Signal
}

func newSignals() signals {
	s := signals{end: make(chan os.Signal, 1), other: make(chan os.Signal), kinds: map[os.Signal]chan os.Signal{}}
	for _, kind := range []os.Signal{syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGALRM} {
		s.kinds[kind] = make(chan os.Signal, 1)
	}
	return s
}

// starting takes those that are to end the daemon while it starts: the first waits until the daemon runs, or has
// failed; at a second that is one, when a start takes that long, atOnce is called. The daemon calls what is returned
// when it has started.
func (s *signals) starting(atOnce func()) (started func()) {
	done, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		var first time.Time
		for {
			select {
			case <-s.end:
				if first.IsZero() {
					first = time.Now()
				} else if time.Since(first) >= secondSignal {
					atOnce()
				}
			case <-done:
				if !first.IsZero() {
					select {
					case s.end <- syscall.SIGTERM:
					default: // another one is there
					}
				}
				return
			}
		}
	}()
	return func() {
		close(done)
		<-over
	}
}

// listen takes signals from now on.
func (s *signals) listen() {
	signal.Notify(s.end, syscall.SIGTERM, syscall.SIGINT)
	for kind, c := range s.kinds {
		signal.Notify(c, kind)
		go func() {
			for got := range c {
				s.other <- got
			}
		}()
	}
}

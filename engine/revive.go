// Live inputs that fail are opened again until they work.

package engine

import (
	"errors"
	"fmt"
	"io"
	"time"
)

// Pauses between two attempts to open an input again: the first, and the one that growing ends
// with.
const (
	firstPause   = 100 * time.Millisecond
	longestPause = 10 * time.Second
)

// mendable reports whether an input that Read ended with err is opened again.
func (in *input) mendable(err error) bool {
	live, ok := in.impl.(Live)
	return ok && live.Live() && !errors.Is(err, io.EOF)
}

// revive opens the input again and again until it works. Meanwhile its stacks go on: filters tick,
// outputs write. It returns false when the daemon is to stop; then err is why the input is down.
func (in *input) revive(err error) bool {
	began, pause := time.Now(), firstPause
	env := in.inst.env
	down := env.Stats.Counter("down_ms", "milliseconds that the input was down after a failure")
	again := env.Stats.Counter("reopened", "times that the input was opened again after a failure")
	reason := err.Error()
	in.fall(err)
	env.Log.Error("the input has failed; it is opened again until it works", "error", err)
	for since := began; ; {
		if !in.rest(pause) {
			return false
		}
		now := time.Now()
		down.Add(int(now.Sub(since).Milliseconds()))
		since = now
		err = in.open()
		if err == nil {
			again.Add(1)
			in.inst.down.Store(nil)
			env.Log.Warn("the input works again", "down", now.Sub(began).Round(time.Millisecond))
			return true
		}
		if text := err.Error(); text != reason {
			reason = text
			in.fall(err)
			env.Log.Error("the input cannot be opened again; trying on", "error", err)
		}
		pause = min(2*pause, longestPause)
	}
}

// fall closes the input and notes why it is down.
func (in *input) fall(err error) {
	text := err.Error()
	if in.inst.down.Swap(&text) == nil {
		if c, ok := in.impl.(Closer); ok {
			c.Close() // of what has failed; there is nothing more to say than why
		}
	}
}

func (in *input) open() error {
	o, ok := in.impl.(Opener)
	if !ok {
		return nil
	}
	err := o.Open(in.inst.env)
	if c, ok := in.impl.(Closer); ok && err != nil {
		c.Close() // what was opened before the error
	}
	return err
}

// rest lets a pause go by, in which the input's stacks go on. It returns false when the daemon is
// to stop.
func (in *input) rest(pause time.Duration) bool {
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	for end := time.Now().Add(pause); ; {
		select {
		case <-in.m.stopping:
			return false
		case <-in.quit:
			return false
		case now := <-ticker.C:
			for _, c := range in.chains {
				c.tick(now)
			}
			in.mail.run()
			in.inst.pulse.turned.set(now)
			if now.After(end) {
				return true
			}
		}
	}
}

// stillDown is the error of an input that was down when the daemon stopped.
func (in *input) stillDown() error {
	if text := in.inst.down.Load(); text != nil {
		return fmt.Errorf("was down when the daemon stopped: %s", *text)
	}
	return nil
}

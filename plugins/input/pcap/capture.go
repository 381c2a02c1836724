// Live capture: packets of interfaces, for as long as the daemon runs.

package pcap

import (
	"errors"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"ulogd/engine"
	"ulogd/plugins/input/netlink/netns"
)

// capture reads live, from the rings of its interfaces by turns.
type capture struct {
	columns *columns
	env     *engine.Env
	log     *slog.Logger
	limited *engine.LimitedLog
	place   *netns.Follower

	taps     []*tap
	follower *follower
	wait     bool // for interfaces that are not there when a namespace is entered

	rings   []*ring       // of all taps
	fds     []unix.PollFd // of the rings, then of the follower
	turn    int           // the ring that is read
	retired []*ring       // to be given back
	frames  [engine.BatchSize]frame

	stopping bool
	leaving  bool      // the namespace is gone, and what was captured there is still to come
	end      time.Time // of the capture, if nothing comes any more

	lost, removals, without *engine.Counter
}

// openCapture opens the interfaces.
func openCapture(s *settings, columns *columns, env *engine.Env) (reader, error) {
	c := &capture{columns: columns, env: env, log: env.Log, limited: env.Limited(), place: &s.place, wait: s.place.Wait}
	c.lost = env.Stats.Lost("ring", "packets that found the ring full")
	c.removals = env.Stats.Counter("removed", "times that an interface went away")
	c.without = env.Stats.Counter("seconds_without",
		"seconds in which an interface was not there, those of several added up")
	for _, name := range s.ifaces {
		c.taps = append(c.taps, &tap{capture: c, fanout: s.fanout, options: liveOptions{
			iface: name, filter: s.expression, snaplen: s.snaplen, promisc: s.promisc, segments: s.apart && segmentsTold(),
		}})
	}
	if err := c.place.Open(env, c.begin); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	c.wait = true // a namespace that returns has no interfaces yet
	return c, nil
}

// begin opens the interfaces in the namespace that it is called in. What an error leaves open is
// closed.
func (c *capture) begin() (err error) {
	c.follower, err = openFollower()
	for _, t := range c.taps {
		if err == nil {
			err = t.begin()
		}
	}
	if err == nil {
		err = c.gather()
	}
	if err != nil {
		return errors.Join(err, c.quit())
	}
	return nil
}

// gather lists what is read and polled, which changes with the interfaces that are there.
func (c *capture) gather() error {
	c.rings, c.fds, c.turn = nil, nil, 0
	var gone []string
	for _, t := range c.taps {
		if t.gone {
			gone = append(gone, t.options.iface)
		}
		for _, r := range t.rings {
			fd := int32(r.fd)
			if t.gone {
				fd = -1 // what the ring has is still read; poll would tell of its end again and again
			}
			c.rings, c.fds = append(c.rings, r), append(c.fds, unix.PollFd{Fd: fd, Events: unix.POLLIN})
		}
	}
	away, why := len(gone) > 0, ""
	if away {
		why = "there is no interface " + strings.Join(gone, ", ")
		c.fds = append(c.fds, unix.PollFd{Fd: int32(c.follower.fd), Events: unix.POLLIN})
	}
	c.env.Away(why)
	return c.follower.listen(away)
}

// leave ends the work in a namespace that is no more; it returns true when what was captured there
// is read.
func (c *capture) leave() bool {
	if c.follower != nil && !c.leaving {
		c.leaving = true
		c.refuse()
	}
	return c.follower == nil
}

// quit closes all that belongs to a namespace.
func (c *capture) quit() error {
	c.follower.close()
	c.follower, c.leaving = nil, false
	for _, t := range c.taps {
		t.closeSpare()
		c.retired, t.rings = append(c.retired, t.rings...), nil
	}
	c.rings, c.fds = nil, nil
	return c.sweep()
}

// Read fills a batch with packets of one block.
func (c *capture) Read(b *engine.Batch, deadline time.Time) error {
	if c.follower == nil { // the namespace is away
		if c.stopping {
			return io.EOF
		}
		time.Sleep(time.Until(deadline))
		return nil
	}
	for woken := false; ; {
		if len(c.rings) > 0 {
			r := c.rings[c.turn]
			if n := r.next(c.frames[:]); n > 0 {
				c.columns.joins = &r.joins
				c.columns.fill(b, r.block(), r.ports, c.frames[:n]) // the ports know no aggregates
				return nil
			}
		}
		switch now := time.Now(); {
		case c.advance():
			c.end = now.Add(settled)
			continue
		case c.stopping && now.After(c.end) && !c.full():
			c.countLost()
			return io.EOF
		case c.leaving && now.After(c.end) && !c.full():
			c.countLost()
			return c.quit()
		case !now.Before(deadline):
			return c.followed()
		case woken: // poll also tells of blocks that wait to be given back
			time.Sleep(time.Millisecond)
		}
		var err error
		if woken, err = c.poll(deadline); err != nil {
			return err
		}
	}
}

// settled is how long after Stop a block may still come: the kernel looks twice, retireAfter apart,
// whether one is quiet before it hands it over.
const settled = 3 * retireAfter * time.Millisecond

// advance goes on to the next block of the next ring that has one.
func (c *capture) advance() bool {
	for range c.rings {
		c.turn = (c.turn + 1) % len(c.rings)
		if c.rings[c.turn].advance() {
			return true
		}
	}
	return false
}

// full reports whether batches refer to all blocks of a ring: the kernel may hold packets back
// behind them.
func (c *capture) full() bool {
	for _, r := range c.rings {
		if r.held == ringBlocks {
			return true
		}
	}
	return false
}

// poll waits until a ring has something to tell, or an interface may be there again.
func (c *capture) poll(deadline time.Time) (woken bool, err error) {
	if woken, err = poll(c.fds, deadline); err != nil {
		return woken, err
	}
	i, changed := 0, false
	for _, t := range c.taps {
		for _, r := range t.rings {
			changed = changed || c.fds[i].Revents&unix.POLLIN != 0
			if c.fds[i].Revents&unix.POLLERR != 0 {
				if err := t.trouble(r); err != nil {
					return woken, err
				}
			}
			i++
		}
	}
	if i < len(c.fds) && c.fds[i].Revents != 0 {
		return changed, c.lookAgain()
	}
	return woken, nil
}

// followed notes which interfaces are gone. The kernel tells that one is down, before the last
// packets, and then no more.
func (c *capture) followed() error {
	if c.stopping || c.leaving {
		return nil
	}
	some := false
	for _, t := range c.taps {
		some = t.followed() || some
	}
	if !some {
		return nil
	}
	if err := c.gather(); err != nil {
		return err
	}
	return c.lookAgain() // it may be there again
}

// lookAgain captures from interfaces that are there again.
func (c *capture) lookAgain() error {
	if c.stopping || c.leaving {
		return nil
	}
	c.follower.drain()
	some := false
	for _, t := range c.taps {
		back, err := t.lookAgain()
		if err != nil {
			return err
		}
		some = some || back
	}
	if !some {
		return nil
	}
	return c.gather()
}

// Tick counts what was lost, and follows the namespace.
func (c *capture) Tick(now time.Time) {
	c.countLost()
	for _, t := range c.taps {
		t.countAway()
	}
	if err := c.sweep(); err != nil {
		c.limited.Error("give a ring back", "error", err)
	}
	if !c.stopping {
		c.place.Tick(now, c.leave, c.begin)
	}
}

func (c *capture) countLost() {
	for _, r := range c.rings {
		n, err := r.drops()
		if err != nil {
			c.limited.Error("read how many packets were lost", "interface", r.name, "error", err)
		}
		c.lost.Add(int(n))
	}
}

// Stop ends the capture; what it has is still read.
func (c *capture) Stop() {
	c.refuse()
	c.stopping = true
}

// refuse makes the kernel capture no more.
func (c *capture) refuse() {
	for _, r := range c.rings {
		if err := r.refuse(); err != nil {
			c.log.Error("stop capturing", "interface", r.name, "error", err)
		}
	}
	c.end = time.Now().Add(settled)
}

// Close gives the rings back.
func (c *capture) Close() error {
	err := c.quit()
	for _, r := range c.retired {
		err = errors.Join(err, r.close())
	}
	c.retired = nil
	return err
}

// sweep gives back retired rings as soon as no batch refers to them.
func (c *capture) sweep() (err error) {
	c.retired = slices.DeleteFunc(c.retired, func(r *ring) bool {
		idle := r.idle()
		if idle {
			err = errors.Join(err, r.close())
		}
		return idle
	})
	return err
}

// Live capture: packets of one interface, for as long as the daemon runs.

package pcap

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"ulogd/engine"
	"ulogd/plugins/input/netlink/netns"
)

// capture reads live, from the rings of one interface by turns.
type capture struct {
	columns *columns
	log     *slog.Logger
	limited *engine.LimitedLog
	options liveOptions
	place   *netns.Follower
	fanout  int

	rings   []*ring
	retired []*ring // to be given back
	fds     []unix.PollFd
	ports   []port
	turn    int // the ring that is read
	frames  [engine.BatchSize]frame

	down     bool
	stopping bool
	leaving  bool      // the namespace is gone, and what was captured there is still to come
	end      time.Time // of the capture, if nothing comes any more
	lost     *engine.Counter

	// An interface that is not there.
	follower *follower
	wait     bool // for one that is not there when a namespace is entered
	gone     bool
	since    time.Time
	counted  int
	spare    [2][]int // sockets for an interface that has never been there, by whether it is cooked
	removals *engine.Counter
	without  *engine.Counter
}

// openCapture opens the interface.
func openCapture(s *settings, columns *columns, env *engine.Env) (reader, error) {
	c := &capture{
		columns: columns, log: env.Log, limited: env.Limited(), place: &s.place, fanout: s.fanout,
		wait: s.place.Wait,
	}
	c.lost = env.Stats.Lost("ring", "packets that found the ring full")
	c.removals = env.Stats.Counter("removed", "times that the interface went away")
	c.without = env.Stats.Counter("seconds_without", "seconds in which the interface was not there")
	c.options = liveOptions{iface: s.iface, filter: s.expression, snaplen: s.snaplen, promisc: s.promisc}
	if err := c.place.Open(env, c.begin); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	c.wait = true // a namespace that returns has no interfaces yet
	return c, nil
}

// begin opens the interface in the namespace that it is called in. What an error leaves open is
// closed.
func (c *capture) begin() (err error) {
	c.down, c.gone = false, false
	if c.follower, err = openFollower(); err == nil {
		if err = c.open(); c.wait && errors.Is(err, unix.ENODEV) {
			err = c.await()
		}
	}
	switch {
	case err != nil:
		return errors.Join(err, c.quit())
	case c.gone:
		c.log.Warn("the interface is not there; capturing begins when it is", "interface", c.options.iface)
	default:
		c.log.Info("capturing", "interface", c.options.iface, "rings", len(c.rings), "octets",
			len(c.rings)*ringBlocks*ringBlock)
	}
	return nil
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
	c.closeSpare()
	return c.retire()
}

// open makes the rings.
func (c *capture) open() error {
	for range c.fanout {
		r, err := openRing(c.options)
		if err != nil {
			return err
		}
		c.rings = append(c.rings, r)
	}
	return c.opened()
}

// opened is called when all rings are there.
func (c *capture) opened() error {
	c.fds = nil
	for _, r := range c.rings {
		c.fds = append(c.fds, unix.PollFd{Fd: int32(r.fd), Events: unix.POLLIN})
	}
	c.turn, c.ports = 0, c.rings[0].ports()
	if len(c.rings) == 1 {
		return nil
	}
	return share(c.rings)
}

// await makes sockets of both kinds for an interface that will be there, as later the daemon may
// have given up the right to.
func (c *capture) await() error {
	for cooked := range c.spare {
		for range c.fanout {
			fd, err := newSocket(cooked == 1)
			if err != nil {
				return fmt.Errorf("capture from %s: %w", c.options.iface, err)
			}
			c.spare[cooked] = append(c.spare[cooked], fd)
		}
	}
	c.gone, c.since = true, time.Now()
	return c.follower.listen(true)
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
				c.columns.fill(b, r.block(), c.ports, c.frames[:n]) // the ports know no aggregates
				return nil
			}
		}
		switch now := time.Now(); {
		case c.advance():
			c.down = false
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

// poll waits until a ring has something to tell.
func (c *capture) poll(deadline time.Time) (woken bool, err error) {
	if c.gone {
		_, err := poll([]unix.PollFd{{Fd: int32(c.follower.fd), Events: unix.POLLIN}}, deadline)
		if err == nil {
			err = c.lookAgain()
		}
		return false, err
	}
	woken, err = poll(c.fds, deadline)
	for i := range c.fds {
		if err == nil && c.fds[i].Revents&unix.POLLERR != 0 {
			err = c.trouble(c.rings[i])
		}
	}
	return woken, err
}

// trouble deals with what poll reports besides packets. An interface that is down may come up
// again.
func (c *capture) trouble(r *ring) error {
	err := r.socketError()
	if !errors.Is(err, unix.ENETDOWN) {
		return err
	}
	if !c.down {
		c.log.Warn("the interface is down; capturing goes on when it is up", "interface", r.name)
	}
	c.down = true
	return nil
}

// followed notes that the interface is gone. The kernel tells that it is down, before the last
// packets, and then no more.
func (c *capture) followed() error {
	if c.gone || c.stopping || c.leaving || !c.rings[0].removed() {
		return nil
	}
	c.log.Warn("the interface is removed; capturing goes on when there is one of its name", "interface", c.options.iface)
	c.removals.Add(1)
	c.gone, c.since, c.counted = true, time.Now(), 0
	if err := c.follower.listen(true); err != nil {
		return err
	}
	return c.lookAgain() // it may be there again
}

// lookAgain captures from the interface if it is there again.
func (c *capture) lookAgain() error {
	if c.stopping || c.leaving {
		return nil
	}
	c.follower.drain()
	f, err := lookup(c.follower.fd, c.options.iface)
	if errors.Is(err, unix.ENODEV) {
		return nil
	}
	if err == nil {
		err = c.reopen(f)
	}
	if errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENXIO) { // gone once more
		return nil
	}
	if err != nil {
		return fmt.Errorf("capture from %s, which is there again: %w", c.options.iface, err)
	}
	c.countAway()
	c.gone, c.down = false, false
	c.log.Warn("the interface is there; capturing goes on", "interface", c.options.iface, "seconds_without", c.counted)
	return c.follower.listen(false)
}

// reopen binds the sockets to the interface. Where they do not fit, it makes others, which needs
// the right to.
func (c *capture) reopen(f found) error {
	cooked := 0
	if f.cooked() {
		cooked = 1
	}
	switch {
	case len(c.rings) == 0:
		for _, fd := range c.spare[cooked] {
			r, err := startRing(fd, c.options, f)
			c.spare[cooked] = c.spare[cooked][1:]
			if err != nil {
				return err
			}
			c.rings = append(c.rings, r)
		}
		c.closeSpare()
		return c.opened()
	case len(c.rings) == 1 && (c.rings[0].link == linkSLL2) == f.cooked():
		if err := c.rings[0].bind(c.options, f); err != nil {
			return err
		}
		c.ports = c.rings[0].ports()
		return nil
	}
	c.countLost()
	old := c.rings
	c.rings = nil
	err := netns.Do(c.place.Path, c.open)
	if err != nil {
		old, c.rings = c.rings, old
	}
	c.retired = append(c.retired, old...)
	return errors.Join(err, c.sweep())
}

// countAway counts the whole seconds without the interface.
func (c *capture) countAway() {
	if c.gone {
		n := int(time.Since(c.since) / time.Second)
		c.without.Add(n - c.counted)
		c.counted = n
	}
}

// Tick counts what was lost, and follows the namespace.
func (c *capture) Tick(now time.Time) {
	c.countLost()
	c.countAway()
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

// retire gives the rings back as soon as no batch refers to them.
func (c *capture) retire() error {
	c.retired, c.rings = append(c.retired, c.rings...), nil
	return c.sweep()
}

// sweep gives back retired rings.
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

func (c *capture) closeSpare() {
	for i := range c.spare {
		for _, fd := range c.spare[i] {
			unix.Close(fd)
		}
		c.spare[i] = nil
	}
}

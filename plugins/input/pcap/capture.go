package pcap

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
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

	rings  []*ring
	fds    []unix.PollFd
	ports  []port
	turn   int // the ring that is read
	frames [engine.BatchSize]frame

	down     bool
	stopping bool
	end      time.Time // of the capture, if nothing comes any more
	lost     *engine.Counter
}

// openCapture opens the interface.
func openCapture(s *settings, columns *columns, env *engine.Env) (reader, error) {
	c := &capture{columns: columns, log: env.Log, limited: env.Limited()}
	c.lost = env.Stats.Lost("ring", "packets that found the ring full")
	o := liveOptions{iface: s.iface, filter: s.expression, snaplen: s.snaplen, promisc: s.promisc}
	err := netns.Do(s.namespace, func() error { return c.open(o, s.fanout) })
	if err != nil {
		c.Close()
		return nil, err
	}
	c.log.Info("capturing", "interface", s.iface, "rings", len(c.rings), "octets", len(c.rings)*ringBlocks*ringBlock)
	return c, nil
}

func (c *capture) open(o liveOptions, rings int) error {
	for range rings {
		r, err := openRing(o)
		if err != nil {
			return err
		}
		c.rings = append(c.rings, r)
		c.fds = append(c.fds, unix.PollFd{Fd: int32(r.fd), Events: unix.POLLIN})
	}
	c.ports = c.rings[0].ports()
	if rings == 1 {
		return nil
	}
	return share(c.rings)
}

// Read fills a batch with packets of one block.
func (c *capture) Read(b *engine.Batch, deadline time.Time) error {
	for woken := false; ; {
		r := c.rings[c.turn]
		if n := r.next(c.frames[:]); n > 0 {
			c.columns.fill(b, r.block(), c.ports, c.frames[:n])
			return nil
		}
		switch now := time.Now(); {
		case c.advance():
			c.down = false
			c.end = now.Add(settled)
			continue
		case c.stopping && now.After(c.end) && !c.full():
			c.countLost()
			return io.EOF
		case !now.Before(deadline):
			return c.removed()
		case woken: // poll also tells of blocks that wait to be given back
			time.Sleep(time.Millisecond)
		}
		var err error
		if woken, err = c.wait(deadline); err != nil {
			return err
		}
	}
}

// settled is how long after Stop a block may still come: the kernel looks twice, retireAfter apart, whether one is quiet before
// it hands it over.
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

// full tells whether batches refer to all blocks of a ring: the kernel may hold packets back behind them.
func (c *capture) full() bool {
	for _, r := range c.rings {
		if r.held == ringBlocks {
			return true
		}
	}
	return false
}

// wait waits until a ring has something to tell.
func (c *capture) wait(deadline time.Time) (woken bool, err error) {
	woken, err = poll(c.fds, deadline)
	for i := range c.fds {
		if err == nil && c.fds[i].Revents&unix.POLLERR != 0 {
			err = c.trouble(c.rings[i])
		}
	}
	return woken, err
}

// trouble deals with what poll reports besides packets. An interface that is down may come up again.
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

// removed returns an error when the interface is gone for good. The kernel tells that it is down, and then no more.
func (c *capture) removed() error {
	if r := c.rings[0]; c.down && r.removed() {
		return fmt.Errorf("interface %s is removed", r.name)
	}
	return nil
}

// Tick counts what was lost.
func (c *capture) Tick(time.Time) { c.countLost() }

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
	for _, r := range c.rings {
		if err := r.refuse(); err != nil {
			c.log.Error("stop capturing", "interface", r.name, "error", err)
		}
	}
	c.stopping, c.end = true, time.Now().Add(settled)
}

// Close gives the rings back.
func (c *capture) Close() error {
	var all []error
	for _, r := range c.rings {
		all = append(all, r.close())
	}
	return errors.Join(all...)
}

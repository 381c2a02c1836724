// One interface of a live capture, which may go away and come back.

package pcap

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"ulogd/plugins/input/netlink/netns"
)

// tap captures from the interface of a name.
type tap struct {
	capture *capture
	options liveOptions
	fanout  int
	rings   []*ring

	gone    bool
	since   time.Time
	counted int
	spare   [2][]int // sockets for an interface that has never been there, by whether it is cooked
}

// begin opens the interface, or waits for it.
func (t *tap) begin() error {
	t.gone = false
	err := t.open()
	switch {
	case t.capture.wait && errors.Is(err, unix.ENODEV):
		if err := t.await(); err != nil {
			return err
		}
		t.capture.log.Warn("the interface is not there; capturing begins when it is", "interface", t.options.iface)
	case err != nil:
		return err
	default:
		t.capture.log.Info("capturing", "interface", t.options.iface, "rings", len(t.rings), "octets",
			len(t.rings)*ringBlocks*ringBlock)
	}
	return nil
}

// open makes the rings.
func (t *tap) open() error {
	for range t.fanout {
		r, err := openRing(t.options)
		if err != nil {
			return err
		}
		t.rings = append(t.rings, r)
	}
	return share(t.rings)
}

// await makes sockets of both kinds for an interface that will be there, as later the daemon may
// have given up the right to.
func (t *tap) await() error {
	for cooked := range t.spare {
		for range t.fanout {
			fd, err := newSocket(cooked == 1)
			if err != nil {
				return fmt.Errorf("capture from %s: %w", t.options.iface, err)
			}
			t.spare[cooked] = append(t.spare[cooked], fd)
		}
	}
	t.gone, t.since, t.counted = true, time.Now(), 0
	return nil
}

// trouble deals with what poll reports besides packets. An interface that is down may come up
// again.
func (t *tap) trouble(r *ring) error {
	err := r.socketError()
	if !errors.Is(err, unix.ENETDOWN) {
		return err
	}
	if !slices.ContainsFunc(t.rings, func(r *ring) bool { return r.down }) {
		t.capture.log.Warn("the interface is down; capturing goes on when it is up", "interface", r.name)
	}
	r.down = true
	return nil
}

// followed notes that the interface is gone, and reports whether it is so since now.
func (t *tap) followed() bool {
	if t.gone || !t.rings[0].removed() {
		return false
	}
	t.capture.log.Warn("the interface is removed; capturing goes on when there is one of its name", "interface",
		t.options.iface)
	t.capture.removals.Add(1)
	t.gone, t.since, t.counted = true, time.Now(), 0
	return true
}

// lookAgain captures from the interface if it is there again, and reports whether it is.
func (t *tap) lookAgain() (bool, error) {
	if !t.gone {
		return false, nil
	}
	f, err := lookup(t.capture.follower.fd, t.options.iface)
	if errors.Is(err, unix.ENODEV) {
		return false, nil
	}
	if err == nil {
		err = t.reopen(f)
	}
	if errors.Is(err, unix.ENODEV) || errors.Is(err, unix.ENXIO) { // gone once more
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("capture from %s, which is there again: %w", t.options.iface, err)
	}
	t.countAway()
	t.gone = false
	t.capture.log.Warn("the interface is there; capturing goes on", "interface", t.options.iface, "seconds_without",
		t.counted)
	return true, nil
}

// reopen binds the sockets to the interface. Where they do not fit, it makes others, which needs
// the right to.
func (t *tap) reopen(f found) error {
	cooked := 0
	if f.cooked() {
		cooked = 1
	}
	switch {
	case len(t.rings) == 0:
		for _, fd := range t.spare[cooked] {
			r, err := startRing(fd, t.options, f)
			t.spare[cooked] = t.spare[cooked][1:]
			if err != nil {
				return err
			}
			t.rings = append(t.rings, r)
		}
		t.closeSpare()
		return share(t.rings)
	case len(t.rings) == 1 && (t.rings[0].link == linkSLL2) == f.cooked():
		return t.rings[0].bind(t.options, f)
	}
	t.capture.countLost()
	old := t.rings
	t.rings = nil
	err := netns.Do(t.capture.place.Path, t.open)
	if err != nil {
		old, t.rings = t.rings, old
	}
	t.capture.retired = append(t.capture.retired, old...)
	return errors.Join(err, t.capture.sweep())
}

// countAway counts the whole seconds without the interface.
func (t *tap) countAway() {
	if t.gone {
		n := int(time.Since(t.since) / time.Second)
		t.capture.without.Add(n - t.counted)
		t.counted = n
	}
}

func (t *tap) closeSpare() {
	for i := range t.spare {
		for _, fd := range t.spare[i] {
			unix.Close(fd)
		}
		t.spare[i] = nil
	}
}

// The links of a network namespace, kept current by what the kernel says of changes.

package ifindex

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"ulogd/engine"
	"ulogd/plugins/input/netlink/mmsg"
	"ulogd/plugins/input/netlink/nlattr"
)

// links are the names of interfaces by their index. All of it runs on the stack's goroutine: the
// changes that the kernel has told of are taken up before each batch, so that packets logged after
// a change show it.
type links struct {
	namespace string

	env      *engine.Env
	file     *os.File // the namespace
	monitor  *netlink.Conn
	receiver *mmsg.Receiver
	buf      []byte
	known    []link   // sorted by index
	gone     []uint32 // indexes of removed links whose names are still known, oldest first
}

type link struct {
	index uint32
	name  []byte
	gone  bool
}

const (
	// maxGone is how many removed links keep their names: packets that they carried may still wait
	// to be read.
	maxGone = 1024

	slotSize = 32 << 10 // octets for one message about a link; those with many virtual functions are the largest
	slots    = 4
)

// Open begins to follow the links and reads those that exist.
func (l *links) Open(env *engine.Env) error {
	l.env = env
	config := netlink.Config{Groups: 1 << (unix.RTNLGRP_LINK - 1)}
	if l.namespace != "" {
		var err error
		if l.file, err = os.Open(l.namespace); err != nil {
			return fmt.Errorf("open the input's network namespace: %w", err)
		}
		config.NetNS = int(l.file.Fd())
	}
	var err error
	if l.monitor, err = netlink.Dial(unix.NETLINK_ROUTE, &config); err != nil {
		return fmt.Errorf("follow interfaces: %w", err)
	}
	raw, err := l.monitor.SyscallConn()
	if err != nil {
		return err
	}
	l.receiver, l.buf = mmsg.New(raw), make([]byte, slots*slotSize)
	return l.load()
}

// Close stops following.
func (l *links) Close() error {
	var errs []error
	if l.monitor != nil {
		errs = append(errs, l.monitor.Close())
	}
	if l.file != nil {
		errs = append(errs, l.file.Close())
	}
	return errors.Join(errs...)
}

// load reads all links. Changes that happen meanwhile wait in the monitor.
func (l *links) load() error {
	config := netlink.Config{}
	if l.file != nil {
		config.NetNS = int(l.file.Fd())
	}
	c, err := netlink.Dial(unix.NETLINK_ROUTE, &config)
	if err != nil {
		return fmt.Errorf("list interfaces: %w", err)
	}
	defer c.Close()
	messages, err := c.Execute(netlink.Message{
		Header: netlink.Header{Type: unix.RTM_GETLINK, Flags: netlink.Request | netlink.Dump},
		Data:   make([]byte, unix.SizeofIfInfomsg),
	})
	if err != nil {
		return fmt.Errorf("list interfaces: %w", err)
	}
	for _, k := range slices.Clone(l.known) {
		l.remove(k.index)
	}
	for _, m := range messages {
		l.change(uint16(m.Header.Type), m.Data)
	}
	return nil
}

// update takes up the changes since the last time.
func (l *links) update() {
	for {
		n, err := l.receiver.TryReceive(l.buf, slotSize)
		whole := true
		for i := range n {
			for rest := l.receiver.Datagram(i); len(rest) > 0; {
				var m nlattr.Message
				m, rest = nlattr.NextMessage(rest)
				l.change(m.Type, m.Body)
				whole = whole && m.Type != nlattr.Malformed
			}
		}
		if errors.Is(err, mmsg.ErrOverrun) || !whole {
			err = l.load()
		}
		if err != nil {
			l.env.Limited().Error("cannot follow interfaces; names may be out of date", "error", err)
		}
		if n == 0 || err != nil {
			return
		}
	}
}

// change takes up one message: struct ifinfomsg, in the machine's byte order, and attributes.
func (l *links) change(typ uint16, body []byte) {
	// For the bridge family, a link that is "deleted" has only left its bridge.
	if len(body) < unix.SizeofIfInfomsg || body[0] == unix.AF_BRIDGE {
		return
	}
	index := binary.NativeEndian.Uint32(body[4:])
	switch typ {
	case unix.RTM_DELLINK:
		l.remove(index)
	case unix.RTM_NEWLINK:
		for attrs := body[unix.SizeofIfInfomsg:]; len(attrs) > 0; {
			var kind uint16
			var v []byte
			if kind, v, attrs = nlattr.Next(attrs); kind == unix.IFLA_IFNAME && len(v) > 1 {
				l.set(index, v[:len(v)-1])
			}
		}
	}
}

func (l *links) name(index uint32) ([]byte, bool) {
	if at, ok := l.find(index); ok {
		return l.known[at].name, true
	}
	return nil, false
}

func (l *links) set(index uint32, name []byte) {
	at, ok := l.find(index)
	if !ok {
		l.known = slices.Insert(l.known, at, link{index: index})
	}
	l.known[at].name, l.known[at].gone = slices.Clone(name), false
}

// remove keeps the name for a while.
func (l *links) remove(index uint32) {
	at, ok := l.find(index)
	if !ok || l.known[at].gone {
		return
	}
	l.known[at].gone = true
	l.gone = append(l.gone, index)
	if len(l.gone) <= maxGone {
		return
	}
	if at, ok := l.find(l.gone[0]); ok && l.known[at].gone {
		l.known = slices.Delete(l.known, at, at+1)
	}
	l.gone = slices.Delete(l.gone, 0, 1)
}

func (l *links) find(index uint32) (at int, ok bool) {
	return slices.BinarySearchFunc(l.known, index, func(k link, i uint32) int { return cmp.Compare(k.index, i) })
}

// The routes of a network namespace, kept current by what the kernel says of changes.

package route

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"ulogd/engine"
	"ulogd/plugins/input/netlink/mmsg"
	"ulogd/plugins/input/netlink/nlattr"
)

// follower keeps the routes of a network namespace. All of it runs on the stack's goroutine: what
// the kernel has told of changes is taken up before each batch.
type follower struct {
	namespace string
	only      uint32 // the table to look into; 0: all

	tables   [2]prefixes // of IPv4 and IPv6
	env      *engine.Env
	file     *os.File // the namespace
	monitor  *netlink.Conn
	receiver *mmsg.Receiver
	buf      []byte
	stale    bool // routes have changed of which nothing was told
	loaded   time.Time
	routes   *engine.Counter
	reloads  *engine.Counter
}

const (
	slotSize = 16 << 10 // octets for one message; those of multipath routes and of links are the largest
	slots    = 16

	receiveBuffer = 4 << 20 // a routing daemon changes many at once

	// settle is the least time between two readings of all routes.
	settle = time.Second
)

// groups tell of routes, and of what makes the kernel drop IPv4 routes without a word: links going
// down and addresses being removed.
var groups = []uint32{
	unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE,
	unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_NEXTHOP,
}

// Open begins to follow the routes and reads those that exist.
func (f *follower) Open(env *engine.Env) error {
	f.env = env
	f.routes = env.Stats.Level("routes", "routes known now")
	f.reloads = env.Stats.Counter("reloads", "times that all routes were read again")
	if f.namespace != "" {
		var err error
		if f.file, err = os.Open(f.namespace); err != nil {
			return fmt.Errorf("open the input's network namespace: %w", err)
		}
	}
	var err error
	if f.monitor, err = f.dial(); err != nil {
		return fmt.Errorf("follow routes: %w", err)
	}
	for _, g := range groups {
		if err := f.monitor.JoinGroup(g); err != nil {
			return fmt.Errorf("follow routes: join group %d: %w", g, err)
		}
	}
	if err := f.monitor.SetReadBuffer(receiveBuffer); err != nil {
		return fmt.Errorf("follow routes: %w", err)
	}
	raw, err := f.monitor.SyscallConn()
	if err != nil {
		return err
	}
	f.receiver, f.buf = mmsg.New(raw), make([]byte, slots*slotSize)
	return f.load()
}

func (f *follower) dial() (*netlink.Conn, error) {
	config := netlink.Config{}
	if f.file != nil {
		config.NetNS = int(f.file.Fd())
	}
	return netlink.Dial(unix.NETLINK_ROUTE, &config)
}

// Close stops following.
func (f *follower) Close() error {
	var errs []error
	if f.monitor != nil {
		errs = append(errs, f.monitor.Close())
	}
	if f.file != nil {
		errs = append(errs, f.file.Close())
	}
	return errors.Join(errs...)
}

// load reads all routes. Changes that happen meanwhile wait in the monitor; taking up one twice
// does no harm.
func (f *follower) load() error {
	f.stale, f.loaded = false, time.Now()
	c, err := f.dial()
	if err != nil {
		return fmt.Errorf("list routes: %w", err)
	}
	defer c.Close()
	f.tables = [2]prefixes{}
	f.routes.Set(0)
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		request := make([]byte, unix.SizeofRtMsg)
		request[0] = family
		messages, err := c.Execute(netlink.Message{
			Header: netlink.Header{Type: unix.RTM_GETROUTE, Flags: netlink.Request | netlink.Dump},
			Data:   request,
		})
		if err != nil {
			return fmt.Errorf("list routes: %w", err)
		}
		for _, m := range messages {
			f.change(uint16(m.Header.Type), 0, m.Data)
		}
	}
	return nil
}

// update takes up the changes since the last time.
func (f *follower) update() {
	var failure error
	for {
		n, err := f.receiver.TryReceive(f.buf, slotSize)
		for i := range n {
			for rest := f.receiver.Datagram(i); len(rest) > 0; {
				var m nlattr.Message
				m, rest = nlattr.NextMessage(rest)
				f.change(m.Type, m.Flags, m.Body)
			}
		}
		if errors.Is(err, mmsg.ErrOverrun) {
			f.stale = true
			continue
		}
		failure = err
		if n == 0 || err != nil {
			break
		}
	}
	if f.stale && time.Since(f.loaded) >= settle {
		f.reloads.Add(1)
		failure = f.load()
	}
	if failure != nil {
		f.env.Limited().Error("cannot follow routes; what is told of them may be out of date", "error", failure)
	}
}

// change takes up one message.
func (f *follower) change(typ, flags uint16, body []byte) {
	switch typ {
	case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
		f.changeRoute(typ == unix.RTM_NEWROUTE, flags&unix.NLM_F_REPLACE != 0, body)
	case unix.RTM_DELLINK, unix.RTM_DELADDR, unix.RTM_NEWNEXTHOP, unix.RTM_DELNEXTHOP, nlattr.Malformed:
		f.stale = true
	case unix.RTM_NEWLINK:
		f.stale = f.stale || linkIsDown(body)
	}
}

func (f *follower) changeRoute(add, replace bool, body []byte) {
	m, ok := readRoute(body)
	if !ok || f.only != 0 && m.hop.table != f.only {
		return
	}
	t := &f.tables[m.version/6]
	before := t.count
	if add {
		t.put(m.addr, m.plen, m.hop, replace)
	} else {
		t.drop(m.addr, m.plen, m.hop)
	}
	f.routes.Add(t.count - before)
}

// The routes of a network namespace, as the kernel tells of them.

package route

import (
	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"ulogd/engine"
	"ulogd/plugins/filter/follow"
	"ulogd/plugins/input/netlink/nlattr"
)

// routes are what the kernel has told of routes.
type routes struct {
	only   uint32      // the table to look into; 0: all
	tables [2]prefixes // of IPv4 and IPv6
	count  *engine.Counter
}

var _ follow.Subject = (*routes)(nil)

// Groups implements follow.Subject. Links going down and addresses being removed make the kernel
// drop IPv4 routes without a word.
func (t *routes) Groups() []uint32 {
	return []uint32{
		unix.RTNLGRP_IPV4_ROUTE, unix.RTNLGRP_IPV6_ROUTE,
		unix.RTNLGRP_LINK, unix.RTNLGRP_IPV4_IFADDR, unix.RTNLGRP_NEXTHOP,
	}
}

// Requests implements follow.Subject.
func (t *routes) Requests() (list []netlink.Message) {
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
		body := make([]byte, unix.SizeofRtMsg)
		body[0] = family
		list = append(list, netlink.Message{Header: netlink.Header{Type: unix.RTM_GETROUTE}, Data: body})
	}
	return list
}

// Begin implements follow.Subject.
func (t *routes) Begin() {
	t.tables = [2]prefixes{}
	t.count.Set(0)
}

// Change implements follow.Subject.
func (t *routes) Change(m nlattr.Message) (enough bool) {
	switch m.Type {
	case unix.RTM_NEWROUTE, unix.RTM_DELROUTE:
		t.change(m.Type == unix.RTM_NEWROUTE, m.Flags&unix.NLM_F_REPLACE != 0, m.Body)
	case unix.RTM_DELLINK, unix.RTM_DELADDR, unix.RTM_NEWNEXTHOP, unix.RTM_DELNEXTHOP:
		return false
	case unix.RTM_NEWLINK:
		return !linkIsDown(m.Body)
	}
	return true
}

func (t *routes) change(add, replace bool, body []byte) {
	m, ok := readRoute(body)
	if !ok || t.only != 0 && m.hop.table != t.only {
		return
	}
	p := &t.tables[m.version/6]
	before := p.count
	if add {
		p.put(m.addr, m.plen, m.hop, replace)
	} else {
		p.drop(m.addr, m.plen, m.hop)
	}
	t.count.Add(p.count - before)
}

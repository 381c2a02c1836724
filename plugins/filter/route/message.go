// Messages of rtnetlink about routes.

package route

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"ulogd/engine"
	"ulogd/plugins/input/netlink/nlattr"
)

// message is a route as the kernel tells it.
type message struct {
	version int
	addr    engine.Addr // positioned
	plen    uint8
	hop     hop
}

// readRoute reads struct rtmsg (linux/rtnetlink.h) and its attributes, numbers in the machine's
// byte order. It returns false for what is no unicast route of IP, or cannot be read.
func readRoute(body []byte) (m message, ok bool) {
	if len(body) < unix.SizeofRtMsg {
		return m, false
	}
	family, plen, tos, table, kind := body[0], body[1], body[3], body[4], body[7]
	flags := binary.NativeEndian.Uint32(body[8:])
	switch {
	case family == unix.AF_INET && plen <= 32:
		m.version = 4
	case family == unix.AF_INET6 && plen <= 128:
		m.version = 6
	default:
		return m, false
	}
	if flags&unix.RTM_F_CLONED != 0 || kind == unix.RTN_MULTICAST || kind == unix.RTN_ANYCAST && m.version == 4 {
		return m, false
	}
	m.plen = plen
	m.hop = hop{table: uint32(table), tos: tos}
	for attrs := body[unix.SizeofRtMsg:]; len(attrs) > 0; {
		var attr uint16
		var v []byte
		switch attr, v, attrs = nlattr.Next(attrs); attr {
		case nlattr.Malformed:
			return m, false
		case unix.RTA_DST:
			if m.addr, ok = m.address(v); !ok {
				return m, false
			}
			m.addr = position(m.addr, m.version)
		case unix.RTA_TABLE:
			m.hop.table = number(v)
		case unix.RTA_PRIORITY:
			m.hop.metric = number(v)
		case unix.RTA_OIF:
			m.hop.oif = number(v)
		case unix.RTA_GATEWAY:
			m.hop.gateway, m.hop.via = m.address(v)
		case unix.RTA_MULTIPATH:
			m.firstHop(v)
		}
	}
	if kind != unix.RTN_UNICAST { // this host, a broadcast, or nowhere
		m.hop.oif, m.hop.via, m.hop.gateway = 0, false, engine.Addr{}
	}
	return m, true
}

// firstHop reads the first struct rtnexthop of a route over several.
func (m *message) firstHop(v []byte) {
	if len(v) < unix.SizeofRtNexthop {
		return
	}
	length := int(binary.NativeEndian.Uint16(v))
	m.hop.oif = binary.NativeEndian.Uint32(v[4:])
	for attrs := v[unix.SizeofRtNexthop:max(unix.SizeofRtNexthop, min(length, len(v)))]; len(attrs) > 0; {
		var attr uint16
		var value []byte
		if attr, value, attrs = nlattr.Next(attrs); attr == unix.RTA_GATEWAY {
			m.hop.gateway, m.hop.via = m.address(value)
		}
	}
}

// address reads an address of the route's family.
func (m *message) address(v []byte) (engine.Addr, bool) {
	switch {
	case m.version == 4 && len(v) == 4:
		return engine.AddrFrom4(v), true
	case m.version == 6 && len(v) == 16:
		return engine.AddrFrom16(v), true
	}
	return engine.Addr{}, false
}

func number(v []byte) uint32 {
	if len(v) < 4 {
		return 0
	}
	return binary.NativeEndian.Uint32(v)
}

// linkIsDown reports whether struct ifinfomsg says that an interface is down: then the kernel has
// dropped its routes.
func linkIsDown(body []byte) bool {
	return len(body) >= unix.SizeofIfInfomsg && binary.NativeEndian.Uint32(body[8:])&unix.IFF_UP == 0
}

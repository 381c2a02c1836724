// Which flows are meant: the words of a filter.

package question

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"ulogd/engine/ipproto"
)

// A match picks flows. Its zero value picks all.
type match struct {
	proto    uint8
	oneProto bool
	src, dst netip.Prefix
	addr     netip.Prefix // either side
	port     uint16       // either side
	onePort  bool
	in, out  uint32 // interfaces; 0: any
	either   uint32 // interface on either side
	id       string // of the instance that holds the flow; "": any
}

// matchWords are the words that set takes.
const matchWords = "proto, src, dst, addr, port, in, out, if and id"

// set takes a word of a filter. It returns false if the name is none of a filter's.
func (m *match) set(name, value string) (known bool, err error) {
	switch name {
	case "proto":
		m.oneProto = true
		m.proto, err = ipproto.Number(value)
	case "src":
		m.src, err = prefix(value)
	case "dst":
		m.dst, err = prefix(value)
	case "addr":
		m.addr, err = prefix(value)
	case "port":
		var n uint64
		if n, err = strconv.ParseUint(value, 10, 16); err != nil {
			err = fmt.Errorf("%q is no port; give a number from 0 to 65535", value)
		}
		m.port, m.onePort = uint16(n), true
	case "id":
		m.id = value
	case "in":
		m.in, err = interfaceIndex(value)
	case "out":
		m.out, err = interfaceIndex(value)
	case "if":
		m.either, err = interfaceIndex(value)
	default:
		return false, nil
	}
	return true, err
}

// prefix reads an address or a network.
func prefix(s string) (netip.Prefix, error) {
	if strings.Contains(s, "/") {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return p, fmt.Errorf("%q is no network; write it as 192.0.2.0/24 or 2001:db8::/32", s)
		}
		return p.Masked(), nil
	}
	a, err := netip.ParseAddr(s)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is no address; write one such as 192.0.2.1 or 2001:db8::1, or a network "+
			"such as 192.0.2.0/24", s)
	}
	return a.WithZone("").Prefix(a.BitLen())
}

// interfaceIndex returns the number of an interface of the daemon's namespace, or one that is given.
func interfaceIndex(name string) (uint32, error) {
	if n, err := strconv.ParseUint(name, 10, 31); err == nil && n > 0 {
		return uint32(n), nil
	}
	i, err := net.InterfaceByName(name)
	if err != nil {
		return 0, fmt.Errorf("%q is no interface here; give the number of one that was, or is in another namespace", name)
	}
	return uint32(i.Index), nil
}

// through reports whether a flow took the interfaces that are asked for. Where it is not known which
// it took, it did not.
func (m *match) through(f *Flow) bool {
	return (m.in == 0 || f.In == m.in) && (m.out == 0 || f.Out == m.out) &&
		(m.either == 0 || f.In == m.either || f.Out == m.either)
}

// Matches reports whether a flow is asked for. Where it has no ports they are -1.
func (m *match) Matches(proto uint8, src, dst netip.Addr, sport, dport int) bool {
	in := func(p netip.Prefix, a netip.Addr) bool { return !p.IsValid() || p.Contains(a) }
	return (!m.oneProto || m.proto == proto) && (!m.onePort || int(m.port) == sport || int(m.port) == dport) &&
		in(m.src, src) && in(m.dst, dst) && (in(m.addr, src) || in(m.addr, dst))
}

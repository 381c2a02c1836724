// The arguments of a filter's words: addresses, networks, ports, protocol numbers.

package filter

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// address compiles an address or network behind host, net, src or dst.
func (p *parser) address(q qualifiers, word string) (*node, error) {
	switch q.proto {
	case wordNone, wordIP, wordIP6, wordARP:
	default:
		return nil, fmt.Errorf("%s has no addresses: %q", q.proto, word)
	}
	if strings.Contains(word, ":") {
		return p.address6(q, word)
	}
	if q.proto == wordIP6 {
		return nil, fmt.Errorf("%q is not an IPv6 address", word)
	}
	text, length, prefixed := strings.Cut(word, "/")
	addr, octets, ok := dotted(text)
	if !ok {
		return nil, fmt.Errorf("%q is not a word of filters that is supported here, nor an address (names of hosts are not looked up)", word)
	}
	mask := ^uint32(0)
	switch {
	case prefixed:
		bits, err := strconv.ParseUint(length, 10, 8)
		if err != nil || bits > 32 {
			return nil, fmt.Errorf("%q: the prefix length must be 0 to 32", word)
		}
		mask = uint32(^uint64(0) << (32 - bits))
		if addr&^mask != 0 {
			return nil, fmt.Errorf("%q has bits set behind its prefix", word)
		}
	case q.kind == wordNet && p.peek() == "mask":
		p.take()
		m, n, ok := dotted(p.peek())
		if !ok || n != 4 {
			return nil, fmt.Errorf("mask needs four octets, not %q", p.peek())
		}
		p.take()
		if mask = m; addr&^mask != 0 {
			return nil, fmt.Errorf("%q has bits set behind its mask", word)
		}
	case octets < 4: // net 10 is 10.0.0.0/8
		mask <<= 32 - 8*octets
	}
	return p.place.host4(q.proto, q.dir, addr, mask)
}

// dotted reads one to four octets of an IPv4 address, and tells how many.
func dotted(text string) (addr uint32, octets int, ok bool) {
	parts := strings.Split(text, ".")
	if len(parts) > 4 {
		return 0, 0, false
	}
	for _, part := range parts {
		v, err := strconv.ParseUint(part, 10, 8)
		if err != nil {
			return 0, 0, false
		}
		addr = addr<<8 | uint32(v)
	}
	return addr << (32 - 8*len(parts)), len(parts), true
}

func (p *parser) address6(q qualifiers, word string) (*node, error) {
	if q.proto != wordNone && q.proto != wordIP6 {
		return nil, fmt.Errorf("%s has no IPv6 addresses: %q", q.proto, word)
	}
	text := word
	if !strings.Contains(word, "/") {
		text += "/128"
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil || prefix.Addr().Is4() {
		return nil, fmt.Errorf("%q is not an IPv6 address or network", word)
	}
	if prefix.Masked() != prefix {
		return nil, fmt.Errorf("%q has bits set behind its prefix", word)
	}
	var mask [16]byte
	copy(mask[:], net.CIDRMask(prefix.Bits(), 128))
	return p.place.host6(q.dir, prefix.Addr().As16(), mask)
}

// portNumbers are the transport protocols that the word port speaks of by itself.
var portNumbers = []uint32{unix.IPPROTO_TCP, unix.IPPROTO_UDP, unix.IPPROTO_SCTP}

// port compiles a port or a range of them.
func (p *parser) port(q qualifiers, word string) (*node, error) {
	protocols := portNumbers
	switch q.proto {
	case wordNone:
	case wordTCP, wordUDP, wordSCTP:
		protocols = []uint32{q.proto.number()}
	default:
		return nil, fmt.Errorf("%s has no ports: %q", q.proto, word)
	}
	if q.kind == wordPortRange {
		if from, to, ok := strings.Cut(word, "-"); ok {
			lo, err := portNumber(from)
			if err != nil {
				return nil, err
			}
			hi, err := portNumber(to)
			if err != nil {
				return nil, err
			}
			return p.place.ports(protocols, q.dir, min(lo, hi), max(lo, hi))
		}
	}
	n, err := portNumber(word)
	if err == nil {
		return p.place.ports(protocols, q.dir, n, n)
	}
	return p.service(q, word)
}

func portNumber(word string) (uint32, error) {
	n, err := strconv.ParseUint(word, 0, 16)
	if err != nil {
		return 0, fmt.Errorf("%q is not a port", word)
	}
	return uint32(n), nil
}

// service compiles a port by its name in /etc/services. A name of only one transport protocol
// stands for that one.
func (p *parser) service(q qualifiers, word string) (*node, error) {
	name := strings.TrimPrefix(word, `\`)
	tcp, noTCP := net.LookupPort("tcp", name)
	udp, noUDP := net.LookupPort("udp", name)
	switch {
	case q.proto == wordTCP && noTCP == nil:
		return p.place.ports([]uint32{unix.IPPROTO_TCP}, q.dir, uint32(tcp), uint32(tcp))
	case q.proto == wordUDP && noUDP == nil:
		return p.place.ports([]uint32{unix.IPPROTO_UDP}, q.dir, uint32(udp), uint32(udp))
	case q.proto != wordNone || noTCP != nil && noUDP != nil:
		return nil, fmt.Errorf("%q is not a port, nor a service that /etc/services names for the protocol", word)
	case noUDP != nil:
		return p.place.ports([]uint32{unix.IPPROTO_TCP}, q.dir, uint32(tcp), uint32(tcp))
	case noTCP != nil:
		return p.place.ports([]uint32{unix.IPPROTO_UDP}, q.dir, uint32(udp), uint32(udp))
	case tcp != udp:
		return nil, fmt.Errorf("%q is port %d of tcp and %d of udp: say which", word, tcp, udp)
	}
	return p.place.ports(portNumbers, q.dir, uint32(tcp), uint32(tcp))
}

// protocolNumber reads the argument of proto: a number, or a name behind a backslash, as the name
// alone is a word of its own.
func protocolNumber(word string) (uint32, error) {
	if n, err := strconv.ParseUint(word, 0, 8); err == nil {
		return uint32(n), nil
	}
	if w, ok := protocolWords[strings.TrimPrefix(word, `\`)]; ok && w.number() != 0 {
		return w.number(), nil
	}
	return 0, fmt.Errorf("proto needs a number from 0 to 255, not %q", word)
}

// What the words of a filter mean, as trees of tests. The meanings are libpcap's, seen in what
// tcpdump counts.

package filter

import (
	"fmt"

	"ulogd/engine"
)

// node is a test, or a combination of others.
type node struct {
	kind nodeKind
	test test
	a, b *node // not uses only a
}

type nodeKind uint8

const (
	leafNode nodeKind = iota
	andNode
	orNode
	notNode
)

func leaf(t test) *node    { return &node{kind: leafNode, test: t} }
func and(a, b *node) *node { return &node{kind: andNode, a: a, b: b} }
func or(a, b *node) *node  { return &node{kind: orNode, a: a, b: b} }
func not(a *node) *node    { return &node{kind: notNode, a: a} }

func any3(a, b, c *node) *node { return or(or(a, b), c) }

// place is how far into the packet the words so far have led: vlan and mpls move it for all that
// follow.
type place struct {
	etherType load   // where the type of the network layer is
	net       uint32 // where the network layer is
	aside     *place // the kernel keeps a tag aside: where things are behind it
	labels    int    // MPLS labels passed
}

// at tests a number of size octets in the network layer.
func (p *place) at(off uint32, size origin, mask, value uint32) *node {
	return leaf(test{load: load{from: size, off: p.net + off, mask: mask}, value: value})
}

func (p *place) byteIs(off, value uint32) *node { return p.at(off, fromByte, ^uint32(0), value) }

// network tests for a network protocol. Nothing tells what is behind MPLS labels but the version of
// IP itself.
func (p *place) network(etherType uint16) (*node, error) {
	if p.labels == 0 {
		return leaf(test{load: p.etherType, value: uint32(etherType)}), nil
	}
	var version uint32
	switch etherType {
	case engine.EtherIPv4:
		version = 0x40
	case engine.EtherIPv6:
		version = 0x60
	default:
		return nil, fmt.Errorf("only ip and ip6 can be told behind mpls")
	}
	bottom := leaf(test{load: load{from: fromByte, off: p.net - 2, mask: 1}, value: 1})
	return and(bottom, p.at(0, fromByte, 0xf0, version)), nil
}

// vlan tests for a VLAN tag and moves behind it; id is -1 for any.
func (p *place) vlan(id int) (*node, error) {
	if p.labels > 0 {
		return nil, fmt.Errorf("vlan cannot follow mpls")
	}
	n := any3(leaf(test{load: p.etherType, value: 0x8100}), leaf(test{load: p.etherType, value: 0x88a8}), leaf(test{load: p.etherType, value: 0x9100}))
	tag := load{from: fromHalf, off: p.net, mask: 0xfff}
	behind := place{etherType: load{from: fromHalf, off: p.net + 2, mask: ^uint32(0)}, net: p.net + 4}
	if p.aside != nil {
		tag = load{from: fromTag, mask: 0xfff}
		behind = *p.aside
	}
	if id >= 0 {
		n = and(n, leaf(test{load: tag, value: uint32(id)}))
	}
	*p = behind
	return n, nil
}

// mpls tests for a label and moves behind it; label is -1 for any.
func (p *place) mpls(label int) *node {
	var n *node
	if p.labels > 0 {
		n = not(leaf(test{load: load{from: fromByte, off: p.net - 2, mask: 1}, value: 1}))
	} else {
		n = leaf(test{load: p.etherType, value: etherMPLS})
	}
	if label >= 0 {
		n = and(n, p.at(0, fromWord, 0xfffff000, uint32(label)<<12))
	}
	p.net += 4
	p.labels++
	return n
}

// lengthAtLeast tests the length on the wire, to which a tag that is kept aside belongs.
func (p *place) lengthAtLeast(n uint32) *node {
	if p.aside != nil {
		n = max(n, 4) - 4
	}
	return leaf(test{load: load{from: fromLength, mask: ^uint32(0)}, cond: atLeast, value: n})
}

// protocol tests for a transport protocol over IPv4, IPv6 (also behind a fragment header, but no
// other) or either.
func (p *place) protocol(over protocolWord, number uint32) (*node, error) {
	var four, six *node
	if over != wordIP6 {
		ip, err := p.network(engine.EtherIPv4)
		if err != nil {
			return nil, err
		}
		four = and(ip, p.byteIs(9, number))
	}
	if over != wordIP {
		ip6, err := p.network(engine.EtherIPv6)
		if err != nil {
			return nil, err
		}
		six = and(ip6, or(p.byteIs(6, number), and(p.byteIs(6, 44), p.byteIs(40, number))))
	}
	switch over {
	case wordIP:
		return four, nil
	case wordIP6:
		return six, nil
	}
	return or(four, six), nil
}

// either combines a test of the source with one of the destination.
func either(d direction, src, dst *node) *node {
	switch d {
	case srcOnly:
		return src
	case dstOnly:
		return dst
	case srcAndDst:
		return and(src, dst)
	}
	return or(src, dst)
}

// host4 tests IPv4 addresses: of IPv4, ARP and RARP packets, or those of one of them.
func (p *place) host4(over protocolWord, d direction, addr, mask uint32) (*node, error) {
	var n *node
	for _, c := range []struct {
		word      protocolWord
		etherType uint16
		src, dst  uint32
	}{{wordIP, engine.EtherIPv4, 12, 16}, {wordARP, engine.EtherARP, 14, 24}, {wordNone, 0x8035, 14, 24}} {
		if over != wordNone && over != c.word || p.labels > 0 && c.word != wordIP && over == wordNone {
			continue
		}
		is, err := p.network(c.etherType)
		if err != nil {
			return nil, err
		}
		if mask != 0 {
			is = and(is, either(d, p.at(c.src, fromWord, mask, addr), p.at(c.dst, fromWord, mask, addr)))
		}
		if n == nil {
			n = is
		} else {
			n = or(n, is)
		}
	}
	return n, nil
}

// host6 tests IPv6 addresses.
func (p *place) host6(d direction, addr, mask [16]byte) (*node, error) {
	n, err := p.network(engine.EtherIPv6)
	if err != nil {
		return nil, err
	}
	words := func(n *node, off uint32) *node {
		for i := uint32(0); i < 16; i += 4 {
			if m := be.Uint32(mask[i:]); m != 0 {
				is := p.at(off+i, fromWord, m, be.Uint32(addr[i:]))
				if n == nil {
					n = is
				} else {
					n = and(n, is)
				}
			}
		}
		return n
	}
	src, dst := words(nil, 8), words(nil, 24)
	if src == nil { // ::/0
		return n, nil
	}
	return and(n, either(d, src, dst)), nil
}

// ports tests for ports from lo to hi, of the transport protocols. Of an IPv4 packet in fragments
// only the first has ports.
func (p *place) ports(protocols []uint32, d direction, lo, hi uint32) (*node, error) {
	ip, err := p.network(engine.EtherIPv4)
	if err != nil {
		return nil, err
	}
	ip6, err := p.network(engine.EtherIPv6)
	if err != nil {
		return nil, err
	}
	within := func(l load) *node {
		l.mask = ^uint32(0)
		if lo == hi {
			return leaf(test{load: l, value: lo})
		}
		return and(leaf(test{load: l, cond: atLeast, value: lo}), not(leaf(test{load: l, cond: atLeast, value: hi + 1})))
	}
	oneOf := func(off uint32) *node {
		n := p.byteIs(off, protocols[0])
		for _, number := range protocols[1:] {
			n = or(n, p.byteIs(off, number))
		}
		return n
	}
	later := leaf(test{load: load{from: fromHalf, off: p.net + 6, mask: ^uint32(0)}, cond: anyBit, value: 0x1fff})
	four := either(d, within(load{from: fromPort, ip: p.net}), within(load{from: fromPort, ip: p.net, off: 2}))
	six := either(d, within(load{from: fromHalf, off: p.net + 40}), within(load{from: fromHalf, off: p.net + 42}))
	return or(and(and(and(ip, oneOf(9)), not(later)), four), and(and(ip6, oneOf(6)), six)), nil
}

// Package base is the BASE filter: it decodes packets from the network header to the transport
// header.
package base

import (
	"ulogd/engine"
	"ulogd/engine/ipproto"
)

func init() {
	engine.Register(engine.Plugin{
		Name: "BASE",
		Doc: `Decodes packets: ARP, IPv4, IPv6 with extension headers, TCP, UDP, UDP-Lite, SCTP, DCCP, ICMP, ICMPv6, AH and ESP.

VLAN and QinQ tags, MPLS labels, PPPoE, LLC and SNAP in front of the network header are walked, and so are
VN-tag, E-tag, PBB, FabricPath, Cisco MetaData, NSH, Arista's time stamps, and MACsec where it does not encrypt.

Packets that are not IP are counted by what they are: not_ip_arp, not_ip_lldp, not_ip_stp ..., by EtherType where
it has no name here, as not_ip_0x1234, and beyond 32 kinds as not_ip_other.

With inner = true what counts is the packet inside IPIP, 6in4, GRE with ERSPAN (I, II, III), PPTP and WCCP, AH,
EtherIP, L2TP (2 and 3), MPLS over IP, pseudo-wires of Ethernet over MPLS with and without control word, and in
UDP VXLAN, VXLAN-GPE, Geneve, GTP-U, L2TP, TZSP (Ethernet), MPLS, Teredo and LISP. Pseudo-wires, L2TPv3 and
frames in GTP-U do not say what they carry: they are opened where a frame with IP or ARP is found in them. A
tunnel that cannot be read, or a fragment of one, counts as the outer packet.

A header that is not there as a whole gives no keys; a later fragment has no transport header. With
compat = ulogd2 the values that ulogd2 2.0.8 gets wrong come back: later fragments are read as transport headers,
tcp.offset and tcp.reserved are 0, ICMP checksums and icmp.gateway have their octets swapped, a bare IP header is
not read, nor are SCTP over IPv6, the SPI of AH and ESP, ARP in its own family and packets of the netdev family.`,
		Example: `stack = "capture1:PCAP,base1:BASE,screen1:PRINT"

[capture1]
file = "trace.pcapng"

[base1]
inner = true
`,
		Compat: true,
		Filter: func() engine.Filter { return &base{} },
	})
}

// base holds the settings; each stack has a stage of its own.
type base struct {
	tunnels tunnels
}

var _ engine.Validator = (*base)(nil)

func (f *base) Options(o *engine.Options) { f.tunnels.options(o) }

// Validate checks the settings.
func (f *base) Validate() error { return f.tunnels.validate() }

func (f *base) Bind(p *engine.Binder) engine.Stage {
	byPort, _ := f.tunnels.table() // Validate has seen it
	return &stage{
		keys: bind(p), byPort: byPort, others: others{stats: p.Stats()},
		headers: headers{compat: p.Settings().CompatULOGD2()},
	}
}

// stage decodes one batch at a time in two steps. The first looks at each packet once: it finds the
// headers, sets the presence word, and fills flow.tuple, flow.octets and tcp.flags, which the flow
// cache takes. The second goes once through the rows for each header of which somebody reads a key.
type stage struct {
	*keys
	byPort  *[1 << 16]opener // what is looked for on UDP ports; nil where tunnels are not opened
	headers headers
	now     columns
	others  others
	tags    tags // of the packet at hand
	within  tags // and those inside of its tunnels, which nobody reads

	// plain4 and plain6 are the presence words of packets that need no closer look, by protocol:
	// TCP and UDP without options, fragments or tunnels.
	plain4, plain6 [256]uint64

	// extraBits are those of the keys that ulogd2 lacks.
	extraBits uint64
}

// The optional parts of the contract that it implements (engine/plugin.go).
var _ engine.Opener = (*stage)(nil)

// Open prepares what depends on the keys being bound.
func (s *stage) Open(*engine.Env) error {
	s.keys.open()
	s.extraBits = s.flowBits | s.flagBits | s.fragBits | s.vlanBits | s.cutBits | s.priorityBits | s.customerBits
	for _, bits := range s.mplsBits {
		s.extraBits |= bits
	}
	if s.byPort != nil {
		return nil // any packet may be a tunnel
	}
	ip := s.ip.bits | s.ip.protocolBits | s.flowBits
	for proto, bits := range map[uint8]uint64{ipproto.TCP: s.tcp.bits | s.flagBits, ipproto.UDP: s.udp.bits} {
		s.plain4[proto] = bits | ip | s.ip4.bits
		s.plain6[proto] = bits | ip | s.ip6.bits | s.ip6.nextBits
	}
	return nil
}

// The least that a TCP packet has. Shorter UDP packets take the general path too.
const (
	shortest4 = 20 + 20
	shortest6 = 40 + 20
)

func (s *stage) Consume(b *engine.Batch) {
	s.now = s.columns(b)
	s.copies(b)
	have, raw, family := b.Have(), s.raw.Of(b), s.family.Of(b)
	there := s.raw.Mask()
	for _, r := range b.Rows() {
		if have[r]&there == 0 {
			continue
		}
		p := b.Bytes(engine.Span(raw[r]))
		switch {
		case family[r] == engine.FamilyIPv4 && len(p) >= shortest4 && p[0] == 0x45:
			if bits := s.plain4[p[9]]; bits != 0 && s.ipv4Plain(r, p) {
				have[r] |= bits
				continue
			}
		case family[r] == engine.FamilyIPv6 && len(p) >= shortest6 && p[0]>>4 == 6:
			if bits := s.plain6[p[6]]; bits != 0 && s.ipv6Plain(r, p) {
				have[r] |= bits
				continue
			}
		}
		have[r] |= s.packet(r, p, family[r])
	}
	if s.segments.Given() {
		s.addHeaders(b)
	}
	s.headers.raw, s.headers.tuple = raw, s.now.tuple
	for _, f := range s.fills {
		f.fill(b, &s.headers)
	}
	s.others.settle()
}

// addHeaders counts the headers of all packets that one packet is on the wire.
func (s *stage) addHeaders(b *engine.Batch) {
	have, bits := b.Have(), s.segments.Mask()|s.flowBits
	packets, headers := s.segments.Of(b), s.segmentHeaders.Of(b)
	for _, r := range b.Rows() {
		if have[r]&bits == bits && headers[r] > s.headers.at[r].net {
			s.now.octets[r] += (packets[r] - 1) * (headers[r] - s.headers.at[r].net)
		}
	}
}

// packet decodes any packet and returns the presence bits of what it has.
func (s *stage) packet(r engine.Row, p []byte, family uint8) uint64 {
	switch family {
	case engine.FamilyIPv4:
		return s.layers(r, p, engine.EtherIPv4)
	case engine.FamilyIPv6:
		return s.layers(r, p, engine.EtherIPv6)
	case engine.FamilyARP:
		s.others.count(engine.EtherARP, nil)
		if s.headers.compat {
			return 0
		}
		return s.arp(r, p, arpNet(p))
	case engine.FamilyBridge:
		return s.layers(r, p, s.now.protocol[r])
	case engine.FamilyNetdev:
		bits := s.layers(r, p, s.now.protocol[r])
		if s.headers.compat {
			return bits & s.extraBits
		}
		return bits
	}
	return 0
}

// maxTunnels is how many tunnels inside each other are looked into; a packet made of more counts as
// that many deep.
const maxTunnels = 16

// layers decodes what begins with a header of the EtherType.
func (s *stage) layers(r engine.Row, p []byte, etherType uint16) uint64 {
	s.tags.vlans, s.tags.sections = 0, 0
	l := walk(p, 0, etherType, s.byPort != nil, &s.tags)
	tags := s.tagged(r)
	if l.net > 0 {
		s.as(r, l.etherType)
	}
	switch l.etherType {
	case 0:
		if s.tags.cut {
			return tags | s.cutBits
		}
		s.others.count(s.tags.end.etherType, p[s.tags.end.net:])
		return tags
	case engine.EtherARP:
		s.others.count(engine.EtherARP, nil)
	}
	bits, inside := s.network(r, p, l.net, l.etherType)
	for n := 0; inside.etherType != 0 && n < maxTunnels; n++ {
		l = walk(p, inside.net, inside.etherType, true, &s.within)
		tuple, octets, at := s.now.tuple[r], s.now.octets[r], s.headers.at[r]
		in, next := s.network(r, p, l.net, l.etherType)
		if in&s.flowBits == 0 { // not readable: the packet is what its outer header says
			s.now.tuple[r], s.now.octets[r], s.headers.at[r] = tuple, octets, at
			break
		}
		bits, inside = in, next
		s.as(r, l.etherType)
	}
	return bits | tags
}

// tagged hands on what stood in front of the network header, and returns its presence bits.
func (s *stage) tagged(r engine.Row) (bits uint64) {
	g := &s.tags
	if g.vlans > 0 {
		s.now.vlan[r], s.now.priority[r] = g.vlan[0]&0xfff, uint8(g.vlan[0]>>13)
		bits |= s.vlanBits | s.priorityBits
	}
	if g.vlans > 1 {
		s.now.customer[r], s.now.customerPriority[r] = g.vlan[1]&0xfff, uint8(g.vlan[1]>>13)
		bits |= s.customerBits
	}
	for i := range g.sections {
		s.now.mpls[i][r] = g.section[i]
		bits |= s.mplsBits[i]
	}
	return bits
}

// network decodes the header at net, and says what begins behind it if that is a tunnel.
func (s *stage) network(r engine.Row, p []byte, net int, etherType uint16) (bits uint64, inside netHeader) {
	switch etherType {
	case engine.EtherIPv4:
		return s.ipv4(r, p, net)
	case engine.EtherIPv6:
		return s.ipv6(r, p, net)
	case engine.EtherARP:
		return s.arp(r, p, net), netHeader{}
	}
	return 0, netHeader{}
}

// as notes what the packet turned out to be behind its tags or in its tunnel.
func (s *stage) as(r engine.Row, etherType uint16) {
	s.now.protocolOut[r] = etherType
	switch etherType {
	case engine.EtherIPv4:
		s.now.familyOut[r] = engine.FamilyIPv4
	case engine.EtherIPv6:
		s.now.familyOut[r] = engine.FamilyIPv6
	case engine.EtherARP:
		s.now.familyOut[r] = engine.FamilyARP
	}
}

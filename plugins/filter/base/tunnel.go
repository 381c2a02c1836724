// Packets inside of packets: which headers and which UDP ports open a tunnel.

package base

import (
	"fmt"
	"strconv"
	"strings"

	"ulogd/engine"
	"ulogd/engine/ipproto"
	"ulogd/engine/key"
	"ulogd/engine/value"
)

// opener is a kind of tunnel in UDP.
type opener uint8

const (
	noTunnel opener = iota
	vxlan
	vxlanGPE
	geneve
	gtpu
	l2tp
	tzsp
	mplsInUDP
	teredo
	lisp
	kinds
)

// tunnels are the settings of tunnels: on which UDP ports each kind is looked for.
type tunnels struct {
	inner bool
	ports [kinds][]uint16
}

// openers are the kinds with their options and their ports by IANA's registry, and those that are
// common besides: Linux' own of VXLAN, which is older than the registry.
var openers = [kinds]struct {
	option string
	ports  []uint16
	doc    string
}{
	vxlan:     {"vxlan_ports", []uint16{4789, 8472}, "VXLAN (RFC 7348)"},
	vxlanGPE:  {"vxlan_gpe_ports", []uint16{4790}, "VXLAN with a type of packet in its header"},
	geneve:    {"geneve_ports", []uint16{6081}, "Geneve (RFC 8926)"},
	gtpu:      {"gtpu_ports", []uint16{2152}, "GTP-U, the packets of mobile networks (3GPP TS 29.281)"},
	l2tp:      {"l2tp_ports", []uint16{1701}, "L2TP of versions 2 and 3 (RFC 2661, RFC 3931)"},
	tzsp:      {"tzsp_ports", []uint16{37008}, "TZSP, in which access points and routers send what they capture"},
	mplsInUDP: {"mpls_ports", []uint16{6635}, "MPLS in UDP (RFC 7510)"},
	teredo:    {"teredo_ports", []uint16{3544}, "Teredo (RFC 4380)"},
	lisp:      {"lisp_ports", []uint16{4341}, "LISP (RFC 9300)"},
}

func (t *tunnels) options(o *engine.Options) {
	o.Bool(&t.inner, "inner", false, "read the packet inside of tunnels instead of the outer one")
	for kind, k := range openers {
		if k.option != "" {
			ports(o, &t.ports[kind], k.option, k.ports, "UDP ports of "+k.doc+"; an empty list: none is opened")
		}
	}
}

// ports declares a list of ports.
func ports(o *engine.Options, p *[]uint16, name string, def []uint16, doc string) {
	*p = def
	var text []string
	for _, port := range def {
		text = append(text, fmt.Sprint(port))
	}
	o.Func(name, "list of ports", strings.Join(text, ","), doc, value.List, func(v engine.Value) (string, error) {
		words := strings.FieldsFunc(v.Text, func(r rune) bool { return r == ',' || r == ' ' })
		if v.Kind == value.List {
			for _, e := range v.List {
				words = append(words, e.Text)
			}
		}
		list := []uint16{}
		for _, w := range words {
			n, err := strconv.ParseUint(w, 0, 16)
			if err != nil || n == 0 {
				return "", fmt.Errorf("must be a list of ports from 1 to 65535, has %q in it", w)
			}
			list = append(list, uint16(n))
		}
		*p = list
		return "", nil
	})
}

// validate refuses a port that two kinds claim.
func (t *tunnels) validate() error {
	_, err := t.table()
	return err
}

// table tells for each port what is looked for; nil where tunnels are not opened.
func (t *tunnels) table() (*[1 << 16]opener, error) {
	if !t.inner {
		return nil, nil
	}
	table := new([1 << 16]opener)
	for kind, list := range t.ports {
		for _, port := range list {
			if other := table[port]; other != noTunnel && other != opener(kind) {
				return nil, fmt.Errorf("%s: port %d is in %s, too", openers[kind].option, port, openers[other].option)
			}
			table[port] = opener(kind)
		}
	}
	return table, nil
}

// tunnel tells what packet begins in h, the payload of the IP packet that t describes; at is where
// h begins in the whole packet. Of a fragment nothing is told: what is inside is not there as a
// whole.
func (s *stage) tunnel(t *key.Tuple, h []byte, at int) netHeader {
	if s.byPort == nil || t.Frag != key.FragWhole {
		return netHeader{}
	}
	switch t.Proto {
	case ipproto.IPIP:
		return netHeader{etherType: engine.EtherIPv4, net: at}
	case ipproto.IPv6:
		return netHeader{etherType: engine.EtherIPv6, net: at}
	case ipproto.GRE:
		return inside(gre(h)).from(at)
	case ipproto.UDP:
		return s.inUDP(t, h).from(at)
	case ipproto.AH: // in IPv4; IPv6's is an extension header
		if len(h) >= 12 {
			length := int(h[1])*4 + 8
			switch h[0] {
			case ipproto.IPIP:
				return netHeader{etherType: engine.EtherIPv4, net: at + length}
			case ipproto.IPv6:
				return netHeader{etherType: engine.EtherIPv6, net: at + length}
			}
		}
	case ipproto.MPLS: // RFC 4023
		return netHeader{etherType: etherMPLS, net: at}
	case ipproto.EtherIP: // RFC 3378: version 3
		if len(h) >= 2 && h[0]>>4 == 3 {
			return netHeader{etherType: etherTEB, net: at + 2}
		}
	case ipproto.Ethernet: // RFC 8986 section 4.9
		return netHeader{etherType: etherTEB, net: at}
	case ipproto.L2TP: // RFC 3931 section 4.1.1: a session that is not 0
		if len(h) >= 4 && be.Uint32(h) != 0 {
			return l2tpv3(h, 4).from(at)
		}
	}
	return netHeader{}
}

// inside makes a network header of what begins at an offset; none if the EtherType is 0.
func inside(etherType uint16, offset int) netHeader {
	return netHeader{etherType: etherType, net: offset}
}

// from counts the place from another one.
func (l netHeader) from(at int) netHeader {
	if l.etherType != 0 {
		l.net += at
	}
	return l
}

// inUDP looks into a datagram on a tunnel's port. Answers come from the port of the one who was
// asked, where the kind has two sides.
func (s *stage) inUDP(t *key.Tuple, h []byte) netHeader {
	const header = 8
	kind := s.byPort[t.Dport]
	if kind == noTunnel {
		if kind = s.byPort[t.Sport]; kind != l2tp && kind != teredo {
			return netHeader{}
		}
	}
	if len(h) < header {
		return netHeader{}
	}
	return open(kind, h[header:]).from(header)
}

// open tells where in p, the payload of UDP, a packet begins.
func open(kind opener, p []byte) netHeader {
	switch kind {
	case vxlan:
		if len(p) >= 8 && p[0]&8 != 0 { // RFC 7348 section 5: flag I
			return inside(etherTEB, 8)
		}
	case vxlanGPE: // draft-ietf-nvo3-vxlan-gpe: version 0, flags I and P, next protocol
		if len(p) >= 8 && p[0]&0x3c == 0x0c {
			return inside(nextOfGPE(p[3]), 8)
		}
	case geneve:
		if len(p) >= 8 && p[0]>>6 == 0 { // RFC 8926 section 3.4: version 0
			return inside(be.Uint16(p[2:]), 8+int(p[0]&0x3f)*4)
		}
	case gtpu:
		return inGTP(p)
	case l2tp:
		return inL2TP(p)
	case tzsp:
		return inTZSP(p)
	case mplsInUDP:
		return inside(etherMPLS, 0)
	case teredo:
		return inTeredo(p)
	case lisp:
		if len(p) > 8 {
			return inside(etherOfVersion(p[8]), 8)
		}
	}
	return netHeader{}
}

// nextOfGPE reads the next protocol of VXLAN-GPE and of NSH (RFC 8300 section 2.2), who share a
// registry but for NSH itself.
func nextOfGPE(protocol uint8) uint16 {
	switch protocol {
	case 1:
		return engine.EtherIPv4
	case 2:
		return engine.EtherIPv6
	case 3:
		return etherTEB
	case 4:
		return etherNSH
	case 5:
		return etherMPLS
	}
	return 0
}

// etherOfVersion tells IP by its first octet; 0 for none.
func etherOfVersion(first uint8) uint16 {
	switch first >> 4 {
	case 4:
		return engine.EtherIPv4
	case 6:
		return engine.EtherIPv6
	}
	return 0
}

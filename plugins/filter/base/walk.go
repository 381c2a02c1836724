// From the link layer to the network header, over tags, labels and sessions.

package base

// What stands between the link layer and the network header: tags, labels, sessions.

import (
	"ulogd/engine"
	"ulogd/engine/key"
)

// EtherTypes, as IANA's "IEEE 802 Numbers" lists them.
const (
	etherVLAN  = 0x8100
	etherQinQ  = 0x88a8
	etherMPLS  = 0x8847
	etherMPLSm = 0x8848 // upstream-assigned labels
	etherPPPoE = 0x8864 // session stage (RFC 2516)
	etherTEB   = 0x6558 // an Ethernet frame, in GRE, VXLAN and Geneve

	etherPBB        = 0x88e7 // an I-TAG (IEEE 802.1ah), and a frame
	etherMACsec     = 0x88e5 // IEEE 802.1AE
	etherCMD        = 0x8909 // Cisco MetaData, a security group
	etherVNTag      = 0x8926 // of Cisco's port extenders
	etherETag       = 0x893f // IEEE 802.1BR
	etherFabricPath = 0x8903
	etherNSH        = 0x894f // RFC 8300
	etherArista     = 0xd28b // a time stamp

	maxLLC = 1500 // values up to here are a length, and LLC follows
)

// PPP protocol numbers (IANA).
const (
	pppIPv4  = 0x0021
	pppIPv6  = 0x0057
	pppMPLS  = 0x0281
	pppMPLSm = 0x0283
)

// netHeader is where a network header begins and of which EtherType it is, 0 for none.
type netHeader struct {
	etherType uint16
	net       int
}

// tags are what the walk passes by.
type tags struct {
	vlans    int                      // VLAN tags in front of labels
	vlan     [2]uint16                // the two outermost: priority, drop eligible, identifier
	sections int                      // of MPLS label stacks
	section  [len(key.OOBMPLS)]uint32 // the topmost: label, class, bottom

	// Where there is no network header: what the walk ended at, its EtherType and where what that
	// announces begins, and whether it ended because the packet does.
	end netHeader
	cut bool
}

// ends notes where the walk ended without a network header, and returns none.
func (g *tags) ends(at netHeader, cut bool) netHeader {
	g.end, g.cut = at, cut
	return netHeader{}
}

// tagged notes a VLAN tag.
func (g *tags) tagged(control uint16) {
	if g.vlans < len(g.vlan) && g.sections == 0 {
		g.vlan[g.vlans] = control
		g.vlans++
	}
}

// labelled notes an entry of a label stack.
func (g *tags) labelled(entry uint32) {
	if g.sections < len(g.section) {
		g.section[g.sections] = entry >> 8
		g.sections++
	}
}

// walk goes from a header of the EtherType at offset net to the network header, with inner also over
// pseudo-wires. It ends with the packet at the latest, as every step takes octets.
func walk(p []byte, net int, etherType uint16, inner bool, g *tags) netHeader {
	l := netHeader{etherType: etherType, net: net}
	for l.net <= len(p) {
		rest := p[l.net:]
		switch t := l.etherType; {
		case t == engine.EtherIPv4 || t == engine.EtherIPv6 || t == engine.EtherARP:
			return l
		case t == etherVLAN || t == etherQinQ || t == 0x9100 || t == 0x9200 || t == 0x9300:
			if len(rest) < 4 {
				return g.ends(l, true)
			}
			g.tagged(be.Uint16(rest))
			l.etherType, l.net = be.Uint16(rest[2:]), l.net+4
		case t == etherMPLS || t == etherMPLSm:
			next, behind := labels(rest, g)
			if next == 0 || next == etherTEB && !inner {
				return g.ends(l, behind == nil)
			}
			l.etherType, l.net = next, len(p)-len(behind)
		case t == etherPPPoE && len(rest) >= 8:
			protocol, length := be.Uint16(rest[6:]), 8
			if rest[6]&1 != 0 { // the high octet, a zero, was left out (RFC 1661 section 6.5)
				protocol, length = uint16(rest[6]), 7
			}
			l.etherType, l.net = etherOfPPP(protocol), l.net+length
		case t == etherTEB && len(rest) >= 14:
			l.etherType, l.net = be.Uint16(rest[12:]), l.net+14
		case t <= maxLLC && isSNAP(rest):
			l.etherType, l.net = be.Uint16(rest[6:]), l.net+8
		case t <= maxLLC && len(rest) >= 3 && rest[0] == sapIP && rest[1] == sapIP && rest[2] == 3:
			l.etherType, l.net = engine.EtherIPv4, l.net+3
		default:
			next, length := tag(t, rest)
			if length == 0 {
				return g.ends(l, len(rest) == 0)
			}
			l.etherType, l.net = next, l.net+length
		}
	}
	return g.ends(netHeader{l.etherType, len(p)}, true)
}

// labels skips a stack of MPLS labels. What follows is not announced: IP shows its version in the
// first four bits (RFC 4928), where it is no frame. There is no rest where the packet ends in them.
func labels(p []byte, g *tags) (etherType uint16, rest []byte) {
	for len(p) > 4 {
		bottom := p[2]&1 != 0
		g.labelled(be.Uint32(p))
		p = p[4:]
		if !bottom {
			continue
		}
		if offset, ok := pseudowire(p); ok {
			return etherTEB, p[offset:]
		}
		return etherOfVersion(p[0]), p
	}
	return 0, nil
}

func etherOfPPP(protocol uint16) uint16 {
	switch protocol {
	case pppIPv4:
		return engine.EtherIPv4
	case pppIPv6:
		return engine.EtherIPv6
	case pppMPLS, pppMPLSm:
		return etherMPLS
	}
	return unknownPPP
}

// unknownPPP stands for PPP's other protocols: a reserved EtherType, which nothing walks.
const unknownPPP = 0xffff

// tag reads a header of an EtherType whose length is fixed, or told in it, and returns what follows
// and the length; 0 where it is not known, encrypted or cut.
func tag(etherType uint16, p []byte) (next uint16, length int) {
	at := 0 // of the EtherType that follows
	switch etherType {
	case etherVNTag: // direction, pointer, interfaces
		at = 4
	case etherETag: // priority, E-CIDs
		at = 6
	case etherCMD: // version, length in units of four octets, options
		if len(p) < 2 || p[1] == 0 {
			return 0, 0
		}
		at = 2 + 4*int(p[1])
	case etherPBB: // I-SID, destination, source
		at = 4 + 12
	case etherFabricPath: // tree and time to live, then a frame
		return etherTEB, 2
	case etherMACsec:
		const hasSCI, encrypted, changed = 1 << 5, 1 << 3, 1 << 2
		if len(p) < 6 || p[0]&(encrypted|changed) != 0 {
			return 0, 0
		}
		if at = 6; p[0]&hasSCI != 0 {
			at = 14
		}
	case etherArista: // subtype 1; version 0x10 and 0x110 are of 64 bits, 0x20 and 0x120 of 48
		if len(p) < 4 || be.Uint16(p) != 1 {
			return 0, 0
		}
		switch be.Uint16(p[2:]) &^ 0x100 {
		case 0x10:
			at = 4 + 8
		case 0x20:
			at = 4 + 6
		default:
			return 0, 0
		}
	case etherNSH: // length in units of four octets, next protocol
		if len(p) < 8 || p[1]&0x3f < 2 {
			return 0, 0
		}
		if next = nextOfGPE(p[3]); next == 0 {
			return 0, 0
		}
		return next, 4 * int(p[1]&0x3f)
	default:
		return 0, 0
	}
	if len(p) < at+2 {
		return 0, 0
	}
	return be.Uint16(p[at:]), at + 2
}

// sapIP is IP's own service access point, from before SNAP.
const sapIP = 0x06

// isSNAP reports whether LLC announces an EtherType: RFC 1042, or 802.1H's tunnels of bridges.
func isSNAP(p []byte) bool {
	return len(p) >= 8 && p[0] == 0xaa && p[1] == 0xaa && p[2] == 3 && p[3]|p[4] == 0 && (p[5] == 0 || p[5] == 0xf8)
}

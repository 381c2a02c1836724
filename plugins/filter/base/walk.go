package base

// What stands between the link layer and the network header: tags, labels, sessions.

import "ulogd/engine"

// EtherTypes, as IANA's "IEEE 802 Numbers" lists them.
const (
	etherVLAN  = 0x8100
	etherQinQ  = 0x88a8
	etherMPLS  = 0x8847
	etherMPLSm = 0x8848 // upstream-assigned labels
	etherPPPoE = 0x8864 // session stage (RFC 2516)
	etherTEB   = 0x6558 // an Ethernet frame, in GRE, VXLAN and Geneve

	maxLLC = 1500 // values up to here are a length, and LLC follows
)

// PPP protocol numbers (IANA).
const (
	pppIPv4  = 0x0021
	pppIPv6  = 0x0057
	pppMPLS  = 0x0281
	pppMPLSm = 0x0283
)

// link is where a network header begins and of which EtherType it is, 0 for none.
type link struct {
	etherType uint16
	net       int
	vlan      uint16 // outermost VLAN identifier
	tagged    bool
}

// walk goes from a header of the EtherType at offset net to the network header. It ends with the packet at the latest, as
// every step takes octets.
func walk(p []byte, net int, etherType uint16) link {
	l := link{etherType: etherType, net: net}
	for l.net <= len(p) {
		rest := p[l.net:]
		switch t := l.etherType; {
		case t == engine.EtherIPv4 || t == engine.EtherIPv6 || t == engine.EtherARP:
			return l
		case t == etherVLAN || t == etherQinQ || t == 0x9100 || t == 0x9200 || t == 0x9300:
			if len(rest) < 4 {
				return link{vlan: l.vlan, tagged: l.tagged}
			}
			if !l.tagged {
				l.vlan, l.tagged = be.Uint16(rest)&0xfff, true
			}
			l.etherType, l.net = be.Uint16(rest[2:]), l.net+4
		case t == etherMPLS || t == etherMPLSm:
			if l.etherType, rest = labels(rest); l.etherType == 0 {
				return link{vlan: l.vlan, tagged: l.tagged}
			}
			l.net = len(p) - len(rest)
		case t == etherPPPoE && len(rest) >= 8:
			l.etherType, l.net = etherOfPPP(be.Uint16(rest[6:])), l.net+8
		case t == etherTEB && len(rest) >= 14:
			l.etherType, l.net = be.Uint16(rest[12:]), l.net+14
		case t <= maxLLC && isSNAP(rest):
			l.etherType, l.net = be.Uint16(rest[6:]), l.net+8
		default:
			return link{vlan: l.vlan, tagged: l.tagged}
		}
	}
	return link{vlan: l.vlan, tagged: l.tagged}
}

// labels skips a stack of MPLS labels. What follows is not announced: IP shows its version in the first four bits (RFC 4928).
func labels(p []byte) (etherType uint16, rest []byte) {
	for len(p) > 4 {
		bottom := p[2]&1 != 0
		p = p[4:]
		if !bottom {
			continue
		}
		switch p[0] >> 4 {
		case 4:
			return engine.EtherIPv4, p
		case 6:
			return engine.EtherIPv6, p
		}
		return 0, nil
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
	return 0xffff // reserved: nothing that is walked
}

// isSNAP tells whether LLC announces an EtherType (RFC 1042).
func isSNAP(p []byte) bool {
	return len(p) >= 8 && p[0] == 0xaa && p[1] == 0xaa && p[2] == 3 && p[3]|p[4]|p[5] == 0
}

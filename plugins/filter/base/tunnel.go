// Packets inside of packets: GRE, IP in IP, VXLAN and their like.

package base

import (
	"ulogd/engine"
	"ulogd/engine/ipproto"
	"ulogd/engine/key"
)

// UDP ports of tunnels (IANA).
const (
	portVXLAN  = 4789
	portGeneve = 6081
)

// tunnel tells what packet begins in h, the payload of the IP packet that t describes; at is where
// h begins in the whole packet. Of a fragment nothing is told: what is inside is not there as a
// whole.
func (s *stage) tunnel(t *key.Tuple, h []byte, at int) link {
	if !s.inner || t.Frag != key.FragWhole {
		return link{}
	}
	switch t.Proto {
	case ipproto.IPIP:
		return link{etherType: engine.EtherIPv4, net: at}
	case ipproto.IPv6:
		return link{etherType: engine.EtherIPv6, net: at}
	case ipproto.GRE:
		return gre(h, at)
	case ipproto.UDP:
		switch {
		case t.Dport == portVXLAN && len(h) >= 16 && h[8]&8 != 0: // RFC 7348 section 5: flag I
			return link{etherType: etherTEB, net: at + 16}
		case t.Dport == portGeneve && len(h) >= 16 && h[8]>>6 == 0: // RFC 8926 section 3.4: version 0
			return link{etherType: be.Uint16(h[10:]), net: at + 16 + int(h[8]&0x3f)*4}
		}
	}
	return link{}
}

// gre reads the header of RFC 2784 and 2890: flags say which of checksum, key and sequence number
// follow, 4 octets each.
func gre(h []byte, at int) link {
	const (
		checksum, key, sequence = 0x8000, 0x2000, 0x1000
		version                 = 7
	)
	if len(h) < 4 {
		return link{}
	}
	flags, length := be.Uint16(h), 4
	if flags&version != 0 {
		return link{}
	}
	for _, bit := range [...]uint16{checksum, key, sequence} {
		if flags&bit != 0 {
			length += 4
		}
	}
	return link{etherType: be.Uint16(h[2:]), net: at + length}
}

// Counters of what is not IP, by what it is.

package base

import (
	"fmt"

	"ulogd/engine"
)

// others counts packets that are not IP. There are few kinds on any network, and a bound for one
// that somebody floods with others.
type others struct {
	stats *engine.Stats
	kinds [maxOthers]kind
	n     int // kinds that have been seen
	rest  kind
	dirty bool
}

// maxOthers is how many kinds are told apart.
const maxOthers = 32

// kind is one kind of packet.
type kind struct {
	id      uint32
	packets int // not yet in the counter
	counter *engine.Counter
}

// What a kind is known by, besides an EtherType: LLC by the service access point, SNAP of other
// organizations by organization and protocol.
const (
	llc      = 1 << 16
	snap     = 2 << 16 // and the protocol, of Cisco
	otherLLC = 3 << 16
)

// count counts a packet of the EtherType, which is LLC's length where it is small; p is what it
// announces.
func (o *others) count(etherType uint16, p []byte) {
	id := uint32(etherType)
	if etherType <= maxLLC {
		id = kindOfLLC(p)
	}
	o.dirty = true
	for i := range o.kinds[:o.n] {
		if o.kinds[i].id == id {
			o.kinds[i].packets++
			return
		}
	}
	if o.n == maxOthers {
		if o.rest.counter == nil {
			o.rest.counter = o.stats.Counter("not_ip_other", "packets that are not IP, of kinds seen after 32 others")
		}
		o.rest.packets++
		return
	}
	o.kinds[o.n] = kind{id: id, packets: 1, counter: o.counter(id)}
	o.n++
}

func kindOfLLC(p []byte) uint32 {
	switch {
	case len(p) >= 8 && p[0] == 0xaa && p[1] == 0xaa:
		if p[3] == 0 && p[4] == 0 && p[5] == 0x0c { // Cisco's
			return snap | uint32(be.Uint16(p[6:]))
		}
		return snap
	case len(p) >= 2 && p[0] == 0xff && p[1] == 0xff:
		return llc | 0xff // Novell's frames without LLC
	case len(p) >= 1:
		return llc | uint32(p[0])
	}
	return otherLLC
}

// settle adds what was counted since the last time.
func (o *others) settle() {
	if !o.dirty {
		return
	}
	o.dirty = false
	for i := range o.kinds[:o.n] {
		if k := &o.kinds[i]; k.packets > 0 {
			k.counter.Add(k.packets)
			k.packets = 0
		}
	}
	if o.rest.packets > 0 {
		o.rest.counter.Add(o.rest.packets)
		o.rest.packets = 0
	}
}

// counter makes the counter of a kind, which happens once for each.
func (o *others) counter(id uint32) *engine.Counter {
	for _, n := range otherNames {
		if n.id == id {
			return o.stats.Counter("not_ip_"+n.name, "packets that are not IP: "+n.doc)
		}
	}
	switch id >> 16 {
	case llc >> 16:
		return o.stats.Counter(fmt.Sprintf("not_ip_llc_0x%02x", id&0xff),
			"packets that are not IP: LLC of this service access point")
	case snap >> 16:
		return o.stats.Counter("not_ip_snap", "packets that are not IP: SNAP of other organizations")
	case otherLLC >> 16:
		return o.stats.Counter("not_ip_llc", "packets that are not IP: LLC that is cut")
	}
	return o.stats.Counter(fmt.Sprintf("not_ip_0x%04x", id), "packets that are not IP, of this EtherType")
}

// otherNames names kinds by IANA's list of IEEE 802 numbers, and by LLC's service access points.
var otherNames = [...]struct {
	id        uint32
	name, doc string
}{
	{engine.EtherARP, "arp", "ARP"},
	{0x0842, "wol", "wake on LAN"},
	{0x22f0, "avtp", "audio and video transport (IEEE 1722)"},
	{0x22f3, "trill", "TRILL"},
	{0x4305, "batman", "B.A.T.M.A.N. Advanced"},
	{0x6002, "mop", "DEC's maintenance protocol"},
	{0x8035, "rarp", "reverse ARP"},
	{0x809b, "appletalk", "AppleTalk"},
	{0x8137, "ipx", "Novell IPX"},
	{0x8808, "pause", "Ethernet flow control (IEEE 802.3x)"},
	{0x8809, "slow", "slow protocols: LACP, OAM (IEEE 802.3)"},
	{etherMPLS, "mpls", "MPLS that carries no IP that is seen"},
	{etherMPLSm, "mpls", "MPLS that carries no IP that is seen"},
	{0x8863, "pppoe_discovery", "PPPoE discovery"},
	{etherPPPoE, "pppoe", "PPPoE sessions' own protocols"},
	{unknownPPP, "ppp", "PPP's own protocols"},
	{0x886f, "nlb", "Microsoft's load balancing"},
	{0x888e, "eapol", "port authentication (IEEE 802.1X)"},
	{0x8892, "profinet", "PROFINET"},
	{0x88a2, "aoe", "ATA over Ethernet"},
	{0x88a4, "ethercat", "EtherCAT"},
	{0x88b8, "goose", "GOOSE (IEC 61850)"},
	{0x88ba, "sv", "sampled values (IEC 61850)"},
	{0x88cc, "lldp", "LLDP"},
	{0x88e1, "homeplug", "HomePlug"},
	{0x8912, "homeplug", "HomePlug"},
	{0x88e3, "mrp", "media redundancy (IEC 62439)"},
	{etherMACsec, "macsec", "MACsec that is encrypted"},
	{0x88f5, "mvrp", "multiple VLAN registration"},
	{0x88f7, "ptp", "precision time (IEEE 1588)"},
	{0x88fb, "prp", "parallel redundancy"},
	{0x8902, "cfm", "connectivity fault management (IEEE 802.1ag)"},
	{0x8906, "fcoe", "Fibre Channel"},
	{0x8914, "fip", "Fibre Channel's initialization"},
	{0x8915, "roce", "RDMA, version 1"},
	{0x892f, "hsr", "seamless redundancy"},
	{0x9000, "loop", "Ethernet's configuration test"},
	{llc | 0x42, "stp", "spanning tree"},
	{llc | 0xfe, "isis", "OSI: IS-IS, ES-IS, CLNP"},
	{llc | 0xf0, "netbios", "NetBIOS"},
	{llc | 0xe0, "ipx", "Novell IPX"},
	{llc | 0xff, "ipx", "Novell IPX"},
	{snap | 0x2000, "cdp", "Cisco's discovery"},
	{snap | 0x2003, "vtp", "Cisco's VLAN trunking"},
	{snap | 0x2004, "dtp", "Cisco's trunk negotiation"},
	{snap | 0x0111, "udld", "unidirectional links"},
	{snap | 0x010b, "stp", "spanning tree"},
}

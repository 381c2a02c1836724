// Whether a row is of IPv4 or of IPv6.

package engine

// Address families and EtherTypes as oob.family and oob.protocol carry them (linux/netfilter.h
// NFPROTO_*, linux/if_ether.h ETH_P_*).
const (
	FamilyIPv4   = 2
	FamilyARP    = 3
	FamilyNetdev = 5
	FamilyBridge = 7
	FamilyIPv6   = 10

	EtherIPv4 = 0x0800
	EtherARP  = 0x0806
	EtherIPv6 = 0x86dd
)

// The two keys that say what a record is.
var (
	OOBFamily   = NewKey[uint8](KeyInfo{Name: "oob.family", Doc: "netfilter family of the record: 2 IPv4, 10 IPv6, 7 bridge, 3 ARP, 5 netdev"})
	OOBProtocol = NewKey[uint16](KeyInfo{
		Name: "oob.protocol", Elements: []*Element{{IE: IE{ID: 256}, Name: "ethernetType", Type: Unsigned16}}, Doc: "EtherType of the packet",
	})
)

// Family tells, row by row, whether a record's addresses are IPv4 or IPv6, from oob.family and, for
// families that carry either, from oob.protocol.
type Family struct {
	family   Col[uint8]
	protocol Col[uint16]
}

// Family binds the keys that say which IP version a record has.
func (p *Binder) Family() Family {
	return Family{Want(p, OOBFamily), Want(p, OOBProtocol)}
}

// Is6 reports whether row r holds IPv6 addresses.
func (f Family) Is6(b *Batch, r Row) bool { return f.Version(b, r) == 6 }

// Version returns 4, 6, or 0 where the record has no IP addresses. ARP counts as 4: its addresses
// are IPv4's.
func (f Family) Version(b *Batch, r Row) int {
	if !f.family.Has(b, r) {
		return 0
	}
	switch f.family.Of(b)[r] {
	case FamilyIPv4, FamilyARP:
		return 4
	case FamilyIPv6:
		return 6
	case FamilyBridge, FamilyNetdev:
		if f.protocol.Has(b, r) {
			switch f.protocol.Of(b)[r] {
			case EtherIPv4, EtherARP:
				return 4
			case EtherIPv6:
				return 6
			}
		}
	}
	return 0
}

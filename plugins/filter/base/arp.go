// The keys of ARP messages (RFC 826).

package base

import (
	"ulogd/engine"
	"ulogd/engine/key"
)

// arpKeys are those of RFC 826's message for IPv4 over Ethernet.
type arpKeys struct {
	bits                            uint64
	hwType, protocolType, operation engine.Col[uint16]
	shwAddr, dhwAddr                engine.Col[engine.Raw]
	saddr, daddr                    engine.Col[engine.Addr]
}

func (k *arpKeys) bind(p *engine.Binder) {
	g := p.Group()
	k.bits = g.Mask()
	k.hwType = engine.Give(p, g, key.ARPHwType)
	k.protocolType = engine.Give(p, g, key.ARPProtocolType)
	k.operation = engine.Give(p, g, key.ARPOperation)
	k.shwAddr = engine.Give(p, g, key.ARPShwAddr)
	k.saddr = engine.Give(p, g, key.ARPSaddr)
	k.dhwAddr = engine.Give(p, g, key.ARPDhwAddr)
	k.daddr = engine.Give(p, g, key.ARPDaddr)
}

func (k *arpKeys) wanted() bool {
	return anyWanted(k.hwType, k.protocolType, k.operation, k.shwAddr, k.saddr, k.dhwAddr, k.daddr)
}

// arpLen is the length of a message with Ethernet and IPv4 addresses.
const arpLen = 28

// arpNet returns where the message begins. The kernel's ARP output hook logs the packet with its
// Ethernet header.
func arpNet(p []byte) int {
	const ethernet = 14
	if len(p) >= ethernet+arpLen && be.Uint16(p[12:]) == engine.EtherARP && be.Uint16(p[2:]) != engine.EtherIPv4 {
		return ethernet
	}
	return 0
}

// arp finds the message at net.
func (s *stage) arp(r engine.Row, p []byte, net int) uint64 {
	if len(p) < net+arpLen {
		return 0
	}
	s.headers.at[r] = place{net: uint32(net)}
	return s.keys.arp.bits
}

func (k *arpKeys) fill(b *engine.Batch, h *headers) {
	hwType, protocolType, operation := k.hwType.Of(b), k.protocolType.Of(b), k.operation.Of(b)
	shwAddr, saddr, dhwAddr, daddr := k.shwAddr.Of(b), k.saddr.Of(b), k.dhwAddr.Of(b), k.daddr.Of(b)
	have := b.Have()
	for _, r := range b.Rows() {
		if have[r]&k.bits == 0 {
			continue
		}
		m := h.net(b, r)[:arpLen]
		off := h.raw[r].Off + h.at[r].net
		hwType[r], protocolType[r], operation[r] = be.Uint16(m), be.Uint16(m[2:]), be.Uint16(m[6:])
		shwAddr[r], dhwAddr[r] = engine.Raw{Off: off + 8, Len: 6}, engine.Raw{Off: off + 18, Len: 6}
		saddr[r], daddr[r] = engine.AddrFrom4(m[14:]), engine.AddrFrom4(m[24:])
	}
}

// What a packet has around it besides IP: its mark, its hardware addresses, its VLAN tags.

package flow

import (
	"encoding/binary"

	"ulogd/engine"
	"ulogd/engine/key"
)

// link is what a flow's first packet had around it: kept only where the key has it or somebody
// reads it.
type link struct {
	mark     uint32
	src, dst engine.MAC
	has      uint8 // linkMark ...

	priority, customerPriority uint8
	customer                   uint16
}

// What a link has. The rest is zero.
const (
	linkMark uint8 = 1 << iota
	linkSrc
	linkDst
	linkPriority
	linkCustomer

	linkKeyed = linkMark | linkSrc | linkDst // what can be part of the key
)

// linkColumns are where it is read from.
type linkColumns struct {
	mark     engine.Col[uint32]
	header   engine.Col[engine.Raw] // the whole header, whose addresses are at places of its own for each hardware type
	hardware engine.Col[uint16]
	src, dst engine.Col[engine.Raw]

	priority, customerPriority engine.Col[uint8]
	customer                   engine.Col[uint16]
}

func bindLink(p *engine.Binder, wanted func() bool) linkColumns {
	return linkColumns{
		mark:     engine.WantIf(p, key.OOBMark, wanted),
		header:   engine.WantIf(p, key.RawMAC, wanted),
		hardware: engine.WantIf(p, key.RawType, wanted),
		src:      engine.WantIf(p, key.RawMACSaddr, wanted),
		dst:      engine.WantIf(p, key.RawMACDaddr, wanted),

		priority:         engine.WantIf(p, key.OOBVLANPriority, wanted),
		customer:         engine.WantIf(p, key.OOBCustomerVLAN, wanted),
		customerPriority: engine.WantIf(p, key.OOBCustomerPriority, wanted),
	}
}

// wanted reports whether somebody reads any of it.
func (k *linkColumns) wanted() bool {
	return k.mark.Wanted() || k.header.Wanted() || k.src.Wanted() || k.dst.Wanted() || k.priority.Wanted() ||
		k.customer.Wanted()
}

// Hardware types (linux/if_arp.h) whose header is Ethernet's: destination, source, EtherType.
const (
	hardwareEther    = 1
	hardwareLoopback = 772
	etherHeader      = 14
)

// of reads what row r has. Where the input does not say where the addresses are, only Ethernet's
// header has them at known places.
func (k *linkColumns) of(b *engine.Batch, r engine.Row) (l link) {
	if k.mark.Has(b, r) {
		l.mark, l.has = k.mark.Of(b)[r], linkMark
	}
	k.tags(b, r, &l)
	if k.header.Has(b, r) && k.hardware.Has(b, r) {
		hardware := k.hardware.Of(b)[r]
		h := b.Bytes(engine.Span(k.header.Of(b)[r]))
		if (hardware == hardwareEther || hardware == hardwareLoopback) && len(h) >= etherHeader {
			l.set(h[6:etherHeader-2], h[:6])
			return l
		}
	}
	var src, dst []byte
	if k.src.Has(b, r) {
		src = b.Bytes(engine.Span(k.src.Of(b)[r]))
	}
	if k.dst.Has(b, r) {
		dst = b.Bytes(engine.Span(k.dst.Of(b)[r]))
	}
	l.set(src, dst)
	return l
}

// tags reads VLAN tags.
func (k *linkColumns) tags(b *engine.Batch, r engine.Row, l *link) {
	if k.priority.Has(b, r) {
		l.priority = k.priority.Of(b)[r]
		l.has |= linkPriority
	}
	if k.customer.Has(b, r) {
		l.customer, l.customerPriority = k.customer.Of(b)[r], k.customerPriority.Of(b)[r]
		l.has |= linkCustomer
	}
}

// set takes addresses of Ethernet's length. All zeros, as loopback has them, are none.
func (l *link) set(src, dst []byte) {
	if len(src) == len(l.src) {
		copy(l.src[:], src)
	}
	if len(dst) == len(l.dst) {
		copy(l.dst[:], dst)
	}
	if l.src != (engine.MAC{}) {
		l.has |= linkSrc
	}
	if l.dst != (engine.MAC{}) {
		l.has |= linkDst
	}
}

func (l *link) sameMark(m *link) bool { return l.mark == m.mark && (l.has^m.has)&linkMark == 0 }

func (l *link) sameMAC(m *link) bool {
	return l.src == m.src && l.dst == m.dst && (l.has^m.has)&(linkSrc|linkDst) == 0
}

// digest mixes all of it into one word.
func (l *link) digest() uint64 {
	var b [24]byte
	binary.NativeEndian.PutUint32(b[:], l.mark)
	copy(b[4:], l.src[:])
	copy(b[10:], l.dst[:])
	b[16] = l.has
	const odd = 0x9e3779b97f4a7c15
	return (binary.NativeEndian.Uint64(b[:])*odd^binary.NativeEndian.Uint64(b[8:]))*odd ^ uint64(l.has)
}

// Records of packets: what a rule logged, or a capture saw, one record each.

package export

import (
	"encoding/binary"

	"ulogd/engine"
	"ulogd/engine/element"
	"ulogd/engine/key"
)

// NewPackets binds the keys of packets. It returns nil if the stack has none.
func NewPackets(p *engine.Binder, g *Templates, c Choice) *Encoder {
	e := &Encoder{}
	e.bindFamily(p)
	l := packetItems(p, c.FlagOctets)
	if !engine.Want(p, key.IPSaddr).Given() && !engine.Want(p, key.RawPkt).Given() {
		return nil
	}
	e.choose(p, c, l, g)
	four, six := weighing(engine.Want(p, key.RawPktCount), engine.Want(p, key.IPTotLen)), engine.Want(p, key.IP6PayloadLen)
	e.shapes.weigh[forward] = func(b *engine.Batch, r engine.Row) (packets, octets uint64) {
		packets, octets = four(b, r)
		if six.Has(b, r) {
			octets = uint64(six.Of(b)[r]) + header6
		}
		return packets, octets
	}
	return e
}

// one adds an item of packets, which have no reply.
func (l *items) one(e *engine.Element, s source) *Item { return l.add(e, s, source{}) }

// ones adds all elements that a key leaves as, the first by itself and the others where somebody
// asks for them.
func (l *items) ones(s source) {
	for i, e := range s.key.Elements {
		if it := l.one(e, s); i > 0 {
			it.extra()
		}
	}
}

// want is a source of a key that the stack may give.
func want[T any](p *engine.Binder, k engine.Key[T]) source { return col(engine.Want(p, k)) }

func packetItems(p *engine.Binder, flagOctets uint16) (l items) {
	l.packetTime(want(p, key.OOBTime))
	src, dst := want(p, key.IPSaddr), want(p, key.IPDaddr)
	l.one(element.SourceIPv4Address, src)
	l.one(element.SourceIPv6Address, src)
	l.one(element.DestinationIPv4Address, dst)
	l.one(element.DestinationIPv6Address, dst)
	for _, k := range [][2]engine.Key[uint16]{{key.TCPSport, key.TCPDport}, {key.UDPSport, key.UDPDport}, {key.SCTPSport, key.SCTPDport}} {
		l.ones(want(p, k[0]))
		l.ones(want(p, k[1]))
	}
	icmpOf := func(tk, ck engine.Key[uint8]) source {
		t, c := engine.Want(p, tk), engine.Want(p, ck)
		return from(icmp{t, c, false}, t.Mask(), c.Mask())
	}
	l.one(element.ICMPTypeCodeIPv4, icmpOf(key.ICMPType, key.ICMPCode))
	l.one(element.ICMPTypeCodeIPv6, icmpOf(key.ICMP6Type, key.ICMP6Code))
	l.one(element.ProtocolIdentifier, want(p, key.IPProtocol))
	l.one(element.IPClassOfService, want(p, key.IPTOS)).off = is6 | noIP
	l.one(element.IPClassOfService, want(p, key.IP6Priority)).when(is6)
	l.one(element.IPTTL, want(p, key.IPTTL)).off = is6 | noIP
	l.one(element.IPTTL, want(p, key.IP6HopLimit)).when(is6)
	l.one(element.FragmentIdentification, want(p, key.IPID)).off = is6 | noIP
	l.one(element.FlowLabelIPv6, want(p, key.IP6FlowLabel))
	l.one(element.TCPControlBits, flags(engine.Want(p, key.TCPFlags), flagOctets)).Length = flagOctets
	l.packetLength(p)
	l.packetPath(p)
	return l
}

// packetTime: a packet is a flow that begins and ends at once. Collectors read these two elements:
// without, nfdump shows 1970 and goflow2 the time of the message, whatever other time a record has.
func (l *items) packetTime(at source) {
	l.one(element.FlowStartMilliseconds, at)
	l.one(element.FlowEndMilliseconds, at)
	l.observed(at, false)
}

// observed adds the elements of a time that is no flow's; if it is usual, the first by itself.
func (l *items) observed(at source, usual bool) {
	for _, e := range []*engine.Element{
		element.ObservationTimeMilliseconds, element.ObservationTimeMicroseconds, element.ObservationTimeNanoseconds,
	} {
		l.one(e, at).Extra = !usual || e != element.ObservationTimeMilliseconds
	}
}

// packetLength counts layer-3 octets as flows do, by the IP header's length and not by what was
// captured.
func (l *items) packetLength(p *engine.Binder) {
	payload := engine.Want(p, key.IP6PayloadLen)
	six := from(withHeader6{payload}, payload.Mask())
	six.key = key.IP6PayloadLen.Info()
	l.one(element.OctetDeltaCount, want(p, key.IPTotLen)).off = is6 | noIP
	l.one(element.OctetDeltaCount, six).when(is6)
	l.one(element.PacketDeltaCount, want(p, key.RawPktCount))
}

// packetPath is what netfilter knows of a packet besides its bytes.
func (l *items) packetPath(p *engine.Binder) {
	l.one(element.IngressInterface, want(p, key.OOBIfIn)).zero()
	l.one(element.EgressInterface, want(p, key.OOBIfOut)).zero()
	l.one(element.IngressPhysicalInterface, want(p, key.OOBIfPhysIn)).zero()
	l.one(element.EgressPhysicalInterface, want(p, key.OOBIfPhysOut)).zero()
	l.one(element.VLANID, want(p, key.OOBVLAN)).zero()
	l.one(element.SourceMACAddress, want(p, key.RawMACSaddr))
	l.one(element.DestinationMACAddress, want(p, key.RawMACDaddr))
	l.one(element.EthernetType, want(p, key.OOBProtocol))
	l.one(key.OOBMark.Info().Own(), want(p, key.OOBMark))
	l.one(key.OOBHook.Info().Own(), want(p, key.OOBHook)).extra()
	l.one(key.OOBUID.Info().Own(), want(p, key.OOBUID)).extra()
	l.one(key.OOBGID.Info().Own(), want(p, key.OOBGID)).extra()
	l.one(key.OOBPrefix.Info().Own(), want(p, key.OOBPrefix))
}

// header6 is the octets of an IPv6 header, which the payload length does not count.
const header6 = 40

// withHeader6 writes IPv6's payload length plus its header as 8 octets.
type withHeader6 struct{ col engine.Col[uint16] }

func (f withHeader6) fill(b *engine.Batch, buf []byte, spots []spot, off int) {
	v, buf := f.col.Of(b), buf[off:]
	for _, s := range spots {
		binary.BigEndian.PutUint64(buf[s.pos:], uint64(v[s.row])+header6)
	}
}

// NewCounters binds the keys of named counters, as NFACCT reads them: totals, or what came since the
// record before. It returns nil if the stack has none.
func NewCounters(p *engine.Binder, g *Templates, totals bool, c Choice) *Encoder {
	e := &Encoder{}
	e.bindFamily(p)
	name := engine.Want(p, key.SumName)
	var l items
	l.observed(want(p, key.OOBTime), true)
	packets, octets := want(p, key.SumPackets), want(p, key.SumOctets)
	l.one(element.PacketTotalCount, packets).Extra = !totals
	l.one(element.OctetTotalCount, octets).Extra = !totals
	l.one(element.PacketDeltaCount, packets).Extra = totals
	l.one(element.OctetDeltaCount, octets).Extra = totals
	l.one(key.SumName.Info().Own(), col(name))
	if !name.Given() {
		return nil
	}
	e.choose(p, c, l, g)
	e.shapes.weigh[forward] = weighing(engine.Want(p, key.SumPackets), engine.Want(p, key.SumOctets))
	return e
}

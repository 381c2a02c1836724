// Records of packets: what a rule logged, or a capture saw, one record each.

package export

import (
	"encoding/binary"

	"ulogd/engine"
	"ulogd/engine/key"
)

// NewPackets binds the keys of packets. It returns nil if the stack has none.
func NewPackets(p *engine.Binder, g *Registry, fields []string) *Encoder {
	e := &Encoder{}
	e.bindFamily(p)
	l := packetItems(p)
	if !engine.Want(p, key.IPSaddr).Given() && !engine.Want(p, key.RawPkt).Given() {
		return nil
	}
	e.shapes.init(choose(p, l, fields), g)
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
func (l *items) one(it Item, s source) { l.add(it, s, source{}) }

// want is num of a key that the stack may give.
func want[T integer](p *engine.Binder, k engine.Key[T], width int) source {
	return num(engine.Want(p, k), width)
}

func packetItems(p *engine.Binder) (l items) {
	at := engine.Want(p, key.OOBTime)
	l.one(Item{Element: iana(323, 8), Name: "observationTimeMilliseconds"}, from(millis{at}, at.Mask()))
	l.one(Item{Element: iana(324, 8), Name: "observationTimeMicroseconds", Extra: true}, from(ntp{at, ntpMicro}, at.Mask()))
	l.one(Item{Element: iana(325, 8), Name: "observationTimeNanoseconds", Extra: true}, from(ntp{at, ntpNano}, at.Mask()))
	src, dst := engine.Want(p, key.IPSaddr), engine.Want(p, key.IPDaddr)
	l.one(Item{Element: iana(8, 4), Name: "sourceIPv4Address", off: is6 | noIP}, from(addr4{src}, src.Mask()))
	l.one(Item{Element: iana(27, 16), Name: "sourceIPv6Address", on: is6}, from(addr6{src}, src.Mask()))
	l.one(Item{Element: iana(12, 4), Name: "destinationIPv4Address", off: is6 | noIP}, from(addr4{dst}, dst.Mask()))
	l.one(Item{Element: iana(28, 16), Name: "destinationIPv6Address", on: is6}, from(addr6{dst}, dst.Mask()))
	for _, k := range [][2]engine.Key[uint16]{{key.TCPSport, key.TCPDport}, {key.UDPSport, key.UDPDport}, {key.SCTPSport, key.SCTPDport}} {
		l.one(Item{Element: iana(7, 2), Name: "sourceTransportPort"}, want(p, k[0], 2))
		l.one(Item{Element: iana(11, 2), Name: "destinationTransportPort"}, want(p, k[1], 2))
	}
	icmpOf := func(tk, ck engine.Key[uint8]) source {
		t, c := engine.Want(p, tk), engine.Want(p, ck)
		return from(icmp{t, c, false}, t.Mask(), c.Mask())
	}
	l.one(Item{Element: iana(32, 2), Name: "icmpTypeCodeIPv4", off: is6 | noIP}, icmpOf(key.ICMPType, key.ICMPCode))
	l.one(Item{Element: iana(139, 2), Name: "icmpTypeCodeIPv6", on: is6}, icmpOf(key.ICMP6Type, key.ICMP6Code))
	l.one(Item{Element: iana(4, 1), Name: "protocolIdentifier"}, want(p, key.IPProtocol, 1))
	l.one(Item{Element: iana(5, 1), Name: "ipClassOfService", off: is6 | noIP}, want(p, key.IPTOS, 1))
	l.one(Item{Element: iana(5, 1), Name: "ipClassOfService", on: is6}, want(p, key.IP6Priority, 1))
	l.one(Item{Element: iana(192, 1), Name: "ipTTL", off: is6 | noIP}, want(p, key.IPTTL, 1))
	l.one(Item{Element: iana(192, 1), Name: "ipTTL", on: is6}, want(p, key.IP6HopLimit, 1))
	l.one(Item{Element: iana(54, 4), Name: "fragmentIdentification", off: is6 | noIP}, want(p, key.IPID, 4))
	l.one(Item{Element: iana(31, 4), Name: "flowLabelIPv6", on: is6}, want(p, key.IP6FlowLabel, 4))
	l.one(Item{Element: iana(6, 2), Name: "tcpControlBits"}, want(p, key.TCPFlags, 2))
	l.packetLength(p)
	l.packetPath(p)
	return l
}

// packetLength counts layer-3 octets as flows do, by the IP header's length and not by what was captured.
func (l *items) packetLength(p *engine.Binder) {
	payload := engine.Want(p, key.IP6PayloadLen)
	l.one(Item{Element: iana(1, 8), Name: "octetDeltaCount", off: is6 | noIP}, want(p, key.IPTotLen, 8))
	l.one(Item{Element: iana(1, 8), Name: "octetDeltaCount", on: is6}, from(withHeader6{payload}, payload.Mask()))
	l.one(Item{Element: iana(2, 8), Name: "packetDeltaCount"}, want(p, key.RawPktCount, 8))
}

// packetPath is what netfilter knows of a packet besides its bytes.
func (l *items) packetPath(p *engine.Binder) {
	l.one(Item{Element: iana(10, 4), Name: "ingressInterface", Zero: true}, want(p, key.OOBIfIn, 4))
	l.one(Item{Element: iana(14, 4), Name: "egressInterface", Zero: true}, want(p, key.OOBIfOut, 4))
	l.one(Item{Element: iana(252, 4), Name: "ingressPhysicalInterface", Zero: true}, want(p, key.OOBIfPhysIn, 4))
	l.one(Item{Element: iana(253, 4), Name: "egressPhysicalInterface", Zero: true}, want(p, key.OOBIfPhysOut, 4))
	l.one(Item{Element: iana(58, 2), Name: "vlanId", Zero: true}, want(p, key.OOBVLAN, 2))
	hw := engine.Want(p, key.RawMACSaddr)
	l.one(Item{Element: iana(56, 6), Name: "sourceMacAddress"}, from(rawMAC{hw}, hw.Mask()))
	l.one(Item{Element: iana(256, 2), Name: "ethernetType"}, want(p, key.OOBProtocol, 2))
	l.one(own(key.OOBMark, 4), want(p, key.OOBMark, 4))
	l.one(own(key.OOBHook, 1), want(p, key.OOBHook, 1))
	l.one(own(key.OOBUID, 4), want(p, key.OOBUID, 4))
	l.one(own(key.OOBGID, 4), want(p, key.OOBGID, 4))
	prefix := engine.Want(p, key.OOBPrefix)
	l.one(own(key.OOBPrefix, Variable), from(octets[engine.String]{prefix, true, maxString}, prefix.Mask()))
}

// maxString cuts strings that would not fit the smallest message.
const maxString = 255

// own makes an item of a key under its enterprise element.
func own[T any](k engine.Key[T], length uint16) Item {
	return Item{Element: of(k.Info(), length), Name: k.Name(), Info: k.Info()}
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

// NewCounters binds the keys of named counters, as NFACCT reads them. It returns nil if the stack has none.
func NewCounters(p *engine.Binder, g *Registry, fields []string) *Encoder {
	e := &Encoder{}
	e.bindFamily(p)
	name, at := engine.Want(p, key.SumName), engine.Want(p, key.OOBTime)
	var l items
	l.one(Item{Element: iana(323, 8), Name: "observationTimeMilliseconds"}, from(millis{at}, at.Mask()))
	l.one(Item{Element: iana(86, 8), Name: "packetTotalCount"}, want(p, key.SumPackets, 8))
	l.one(Item{Element: iana(85, 8), Name: "octetTotalCount"}, want(p, key.SumOctets, 8))
	l.one(own(key.SumName, Variable), from(octets[engine.String]{name, true, maxString}, name.Mask()))
	if !name.Given() {
		return nil
	}
	e.shapes.init(choose(p, l, fields), g)
	e.shapes.weigh[forward] = weighing(engine.Want(p, key.SumPackets), engine.Want(p, key.SumOctets))
	return e
}

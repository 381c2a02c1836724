// Messages as the kernel writes them, for tests that need no kernel.

package nfct

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"ulogd/plugins/input/netlink/nlattr"

	"ulogd/engine/key"
)

// crafted describes a message.
type crafted struct {
	event               uint8
	src, dst            string
	rsrc, rdst          string // unset: dst and src
	proto               uint8
	sport, dport        uint16
	id, mark, status    uint32
	zone                uint16
	tcpState            uint8
	timeout             uint32
	packets, octets     uint64 // replies have twice as many
	start, stop, stamp  uint64
	helper, secctx      string
	labels              []byte
	icmpType, icmpCode  uint8
	zoneOrig, zoneReply uint16
	master              *crafted
	unknown             bool // attributes that no kernel has yet
	dumped              bool
}

func (c crafted) message() []byte {
	typ, flags := uint16(msgNew), uint16(0)
	switch {
	case c.event == key.EventDestroy:
		typ = msgDelete
	case c.dumped:
		flags = unix.NLM_F_MULTI
	case c.event == key.EventNew:
		flags = unix.NLM_F_CREATE | unix.NLM_F_EXCL
	}
	family := byte(unix.AF_INET)
	if netip.MustParseAddr(c.src).Is6() {
		family = unix.AF_INET6
	}
	return nlattr.AppendMessage(nil, typ, flags, 0, func(b []byte) []byte {
		b = append(b, family, unix.NFNETLINK_V0, 0, 0)
		b = c.appendTuple(b, ctaTupleOrig, c.src, c.dst, c.sport, c.dport, c.zoneOrig)
		rsrc, rdst := c.rsrc, c.rdst
		if rsrc == "" {
			rsrc = c.dst
		}
		if rdst == "" {
			rdst = c.src
		}
		b = c.appendTuple(b, ctaTupleReply, rsrc, rdst, c.dport, c.sport, c.zoneReply)
		if c.zone != 0 {
			b = nlattr.Append16(b, ctaZone, c.zone)
		}
		b = nlattr.Append32(b, ctaID, c.id)
		b = nlattr.Append32(b, ctaStatus, c.status)
		if c.timeout != 0 {
			b = nlattr.Append32(b, ctaTimeout, c.timeout)
		}
		if c.packets != 0 {
			b = appendCounters(b, ctaCountersOrig, c.packets, c.octets)
			b = appendCounters(b, ctaCountersReply, 2*c.packets, 2*c.octets)
		}
		if c.start != 0 {
			b = nlattr.AppendNest(b, ctaTimestamp, func(b []byte) []byte {
				b = nlattr.Append64(b, first64, c.start)
				if c.stop != 0 {
					b = nlattr.Append64(b, second64, c.stop)
				}
				return b
			})
		}
		if c.tcpState != 0 {
			b = nlattr.AppendNest(b, ctaProtoInfo, func(b []byte) []byte {
				return nlattr.AppendNest(b, ctaProtoInfoTCP, func(b []byte) []byte { return nlattr.Append8(b, ctaProtoInfoState, c.tcpState) })
			})
		}
		if c.helper != "" {
			b = nlattr.AppendNest(b, ctaHelp, func(b []byte) []byte { return nlattr.Append(b, ctaName, []byte(c.helper+"\x00")) })
		}
		if c.secctx != "" {
			b = nlattr.AppendNest(b, ctaSecCtx, func(b []byte) []byte { return nlattr.Append(b, ctaName, []byte(c.secctx+"\x00")) })
		}
		if c.labels != nil {
			b = nlattr.Append(b, ctaLabels, c.labels)
		}
		if m := c.master; m != nil {
			b = m.appendTuple(b, ctaTupleMaster, m.src, m.dst, m.sport, m.dport, 0)
		}
		if c.mark != 0 {
			b = nlattr.Append32(b, ctaMark, c.mark)
		}
		if c.unknown {
			b = nlattr.AppendNest(b, 99, func(b []byte) []byte { return nlattr.Append64(b, 1, 7) })
			b = nlattr.Append(b, 100, []byte("odd"))
		}
		if c.stamp != 0 {
			b = nlattr.Append64(b, ctaTimestampEvent, c.stamp)
		}
		return b
	})
}

func (c crafted) appendTuple(b []byte, kind uint16, src, dst string, sport, dport, zone uint16) []byte {
	return nlattr.AppendNest(b, kind, func(b []byte) []byte {
		b = nlattr.AppendNest(b, ctaTupleIP, func(b []byte) []byte {
			s, d := netip.MustParseAddr(src), netip.MustParseAddr(dst)
			if s.Is6() {
				return nlattr.Append(nlattr.Append(b, ctaIPv6Src, s.AsSlice()), ctaIPv6Dst, d.AsSlice())
			}
			return nlattr.Append(nlattr.Append(b, ctaIPv4Src, s.AsSlice()), ctaIPv4Dst, d.AsSlice())
		})
		b = nlattr.AppendNest(b, ctaTupleProto, func(b []byte) []byte {
			b = nlattr.Append8(b, ctaProtoNum, c.proto)
			switch c.proto {
			case unix.IPPROTO_ICMP:
				return nlattr.Append8(nlattr.Append8(b, ctaProtoICMPType, c.icmpType), ctaProtoICMPCode, c.icmpCode)
			case unix.IPPROTO_ICMPV6:
				return nlattr.Append8(nlattr.Append8(b, ctaProtoICMPv6Type, c.icmpType), ctaProtoICMPv6Code, c.icmpCode)
			}
			if sport|dport == 0 {
				return b
			}
			return nlattr.Append16(nlattr.Append16(b, ctaProtoSrcPort, sport), ctaProtoDstPort, dport)
		})
		if zone != 0 {
			b = nlattr.Append16(b, ctaTupleZone, zone)
		}
		return b
	})
}

func appendCounters(b []byte, kind uint16, packets, octets uint64) []byte {
	return nlattr.AppendNest(b, kind, func(b []byte) []byte {
		return nlattr.Append64(nlattr.Append64(b, first64, packets), second64, octets)
	})
}

// destroyTCP is like most messages: 268 octets.
var destroyTCP = crafted{
	event: key.EventDestroy, src: "192.0.2.1", dst: "198.51.100.7", proto: unix.IPPROTO_TCP, sport: 40000, dport: 443, id: 77, status: 0x28e,
	packets: 10, octets: 4000, start: 1795227979547048123, stop: 1795227981549147456, tcpState: key.TCPTimeWait, stamp: 1795227981549148000,
}

// samples are messages of every kind, for fuzzing and for sweeps.
var samples = []crafted{
	destroyTCP,
	{event: key.EventNew, src: "192.0.2.1", dst: "198.51.100.7", rsrc: "10.0.0.9", proto: unix.IPPROTO_UDP, sport: 1, dport: 53, id: 1, mark: 5, zone: 3, stamp: 9},
	{event: key.EventUpdate, src: "2001:db8::1", dst: "2001:db8::2", proto: unix.IPPROTO_TCP, sport: 7, dport: 21, id: 2, helper: "ftp", secctx: "system_u:object_r:x:s0", labels: []byte{5, 0, 0, 0}, tcpState: 3, unknown: true},
	{event: key.EventDestroy, src: "2001:db8::1", dst: "2001:db8::2", proto: unix.IPPROTO_ICMPV6, icmpType: 128, id: 3, zoneOrig: 1, zoneReply: 2, timeout: 9},
	{event: key.EventNew, src: "192.0.2.1", dst: "198.51.100.7", proto: unix.IPPROTO_ICMP, icmpType: 8, id: 4},
	{event: key.EventUpdate, dumped: true, src: "192.0.2.1", dst: "198.51.100.7", proto: unix.IPPROTO_GRE, sport: 1, dport: 2, id: 5, packets: 1 << 40, octets: 1 << 50, start: 1},
	{event: key.EventNew, src: "192.0.2.1", dst: "198.51.100.7", proto: unix.IPPROTO_TCP, sport: 20, dport: 1024, id: 6, status: 1 | 1<<14, master: &destroyTCP},
}

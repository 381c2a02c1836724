// Package cttest writes messages of the kernel's connection tracking, for tests that need no kernel.
package cttest

import (
	"net/netip"
	"testing"

	"golang.org/x/sys/unix"

	"ulogd/engine"
	"ulogd/engine/key"
	"ulogd/plugins/input/netlink/nlattr"
	"ulogd/plugins/input/nfct/ctnetlink"
)

// Message describes a message.
type Message struct {
	Event               uint8
	Src, Dst            string
	rsrc, Rdst          string // unset: dst and src
	Proto               uint8
	Sport, Dport        uint16
	ID, Mark, Status    uint32
	Zone                uint16
	tcpState            uint8
	Timeout             uint32
	packets, octets     uint64 // replies have twice as many
	Start, Stop, Stamp  uint64
	Helper, SecCtx      string
	labels              []byte
	ICMPType, icmpCode  uint8
	ZoneOrig, ZoneReply uint16
	master              *Message
	Unknown             bool // attributes that no kernel has yet
	Dumped              bool
}

// Bytes returns it as the kernel writes it.
func (c Message) Bytes() []byte {
	typ, flags := uint16(ctnetlink.MsgNew), uint16(0)
	switch {
	case c.Event == key.EventDestroy:
		typ = ctnetlink.MsgDelete
	case c.Dumped:
		flags = unix.NLM_F_MULTI
	case c.Event == key.EventNew:
		flags = unix.NLM_F_CREATE | unix.NLM_F_EXCL
	}
	family := byte(unix.AF_INET)
	if netip.MustParseAddr(c.Src).Is6() {
		family = unix.AF_INET6
	}
	return nlattr.AppendMessage(nil, typ, flags, 0, func(b []byte) []byte {
		b = append(b, family, unix.NFNETLINK_V0, 0, 0)
		b = c.appendTuple(b, ctnetlink.CTATupleOrig, c.Src, c.Dst, c.Sport, c.Dport, c.ZoneOrig)
		rsrc, rdst := c.rsrc, c.Rdst
		if rsrc == "" {
			rsrc = c.Dst
		}
		if rdst == "" {
			rdst = c.Src
		}
		b = c.appendTuple(b, ctnetlink.CTATupleReply, rsrc, rdst, c.Dport, c.Sport, c.ZoneReply)
		if c.Zone != 0 {
			b = nlattr.Append16(b, ctnetlink.CTAZone, c.Zone)
		}
		b = nlattr.Append32(b, ctnetlink.CTAID, c.ID)
		b = nlattr.Append32(b, ctnetlink.CTAStatus, c.Status)
		if c.Timeout != 0 {
			b = nlattr.Append32(b, ctnetlink.CTATimeout, c.Timeout)
		}
		if c.packets != 0 {
			b = appendCounters(b, ctnetlink.CTACountersOrig, c.packets, c.octets)
			b = appendCounters(b, ctnetlink.CTACountersReply, 2*c.packets, 2*c.octets)
		}
		if c.Start != 0 {
			b = nlattr.AppendNest(b, ctnetlink.CTATimestamp, func(b []byte) []byte {
				b = nlattr.Append64(b, ctnetlink.First64, c.Start)
				if c.Stop != 0 {
					b = nlattr.Append64(b, ctnetlink.Second64, c.Stop)
				}
				return b
			})
		}
		if c.tcpState != 0 {
			b = nlattr.AppendNest(b, ctnetlink.CTAProtoInfo, func(b []byte) []byte {
				return nlattr.AppendNest(
					b,
					ctnetlink.CTAProtoInfoTCP,
					func(b []byte) []byte { return nlattr.Append8(b, ctnetlink.CTAProtoInfoState, c.tcpState) },
				)
			})
		}
		if c.Helper != "" {
			b = nlattr.AppendNest(
				b,
				ctnetlink.CTAHelp,
				func(b []byte) []byte { return nlattr.Append(b, ctnetlink.CTAName, []byte(c.Helper+"\x00")) },
			)
		}
		if c.SecCtx != "" {
			b = nlattr.AppendNest(
				b,
				ctnetlink.CTASecCtx,
				func(b []byte) []byte { return nlattr.Append(b, ctnetlink.CTAName, []byte(c.SecCtx+"\x00")) },
			)
		}
		if c.labels != nil {
			b = nlattr.Append(b, ctnetlink.CTALabels, c.labels)
		}
		if m := c.master; m != nil {
			b = m.appendTuple(b, ctnetlink.CTATupleMaster, m.Src, m.Dst, m.Sport, m.Dport, 0)
		}
		if c.Mark != 0 {
			b = nlattr.Append32(b, ctnetlink.CTAMark, c.Mark)
		}
		if c.Unknown {
			b = nlattr.AppendNest(b, 99, func(b []byte) []byte { return nlattr.Append64(b, 1, 7) })
			b = nlattr.Append(b, 100, []byte("odd"))
		}
		if c.Stamp != 0 {
			b = nlattr.Append64(b, ctnetlink.CTATimestampEvent, c.Stamp)
		}
		return b
	})
}

func (c Message) appendTuple(b []byte, kind uint16, src, dst string, sport, dport, zone uint16) []byte {
	return nlattr.AppendNest(b, kind, func(b []byte) []byte {
		b = nlattr.AppendNest(b, ctnetlink.CTATupleIP, func(b []byte) []byte {
			s, d := netip.MustParseAddr(src), netip.MustParseAddr(dst)
			if s.Is6() {
				return nlattr.Append(
					nlattr.Append(b, ctnetlink.CTAIPv6Src, s.AsSlice()),
					ctnetlink.CTAIPv6Dst,
					d.AsSlice(),
				)
			}
			return nlattr.Append(nlattr.Append(b, ctnetlink.CTAIPv4Src, s.AsSlice()), ctnetlink.CTAIPv4Dst, d.AsSlice())
		})
		b = nlattr.AppendNest(b, ctnetlink.CTATupleProto, func(b []byte) []byte {
			b = nlattr.Append8(b, ctnetlink.CTAProtoNum, c.Proto)
			switch c.Proto {
			case unix.IPPROTO_ICMP:
				return nlattr.Append8(
					nlattr.Append8(b, ctnetlink.CTAProtoICMPType, c.ICMPType),
					ctnetlink.CTAProtoICMPCode,
					c.icmpCode,
				)
			case unix.IPPROTO_ICMPV6:
				return nlattr.Append8(
					nlattr.Append8(b, ctnetlink.CTAProtoICMPv6Type, c.ICMPType),
					ctnetlink.CTAProtoICMPv6Code,
					c.icmpCode,
				)
			}
			if sport|dport == 0 {
				return b
			}
			return nlattr.Append16(
				nlattr.Append16(b, ctnetlink.CTAProtoSrcPort, sport),
				ctnetlink.CTAProtoDstPort,
				dport,
			)
		})
		if zone != 0 {
			b = nlattr.Append16(b, ctnetlink.CTATupleZone, zone)
		}
		return b
	})
}

func appendCounters(b []byte, kind uint16, packets, octets uint64) []byte {
	return nlattr.AppendNest(b, kind, func(b []byte) []byte {
		return nlattr.Append64(nlattr.Append64(b, ctnetlink.First64, packets), ctnetlink.Second64, octets)
	})
}

// DestroyTCP is like most messages: 268 octets.
var DestroyTCP = Message{
	Event: key.EventDestroy, Src: "192.0.2.1", Dst: "198.51.100.7", Proto: unix.IPPROTO_TCP, Sport: 40000, Dport: 443,
	ID: 77, Status: 0x28e,
	packets: 10, octets: 4000, Start: 1795227979547048123, Stop: 1795227981549147456, tcpState: key.TCPTimeWait,
	Stamp: 1795227981549148000,
}

// Samples are messages of every kind, for fuzzing and for sweeps.
var Samples = []Message{
	DestroyTCP,
	{
		Event: key.EventNew,
		Src:   "192.0.2.1",
		Dst:   "198.51.100.7",
		rsrc:  "10.0.0.9",
		Proto: unix.IPPROTO_UDP,
		Sport: 1,
		Dport: 53,
		ID:    1,
		Mark:  5,
		Zone:  3,
		Stamp: 9,
	},
	{
		Event:    key.EventUpdate,
		Src:      "2001:db8::1",
		Dst:      "2001:db8::2",
		Proto:    unix.IPPROTO_TCP,
		Sport:    7,
		Dport:    21,
		ID:       2,
		Helper:   "ftp",
		SecCtx:   "system_u:object_r:x:s0",
		labels:   []byte{5, 0, 0, 0},
		tcpState: 3,
		Unknown:  true,
	},
	{
		Event:     key.EventDestroy,
		Src:       "2001:db8::1",
		Dst:       "2001:db8::2",
		Proto:     unix.IPPROTO_ICMPV6,
		ICMPType:  128,
		ID:        3,
		ZoneOrig:  1,
		ZoneReply: 2,
		Timeout:   9,
	},
	{Event: key.EventNew, Src: "192.0.2.1", Dst: "198.51.100.7", Proto: unix.IPPROTO_ICMP, ICMPType: 8, ID: 4},
	{
		Event:   key.EventUpdate,
		Dumped:  true,
		Src:     "192.0.2.1",
		Dst:     "198.51.100.7",
		Proto:   unix.IPPROTO_GRE,
		Sport:   1,
		Dport:   2,
		ID:      5,
		packets: 1 << 40,
		octets:  1 << 50,
		Start:   1,
	},
	{
		Event:  key.EventNew,
		Src:    "192.0.2.1",
		Dst:    "198.51.100.7",
		Proto:  unix.IPPROTO_TCP,
		Sport:  20,
		Dport:  1024,
		ID:     6,
		Status: 1 | 1<<14,
		master: &DestroyTCP,
	},
}

// Decoded decodes a message.
func Decoded(t testing.TB, b []byte) ctnetlink.Flow {
	t.Helper()
	m, rest := nlattr.NextMessage(b)
	if len(rest) > 0 {
		t.Fatalf("%d octets behind the message", len(rest))
	}
	var f ctnetlink.Flow
	if !f.Decode(&m) {
		t.Fatal("does not decode")
	}
	return f
}

// Some makes a connection of its own for each number, every third of IPv6.
func Some(n int) *ctnetlink.Flow {
	f := &ctnetlink.Flow{Family: unix.AF_INET, ID: uint32(n / 7), Event: key.EventNew}
	f.Orig = ctnetlink.Tuple{
		Src:   engine.Addr4(uint32(n)),
		Dst:   engine.Addr4(1),
		Sport: uint16(n),
		Dport: 53,
		Proto: 17,
		Has:   ctnetlink.HasIP | ctnetlink.HasProto | ctnetlink.HasPorts,
	}
	if n%3 == 0 {
		f.Family = unix.AF_INET6
		f.Orig.Src.Hi = 0x20010db8 << 32
	}
	f.Reply = f.Orig
	f.Reply.Src, f.Reply.Dst, f.Reply.Sport, f.Reply.Dport = f.Orig.Dst, f.Orig.Src, f.Orig.Dport, f.Orig.Sport
	return f
}

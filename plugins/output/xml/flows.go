// Flows as libnetfilter_conntrack writes them.

package xml

import (
	"strconv"
	"time"

	"ulogd/engine"
	"ulogd/engine/key"
)

type flowStage struct {
	*document
	family      engine.Family
	orig, reply direction
	event       engine.Col[uint32]
	tcpState    engine.Col[uint8]
	timeout     engine.Col[uint32]
	mark        engine.Col[uint32]
	zone        engine.Col[uint16]
	id          engine.Col[uint32]
	status      engine.Col[uint32]
	start, end  engine.Col[engine.Time]
}

// direction is one side of a connection.
type direction struct {
	tag             string
	saddr, daddr    engine.Col[engine.Addr]
	protocol        engine.Col[uint8]
	sport, dport    engine.Col[uint16]
	packets, octets engine.Col[uint64]
}

func bindFlows(p *engine.Binder, d *document) engine.Stage {
	return &flowStage{
		document: d, family: p.Family(),
		orig: direction{
			tag: `<meta direction="original">`, saddr: engine.Require(p, key.OrigSaddr), daddr: engine.Require(p, key.OrigDaddr),
			protocol: engine.Require(p, key.OrigProtocol),
			sport:    engine.Want(p, key.OrigSport), dport: engine.Want(p, key.OrigDport),
			packets: engine.Want(p, key.OrigPackets), octets: engine.Want(p, key.OrigOctets),
		},
		reply: direction{
			tag: `<meta direction="reply">`, saddr: engine.Want(p, key.ReplySaddr), daddr: engine.Want(p, key.ReplyDaddr),
			protocol: engine.Want(p, key.ReplyProtocol),
			sport:    engine.Want(p, key.ReplySport), dport: engine.Want(p, key.ReplyDport),
			packets: engine.Want(p, key.ReplyPackets), octets: engine.Want(p, key.ReplyOctets),
		},
		event: engine.Want(p, key.CTEvent), tcpState: engine.Want(p, key.CTTCPState), timeout: engine.Want(p, key.CTTimeout),
		mark: engine.Want(p, key.CTMark), zone: engine.Want(p, key.CTZone), id: engine.Want(p, key.CTID), status: engine.Want(p, key.CTStatus),
		start: engine.Want(p, key.FlowStart), end: engine.Want(p, key.FlowEnd),
	}
}

func (s *flowStage) Consume(b *engine.Batch) {
	when := s.when.Text(b.Clock() / int64(time.Second))
	buf := s.Begin()
	for _, r := range b.Rows() {
		is6 := s.family.Is6(b, r)
		counted := !s.goesOn(b, r)
		buf = append(buf, "<flow>"...)
		buf = s.orig.append(buf, b, r, is6, counted)
		if s.reply.saddr.Has(b, r) {
			buf = s.reply.append(buf, b, r, is6, counted)
		}
		buf = s.appendIndependent(buf, b, r)
		buf = append(append(buf, when...), "</flow>\n"...)
		buf = s.End(buf)
	}
	s.Commit(buf)
}

// goesOn reports whether the connection goes on: the kernel tells counters and times in events only
// of connections that have ended.
func (s *flowStage) goesOn(b *engine.Batch, r engine.Row) bool {
	return s.event.Has(b, r) && s.event.Of(b)[r] != key.EventDestroy
}

func (d *direction) append(buf []byte, b *engine.Batch, r engine.Row, is6, counted bool) []byte {
	buf = append(buf, d.tag...)
	if is6 {
		buf = append(buf, `<layer3 protonum="10" protoname="ipv6"><src>`...)
	} else {
		buf = append(buf, `<layer3 protonum="2" protoname="ipv4"><src>`...)
	}
	buf = d.saddr.Of(b)[r].AppendText(buf, is6)
	buf = d.daddr.Of(b)[r].AppendText(append(buf, "</src><dst>"...), is6)
	buf = append(buf, "</dst></layer3>"...)
	buf = d.appendLayer4(buf, b, r)
	if counted && d.packets.Has(b, r) {
		buf = number(append(buf, "<counters>"...), "packets", d.packets.Of(b)[r])
		buf = append(number(buf, "bytes", d.octets.Of(b)[r]), "</counters>"...)
	}
	return append(buf, "</meta>"...)
}

func (d *direction) appendLayer4(buf []byte, b *engine.Batch, r engine.Row) []byte {
	var protocol uint8
	if d.protocol.Has(b, r) {
		protocol = d.protocol.Of(b)[r]
	}
	var sport, dport uint16
	if d.sport.Has(b, r) {
		sport, dport = d.sport.Of(b)[r], d.dport.Of(b)[r]
	}
	name, ports := layer4(protocol)
	buf = strconv.AppendUint(append(buf, `<layer4 protonum="`...), uint64(protocol), 10)
	buf = append(append(append(buf, `" protoname="`...), name...), `">`...)
	switch {
	case ports:
		buf = number(number(buf, "sport", uint64(sport)), "dport", uint64(dport))
	case protocol == protocolGRE:
		buf = strconv.AppendUint(append(buf, "<srckey>0x"...), uint64(sport), 16)
		buf = strconv.AppendUint(append(buf, "</srckey><dstkey>0x"...), uint64(dport), 16)
		buf = append(buf, "</dstkey>"...)
	}
	return append(buf, "</layer4>"...)
}

const protocolGRE = 47

// layer4 returns a protocol's name, and whether it has ports.
func layer4(protocol uint8) (name string, ports bool) {
	switch protocol {
	case 1:
		return "icmp", false
	case 6:
		return "tcp", true
	case 17:
		return "udp", true
	case 33:
		return "dccp", true
	case protocolGRE:
		return "gre", false
	case 58:
		return "icmpv6", false
	case 132:
		return "sctp", true
	case 136:
		return "udplite", true
	}
	return "unknown", false
}

// Bits of ct.status (linux/netfilter/nf_conntrack_common.h IPS_*).
const (
	seenReply = 1 << 1
	assured   = 1 << 2
)

func (s *flowStage) appendIndependent(buf []byte, b *engine.Batch, r engine.Row) []byte {
	buf = append(buf, `<meta direction="independent">`...)
	if state := s.tcpState.Of(b)[r]; s.tcpState.Has(b, r) && int(state) < len(key.TCPStateNames) {
		buf = append(append(append(buf, "<state>"...), key.TCPStateNames[state]...), "</state>"...)
	}
	if left := s.timeout.Of(b)[r]; s.timeout.Has(b, r) && left != 0 {
		buf = number(buf, "timeout", uint64(left))
	}
	if mark := s.mark.Of(b)[r]; s.mark.Has(b, r) && mark != 0 {
		buf = number(buf, "mark", uint64(mark))
	}
	if zone := s.zone.Of(b)[r]; s.zone.Has(b, r) && zone != 0 {
		buf = number(buf, "zone", uint64(zone))
	}
	if s.id.Has(b, r) {
		buf = number(buf, "id", uint64(s.id.Of(b)[r]))
	}
	if status := s.status.Of(b)[r]; s.status.Has(b, r) {
		if status&assured != 0 {
			buf = append(buf, "<assured/>"...)
		}
		if status&seenReply == 0 {
			buf = append(buf, "<unreplied/>"...)
		}
	}
	if s.start.Has(b, r) && s.end.Has(b, r) && !s.goesOn(b, r) {
		buf = number(buf, "deltatime", uint64(max(0, s.end.Of(b)[r]-s.start.Of(b)[r]))/1e9)
	}
	return append(buf, "</meta>"...)
}

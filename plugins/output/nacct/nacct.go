// Package nacct is the NACCT output: flows as lines of the net-acct daemon.
package nacct

import (
	"strconv"

	"ulogd/engine"
	"ulogd/engine/key"
	"ulogd/engine/text"
	"ulogd/plugins/output/sink"
	"ulogd/plugins/output/sink/logfile"
)

func init() {
	engine.Register(engine.Plugin{
		Name: "NACCT",
		Doc: `Writes one line per flow, eight fields parted by tabs: end in seconds since 1970, protocol, source address and port, destination address and
port, packets, octets. For ICMP the ports are type and code. Needs IP2STR.

Packets and octets are those of the replies, as in ulogd2.`,
		Example: `stack = "ct1:NFCT,ip2str1:IP2STR,nacct1:NACCT"

[nacct1]
file = "/var/log/nacctdata.log"
`,
		Output: func() engine.Output { return &nacct{} },
	})
}

type nacct struct {
	sink.Sink
	file logfile.File
}

func (n *nacct) Options(o *engine.Options) { n.file.Declare(o, "/var/log/ulogd_nacct.log") }

func (n *nacct) Bind(p *engine.Binder) engine.Stage {
	return &stage{
		nacct: n, Writer: n.Sink.Bind(p, &n.file),
		saddr: engine.Require(p, key.OrigSaddrStr), daddr: engine.Require(p, key.OrigDaddrStr),
		protocol: engine.Require(p, key.OrigProtocol),
		sport:    engine.Want(p, key.OrigSport), dport: engine.Want(p, key.OrigDport),
		packets: engine.Want(p, key.ReplyPackets), octets: engine.Want(p, key.ReplyOctets),
		icmpType: engine.Want(p, key.ICMPType), icmpCode: engine.Want(p, key.ICMPCode), end: engine.Want(p, key.FlowEnd),
	}
}

// stage is NACCT at the end of one stack.
type stage struct {
	*nacct
	*sink.Writer
	saddr, daddr       engine.Col[engine.String]
	protocol           engine.Col[uint8]
	sport, dport       engine.Col[uint16]
	packets, octets    engine.Col[uint64]
	icmpType, icmpCode engine.Col[uint8]
	end                engine.Col[engine.Time]
}

const protocolICMP = 1

func (s *stage) Consume(b *engine.Batch) {
	saddr, daddr, protocol := s.saddr.Of(b), s.daddr.Of(b), s.protocol.Of(b)
	buf := s.Begin()
	for _, r := range b.Rows() {
		var sport, dport, end uint64 // 0 where there is none
		if protocol[r] == protocolICMP && s.icmpType.Has(b, r) {
			sport, dport = uint64(s.icmpType.Of(b)[r]), uint64(s.icmpCode.Of(b)[r])
		} else if protocol[r] != protocolICMP && s.sport.Has(b, r) {
			sport, dport = uint64(s.sport.Of(b)[r]), uint64(s.dport.Of(b)[r])
		}
		if s.end.Has(b, r) {
			end = uint64(s.end.Of(b)[r].Sec())
		}
		buf = append(strconv.AppendUint(buf, end, 10), '\t')
		buf = append(strconv.AppendUint(buf, uint64(protocol[r]), 10), '\t')
		buf = append(text.AppendClean(buf, b.Bytes(engine.Span(saddr[r]))), '\t')
		buf = append(strconv.AppendUint(buf, sport, 10), '\t')
		buf = append(text.AppendClean(buf, b.Bytes(engine.Span(daddr[r]))), '\t')
		buf = append(strconv.AppendUint(buf, dport, 10), '\t')
		buf = append(strconv.AppendUint(buf, count(s.packets, b, r), 10), '\t')
		buf = append(strconv.AppendUint(buf, count(s.octets, b, r), 10), '\n')
		buf = s.End(buf)
	}
	s.Commit(buf)
}

// count returns a counter, 0 where the record has none.
func count(c engine.Col[uint64], b *engine.Batch, r engine.Row) uint64 {
	if !c.Has(b, r) {
		return 0
	}
	return c.Of(b)[r]
}

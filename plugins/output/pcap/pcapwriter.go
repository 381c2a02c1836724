// Package pcap is the PCAP output: packets as a capture file.
package pcap

import (
	"ulogd/engine"
	"ulogd/engine/key"
	"ulogd/plugins/output/sink"
	"ulogd/plugins/output/sink/logfile"
)

func init() {
	engine.Register(engine.Plugin{
		Name: "PCAP",
		Doc: `Writes packets to a capture file, classic pcap or pcapng (format), from their network header on: link type 101, raw IP.

The length on the wire is the IP header's where BASE has decoded it. Classic files have times in microseconds.
pcapng has nanoseconds, the interface of each packet by name (IFINDEX) and its direction, the prefix of the rule
that logged it as the packet's comment, and packets other than IP where their Ethernet header is known. What the
file cannot hold is dropped and counted as not_ip.

With compat = "ulogd2" the classic file's time zone field, the original length of packets that BASE could not decode, the time of
packets without one, and packets that are no IP are written as ulogd2 2.0.8 did.`,
		Example: `# nft add rule inet filter input log group 2
stack = "log2:NFLOG,base1:BASE,pcap1:PCAP"

[log2]
group = 2

[pcap1]
file = "/var/log/ulogd.pcap"
rotate_size = "64MiB"
rotate_keep = 10
`,
		Compat: true,
		Output: func() engine.Output { return &pcap{} },
	})
}

type pcap struct {
	sink.Sink
	file   logfile.File
	format string

	notIP      *engine.Drop
	interfaces []capturePoint // of the present section of a pcapng file
	epoch      int            // of the file, in which they are described
}

func (w *pcap) Options(o *engine.Options) {
	w.file.Declare(o, "/var/log/ulogd.pcap")
	o.Enum(&w.format, "format", "pcap", []string{"pcap", "pcapng"}, "kind of capture file")
	w.file.Rotate.Declare(o)
}

func (w *pcap) Bind(p *engine.Binder) engine.Stage {
	w.notIP = p.Stats().Drop("not_ip", "packets that the file's link type, raw IP, cannot hold")
	compat := p.Settings().CompatULOGD2()
	s := &stage{
		pcap: w, Writer: w.Sink.Bind(p, &w.file), compat: compat, ip: p.Family(),
		packet: engine.Need(p, key.RawPkt), at: engine.Want(p, key.OOBTime), wire: engine.Want(p, key.RawWireLen),
		totlen: engine.Want(p, key.IPTotLen), payload6: engine.Want(p, key.IP6PayloadLen), family: engine.Want(p, engine.OOBFamily),
		protocol: engine.Want(p, engine.OOBProtocol),
	}
	w.file.Check = checkPcap
	w.file.Header = func() []byte { return appendFileHeader(nil, compat) }
	if w.format == "pcapng" {
		w.file.Check, w.file.Sections = checkPcapng, true
		w.file.Header = func() []byte { return appendSection(nil) }
		s.bindInterfaces(p)
	}
	return s
}

// stage is PCAP at the end of one stack.
type stage struct {
	*pcap
	*sink.Writer
	compat   bool
	ip       engine.Family
	family   engine.Col[uint8]
	protocol engine.Col[uint16]
	packet   engine.Col[engine.Raw]
	at       engine.Col[engine.Time]
	wire     engine.Col[uint32]
	totlen   engine.Col[uint16]
	payload6 engine.Col[uint16]

	in, out         engine.Col[uint32]
	inName, outName engine.Col[engine.String]
	prefix          engine.Col[engine.String]
	mac             engine.Col[engine.Raw]
	hwType          engine.Col[uint16]
}

func (s *stage) Consume(b *engine.Batch) {
	pkts, has, have := s.packet.Of(b), s.packet.Mask(), b.Have()
	buf := s.Begin()
	for _, r := range b.Rows() {
		if have[r]&has == 0 {
			s.notIP.Add(1)
			continue
		}
		packet := b.Bytes(engine.Span(pkts[r]))
		version := s.version(b, r)
		switch {
		case s.format == "pcapng":
			next, ok := s.appendNG(buf, b, r, packet, version)
			if !ok {
				s.notIP.Add(1)
				continue
			}
			buf = next
		case version == 0 && !s.compat:
			s.notIP.Add(1)
			continue
		default:
			buf = appendRecord(buf, s.time(b, r), packet, s.original(b, r, len(packet), version))
		}
		buf = s.End(buf)
	}
	s.Commit(buf)
}

// version returns 4 or 6, and 0 for packets that are no IP.
func (s *stage) version(b *engine.Batch, r engine.Row) int {
	if s.family.Of(b)[r] == engine.FamilyARP || s.protocol.Has(b, r) && s.protocol.Of(b)[r] == engine.EtherARP {
		return 0
	}
	return s.ip.Version(b, r)
}

// time returns when the packet was seen; now, where that is not known.
func (s *stage) time(b *engine.Batch, r engine.Row) engine.Time {
	switch {
	case s.at.Has(b, r):
		return s.at.Of(b)[r]
	case s.compat:
		return 0
	}
	return engine.Time(b.Clock())
}

// original returns the length on the wire. It is never below the captured one, save where ulogd2's
// was.
func (s *stage) original(b *engine.Batch, r engine.Row, captured, version int) uint32 {
	n := 0
	if s.compat {
		switch s.family.Of(b)[r] {
		case engine.FamilyIPv4:
			return uint32(value(s.totlen, b, r))
		case engine.FamilyIPv6:
			return uint32(value(s.payload6, b, r)) + ip6Header
		}
		return uint32(captured)
	}
	switch {
	case s.wire.Has(b, r):
		return max(s.wire.Of(b)[r], uint32(captured))
	case version == 4 && s.totlen.Has(b, r):
		n = int(s.totlen.Of(b)[r])
	case version == 6 && s.payload6.Has(b, r):
		n = int(s.payload6.Of(b)[r]) + ip6Header
	}
	return uint32(max(n, captured))
}

const ip6Header = 40

// value returns 0 where the row has none.
func value(c engine.Col[uint16], b *engine.Batch, r engine.Row) uint16 {
	if !c.Has(b, r) {
		return 0
	}
	return c.Of(b)[r]
}

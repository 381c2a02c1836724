// Package netflow9 is the NETFLOW9 output: flow records to collectors as NetFlow version 9 (RFC
// 3954).
package netflow9

import (
	"fmt"
	"time"

	"ulogd/engine"
	"ulogd/plugins/output/export"
	"ulogd/plugins/output/export/stream"
	"ulogd/plugins/output/export/uptime"
)

func init() {
	engine.Register(engine.Plugin{
		Name: "NETFLOW9",
		Doc: `Sends flows to NetFlow version 9 collectors, over UDP (RFC 3954).

Records are those of IPFIX as far as version 9 has them: IPv4 and IPv6, ports or ICMP type, counters, times, interfaces, VLAN, hardware addresses, next
hop, prefix lengths, both sides of a translation. It has no enterprise elements, so marks, zones and labels stay behind, and no reverse
elements: each direction that has packets is a record, or direction = "sum" adds them up. TCP flags are the low eight.

Templates are announced with their first record, and all again every template_refresh and every template_refresh_packets. Options records go along with them
if options_records or sampling asks for them.

Live, a header tells the time of sending, and uptimes count from the start of the host. When a file is replayed, the header follows the newest packet
read, and uptimes count from a day before the first packet. A flow that is farther from the header than the 49 days that uptimes reach goes into a
message of its own, whose header tells the flow's end.

nat_events = true adds a record for each translated connection that begins or has ended, with both sides' addresses and ports, as IPFIX's option of
that name does; nat_events = "only" sends these and no flow records.

UDP is for networks where some loss is tolerable. The output never makes a live input wait: see buffer.`,
		Example: `stack = "ct1:NFCT,netflow1:NETFLOW9"

[netflow1]
host = "192.0.2.1"
port = 2055
`,
		Output: func() engine.Output { return &output{clock: uptime.Clock{Unit: time.Second}} },
	})
}

type output struct {
	stream.Output
	sourceID      uint32
	sampling      uint32
	optionRecords bool
	mtu           int
	direction     string
	counters      export.Counters
	nat           export.NATSettings
	fields        []string
	maxTemplates  int
	refresh       stream.Refresh

	templates export.Templates
	packers   []*export.Packer // of the streams
	clock     uptime.Clock
	reporter  *reporter // nil: no options records
	noRoom    *engine.Drop
	noForm    *engine.Drop
}

// The optional parts of the contract that it implements (engine/plugin.go).
var (
	_ engine.Validator = (*output)(nil)
	_ engine.Opener    = (*output)(nil)
	_ engine.Closer    = (*output)(nil)
)

func (o *output) Options(opts *engine.Options) {
	o.templates.Dialect = export.NetFlow9
	o.Output.Options(opts, stream.PortNetFlow, stream.All, stream.Balance)
	engine.Int(opts, &o.sourceID, "source_id", 0,
		"source id in the header: what tells exporters on one address apart. Two outputs to one collector need different "+
			"ones where it does not look at ports, such as nfcapd")
	engine.Octets(opts, &o.mtu, "mtu", longestMessage, "octets of a message at most, without the headers below it; never more than the path allows")
	opts.Enum(&o.direction, "direction", "uniflow", []string{"uniflow", "sum"}, "uniflow: a record for each direction that has packets; sum: one, whose counters add both directions up")
	o.counters.Options(opts)
	opts.Strings(&o.fields, "fields", nil, "elements of the records in their order, by the names of the IPFIX registry; "+export.ExporterDoc+
		"; unset: the usual ones that the stack can fill")
	o.nat.Options(opts)
	engine.Int(opts, &o.maxTemplates, "max_templates", 64, "templates at most; a record that would need one more takes a wider one whose other fields may be zero, or is dropped and counted")
	o.refresh.Options(opts, "", "")
	opts.Bool(&o.optionRecords, "options_records", false, "send options records with the templates: FLOW's timeouts and sampling each time; what was sent and the names of interfaces every template_refresh")
	engine.Int(opts, &o.sampling, "sampling", 0, "announce, in options records, that one packet of so many was looked at; 0: all")
}

// Validate implements engine.Validator.
func (o *output) Validate() error {
	options := export.CountOptionsTemplates(o.optionRecords, o.sampling > 0)
	switch {
	case o.maxTemplates < 1 || o.maxTemplates > 64:
		return fmt.Errorf("max_templates: must be from 1 to 64, is %d", o.maxTemplates)
	case o.maxTemplates < options+2 && options > 0:
		return fmt.Errorf("max_templates: options records take %d templates; at least %d are needed, is %d", options, options+2, o.maxTemplates)
	case o.mtu < 128 || o.mtu > 65507:
		return fmt.Errorf("mtu: must be from 128 to 65507, is %d", o.mtu)
	case o.refresh.Every <= 0 || o.refresh.Count < 1:
		return fmt.Errorf("template_refresh: version 9 asks for it by time and by number (RFC 3954 section 7); neither it nor template_refresh_packets can be 0")
	}
	return o.Output.Validate()
}

// Bind implements engine.Output.
func (o *output) Bind(p *engine.Binder) engine.Stage {
	p.OwnAccounting()
	o.noRoom = p.Stats().Drop("record_too_big", "records that no message of the permitted size can hold")
	o.noForm = p.Stats().Drop("no_template", "records that would have needed a template beyond max_templates, or that are not IP")
	o.templates.First, o.templates.Max = 256, o.maxTemplates
	if o.Streams == nil && (o.optionRecords || o.sampling > 0) {
		o.reporter = newReporter(o)
	}
	o.Limits = stream.Limits{Most: o.mtu, Unknown: stream.UnknownPath}
	o.clock.Finish = o.Finish
	waits := o.Make(p, o)
	s := o.stage(p)
	s.wait = waits
	if s.encoder == nil {
		p.Problem("needs the keys of flows, such as orig.ip.saddr; let NFCT give them, or FLOW make them of packets")
		return s
	}
	s.events = o.nat.Bind(p, &o.templates)
	if o.reporter != nil {
		o.reporter.stacks.Add(p)
	}
	const header, setHeader, padding = 20, 4, 3
	record, set := s.encoder.Widest()
	if need := header + padding + max(set, setHeader+record); o.mtu < need {
		p.Problem("mtu: %d octets hold no record of this stack; at least %d are needed", o.mtu, need)
	}
	return s
}

// Open implements engine.Opener: it begins to connect, and does not wait for it.
func (o *output) Open(env *engine.Env) error {
	if o.reporter != nil {
		o.reporter.stacks.Open(env)
	}
	o.ConnectUDP(env, stream.Domain{Option: "source_id", ID: o.sourceID})
	return nil
}

// Close implements engine.Closer.
func (o *output) Close() error {
	err := o.Output.Close()
	if o.reporter != nil {
		o.reporter.stacks.Close()
	}
	return err
}

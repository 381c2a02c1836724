// Package ipfix is the IPFIX output: flow records to collectors, by RFC 7011 and its companions.
package ipfix

import (
	"errors"
	"time"

	"ulogd/engine"
	"ulogd/plugins/output/export"
	"ulogd/plugins/output/export/collector"
	"ulogd/plugins/output/export/stream"
)

const example = `stack = "ct1:NFCT,ipfix1:IPFIX"

[ct1]
accept_proto_filter = ["tcp", "sctp"]

[ipfix1]
host = "192.0.2.1"
oid = 1
buffer = "16MiB"
spool = "/var/spool/ulogd"
`

func init() {
	engine.Register(engine.Plugin{
		Name: "IPFIX", Doc: doc, Example: example,
		Output: func() engine.Output { return &output{} },
	})
}

// output is one instance: its settings, and what all stacks that end in it share.
type output struct {
	stream.Output
	settings
	spool spooling
	file  file

	templates export.Templates
	packers   []*export.Packer // of the streams
	reporter  *reporter        // nil: no options records
	noRoom    *engine.Drop
	noForm    *engine.Drop
	no6       *engine.Drop
}

// The optional parts of the contract that it implements (engine/plugin.go).
var (
	_ engine.Validator = (*output)(nil)
	_ engine.Opener    = (*output)(nil)
	_ engine.Closer    = (*output)(nil)
	_ engine.Signaler  = (*output)(nil)
	_ engine.Blocker   = (*output)(nil)
	_ engine.Doctored  = (*output)(nil)
)

func (o *output) Options(opts *engine.Options) {
	o.settings.options(opts, &o.Output)
	o.spool.options(opts)
	o.file.options(opts)
	o.templates.Dialect = export.IPFIX
}

func (o *output) Validate() error {
	if err := o.file.validate(o.opts, o.Buffer); err != nil {
		return err
	}
	if o.file.path != "" {
		o.proto = protoFile
		return o.settings.validate(o.Mode)
	}
	if o.secure() && !o.opts.Given("port") {
		o.Port = portSecure
	}
	if err := o.Output.Validate(); err != nil {
		return err
	}
	if err := o.spool.validate(o.proto); err != nil {
		return err
	}
	return o.settings.validate(o.Mode)
}

// Blocks implements engine.Blocker: collectors are written to without waiting, disks are not.
func (o *output) Blocks() bool { return o.proto == protoFile }

// Bind implements engine.Output.
func (o *output) Bind(p *engine.Binder) engine.Stage {
	p.OwnAccounting()
	o.noRoom = p.Stats().Drop("record_too_big", "records that no message of the permitted size can hold")
	o.noForm = p.Stats().Drop("no_template", "records that would have needed a template beyond max_templates, or that are not IP")
	o.no6 = p.Stats().Drop("ipv6_without_template", "IPv6 records, which a collector that is told no template cannot know")
	if o.announce == export.Never {
		o.Queued = p.Stats().Counter("without_template",
			"records sent without their template (send_template = never): only a collector that knows it from its own "+
				"configuration reads them")
	}
	o.templates.First, o.templates.Max = 257, o.maxTemplates
	if o.layout == layoutULOGD2 {
		o.templates.First, o.templates.Max = 256, 2
	}
	if o.Streams == nil && o.optionsInterval > 0 {
		o.reporter = newReporter(o)
	}
	o.Limits = o.limits()
	waits := o.Make(p, o)
	return o.bind(p, waits)
}

// Open implements engine.Opener: it begins to connect, and does not wait for it.
func (o *output) Open(env *engine.Env) error {
	if o.announce == export.Never {
		env.Log.Warn("send_template = never: collectors are not told what the records mean; only one that knows their template from its own configuration can read them", "remedy", `set send_template = "once"`)
	}
	if o.neverChose {
		env.Log.Info("send_template = never without a layout: records have ulogd2's layout, the only one that a collector may know unasked", "remedy", "set layout to choose another")
	}
	if o.announceWord != "" {
		env.Log.Warn("send_template is neither once nor always nor never: templates go out in every message, as with ulogd2", "value", o.announceWord)
	}
	if err := o.spool.open(); err != nil {
		return err
	}
	if o.reporter != nil {
		o.reporter.stacks.Open(env)
	}
	if err := o.connect(env); err != nil {
		return err
	}
	o.Tick(time.Now())
	o.spool.report(env)
	return nil
}

// connect begins the way to each collector, or to the file.
func (o *output) connect(env *engine.Env) error {
	if o.proto == protoFile {
		o.ConnectTo(env, &o.file, collector.Window{Acked: true})
		o.watchDrops()
		return o.file.open(env)
	}
	refused := env.Stats.Counter("refused", "times that a collector's host said that nobody listens there (UDP)")
	t := stream.Transport{
		Dial:      func(a collector.Address) collector.Dial { return o.dial(a, refused) },
		Datagrams: o.datagrams(), Retry: o.ReconnectInterval, Domain: stream.Domain{Option: "oid", ID: o.oid},
	}
	switch {
	case !t.Datagrams:
		t.Window = collector.Window{Octets: o.resend, Time: o.resendTime, Acked: true}
	case o.proto == protoUDP:
		t.Retry = min(t.Retry, stream.RetryUDP)
	}
	paths := o.Connect(env, t)
	o.watchDrops()
	for _, p := range paths {
		if o.proto == protoDTLS {
			p.Connector.Renew(o.renew)
		}
		if err := o.spool.attach(p.Queue, p.Name, o); err != nil {
			return err
		}
	}
	return nil
}

// watchDrops has the reporter told what finds no room.
func (o *output) watchDrops() {
	if o.reporter == nil {
		return
	}
	for _, q := range o.Queues() {
		q.Dropped = o.reporter.dropMessage
	}
}

// Signal implements engine.Signaler: certificates are read and names resolved anew; a file that was
// moved away is begun anew.
func (o *output) Signal(s engine.Signal) {
	if o.proto != protoFile || s != engine.Reopen {
		o.Output.Signal(s)
		return
	}
	o.Finish()
	o.file.reopen()
	o.Tick(time.Now())
}

// Close implements engine.Closer.
func (o *output) Close() error {
	err := o.Output.Close()
	if o.reporter != nil {
		o.reporter.stacks.Close()
	}
	return errors.Join(err, o.spool.close())
}

// stage is the output at the end of one stack.
type stage struct {
	o       *output
	encoder *export.Encoder
	events  *export.NATEvents // nil: none are asked for
	filter  func(b *engine.Batch, rows []engine.Row) []engine.Row
	wait    bool // rather than drop: the input loses nothing by it
	shares  *export.Shares
	rows    [engine.BatchSize]engine.Row
}

// Consume implements engine.Stage.
func (s *stage) Consume(b *engine.Batch) {
	now := time.Now()
	if s.wait {
		now = s.o.Wait(now)
	}
	rows := s.rows[:copy(s.rows[:], b.Rows())]
	if s.events != nil {
		var events []engine.Row
		events, rows = s.events.Split(b, rows, s.o.Env().Stats)
		for i, rows := range s.shares.Of(b, events) {
			if len(rows) > 0 {
				s.settle(i, s.events.Encode(b, rows, s.o.packers[i]), now)
			}
		}
	}
	if s.filter != nil {
		rows = s.filter(b, rows)
	}
	for i, rows := range s.shares.Of(b, rows) {
		if len(rows) > 0 {
			s.settle(i, s.encoder.Encode(b, rows, s.o.packers[i]), now)
		}
	}
	s.o.Pump(now)
}

// settle counts what became of rows that were encoded on a stream.
func (s *stage) settle(i int, res export.Result, now time.Time) {
	o := s.o
	o.Env().Stats.Made.Add(res.Second)
	if res.NoTemplate+res.TooBig > 0 {
		o.noForm.Add(res.NoTemplate)
		o.noRoom.Add(res.TooBig)
		if o.reporter != nil {
			o.reporter.drop(res.Lost, now)
		}
	}
	o.Streams[i].Settle(now)
}

// bind finds out what records the stack has and binds their keys.
func (o *output) bind(p *engine.Binder, waits bool) engine.Stage {
	s := &stage{o: o, wait: waits, shares: export.NewShares(p, len(o.Streams))}
	if s.encoder = o.encoder(p); s.encoder == nil {
		p.Problem("needs the keys of flows (from NFCT, or from FLOW behind packets), of packets (from BASE) or of counters (from NFACCT)")
		return s
	}
	if o.reporter != nil {
		o.reporter.bind(p, s.encoder)
	}
	s.events = o.nat.Bind(p, &o.templates)
	s.filter = o.rowFilter(p)
	record, set := s.encoder.Widest()
	if o.layout == layoutULOGD2 { // what ulogd2 can do with an mtu is to go on working: IPv4
		record, set = 33, 48
	}
	if need := o.smallest(record, set); o.mtu > 0 && o.mtu < need {
		p.Problem("mtu: %d octets hold no record of this stack; at least %d are needed", o.mtu, need)
	}
	return s
}

// encoder binds the first kind of record that the stack has.
func (o *output) encoder(p *engine.Binder) *export.Encoder {
	if o.layout == layoutULOGD2 {
		return export.NewULOGD2(p, &o.templates)
	}
	if o.proto != protoFile { // a file is sent from nowhere
		o.choice.Exporter = &o.Sender
	}
	totals := o.counters.Totals(p)
	flows := export.NewFlows(p, &o.templates, export.FlowLayout{
		Direction: o.direction, Totals: totals,
		Choice: o.choice,
	})
	if flows != nil {
		return flows
	}
	if packets := export.NewPackets(p, &o.templates, o.choice); packets != nil {
		return packets
	}
	return export.NewCounters(p, &o.templates, totals, o.choice)
}

// smallest returns the octets of the smallest message that can hold a record and, apart or
// together, its template.
func (o *output) smallest(record, set int) int {
	const header, setHeader = 16, 4
	switch o.announce {
	case export.Always:
		return header + set + setHeader + record
	case export.Never:
		return header + setHeader + record
	}
	return header + max(set, setHeader+record)
}

const doc = `Sends flows, packets and counters to IPFIX collectors (RFC 7011).

What a record has decides its template: addresses of either family, ports or ICMP type, counters, times and whatever else the
stack gives. Templates are numbered from 257 and announced by themselves. By default each direction is a record of its own, the
initiator's first, the reply's only if it has packets. Records are made of connections that have ended and of interim reports, never of
connections that have just begun. In a stack without flows each packet is a record, with the prefix of the rule that logged it, and NFACCT's counters are
records with their name.

nat_events = true adds a record for each translated connection that begins or has ended, with both sides' addresses and ports (RFC 8158): the log that the
law asks of carriers. NFCT then reports the beginnings of translated connections also where it remembers connections (hash_enable), with ct.event 1 and to all stacks that it feeds;
where another stack is to have ends only, give it an NFCT instance of its own. nat_events = "only" sends these records and no flow records; what makes none is filtered.

The output never makes a live input wait. While a collector is away or slow, messages wait in buffer; what does not fit goes to the spool or,
without one, is dropped and counted as buffer_full. Inputs that lose nothing by it, such as files, wait for room instead, unless when_full = "drop".

After a session over TCP or TLS breaks, what the collector has not acknowledged is sent again, and before it what was sent last (resend_window and resend_time, whichever is
more, as far as buffer holds it): an acknowledgement says that the collector's kernel has the data, not its program. So some records may arrive twice; a collector that stops
reading for longer, and then dies, still loses what its kernel held beyond it. When SIGHUP renews sessions, what is not acknowledged is sent again.

spool = "/var/spool/ulogd" keeps on disk, for each collector, what its buffer has no room for and, at the end of the daemon, what the buffer holds. It is sent in its
order when the collector is back, or by the next run. Records in the spool count as held, also in the last summary; the next run counts them as made, and as
resumed. The daemon's sudden end (kill -9) costs what is in the buffer, so that a small one loses less; what is in the spool is sent by the next run, some MiB of it perhaps
for the second time. A power failure costs about the last second of the spool too: files are synchronised that often, beside the flow of records. A damaged message is
dropped alone (spool_damaged), a torn last one is cut off, and the log says where. While the disk is full, what cannot be written is dropped (spool_failed).

UDP and DTLS are for networks where some loss is tolerable (RFC 7011 section 10.3.2): what is sent while a collector restarts is lost, and UDP without DTLS belongs
on a segregated network. TLS and DTLS send nothing to a collector that does not prove who it is. SCTP, which RFC 7011 requires of a compliant implementation, is
not offered: it could not be tested.

file = "flows.ipfix" writes the messages to a file instead (RFC 5655), which tshark and libfixbuf's ipfixDump read. Each file is a session that can be read alone. The
present one has the name given; finished ones have the time in theirs, and get it in one step, so that whoever collects them finds whole ones. SIGHUP begins a new file if the
old one was moved away, as logrotate does; one that is cut (copytruncate) is begun again, with its templates. While the disk is full records wait in buffer.

layout = "ulogd2" sends the records of ulogd2's IPFIX output as they are, except for the sequence number, which there counted a
message's own records. send_template = "never" chooses that layout unless layout is set.`

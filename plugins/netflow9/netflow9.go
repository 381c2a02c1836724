// Package netflow9 is the NETFLOW9 output: flow records to collectors as NetFlow version 9 (RFC 3954).
package netflow9

import (
	"errors"
	"fmt"
	"time"

	"ulogd/engine"
	"ulogd/engine/collector"
	"ulogd/engine/export"
	"ulogd/engine/key"
)

func init() {
	engine.Register(engine.Plugin{
		Name: "NETFLOW9", Kind: engine.OutputKind,
		Doc: `Sends flows to NetFlow version 9 collectors, over UDP (RFC 3954).

Records are those of IPFIX as far as version 9 has them: IPv4 and IPv6, ports or ICMP type, counters, times, interfaces, VLAN, hardware addresses, next
hop, prefix lengths, both sides of a translation. It has no enterprise elements, so marks, zones and labels stay behind, and no reverse
elements: each direction that has packets is a record, or direction = "sum" adds them up. TCP flags are the low eight.

Live, a header tells the time of sending, and uptimes count from the start of the host. When a file is replayed, the header follows the newest packet
read, and uptimes count from the first packet.

UDP is for networks where some loss is tolerable. The output never makes a live input wait: see buffer.`,
		New: func() any { return &output{} },
	})
}

// The protocol's usual port.
const port = 2055

type output struct {
	collector.Settings
	sourceID      uint32
	mtu           int
	direction     string
	counters      string
	fields        []string
	maxTemplates  int
	refresh       time.Duration
	refreshCount  int
	flushInterval time.Duration

	env      *engine.Env
	registry export.Registry
	clock    clock
	stream   *stream
	noRoom   *engine.Drop
	noForm   *engine.Drop
}

func (o *output) Options(opts *engine.Options) {
	o.registry.Dialect = export.NetFlow9
	o.Settings.Options(opts, port)
	engine.Int(opts, &o.sourceID, "source_id", 0, "source id in the header: what tells exporters on one address apart")
	engine.Int(opts, &o.mtu, "mtu", longestMessage, "octets of a message at most, without the headers below it; never more than the path allows")
	opts.Enum(&o.direction, "direction", "uniflow", []string{"uniflow", "sum"}, "uniflow: a record for each direction that has packets; sum: one, whose counters add both directions up")
	opts.Enum(&o.counters, "counters", "auto", []string{"auto", "total", "delta"}, "elements for octets and packets: total (85, 86) since the flow began, delta (1, 2) since its last record; auto: total for conntrack's, delta for FLOW's")
	opts.Strings(&o.fields, "fields", nil, "elements of the records in their order, by the names of the IPFIX registry; unset: the usual ones that the stack can fill")
	engine.Int(opts, &o.maxTemplates, "max_templates", 64, "templates at most; a record that would need one more takes a wider one whose other fields may be zero, or is dropped and counted")
	opts.Seconds(&o.refresh, "template_refresh", 10*time.Minute, "announce the templates again after this time")
	engine.Int(opts, &o.refreshCount, "template_refresh_packets", 20, "announce the templates again after so many messages")
	opts.Seconds(&o.flushInterval, "flush_interval", time.Second, "send a message that is not full after this time")
}

// Validate implements engine.Validator.
func (o *output) Validate() error {
	switch {
	case o.maxTemplates < 1 || o.maxTemplates > 64:
		return fmt.Errorf("max_templates: must be from 1 to 64, is %d", o.maxTemplates)
	case o.mtu < 128 || o.mtu > 65507:
		return fmt.Errorf("mtu: must be from 128 to 65507, is %d", o.mtu)
	case o.refresh <= 0 || o.refreshCount < 1:
		return fmt.Errorf("template_refresh: version 9 asks for it by time and by number (RFC 3954 section 7); neither it nor template_refresh_packets can be 0")
	}
	return o.Settings.Validate()
}

// stage is the output at the end of one stack.
type stage struct {
	o       *output
	encoder *export.Encoder
	event   engine.Col[uint32]
	first   engine.Col[engine.Time]
	wait    bool
	rows    [engine.BatchSize]engine.Row
}

// Bind implements engine.Output.
func (o *output) Bind(p *engine.Binder) engine.Stage {
	p.OwnAccounting()
	o.noRoom = p.Stats().Drop("record_too_big", "records that no message of the permitted size can hold")
	o.noForm = p.Stats().Drop("no_template", "records that would have needed a template beyond max_templates, or that are not IP")
	o.registry.First, o.registry.Max = 256, o.maxTemplates
	if o.stream == nil {
		o.stream = newStream(o)
	}
	totals := o.counters == "total" || o.counters == "auto" && engine.Want(p, key.CTID).Given()
	s := &stage{o: o, event: engine.Want(p, key.CTEvent), first: engine.Want(p, key.FlowEpoch), wait: p.MayBlock()}
	s.encoder = export.NewFlows(p, &o.registry, export.FlowOptions{Direction: o.direction, Totals: totals, Fields: o.fields, Uptime: &o.clock.epoch})
	if s.encoder == nil {
		p.Problem("needs the keys of flows, such as orig.ip.saddr; let NFCT give them, or FLOW make them of packets")
		return s
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
	o.env = env
	refused := env.Stats.Counter("refused", "times that a collector's host said that nobody listens there")
	for _, a := range o.Addresses {
		p := &peer{s: o.stream}
		link := collector.NewLink(env, o.ReconnectInterval, []string{a.String()}, collector.DialUDP(a, o.Source, refused))
		o.stream.peers = append(o.stream.peers, p)
		o.stream.queues = append(o.stream.queues, collector.NewQueue(env, link, p, o.Buffer, collector.Window{}))
	}
	o.Tick(time.Now())
	return nil
}

// ctNew is ct.event of a connection that has just begun: no record is made of it.
const ctNew = 1

// Consume implements engine.Stage.
func (s *stage) Consume(b *engine.Batch) {
	o, w := s.o, s.o.stream
	now := time.Now()
	for s.wait && !o.room() && o.env.Deadline().IsZero() {
		time.Sleep(time.Millisecond)
		now = time.Now()
		w.tick(now)
	}
	first := engine.Time(b.Clock())
	rows, n := s.rows[:copy(s.rows[:], b.Rows())], 0
	if have, m := b.Have(), s.first.Mask(); have[rows[0]]&m != 0 {
		first = s.first.Of(b)[rows[0]]
	}
	o.clock.set(b, first, now)
	have, ev, em := b.Have(), s.event.Of(b), s.event.Mask()
	for _, r := range rows {
		if have[r]&em == 0 || ev[r] != ctNew {
			rows[n] = r
			n++
		}
	}
	st, before := o.env.Stats, w.builder.Pending()
	st.Filtered.Add(len(rows) - n)
	res := s.encoder.Encode(b, rows[:n], &w.builder)
	st.Made.Add(res.Second)
	o.noForm.Add(res.Homeless)
	o.noRoom.Add(res.TooBig)
	w.settle(before, now)
	for _, q := range w.queues {
		q.Pump(now)
	}
}

// room tells whether every queue has room for what a batch may become.
func (o *output) room() bool {
	const batch = 2 * engine.BatchSize * 256
	for _, q := range o.stream.queues {
		if !q.Room(batch) {
			return false
		}
	}
	return true
}

// Tick implements engine.Ticker.
func (o *output) Tick(now time.Time) { o.stream.tick(now) }

// Signal implements engine.Signaler: names are resolved anew.
func (o *output) Signal(sig engine.Signal) {
	if sig != engine.Reopen {
		return
	}
	o.stream.finish()
	for _, q := range o.stream.queues {
		q.Reset(time.Now())
	}
}

// Flush implements engine.Flusher.
func (o *output) Flush() {
	o.stream.finish()
	collector.Finish(o.stream.queues...)
}

// Close implements engine.Closer.
func (o *output) Close() error {
	var errs []error
	if o.stream != nil {
		for _, q := range o.stream.queues {
			errs = append(errs, q.Close())
		}
	}
	return errors.Join(errs...)
}

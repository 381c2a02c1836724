// The streams of one output: which collectors each has, and its life from the first record to the
// last.

package stream

import (
	"errors"
	"time"

	"ulogd/engine"
	"ulogd/plugins/output/export"
	"ulogd/plugins/output/export/collector"
)

// A Format is what an exporter's protocol brings to its streams.
type Format interface {
	// Messages begins a stream's messages.
	Messages(s *Stream) Messages
	// Peer makes what tells one more collector of a stream.
	Peer(s *Stream) Peer
	// Seal writes into a finished message what is known before it is sent.
	Seal(msg []byte)
}

// Limits are the octets of a message, without the headers below it.
type Limits struct {
	Most    int // never more, whatever a path allows
	Unknown int // while no path has said; 0: Most
}

// UnknownPath is what any path takes (RFC 7011 section 10.3.3): packets of 512 octets, less the
// larger headers.
const UnknownPath = 512 - 48

// An Output is what an exporter embeds.
type Output struct {
	Settings
	Limits  Limits
	Streams []*Stream       // one for all collectors or, in balance, one for each
	Sender  export.Exporter // the address that the first of them sends from
	Queued  *engine.Counter // if not nil, of records that found room in a queue

	env     *engine.Env
	format  Format
	waits   bool       // an input waits for room, and so for what is paced
	entered []exporter // among those that run
}

// Make makes the streams, once. It is called when a stack is bound, and returns whether its input
// is to wait for room.
func (o *Output) Make(p *engine.Binder, f Format) (waits bool) {
	waits = p.Waits()
	o.waits = o.waits || waits
	if o.Streams == nil {
		o.make(f)
	}
	return waits
}

func (o *Output) make(f Format) {
	o.format = f
	for range max(1, len(o.Addresses)) { // a file has none
		s := &Stream{out: o}
		s.add = s.queue
		s.Messages = f.Messages(s)
		s.Adjust()
		o.Streams = append(o.Streams, s)
		if o.Mode != Balance {
			break
		}
	}
}

// A Path is a way to one collector, or to several of which one at a time is used.
type Path struct {
	Name      string // the collector's; in failover the first one's
	Connector *collector.Connector
	Queue     *collector.Queue
}

// A Transport is how collectors are reached.
type Transport struct {
	Dial      func(collector.Address) collector.Dial
	Window    collector.Window
	Datagrams bool          // whose loss nobody tells
	Retry     time.Duration // at least so long between two attempts to connect
	Domain    Domain        // of the exporter, in datagrams
}

// Connect gives the streams their collectors. It begins to connect with the first Tick, and does
// not wait for it.
func (o *Output) Connect(env *engine.Env, t Transport) (paths []Path) {
	o.env = env
	if o.Sender.Asked() { // the first records do not wait for the first session
		o.Sender.Set(o.Network.Source(o.Addresses[0].Host))
	}
	for i, group := range o.groups() {
		var names []string
		var dials []collector.Dial
		for _, a := range group {
			names, dials = append(names, a.String()), append(dials, t.Dial(a))
		}
		link := collector.NewConnector(env, t.Retry, names, dials...)
		link.From(&o.Network)
		q := o.Streams[min(i, len(o.Streams)-1)].join(link, t.Window)
		switch {
		case t.Datagrams:
			for _, a := range group {
				o.enter(env, a, t.Domain)
			}
			q.Pace(collector.Pace{Rate: o.Rate, Always: o.waits || o.opts.Given("rate")})
			if len(group) == 1 {
				link.Resolve(group[0].Host, o.ResolveInterval)
			}
		case o.Mode == Failover:
			q.Patience(o.FailoverAfter)
		}
		paths = append(paths, Path{names[0], link, q})
	}
	return paths
}

// RetryUDP is how soon another attempt to send over UDP is made: it costs nobody anything.
const RetryUDP = time.Second

// ConnectUDP is Connect over UDP, and the first Tick.
func (o *Output) ConnectUDP(env *engine.Env, d Domain) {
	refused := env.Stats.Counter("refused", "times that a collector's host said that nobody listens there")
	o.Connect(env, Transport{
		Dial:      func(a collector.Address) collector.Dial { return collector.DialUDP(a, &o.Network, refused) },
		Datagrams: true, Retry: min(o.ReconnectInterval, RetryUDP), Domain: d,
	})
	o.Tick(time.Now())
}

// groups returns the collectors, those together of which one at a time is used.
func (o *Output) groups() (list [][]collector.Address) {
	if o.Mode == Failover {
		return [][]collector.Address{o.Addresses}
	}
	for _, a := range o.Addresses {
		list = append(list, []collector.Address{a})
	}
	return list
}

// ConnectTo gives the first stream a way that is no collector's.
func (o *Output) ConnectTo(env *engine.Env, way collector.Way, w collector.Window) {
	o.env = env
	o.Streams[0].join(way, w)
}

// Env returns what the engine offers, once there are collectors.
func (o *Output) Env() *engine.Env { return o.env }

// Queues returns those of all streams.
func (o *Output) Queues() (all []*collector.Queue) {
	for _, s := range o.Streams {
		all = append(all, s.queues...)
	}
	return all
}

// batchOctets is more than the records of a batch take, two for each row, unless they hold long
// strings.
const batchOctets = 2 * engine.BatchSize * 256

// Wait waits until every queue has room for what a batch may become, or until the daemon is to end,
// and returns the time.
func (o *Output) Wait(now time.Time) time.Time {
	for _, s := range o.Streams {
		if s.room() {
			continue
		}
		s.pump(now, 1)
		for !s.room() && o.env.Deadline().IsZero() {
			o.env.Waits()
			time.Sleep(time.Millisecond)
			now = time.Now()
			s.tick(now)
		}
	}
	return now
}

// Pump sends what is worth a system call.
func (o *Output) Pump(now time.Time) {
	for _, s := range o.Streams {
		s.pump(now, enough)
	}
}

// enough is how many octets make a write worth its system call, and the reader's waking.
const enough = 64 << 10

// Tick implements engine.Ticker.
func (o *Output) Tick(now time.Time) {
	for _, s := range o.Streams {
		s.tick(now)
	}
}

// Finish closes the open messages and queues them.
func (o *Output) Finish() {
	for _, s := range o.Streams {
		s.finish()
	}
}

// Signal implements engine.Signaler: names are resolved and certificates read anew.
func (o *Output) Signal(sig engine.Signal) {
	if sig != engine.Reopen {
		return
	}
	o.Finish()
	for _, q := range o.Queues() {
		q.Reset(time.Now())
	}
}

// Flush implements engine.Flusher.
func (o *Output) Flush() {
	o.Finish()
	collector.Finish(o.Queues()...)
}

// Close implements engine.Closer.
func (o *Output) Close() error {
	o.leave()
	var errs []error
	for _, q := range o.Queues() {
		errs = append(errs, q.Close())
	}
	return errors.Join(errs...)
}

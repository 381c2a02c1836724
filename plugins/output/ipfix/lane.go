// From records to collectors: messages under construction, and the queues they go to.

package ipfix

import (
	"encoding/binary"
	"errors"
	"time"

	"ulogd/engine"
	"ulogd/plugins/output/export"
	"ulogd/plugins/output/export/collector"
)

// lane builds one stream of messages, of which each of its queues gets a copy.
type lane struct {
	o       *output
	builder export.Builder
	queues  []*collector.Queue
	peers   []*peer
	stats   *engine.Stats
	add     func(msg []byte, m collector.Mark) // l.enqueue, made once

	began time.Time // when the first record of the open message came
}

// A place is one collector, or several of which one at a time is used.
type place struct {
	names []string
	dials []collector.Dial
}

// Octets of messages where the path does not say.
const (
	tcpMessage     = 8 << 10
	unknownMessage = 512 - 48  // RFC 7011 section 10.3.3, less the larger headers
	jumboMessage   = 9000 - 48 // what collectors have buffers for
)

// newLanes makes one stream for all collectors, or in balance one for each.
func newLanes(o *output) (lanes []*lane) {
	for range max(1, len(o.Addresses)) { // a file has none
		l := &lane{o: o}
		l.builder.Registry, l.builder.Announce = &o.registry, o.announce
		l.add = l.enqueue
		l.limit()
		lanes = append(lanes, l)
		if o.mode != modeBalance {
			break
		}
	}
	return lanes
}

func (l *lane) open(env *engine.Env) error {
	l.stats = env.Stats
	o, window := l.o, collector.Window{}
	if o.proto == protoFile {
		l.join(&o.file, collector.Window{Acked: true})
		return o.file.open(env)
	}
	if !o.datagrams() {
		window = collector.Window{Octets: o.resend, Time: o.resendTime, Acked: true}
	}
	for _, at := range o.places(l) {
		link := collector.NewLink(env, o.ReconnectInterval, at.names, at.dials...)
		if o.proto == protoDTLS {
			link.Renew(o.renew)
		}
		if err := o.spool.attach(l.join(link, window), at.names[0], o); err != nil {
			return err
		}
	}
	return nil
}

// join adds a way that the messages go.
func (l *lane) join(way collector.Way, window collector.Window) *collector.Queue {
	o, p := l.o, &peer{l: l}
	q := collector.NewQueue(o.env, way, p, o.Buffer, window)
	if o.reporter != nil {
		q.Dropped = o.reporter.dropMessage
	}
	l.peers, l.queues = append(l.peers, p), append(l.queues, q)
	return q
}

// places returns where the messages of a lane go.
func (o *output) places(l *lane) (at []place) {
	refused := o.env.Stats.Counter("refused", "times that a collector's host said that nobody listens there (UDP)")
	for i, a := range o.Addresses {
		if o.mode == modeBalance && o.lanes[i] != l {
			continue
		}
		dial := o.dial(a, refused)
		if o.mode == modeFailover && len(at) == 1 {
			at[0].names, at[0].dials = append(at[0].names, a.String()), append(at[0].dials, dial)
			continue
		}
		at = append(at, place{[]string{a.String()}, []collector.Dial{dial}})
	}
	return at
}

// finish closes the open message and queues it.
func (l *lane) finish() {
	before := l.builder.Pending()
	l.builder.Finish()
	l.settle(before, time.Time{})
}

// settle queues the finished messages and counts what waits in the open one, where so many records were before.
func (l *lane) settle(before int, now time.Time) {
	l.take()
	if pending := l.builder.Pending(); pending != before {
		if before == 0 || pending < before {
			l.began = now
		}
		l.stats.Held.Add(pending - before)
	}
}

// limit sets the length of messages by the setting and by what every path allows.
func (l *lane) limit() {
	o := l.o
	if !o.datagrams() {
		l.builder.Limit = tcpMessage
		if o.mtu > 0 {
			l.builder.Limit = o.mtu
		}
		return
	}
	limit, known := 65535, false
	for _, q := range l.queues {
		if s := q.Session(); s != nil {
			limit, known = min(limit, s.MaxMessage()), true
		}
	}
	switch {
	case !known && o.mtu > 0:
		limit = o.mtu
	case !known:
		limit = unknownMessage
	case o.mtu > 0:
		limit = min(limit, o.mtu)
	default:
		limit = min(limit, jumboMessage)
	}
	l.builder.Limit = limit
}

// take queues the finished messages.
func (l *lane) take() { l.builder.Take(l.add) }

func (l *lane) enqueue(msg []byte, m collector.Mark) {
	if copies := len(l.queues) - 1; copies > 0 {
		l.stats.Made.Add(copies * m.Records)
	}
	for _, q := range l.queues {
		if q.Add(msg, m) && l.o.untold != nil {
			l.o.untold.Add(m.Records)
		}
	}
}

// makeRoom waits until every queue has room for what a batch may become, or until the daemon is to end.
func (l *lane) makeRoom(now time.Time) time.Time {
	for _, q := range l.queues {
		for !q.Room(batchOctets) && l.o.env.Deadline().IsZero() {
			time.Sleep(time.Millisecond)
			now = time.Now()
			l.tick(now)
		}
	}
	return now
}

// batchOctets is more than the records of a batch take, two for each row, unless they hold long strings.
const batchOctets = 2 * engine.BatchSize * 256

// enough is how many octets make a write worth its system call, and the reader's waking.
const enough = 64 << 10

// pump sends what waits once there is enough of it; what is less goes with the next tick.
func (l *lane) pump(now time.Time) {
	for _, q := range l.queues {
		if q.Waiting() >= enough {
			q.Pump(now)
		}
	}
}

func (l *lane) tick(now time.Time) {
	for i, q := range l.queues {
		l.peers[i].refresh(q, now)
		q.Tick(now)
	}
	l.limit()
}

func (l *lane) reset(now time.Time) {
	for _, q := range l.queues {
		q.Reset(now)
	}
}

func (l *lane) close() error {
	var errs []error
	for _, q := range l.queues {
		errs = append(errs, q.Close())
	}
	return errors.Join(errs...)
}

// peer is what one collector has been told in its present session.
type peer struct {
	l         *lane
	announced uint64 // templates, by their bits
	refreshed time.Time
	at        uint32 // position of the last refresh

	described uint64 // enterprise elements, by the reporter's bits
	reported  time.Time
}

// Begin implements collector.Protocol. Templates live as long as a session (RFC 7011 section 8): none is known now.
func (p *peer) Begin(q *collector.Queue, now time.Time) {
	p.announced, p.described, p.refreshed, p.at = 0, 0, now, 0
	p.l.limit()
	if r := p.l.o.reporter; r != nil {
		p.reported = now
		r.report(q, p, now)
	}
}

// Before implements collector.Protocol: what a message needs and does not bring itself goes ahead of it.
func (p *peer) Before(q *collector.Queue, m collector.Mark, now time.Time) {
	o := p.l.o
	if o.announce == export.Never {
		return
	}
	if o.datagrams() && o.announce == export.First && o.refreshCount > 0 && q.Position().Messages-p.at >= uint32(o.refreshCount) {
		p.tell(q, p.announced, now)
	}
	fresh := m.Needs &^ p.announced
	if fresh == 0 {
		return
	}
	if o.reporter != nil {
		o.reporter.describe(q, p, fresh)
	}
	copies := 1
	if o.datagrams() {
		copies = o.copies
	}
	for i := range copies {
		missing := fresh
		if i == copies-1 && o.reporter == nil { // what is told about a template comes after it
			missing &^= m.Brings
		}
		p.send(q, missing)
	}
	p.announced |= fresh
	if o.reporter != nil {
		o.reporter.keys(q, p, fresh)
	}
}

// refresh announces all templates again when it is time (RFC 7011 section 8.4).
func (p *peer) refresh(q *collector.Queue, now time.Time) {
	o := p.l.o
	if o.datagrams() && o.announce == export.First && o.refresh > 0 && q.Session() != nil && p.announced != 0 && now.Sub(p.refreshed) >= o.refresh {
		p.tell(q, p.announced, now)
	}
	if o.reporter != nil && q.Session() != nil && now.Sub(p.reported) >= o.optionsInterval {
		p.reported = now
		o.reporter.report(q, p, now)
	}
}

func (p *peer) tell(q *collector.Queue, bits uint64, now time.Time) {
	p.refreshed = now
	r := p.l.o.reporter
	if r != nil { // what describes a template is lost as easily as the template
		p.described = 0
		r.describe(q, p, bits)
	}
	p.send(q, bits)
	if r != nil {
		r.keys(q, p, bits)
	}
	p.at = q.Controlled()
}

func (p *peer) send(q *collector.Queue, bits uint64) {
	if bits == 0 {
		return
	}
	for _, msg := range p.l.o.registry.TemplateMessages(bits, p.l.builder.Limit) {
		q.Control(msg, 0)
	}
}

// Stamp implements collector.Protocol: export time, sequence number, observation domain (RFC 7011 section 3.1).
func (p *peer) Stamp(msg []byte, at collector.Position, now time.Time) {
	binary.BigEndian.PutUint32(msg[4:], uint32(now.Unix()))
	binary.BigEndian.PutUint32(msg[8:], at.Records)
	binary.BigEndian.PutUint32(msg[12:], p.l.o.oid)
}

// What an output embeds: options, stages, and one queue for all of them.

package store

import (
	"fmt"
	"time"

	"ulogd/engine"
	"ulogd/plugins/output/dial"
	"ulogd/plugins/output/sink"
	"ulogd/plugins/output/spool"
)

// An Output is what an output to a store embeds.
type Output struct {
	sink.Sink
	// Octets of rows after which a batch leaves, or a quarter of the buffer; 0: 1 MiB. An output sets it before it binds.
	Octets int
	// How long an attempt to connect may take; 0: 10 s. An output sets it before it binds.
	Within time.Duration

	buffer, memcap, spoolMax int64
	spool                    string
	every, pause             time.Duration
	from                     dial.Settings

	queue *queue
}

// Declare declares the options that all stores share.
func (o *Output) Declare(opts *engine.Options) {
	opts.Seconds(&o.every, "flush_interval", time.Second,
		"how long records may gather before they are sent; a full batch goes at once")
	opts.Size(&o.buffer, "buffer", 64<<20,
		"octets of records at most that wait in memory for the store; what comes beyond goes to the spool or, without "+
			"one, waits in the output's queue, where when_full decides. What is here is lost when the daemon is killed")
	opts.String(&o.spool, "spool", "", "directory on disk for records that find the buffer full; what waits at the end "+
		"of the daemon goes there and is sent by the next run. An output has it alone")
	opts.Fills("spool")
	opts.Size(&o.spoolMax, "spool_max", 1<<30,
		"octets of the spool at most; beyond it the oldest records are dropped and counted as spool_full. At the end of "+
			"the daemon the buffer comes on top")
}

// DeclareReconnect declares reconnect as all stores have it that ulogd2 does not.
func (o *Output) DeclareReconnect(opts *engine.Options) {
	opts.Seconds(&o.pause, "reconnect", defaultPause, "longest pause before the store is tried again")
}

// DeclareULOGD2 declares the options of ulogd2's databases that are about waiting.
func (o *Output) DeclareULOGD2(opts *engine.Options) {
	var ignored int
	opts.Seconds(&o.pause, "reconnect", defaultPause,
		"longest pause before the database is tried again; 0 means 2: unlike ulogd2 the output never gives up")
	opts.Size(&o.memcap, "backlog_memcap", 0, "ulogd2's name of buffer; 0 means what buffer says")
	engine.Int(opts, &ignored, "backlog_oneshot_requests", 10, "has no effect: what waits is sent in batches")
	engine.Int(opts, &ignored, "ring_buffer_size", 0, "has no effect: a goroutine of its own always sends")
}

const defaultPause = 2 * time.Second

// minBuffer is the smallest buffer: a few batches.
const minBuffer = 1 << 20

// Validate checks the shared options.
func (o *Output) Validate() error {
	if o.memcap > 0 {
		o.buffer = max(o.memcap, minBuffer) // ulogd2's users give it a few KiB
	}
	if o.buffer < minBuffer {
		return fmt.Errorf("buffer: must be at least %s, is %s", engine.FormatSize(minBuffer), engine.FormatSize(o.buffer))
	}
	if o.spool != "" && o.spoolMax < spool.MinMax {
		return fmt.Errorf("spool_max: must be at least %s, is %s", engine.FormatSize(spool.MinMax),
			engine.FormatSize(o.spoolMax))
	}
	return o.from.Validate()
}

// BindStore ties a stack to the store. The fields are the keys that its rows have.
func (o *Output) BindStore(p *engine.Binder, s Store, fields []engine.Field) engine.Stage {
	if o.queue == nil {
		o.queue = &queue{output: o, store: s}
		o.queue.settler, _ = s.(settler)
	}
	l := &lane{queue: o.queue, shape: shapeOf(fields), file: p.Stack().File && p.Waits()}
	o.queue.lanes = append(o.queue.lanes, l)
	return newStage(o.Sink.Bind(p, l), fields, l.shape)
}

// Doctor looks at the spool.
func (o *Output) Doctor(d *engine.DoctorReport) {
	if o.spool != "" {
		spool.Doctor(d, o.spool)
	}
}

// A lane is the target of one stack: what gathers there becomes batches of the stack's shape.
type lane struct {
	queue *queue
	shape *Shape
	file  bool // the input can wait for as long as it takes
	buf   *sink.Buffer
	since time.Time // when the first of the gathered rows was seen waiting; zero: none was
}

var _ sink.Target = (*lane)(nil)

// Open opens the queue with its first lane.
func (l *lane) Open(b *sink.Buffer) error {
	l.buf = b
	if b.Limit = l.queue.output.Octets; b.Limit == 0 {
		b.Limit = 1 << 20
	}
	b.Limit = int(min(int64(b.Limit), l.queue.output.buffer/4)) // one can be sent while another gathers
	return l.queue.open(b.Env)
}

// Write makes a batch of what has gathered.
func (l *lane) Write() {
	l.since = time.Time{}
	if l.buf.Len() > 0 {
		l.queue.put(l)
	}
}

// Tick makes a batch of what has gathered for long enough.
func (l *lane) Tick(now time.Time) {
	switch {
	case l.buf.Len() == 0:
		l.since = time.Time{}
	case l.since.IsZero():
		l.since = now
	}
	if !l.since.IsZero() && now.Sub(l.since) >= l.queue.output.every {
		l.Write()
	}
	l.queue.tick(now)
}

// Flush makes a batch of the rest; the last lane's has all of them sent.
func (l *lane) Flush() {
	l.Write()
	if l.queue.flushed++; l.queue.flushed == len(l.queue.lanes) {
		l.queue.flush()
	}
}

// Reopen connects anew.
func (l *lane) Reopen() { l.queue.anew.Store(true) }

// Close gives up what is left.
func (l *lane) Close() error { return l.queue.close() }

// Doctor has nothing to say: the output speaks for all its stacks.
func (l *lane) Doctor(*engine.DoctorReport) {}

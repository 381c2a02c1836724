// Package nfct reads connections from the kernel's connection tracking: the events of their
// beginning, change and end, or the table itself at intervals.
package nfct

import (
	"errors"
	"io"
	"time"

	"ulogd/engine"
	"ulogd/engine/key"
	"ulogd/plugins/input/netlink/mmsg"
)

const doc = `Reads connections from the kernel's connection tracking (conntrack).

In its default mode one record is made for each connection that ends, with the counters of both directions and the time stamps that
the kernel kept. For counters and time stamps net.netfilter.nf_conntrack_acct and nf_conntrack_timestamp must be 1 when a connection
begins, and some rule must make the kernel track connections at all; what is missing is said at start.

The live connections are remembered (hash_enable). So the start of a connection is known even where the kernel does not keep it, an overrun of the receive buffer is made good
by reading the kernel's table, long connections can be reported while they live (active_timeout), and ` + "`ulogd flows`" + ` lists what lives. With hash_enable = 0 nothing is remembered, and every event of event_mask is a
record: 1 new, 2 update, 4 destroy. With pollinterval the table is read at intervals instead of listening. Where an output asks for
them (IPFIX's nat_events), the beginnings of translated connections are records in every mode, with event 1.

flow.end is the time of the connection's last packet. The kernel tells only when its entry ended, which is a timeout later: two minutes after a FIN, 30 s for
UDP. The timeouts are read from the settings of the namespace, so that the last packet is known to about a second. Where none of them fits (objects of nft's "ct timeout",
flow tables) flow.end is the entry's end, and end_unknown counts it. With compat = "ulogd2" flow.end is the entry's end always, and SIGUSR2's records have none.

SIGUSR2 reads the counters of all connections and ZEROES the kernel's: who else reads them (conntrack -L, nft) finds them at 0. Each connection gets a record with event 2.
However many instances and stacks read one table, it is done once and all of them get it. Records with counters = "total" go on counting all since the connection began
(hash_enable). To report long connections without touching the kernel's counters use active_timeout.`

const example = `# Ends of TCP connections from the inside, as IPFIX; what lives longer is reported every half hour.
stack = "ct1:NFCT,ipfix1:IPFIX"

[ct1]
accept_proto_filter = "tcp"
accept_src_filter = ["192.168.0.0/16", "fd00::/8"]
active_timeout = 1800

[ipfix1]
host = "192.0.2.1"
`

func init() {
	engine.Register(engine.Plugin{
		Name: "NFCT", Doc: doc, Example: example, Compat: true, Input: func() engine.Input { return &nfct{} },
	})
}

// nfct is one instance.
type nfct struct {
	settings
	filter  filter
	columns columns
	env     *engine.Env

	begins, ends *socket // NEW and UPDATE events; DESTROY events. Either may be missing
	before       int     // messages of begins still to be read before those of ends are
	stopping     bool
	listening    bool // there is a namespace to read
	leaving      bool // it is gone, and what was read of it is still to come
	woken        time.Time
	gather       time.Duration // how long events gather in a stream of them
	few, many    bool          // in the last round a system call brought less than it can; as much as it can

	table  *table // nil: nothing is remembered
	ended  *ended
	dump   dump
	hub    *hub
	member *member
	shared socket // a part of the table that another instance has read
	due    schedule
	joined int64 // when this instance began to listen, nanoseconds since 1970
	begun  bool  // somebody wants to know of translated connections that begin
	// Even connections that no listener saw begin end with an event (nf_conntrack_events = 1).
	eventsAlways bool

	own     []engine.OwnTuple
	flow    flow
	blocks  *engine.Blocks
	labels  *labelNames
	scratch []byte

	tally
	losses   losses
	pressure pressure
	limit    limit
	timeouts timeoutFiles
	drain    drain
	finished chan struct{} // closed at the end: for what runs beside
	compat   bool          // flow.end is the entry's end, as ulogd2 has it
}

// The optional parts of the contract that it implements (engine/plugin.go).
var (
	_ engine.Validator     = (*nfct)(nil)
	_ engine.Opener        = (*nfct)(nil)
	_ engine.Ticker        = (*nfct)(nil)
	_ engine.Closer        = (*nfct)(nil)
	_ engine.Stopper       = (*nfct)(nil)
	_ engine.Signaler      = (*nfct)(nil)
	_ engine.Live          = (*nfct)(nil)
	_ engine.Widener       = (*nfct)(nil)
	_ engine.Backpressured = (*nfct)(nil)
	_ engine.Namespaced    = (*nfct)(nil)
	_ engine.Counting      = (*nfct)(nil)
	_ engine.Querier       = (*nfct)(nil)
	_ engine.Doctored      = (*nfct)(nil)
)

// Bind declares the keys.
func (n *nfct) Bind(p *engine.Binder) {
	n.columns.bind(p)
	n.compat = p.Settings().CompatULOGD2()
}

// Counts implements engine.Counting. Without memory an UPDATE event has what the kernel counted so
// far.
func (n *nfct) Counts() engine.Counts {
	if n.counters == "total" || !n.hash && n.pollInterval == 0 && n.eventMask&key.EventUpdate != 0 {
		return engine.CountsTotal
	}
	return engine.CountsDelta
}

// Namespace tells ROUTE and exporters whose routes and interfaces the connections take.
func (n *nfct) Namespace() string { return n.place.Path }

// Entered implements engine.Namespaced.
func (n *nfct) Entered() uint64 { return n.place.Entered() }

// Backpressure tells that the kernel keeps what is not read.
func (n *nfct) Backpressure() bool { return n.reliable }

// Open opens the sockets and subscribes.
func (n *nfct) Open(env *engine.Env) (err error) {
	n.env, n.blocks = env, newBlocks()
	n.tally.open(env.Stats, n.hash)
	n.losses.open(env.Stats, n.hash)
	n.Widen()
	if n.labels, err = readLabels(n.connLabels); err != nil {
		return err
	}
	return n.place.Open(env, n.listen)
}

// Widen implements engine.Widener.
func (n *nfct) Widen() {
	n.begun = n.hash && n.columns.translations.Wanted() // without memory every beginning is reported
}

// listen opens all that belongs to one namespace, the one that it is called in. What an error
// leaves open is closed.
func (n *nfct) listen() error {
	n.listening, n.dump = true, dump{why: idle}
	err := n.enter()
	if err != nil {
		n.shut()
	}
	return err
}

func (n *nfct) enter() (err error) {
	if n.hub, n.member, err = n.joinHub(); err != nil {
		return err
	}
	if err := n.checkKernel(n.env.Log); err != nil {
		return err
	}
	if err := n.limit.open(n); err != nil {
		return err
	}
	h := newHasher()
	n.ended = newEnded(h, n.limit.most)
	if n.hash {
		n.table = newTable(n.limit.most, h)
	}
	if err := n.pressure.open(n); err != nil {
		return err
	}
	if err := n.dump.open(n.place.Path); err != nil {
		return err
	}
	if err := n.expire(); err != nil {
		return err
	}
	n.schedule(time.Now())
	if n.pollInterval > 0 {
		n.joined = time.Now().UnixNano()
		n.env.Log.Info("reading the conntrack table at intervals", "interval", n.pollInterval)
		return nil
	}
	if err := n.subscribe(); err != nil {
		return err
	}
	return n.openDrain()
}

// subscribe opens one socket for beginnings and changes and one for ends, so that a storm of one
// does not cost the other.
func (n *nfct) subscribe() (err error) {
	defer func() { n.joined = time.Now().UnixNano() }()
	var groups []uint32
	if n.eventMask&key.EventNew != 0 || n.begun {
		groups = append(groups, groupNew)
	}
	if n.eventMask&key.EventUpdate != 0 {
		groups = append(groups, groupUpdate)
	}
	if len(groups) > 0 {
		if n.begins, err = openSocket(&n.settings, &n.filter, groups); err != nil {
			return err
		}
	}
	if n.eventMask&key.EventDestroy != 0 {
		if n.ends, err = openSocket(&n.settings, &n.filter, []uint32{groupDestroy}); err != nil {
			return err
		}
	}
	for _, k := range n.sockets() {
		n.gather = min(longestGather, time.Duration(k.granted/mostMessage)*time.Microsecond)
	}
	k := n.sockets()[0]
	n.env.Log.Info("listening to conntrack events", "mask", n.eventMask, "receive_buffer", k.granted, "reliable", n.reliable)
	if k.granted < 2*n.buffer() { // the kernel doubles what it is asked for
		n.env.Log.Warn("the receive buffer is smaller than asked for", "asked", n.buffer(), "granted", k.granted/2, "remedy", "run with CAP_NET_ADMIN, or raise net.core.rmem_max")
	}
	return nil
}

func (n *nfct) sockets() (list []*socket) {
	for _, k := range []*socket{n.begins, n.ends} {
		if k != nil {
			list = append(list, k)
		}
	}
	return list
}

// Read turns the messages that are there into rows, and waits for some if there are none.
func (n *nfct) Read(b *engine.Batch, deadline time.Time) error {
	if !n.listening {
		if n.stopping {
			return io.EOF
		}
		time.Sleep(time.Until(deadline))
		return nil
	}
	n.own = n.own[:0]
	if n.excludeSelf {
		n.own = n.env.Own.Tuples()
	}
	if n.drain.active && n.drain.left == nil && time.Now().After(n.drain.until) {
		n.drainStep(false)
	}
	r := reader{nfct: n, w: n.columns.of(b), b: b, text: text{blocks: n.blocks}}
	err := n.read(&r, deadline)
	r.finish()
	return err
}

func (n *nfct) read(r *reader, deadline time.Time) error {
	for range maxRounds {
		quiet, err := n.round(r)
		if err == nil && !r.full() {
			r.background(&quiet)
		}
		switch {
		case err != nil:
			return err
		case r.full(), r.rows > 0 && quiet:
			return nil
		case n.stopping && !n.dump.busy() && n.drainStep(quiet):
			n.Tick(time.Now()) // the last losses
			if !n.dump.busy() {
				return io.EOF
			}
		case !quiet:
		case n.leaving && !n.dump.busy():
			return n.shut()
		default:
			ready, err := n.wait(deadline)
			if err != nil || !ready && (!n.dump.busy() || !time.Now().Before(deadline)) {
				return err
			}
		}
	}
	return nil
}

// maxRounds bounds how long Read goes on while events make no rows.
const maxRounds = 64

// background reads the table, if somebody wants it, and what other instances have read of it. quiet
// becomes false where more is there at once.
func (r *reader) background(quiet *bool) {
	if len(r.shared.rest) == 0 {
		select {
		case r.shared.rest = <-r.member.parts:
		default:
		}
	}
	if len(r.shared.rest) > 0 {
		r.takeDump(&r.shared, forReset)
		*quiet = false
	}
	if r.full() || !r.dump.busy() {
		return
	}
	progress := r.dumpStep(*quiet)
	*quiet = *quiet && !progress
}

// round takes what is there once. The order matters: a connection's end must not be seen before its
// beginning. So ends are received first, then all beginnings that may have been there by then are
// handled, then the part of a dump that was made before, then the ends.
func (n *nfct) round(r *reader) (quiet bool, err error) {
	n.pace()
	if n.ends != nil && !n.ends.pending() {
		if err := n.receive(n.ends); err != nil {
			return false, err
		}
		if n.begins != nil && n.ends.pending() {
			n.before = n.begins.granted / leastMessage
		}
	}
	quiet = true
	if n.begins != nil {
		if err := n.receive(n.begins); err != nil {
			return false, err
		}
		if n.begins.pending() {
			quiet = false
			n.before -= r.take(n.begins)
		} else {
			n.before = 0
		}
	}
	if n.ends != nil && n.ends.pending() && n.before <= 0 {
		quiet = false
		if !r.dumpAhead() {
			return false, nil
		}
		r.take(n.ends)
	}
	return quiet && (n.ends == nil || !n.ends.pending()), nil
}

// leastMessage is what an event takes of the receive buffer at least: its skb's bookkeeping and 512
// octets of data.
const leastMessage = 512

// pace lets events gather where the last round brought few: in a stream of them a system call for
// each handful costs more than all that is done with it.
func (n *nfct) pace() {
	if n.few && !n.many && n.gather == longestGather && !n.stopping && !n.dump.busy() {
		time.Sleep(n.gather)
	}
	n.few, n.many = false, false
}

// receive reads from a socket; an overrun is ordinary.
func (n *nfct) receive(k *socket) error {
	fresh := !k.pending()
	err := k.receive()
	if fresh {
		n.few = n.few || k.received > 0 && k.received < mmsg.Most
		n.many = n.many || k.received == mmsg.Most
	}
	if errors.Is(err, mmsg.ErrOverrun) {
		n.overrun(k)
		return nil
	}
	return err
}

// wait waits until a socket is readable and reports whether one is. In a stream of events each
// would wake the daemon by itself, which costs more than all the rest; then it lets some gather.
func (n *nfct) wait(deadline time.Time) (bool, error) {
	if soon := time.Now().Add(dumpPace); n.dump.busy() && soon.Before(deadline) {
		deadline = soon
	}
	var list [2]*mmsg.Socket
	ready, err := mmsg.Wait(deadline, n.waitable(list[:0])...)
	if err != nil || !ready {
		return false, err
	}
	now := time.Now()
	if now.Sub(n.woken) < stream {
		time.Sleep(n.gather)
		now = time.Now()
	}
	n.woken = now
	return true, nil
}

func (n *nfct) waitable(list []*mmsg.Socket) []*mmsg.Socket {
	for _, k := range [2]*socket{n.begins, n.ends} {
		if k != nil {
			list = append(list, k.socket)
		}
	}
	return list
}

// Wake-ups closer than stream are one stream; longestGather is how long events then gather, less
// where the buffer might be full by then: the kernel makes less than one event a microsecond, each
// taking mostMessage octets of the buffer at most.
const (
	stream        = 10 * time.Millisecond
	longestGather = 2 * time.Millisecond
	mostMessage   = 1536
)

// Signal reads the counters of all connections and zeroes them, on SIGUSR2.
func (n *nfct) Signal(s engine.Signal) {
	if s == engine.Dump && n.listening && n.hub.lead(n.member) {
		n.env.Log.Info("reading the counters of all connections and zeroing the kernel's, as SIGUSR2 asks")
		n.dump.wanted[forReset] = true
	}
}

// Stop ends the subscription; Read then returns what the kernel has queued, what a last look at the
// table tells, and io.EOF.
func (n *nfct) Stop() {
	n.stopping = true
	if n.drain.socket != nil {
		n.beginDrain(time.Now())
	}
	n.unsubscribe()
	n.dump.wanted[forExit] = n.listening && (n.exportOnExit || n.leaving)
}

// unsubscribe ends the events, apart from ends that are awaited.
func (n *nfct) unsubscribe() {
	for _, k := range n.sockets() {
		if k == n.ends && n.drain.active {
			continue
		}
		if err := k.leave(); err != nil {
			n.env.Log.Warn("leave the conntrack events", "error", err)
		}
	}
}

// leave ends the work in a namespace that is no more, and returns true when what the kernel has
// queued is read and the connections that lived there are reported, with end reason 4 (forced end).
func (n *nfct) leave() bool {
	if n.listening && !n.leaving {
		n.leaving = true
		n.unsubscribe()
		n.dump.wanted[forExit] = n.table != nil
	}
	return !n.listening
}

// Live implements engine.Live: what it reads has no end of its own.
func (n *nfct) Live() bool { return true }

// Close closes what is open.
func (n *nfct) Close() error {
	if !n.listening {
		return nil
	}
	n.countUnread()
	return n.shut()
}

// shut closes all that belongs to the namespace.
func (n *nfct) shut() error {
	var errs []error
	n.listening, n.leaving = false, false
	if n.finished != nil {
		close(n.finished)
		n.finished = nil
	}
	for _, k := range n.sockets() {
		errs = append(errs, k.close())
	}
	n.begins, n.ends, n.before = nil, nil, 0
	if n.drain.socket != nil {
		errs = append(errs, n.drain.socket.Close())
		n.drain.socket = nil
	}
	if n.dump.socket.socket != nil {
		errs = append(errs, n.dump.socket.close())
		n.dump.socket.socket = nil
	}
	errs = append(errs, n.pressure.close())
	n.limit.close()
	n.timeouts.close()
	if n.hub != nil {
		n.hub.leave(n)
		n.hub = nil
	}
	n.shared = socket{}
	return errors.Join(errs...)
}

// Package nfct reads connections from the kernel's connection tracking: the events of their
// beginning, change and end, or the table itself at intervals.
package nfct

import (
	"errors"
	"strings"
	"time"

	"ulogd/engine"
	"ulogd/engine/key"
	"ulogd/plugins/input/nfct/ctnetlink"
	"ulogd/plugins/input/nfct/lastpacket"
	"ulogd/plugins/input/nfct/rows"
	"ulogd/plugins/input/nfct/table"
)

const doc = `Reads connections from the kernel's connection tracking (conntrack).

In its default mode one record is made for each connection that ends, with the counters of both directions and the time stamps that
the kernel kept. For counters and time stamps net.netfilter.nf_conntrack_acct and nf_conntrack_timestamp must be 1 when a connection
begins, and some rule must make the kernel track connections at all; what is missing is said at start.

The live connections are remembered (hash_enable). So the start of a connection is known even where the kernel does not keep it, an overrun of the receive buffer is made good
by reading the kernel's table, long connections can be reported while they live (active_timeout), and ` + "`ulogd flows`" + ` lists what lives, with counters that are
read from the kernel when they are asked for. With hash_enable = 0 nothing is remembered, and every event of event_mask is a
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
	filter filter
	rows   rows.Maker
	env    *engine.Env

	begins, ends *ctnetlink.Socket // NEW and UPDATE events; DESTROY events. Either may be missing
	before       int               // messages of begins still to be read before those of ends are
	stopping     bool
	listening    bool // there is a namespace to read
	leaving      bool // it is gone, and what was read of it is still to come
	woken        time.Time
	gather       time.Duration // how long events gather in a stream of them
	few, many    bool          // in the last round a system call brought less than it can; as much as it can

	table  *table.Table // nil: nothing is remembered
	ended  *table.Ended
	dump   dump
	hub    *hub
	member *member
	shared ctnetlink.Socket // a part of the table that another instance has read
	due    schedule
	joined int64 // when this instance began to listen, nanoseconds since 1970
	begun  bool  // somebody wants to know of translated connections that begin
	// Even connections that no listener saw begin end with an event (nf_conntrack_events = 1).
	eventsAlways bool

	own  []engine.OwnTuple
	flow ctnetlink.Flow

	tally
	losses   losses
	pressure pressure
	limit    limit
	timeouts lastpacket.Timeouts
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
	n.rows.Columns.Bind(p)
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
	n.env = env
	n.tally.open(env.Stats, n.hash, n.translated, n.filter.hidden)
	n.sayHidden()
	n.losses.open(env.Stats, n.hash)
	n.Widen()
	if err := n.rows.Open(n.connLabels); err != nil {
		return err
	}
	return n.place.Open(env, n.listen)
}

// sayHidden says which family the filters leave out without naming it.
func (n *nfct) sayHidden() {
	for i, hidden := range n.filter.hidden {
		if hidden {
			n.env.Log.Warn("accept_src_filter or accept_dst_filter lists no network of "+families[i]+
				": its connections are left out, and counted as filtered ("+strings.ToLower(families[i])+")",
				"remedy", "list the networks of "+families[i]+" that are wanted; all of the other family says that none are ("+
					[2]string{"::/0", "0.0.0.0/0"}[i]+")")
		}
	}
}

// Widen implements engine.Widener.
func (n *nfct) Widen() {
	n.begun = n.hash && n.rows.Columns.Translations.Wanted() // without memory every beginning is reported
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
	h := table.NewHasher()
	n.ended = table.NewEnded(h, n.limit.most)
	if n.hash {
		n.table = table.New(n.limit.most, h)
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
		groups = append(groups, ctnetlink.GroupNew)
	}
	if n.eventMask&key.EventUpdate != 0 {
		groups = append(groups, ctnetlink.GroupUpdate)
	}
	if len(groups) > 0 {
		if n.begins, err = ctnetlink.Subscribe(n.subscription(groups...)); err != nil {
			return err
		}
	}
	if n.eventMask&key.EventDestroy != 0 {
		if n.ends, err = ctnetlink.Subscribe(n.subscription(ctnetlink.GroupDestroy)); err != nil {
			return err
		}
	}
	for _, k := range n.sockets() {
		n.gather = min(longestGather, time.Duration(k.Granted/mostMessage)*time.Microsecond)
	}
	k := n.sockets()[0]
	n.env.Log.Info(
		"listening to conntrack events",
		"mask",
		n.eventMask,
		"receive_buffer",
		k.Granted,
		"reliable",
		n.reliable,
	)
	if k.Granted < 2*n.buffer() { // the kernel doubles what it is asked for
		n.env.Log.Warn(
			"the receive buffer is smaller than asked for",
			"asked",
			n.buffer(),
			"granted",
			k.Granted/2,
			"remedy",
			"run with CAP_NET_ADMIN, or raise net.core.rmem_max",
		)
	}
	return nil
}

func (n *nfct) subscription(groups ...uint32) *ctnetlink.Subscription {
	s := &ctnetlink.Subscription{Namespace: n.place.Path, Groups: groups, Buffer: n.buffer(), Reliable: n.reliable}
	if program, ok := n.filter.bpf(n.hash); ok && n.filter.any {
		s.Program = program
	}
	return s
}

func (n *nfct) sockets() (list []*ctnetlink.Socket) {
	for _, k := range []*ctnetlink.Socket{n.begins, n.ends} {
		if k != nil {
			list = append(list, k)
		}
	}
	return list
}

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
	if n.drain.table != nil {
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
		if err := k.Leave(); err != nil {
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
		errs = append(errs, k.Close())
	}
	n.begins, n.ends, n.before = nil, nil, 0
	errs = append(errs, n.drain.close())
	if n.dump.Socket != nil {
		errs = append(errs, n.dump.Close())
		n.dump.Socket = nil
	}
	errs = append(errs, n.pressure.close())
	n.limit.close()
	n.timeouts.Close()
	if n.hub != nil {
		n.hub.leave(n)
		n.hub = nil
	}
	n.shared = ctnetlink.Socket{}
	return errors.Join(errs...)
}

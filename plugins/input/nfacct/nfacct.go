// Package nfacct reads the kernel's named counters (nfnetlink_acct) at intervals.
package nfacct

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"ulogd/engine"
	"ulogd/engine/key"
	"ulogd/plugins/input/netlink/netns"
)

const doc = `Reads the named counters of the kernel (nfacct) at intervals: one record for each counter and poll, also where nothing was counted.

Counters are made with "nfacct add NAME" and counted by iptables' "-m nfacct --nfacct-name NAME". Unless zerocounter is off, reading sets them to zero, so that records add up; two
readers then share the counts between them. SIGUSR2 polls at once.`

const example = `# nfacct add web; iptables -A INPUT -p tcp --dport 80 -m nfacct --nfacct-name web
stack = "acct1:NFACCT,json1:JSON"

[acct1]
pollinterval = 10
`

func init() {
	engine.Register(engine.Plugin{Name: "NFACCT", Doc: doc, Example: example, Input: func() engine.Input { return &nfacct{} }})
}

// nfacct is one instance.
type nfacct struct {
	pollInterval time.Duration
	zero         bool
	timestamp    bool
	place        netns.Follower

	columns columns
	env     *engine.Env
	conn    *netlink.Conn // nil while the namespace is away
	blocks  *engine.Blocks

	due       time.Time         // of the next poll
	polled    time.Time         // when the pending messages were asked for
	pending   []netlink.Message // counters read, not yet handed on
	stopping  bool
	malformed *engine.Drop
	failed    *engine.Counter
	overs     *engine.Counter
}

// The optional parts of the contract that it implements (engine/plugin.go).
var (
	_ engine.Validator     = (*nfacct)(nil)
	_ engine.Opener        = (*nfacct)(nil)
	_ engine.Ticker        = (*nfacct)(nil)
	_ engine.Closer        = (*nfacct)(nil)
	_ engine.Stopper       = (*nfacct)(nil)
	_ engine.Signaler      = (*nfacct)(nil)
	_ engine.Live          = (*nfacct)(nil)
	_ engine.Backpressured = (*nfacct)(nil)
	_ engine.Doctored      = (*nfacct)(nil)
)

// Options declares the settings.
func (n *nfacct) Options(o *engine.Options) {
	o.Seconds(&n.pollInterval, "pollinterval", 0, "time between polls; it must be set")
	o.Bool(&n.zero, "zerocounter", true, "set the counters to zero when reading them, so that each record holds what came since the one before; off: totals")
	o.Bool(&n.timestamp, "timestamp", false, "give oob.time, the time of the poll")
	n.place.Options(o, "read")
}

// Validate checks the settings.
func (n *nfacct) Validate() error {
	if n.pollInterval <= 0 {
		return errors.New("pollinterval: must be set, to the seconds between two polls")
	}
	return nil
}

// columns are the keys, in ulogd2's order.
type columns struct {
	all, time, quotas engine.Group
	name              engine.Col[engine.String]
	packets, octets   engine.Col[uint64]
	oobTime           engine.Col[engine.Time]
	quota             engine.Col[uint64]
	flags             engine.Col[uint32]
}

// Bind declares the keys.
func (n *nfacct) Bind(p *engine.Binder) {
	c := &n.columns
	c.all, c.time, c.quotas = p.Group(), p.Group(), p.Group()
	c.name = engine.Give(p, c.all, key.SumName)
	c.packets = engine.Give(p, c.all, key.SumPackets)
	c.octets = engine.Give(p, c.all, key.SumOctets)
	c.oobTime = engine.Give(p, c.time, key.OOBTime)
	c.quota = engine.GiveExtra(p, c.quotas, key.SumQuota)
	c.flags = engine.GiveExtra(p, c.quotas, key.SumFlags)
}

// Backpressure tells that the kernel keeps counting while nobody reads.
func (n *nfacct) Backpressure() bool { return true }

// Open opens the socket.
func (n *nfacct) Open(env *engine.Env) error {
	n.env, n.blocks = env, engine.NewBlocks(engine.BatchSize*mostName)
	n.malformed = env.Stats.Drop("malformed", "messages that do not describe a counter")
	n.failed = env.Stats.Counter("failed_polls", "times that the counters could not be read")
	n.overs = env.Stats.Counter("late_polls", "polls left out because the records of the one before were not taken")
	return n.place.Open(env, n.begin)
}

// begin opens the socket in the namespace that it is called in.
func (n *nfacct) begin() (err error) {
	n.due = time.Now().Add(n.pollInterval)
	n.conn, err = dial()
	return err
}

// leave reads a last time what was counted in a namespace that is no more, and returns true when
// that is done.
func (n *nfacct) leave() bool {
	if n.conn == nil {
		return true
	}
	if len(n.pending) > 0 { // of the poll before
		return false
	}
	n.poll(time.Now())
	if err := n.Close(); err != nil {
		n.env.Log.Warn("leave the network namespace", "error", err)
	}
	return true
}

// Tick follows the namespace.
func (n *nfacct) Tick(now time.Time) {
	if !n.stopping {
		n.place.Tick(now, n.leave, n.begin)
	}
}

// dial opens a socket.
func dial() (*netlink.Conn, error) {
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, nil)
	if err != nil {
		return nil, fmt.Errorf("open an nfacct socket: %w", err)
	}
	return conn, nil
}

// Read hands on the counters of the last poll, or waits for the next one.
func (n *nfacct) Read(b *engine.Batch, deadline time.Time) error {
	if len(n.pending) == 0 {
		if n.stopping {
			return io.EOF
		}
		now := time.Now()
		if n.conn == nil {
			time.Sleep(deadline.Sub(now))
			return nil
		}
		if now.Before(n.due) {
			time.Sleep(min(n.due.Sub(now), deadline.Sub(now)))
			return nil
		}
		n.poll(now)
	}
	n.fill(b)
	return nil
}

// Signal polls at once on SIGUSR2.
func (n *nfacct) Signal(s engine.Signal) {
	if s == engine.Dump {
		n.due = time.Now()
	}
}

// Stop ends the input. What was counted since the last poll stays in the kernel, for the next
// reader.
func (n *nfacct) Stop() { n.stopping = true }

// Live implements engine.Live: what it reads has no end of its own.
func (n *nfacct) Live() bool { return true }

// Close closes the socket.
func (n *nfacct) Close() error {
	if n.conn == nil {
		return nil
	}
	err := n.conn.Close()
	n.conn = nil
	return err
}

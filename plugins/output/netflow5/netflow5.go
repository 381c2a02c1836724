// Package netflow5 is the NETFLOW5 output: flow records to collectors as NetFlow version 5.
package netflow5

import (
	"fmt"
	"time"

	"ulogd/engine"
	"ulogd/plugins/output/export/stream"
	"ulogd/plugins/output/export/uptime"
)

// output is one instance: its settings, and what all stacks that end in it share.
type output struct {
	stream.Output
	engineType uint8
	engineID   uint8
	sampling   uint16

	clock   uptime.Clock
	packers []*packer // of the streams

	ipv6    *engine.Exclusion
	notIP   *engine.Drop
	split   *engine.Counter
	clamped *engine.Counter
}

// The optional parts of the contract that it implements (engine/plugin.go).
var (
	_ engine.Validator = (*output)(nil)
	_ engine.Opener    = (*output)(nil)
)

func init() {
	engine.Register(engine.Plugin{
		Name: "NETFLOW5",
		Doc: `Sends flows to NetFlow version 5 collectors, over UDP.

Version 5 knows IPv4 only: IPv6 flows are left out and counted as filtered (ipv6), which the log says at the start. A
flow that 32 bits cannot count becomes several records. Of connections only the end is told, and each direction that
has packets is a record.

Live, a datagram's header tells the time of sending, and uptimes count from the start of the host. When a file is
replayed, the header follows the newest packet read, and uptimes count from a day before the first packet, so that a
collector shows the capture's own times.

A flow that is farther from the header than the 49 days that uptimes reach goes into a datagram of
its own, whose header tells the flow's end.

The output never makes a live input wait: see buffer.`,
		Example: `stack = "ct1:NFCT,netflow1:NETFLOW5"

[netflow1]
host = "192.0.2.1"
port = 2055
`,
		Output: func() engine.Output { return &output{clock: uptime.Clock{Unit: time.Millisecond}} },
	})
}

func (o *output) Options(opts *engine.Options) {
	o.Output.Options(opts, stream.PortNetFlow, stream.All, stream.Balance)
	engine.Int(opts, &o.engineType, "engine_type", 0, "engine type in the header")
	engine.Int(opts, &o.engineID, "engine_id", 0, "engine id in the header: what tells exporters on one address apart")
	engine.Int(opts, &o.sampling, "sampling", 0, "announce that one packet of so many was looked at; 0: all")
}

// Validate implements engine.Validator.
func (o *output) Validate() error {
	if o.sampling > maxSampling {
		return fmt.Errorf("sampling: the header holds at most %d, not %d", maxSampling, o.sampling)
	}
	return o.Output.Validate()
}

// Bind implements engine.Output.
func (o *output) Bind(p *engine.Binder) engine.Stage {
	p.OwnAccounting()
	o.clock.Finish = o.Finish
	o.Limits = stream.Limits{Most: headerLen + maxRecords*recordLen}
	return &stage{o: o, wait: o.Make(p, o), keys: bind(p), times: uptime.BindTimes(p)}
}

// Open implements engine.Opener: it begins to connect, and does not wait for it.
func (o *output) Open(env *engine.Env) error {
	st := env.Stats
	o.ipv6 = st.Exclusion("ipv6", "IPv6 flows, which version 5 cannot tell; use IPFIX")
	o.notIP = st.Drop("not_ip", "records that are not of IP")
	o.split = st.Counter("split", "records added because a flow has more packets or octets than 32 bits count")
	o.clamped = st.Counter("clamped", "records whose flow began before uptimes do, told as beginning with them")
	env.Log.Warn("NetFlow version 5 cannot tell IPv6 flows: they are left out, and counted as ipv6",
		"remedy", "export them with IPFIX or NETFLOW9")
	o.ConnectUDP(env, stream.Domain{})
	return nil
}

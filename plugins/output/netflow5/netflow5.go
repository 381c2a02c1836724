// Package netflow5 is the NETFLOW5 output: flow records to collectors as NetFlow version 5.
package netflow5

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"ulogd/engine"
	"ulogd/plugins/output/export/collector"
	"ulogd/plugins/output/export/uptime"
)

func init() {
	engine.Register(engine.Plugin{
		Name: "NETFLOW5",
		Doc: `Sends flows to NetFlow version 5 collectors, over UDP.

Version 5 knows IPv4 only: IPv6 flows are counted as dropped (ipv6), and named once in the log. A flow that 32 bits cannot count becomes
several records. Of connections only the end is told, and each direction that has packets is a record.

Live, a datagram's header tells the time of sending, and uptimes count from the start of the host. When a file is replayed, the
header follows the newest packet read, and uptimes count from the first packet, so that a collector shows the capture's own times.

The output never makes its stack wait: see buffer.`,
		Output: func() engine.Output { return &output{clock: uptime.Clock{Unit: time.Millisecond}} },
	})
}

// The protocol's usual port.
const port = 2055

// output is one instance: its settings, and what all stacks that end in it share.
type output struct {
	collector.Settings
	mode          string
	engineType    uint8
	engineID      uint8
	sampling      uint16
	flushInterval time.Duration

	env     *engine.Env
	clock   uptime.Clock
	streams []*stream // one, or in balance mode one for each collector

	ipv6    *engine.Drop
	notIP   *engine.Drop
	split   *engine.Counter
	clamped *engine.Counter
	told6   sync.Once
}

func (o *output) Options(opts *engine.Options) {
	o.Settings.Options(opts, port)
	opts.Enum(&o.mode, "mode", "all", []string{"all", "balance"}, "all: every collector gets every flow; balance: each gets a share, both directions of a connection at one of them")
	engine.Int(opts, &o.engineType, "engine_type", 0, "engine type in the header")
	engine.Int(opts, &o.engineID, "engine_id", 0, "engine id in the header: what tells exporters on one address apart")
	engine.Int(opts, &o.sampling, "sampling", 0, "announce that one packet of so many was looked at; 0: all")
	opts.Seconds(&o.flushInterval, "flush_interval", time.Second, "send a datagram that is not full after this time")
}

// Validate implements engine.Validator.
func (o *output) Validate() error {
	if o.sampling > maxSampling {
		return fmt.Errorf("sampling: the header holds at most %d, not %d", maxSampling, o.sampling)
	}
	return o.Settings.Validate()
}

// Bind implements engine.Output.
func (o *output) Bind(p *engine.Binder) engine.Stage {
	p.OwnAccounting()
	return &stage{o: o, keys: bind(p)}
}

// Open implements engine.Opener: it begins to connect, and does not wait for it.
func (o *output) Open(env *engine.Env) error {
	st := env.Stats
	o.env = env
	o.ipv6 = st.Drop("ipv6", "IPv6 flows, which version 5 cannot tell; use IPFIX")
	o.notIP = st.Drop("not_ip", "records that are not of IP")
	o.split = st.Counter("split", "records added because a flow has more packets or octets than 32 bits count")
	o.clamped = st.Counter("clamped", "records whose flow began before uptimes do, told as beginning with them")
	refused := st.Counter("refused", "times that a collector's host said that nobody listens there")
	o.streams = nil
	for i, a := range o.Addresses {
		if i == 0 || o.mode == "balance" {
			o.streams = append(o.streams, newStream(o))
		}
		s := o.streams[len(o.streams)-1]
		link := collector.NewLink(env, o.ReconnectInterval, []string{a.String()}, collector.DialUDP(a, o.Source, refused))
		s.queues = append(s.queues, collector.NewQueue(env, link, &peer{o: o}, o.Buffer, collector.Window{}))
	}
	o.Tick(time.Now())
	return nil
}

// Tick implements engine.Ticker.
func (o *output) Tick(now time.Time) {
	for _, s := range o.streams {
		if s.n > 0 && now.Sub(s.began) >= o.flushInterval {
			s.finish()
		}
		for _, q := range s.queues {
			q.Tick(now)
		}
	}
}

// Signal implements engine.Signaler.
func (o *output) Signal(sig engine.Signal) {
	if sig != engine.Reopen {
		return
	}
	for _, s := range o.streams {
		s.finish()
		for _, q := range s.queues {
			q.Reset(time.Now())
		}
	}
}

// Flush implements engine.Flusher.
func (o *output) Flush() {
	var all []*collector.Queue
	for _, s := range o.streams {
		s.finish()
		all = append(all, s.queues...)
	}
	collector.Finish(all...)
}

// Close implements engine.Closer.
func (o *output) Close() error {
	var errs []error
	for _, s := range o.streams {
		for _, q := range s.queues {
			errs = append(errs, q.Close())
		}
	}
	return errors.Join(errs...)
}

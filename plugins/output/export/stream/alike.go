// Outputs that a collector takes for one.

package stream

import (
	"slices"
	"sync"

	"ulogd/engine"
	"ulogd/plugins/output/export/collector"
)

// A Domain is what tells an exporter from others of the same address: IPFIX's observation domain, NetFlow version 9's
// source id. Its zero value is none.
type Domain struct {
	Option string // that sets it
	ID     uint32
}

// exporter is what a collector that looks at no ports knows of an output.
type exporter struct {
	from, to string
	Domain
}

// running are the outputs of the daemon that send datagrams.
var running struct {
	sync.Mutex
	outputs []*Output
}

// enter notes that the output sends to a collector, and warns if another one looks the same to it. What a reload puts in
// its own place may still be there.
func (o *Output) enter(env *engine.Env, to collector.Address, d Domain) {
	if d == (Domain{}) {
		return
	}
	x := exporter{o.Network.From(), to.String(), d}
	running.Lock()
	defer running.Unlock()
	i := slices.IndexFunc(running.outputs, func(other *Output) bool {
		return other.env.ID != env.ID && slices.Contains(other.entered, x)
	})
	if i >= 0 {
		env.Log.Warn("another output sends to this collector with the same "+d.Option+
			": one that does not look at ports, such as nfcapd, takes the templates of one for those of the other, and loses records",
			"other", running.outputs[i].env.ID, "collector", x.to, d.Option, d.ID, "remedy", "set another "+d.Option+" in one of them")
	}
	if o.entered = append(o.entered, x); len(o.entered) == 1 {
		running.outputs = append(running.outputs, o)
	}
}

// leave is the end of enter.
func (o *Output) leave() {
	running.Lock()
	defer running.Unlock()
	running.outputs = slices.DeleteFunc(running.outputs, func(other *Output) bool { return other == o })
	o.entered = nil
}

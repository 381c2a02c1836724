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

// running are the outputs of the daemon that send datagrams, by what a collector knows of them.
var running = struct {
	sync.Mutex
	outputs map[exporter][]*Output
}{outputs: map[exporter][]*Output{}}

// enter notes that the output sends to a collector, and warns if another one looks the same to it. What a reload puts in
// its own place may still be there.
func (o *Output) enter(env *engine.Env, to collector.Address, d Domain) {
	if d == (Domain{}) {
		return
	}
	x := exporter{o.Network.From(), to.String(), d}
	o.entered = append(o.entered, x)
	running.Lock()
	list := running.outputs[x]
	running.outputs[x] = append(list, o)
	running.Unlock()
	for _, other := range list {
		if other.env.ID == env.ID {
			continue
		}
		env.Log.Warn("another output sends to this collector with the same "+d.Option+
			": one that does not look at ports, such as nfcapd, takes the templates of one for those of the other, and loses records",
			"other", other.env.ID, "collector", x.to, d.Option, d.ID, "remedy", "set another "+d.Option+" in one of them")
		return
	}
}

// leave is the end of enter.
func (o *Output) leave() {
	running.Lock()
	defer running.Unlock()
	for _, x := range o.entered {
		running.outputs[x] = slices.DeleteFunc(slices.Clone(running.outputs[x]), func(other *Output) bool { return other == o })
		if len(running.outputs[x]) == 0 {
			delete(running.outputs, x)
		}
	}
	o.entered = nil
}

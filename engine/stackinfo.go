// What a plugin may know of its stack beside keys.

package engine

import "time"

// StackInfo is what a plugin may know, beside keys, of the stack that it stands in. [Binder.Stack]
// returns it. It is gathered from the plugins before: the input, and the filters that make records
// of their own.
type StackInfo struct {
	Name  string // as the configuration counts or names it
	Input string // the input's plugin, such as "NFLOG"

	// Namespace is the file of the network namespace that the records come from, "" for the
	// daemon's own. Interface indexes have their names there.
	Namespace string
	// Entered is the input's own ([Namespaced]): who works in the namespace too follows by it. It
	// is nil where Namespace is "".
	Entered func() uint64
	// Foreign says that they come from another machine, as far as is known: interface indexes have
	// no names here.
	Foreign bool
	// Patient says that the input loses nothing by waiting, such as a file: outputs then make it
	// wait instead of dropping, unless their when_full says otherwise ([Binder.Waits]).
	Patient bool
	// File says that it has an end of its own, too: it can wait for as long as it takes, and nothing
	// is gained by reading ahead of the outputs.
	File bool
	// Counts says what the records' octets and packets count.
	Counts Counts
	// Active and Idle are the timeouts of the nearest filter that ends flows by time: the age at
	// which a flow that goes on is reported, and the pause after which it has ended. They hold
	// where Timed is set.
	Active, Idle time.Duration
	Timed        bool
}

// Counts is what the octets and packets of a stack's flow records count.
type Counts uint8

const (
	// CountsUnknown is that of stacks without flow records.
	CountsUnknown Counts = iota
	// CountsDelta: what came since the flow's record before (IPFIX octetDeltaCount,
	// packetDeltaCount). A flow that is told once has delta and total in one.
	CountsDelta
	// CountsTotal: all since the flow began (IPFIX octetTotalCount, packetTotalCount), in each of
	// its records.
	CountsTotal
)

func (c Counts) String() string { return [...]string{"unknown", "delta", "total"}[c] }

// Stack returns what is known of the stack when the plugin is bound.
func (p *Binder) Stack() StackInfo {
	info := StackInfo{Name: p.chain.name, Counts: p.chain.counts}
	if in := p.chain.in; in != nil {
		info.Input = in.inst.Plugin.Name
		if n, ok := in.impl.(Namespaced); ok {
			if info.Namespace = n.Namespace(); info.Namespace != "" {
				info.Entered = n.Entered
			}
		}
		if x, ok := in.impl.(Foreign); ok {
			info.Foreign = x.Foreign()
		}
		if x, ok := in.impl.(Backpressured); ok {
			info.Patient = x.Backpressure()
		}
		info.File = !in.endless()
	}
	if t := p.chain.timed; t != nil {
		info.Active, info.Idle = t.Timeouts()
		info.Timed = true
	}
	return info
}

// Waits reports whether an output makes this stack wait instead of dropping: when_full says so or,
// where it is unset, the input loses nothing by waiting.
func (p *Binder) Waits() bool {
	if when := p.inst.Settings.WhenFull; when != "" {
		return when == "block"
	}
	return p.Stack().Patient
}

// counted notes what a plugin says of its records' counters; a filter that makes new records and
// says nothing leaves them unknown.
func (b *builder) counted(impl any, fresh bool) {
	if c, ok := impl.(Counting); ok {
		b.counts = c.Counts()
	} else if fresh {
		b.counts = CountsUnknown
	}
}

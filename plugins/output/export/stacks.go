// What options records tell of the stacks that end in an output.

package export

import (
	"net"
	"slices"
	"time"

	"ulogd/engine"
	"ulogd/plugins/input/netlink/netns"
)

// Stacks gathers it while they are bound.
type Stacks struct {
	meters     []meter
	namespaces []string // where the records' interfaces are
	places     []*netns.Place
}

// A meter is a flow cache that ends flows by time.
type meter struct{ active, idle time.Duration }

// Add notes what is to be told of a stack.
func (s *Stacks) Add(p *engine.Binder) {
	info := p.Stack()
	if m := (meter{info.Active, info.Idle}); info.Timed && !slices.Contains(s.meters, m) {
		s.meters = append(s.meters, m)
	}
	if !slices.Contains(s.namespaces, info.Namespace) {
		s.namespaces = append(s.namespaces, info.Namespace)
	}
}

// Timeouts tells those of the flow caches.
func (o *Options) Timeouts(domain uint32, s *Stacks) (records []OptionsRecord) {
	for i, m := range s.meters {
		records = append(records, o.timeoutsOf(domain, uint32(i+1), m))
	}
	return records
}

// Open enters the namespaces, as long as the process may. One that cannot be entered has no
// interfaces; its input says why.
func (s *Stacks) Open() {
	for _, ns := range s.namespaces {
		if place, err := netns.Stay(ns); err == nil {
			s.places = append(s.places, place)
		}
	}
}

// Close leaves them.
func (s *Stacks) Close() {
	for _, place := range s.places {
		place.Close()
	}
	s.places = nil
}

// Interfaces names those of the inputs' namespaces.
func (o *Options) Interfaces(s *Stacks) (records []OptionsRecord) {
	for _, place := range s.places {
		place.Do(func() {
			list, _ := net.Interfaces() // the kernel gives the list or, without memory, none
			for _, i := range list {
				records = append(records, o.interfaceOf(uint32(i.Index), i.Name))
			}
		})
	}
	return records
}

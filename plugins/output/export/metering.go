// What options records tell of the stacks that end in an output.

package export

import (
	"net"
	"slices"
	"time"

	"ulogd/engine"
	"ulogd/plugins/input/netlink/netns"
)

// Metering gathers it while they are bound.
type Metering struct {
	meters []meter
	homes  []*home
	log    *engine.LimitedLog
}

// A home is the namespace of inputs, where the records' interfaces are.
type home struct {
	path string
	netns.Companion
	place *netns.Place // nil while there is none
}

// A meter is a flow cache that ends flows by time.
type meter struct{ active, idle time.Duration }

// Add notes what is to be told of a stack.
func (s *Metering) Add(p *engine.Binder) {
	info := p.Stack()
	if m := (meter{info.Active, info.Idle}); info.Timed && !slices.Contains(s.meters, m) {
		s.meters = append(s.meters, m)
	}
	if info.Foreign || slices.ContainsFunc(s.homes, func(h *home) bool { return h.path == info.Namespace }) {
		return
	}
	h := &home{path: info.Namespace}
	h.Enter, h.Leave = h.enter, h.leave
	h.Behind(info)
	s.homes = append(s.homes, h)
}

func (h *home) enter(path string) (id uint64, err error) {
	if h.place, err = netns.Stay(path); err != nil {
		return 0, err
	}
	return h.place.ID(), nil
}

func (h *home) leave() error {
	if h.place != nil {
		h.place.Close()
	}
	h.place = nil
	return nil
}

// Timeouts tells those of the flow caches.
func (o *OptionsTemplates) Timeouts(domain uint32, s *Metering) (records []OptionsRecord) {
	for i, m := range s.meters {
		records = append(records, o.timeoutsOf(domain, uint32(i+1), m))
	}
	return records
}

// Open enters the namespaces, as long as the process may. One that cannot be entered has no
// interfaces; its input says why.
func (s *Metering) Open(env *engine.Env) {
	s.log = env.Limited()
	for _, h := range s.homes {
		h.Open()
	}
}

// Close leaves them.
func (s *Metering) Close() {
	for _, h := range s.homes {
		h.leave()
	}
}

// Interfaces names those of the inputs' namespaces.
func (o *OptionsTemplates) Interfaces(s *Metering) (records []OptionsRecord) {
	for _, h := range s.homes {
		if err := h.Follow(); err != nil {
			s.log.Warn("cannot tell collectors the names of interfaces", "error", err)
		}
		if h.place == nil {
			continue
		}
		h.place.Do(func() {
			list, _ := net.Interfaces() // the kernel gives the list or, without memory, none
			for _, i := range list {
				records = append(records, o.interfaceOf(uint32(i.Index), i.Name))
			}
		})
	}
	return records
}

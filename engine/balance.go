// The sums of all instances, checked while they run and at the end.

package engine

import (
	"sync"
	"time"
)

// auditEvery is how often the sums are looked at while the daemon runs.
const auditEvery = time.Second

// Counters are read one by one while records go on, so that a sum may be off by what passes
// meanwhile. A sum that is off by more, as many times in a row, is no chance.
const (
	auditSlack   = 64 * BatchSize
	auditStrikes = 3
)

// An audit finds instances that lose count of their records. It is the engine's own check of what
// plugins that do their own accounting (Binder.OwnAccounting) promise.
type audit struct {
	mu      sync.Mutex
	strikes map[*Instance]int
	told    map[*Instance]bool
}

func newAudit() *audit { return &audit{strikes: map[*Instance]int{}, told: map[*Instance]bool{}} }

// look checks all instances. At the end nothing moves any more, and a sum that is off by one is a
// fault.
func (a *audit) look(insts []*Instance, end bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, inst := range insts {
		s := inst.Stats.snapshot()
		inst.pulse.look(&s, time.Now())
		open := s.Open()
		if !end && max(open, -open) <= auditSlack {
			a.strikes[inst] = 0
			continue
		}
		a.strikes[inst]++
		if open == 0 || a.told[inst] || !end && a.strikes[inst] < auditStrikes {
			continue
		}
		a.told[inst] = true
		inst.env.Log.Error(Unbalanced, "records", open, "in", s.In, "made", s.Made, "out", s.Out,
			"absorbed", s.Absorbed, "filtered", s.Filtered, "dropped", s.Dropped, "held", s.Held,
			"remedy", "report it with this line: the other counters of this plugin may be wrong too")
	}
}

// forget is told of instances that are no more.
func (a *audit) forget(insts []*Instance) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, inst := range insts {
		delete(a.strikes, inst)
		delete(a.told, inst)
	}
}

// Unbalanced is what the log says of a plugin whose records are not all accounted for.
const Unbalanced = "the plugin's sum does not close, which is a fault of the plugin"

// watch checks the sums until all stacks have ended.
func (m *Machine) watch() {
	ticker := time.NewTicker(auditEvery)
	defer ticker.Stop()
	for {
		select {
		case <-m.ended:
			return
		case <-ticker.C:
			m.audit.look(m.instances(), false)
		}
	}
}

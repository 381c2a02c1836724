// Reading and zeroing the kernel's counters on SIGUSR2. Several instances may read one table; the
// counters can be taken once only. So one instance takes them and hands every part it reads to the
// others.

package nfct

import (
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// hub is the instances that read the table of one network namespace.
type hub struct {
	id      string
	mu      sync.Mutex
	members []*member
	served  int   // signals that have been answered
	reader  *nfct // the instance that reads now
}

// member is an instance's place in its hub.
type member struct {
	owner   *nfct
	signals int
	parts   chan []byte
}

// partsAhead is how many parts, of 32 KiB at most, may wait for a slower instance before the one
// that reads waits for it.
const partsAhead = 64

var hubs struct {
	sync.Mutex
	list []*hub
}

// joinHub enters the instance into the hub of its namespace.
func (n *nfct) joinHub() (*hub, *member, error) {
	path := n.place.Path
	if path == "" {
		path = "/proc/self/ns/net"
	}
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil {
		return nil, nil, fmt.Errorf("tell which network namespace this is: %w", err)
	}
	id := fmt.Sprint(st.Dev, ".", st.Ino)
	hubs.Lock()
	defer hubs.Unlock()
	i := slices.IndexFunc(hubs.list, func(h *hub) bool { return h.id == id })
	if i < 0 {
		i = len(hubs.list)
		hubs.list = append(hubs.list, &hub{id: id})
	}
	h := hubs.list[i]
	h.mu.Lock()
	defer h.mu.Unlock()
	m := &member{owner: n, signals: h.served, parts: make(chan []byte, partsAhead)}
	h.members = append(h.members, m)
	return h, m, nil
}

// leave takes an instance out.
func (h *hub) leave(n *nfct) {
	hubs.Lock()
	defer hubs.Unlock()
	h.mu.Lock()
	defer h.mu.Unlock()
	h.members = slices.DeleteFunc(h.members, func(m *member) bool { return m.owner == n })
	if h.reader == n {
		h.reader = nil
	}
	if len(h.members) == 0 {
		hubs.list = slices.DeleteFunc(hubs.list, func(x *hub) bool { return x == h })
	}
}

// others reports whether other instances read this table.
func (h *hub) others(n *nfct) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.ContainsFunc(h.members, func(m *member) bool { return m.owner != n })
}

// firstOf returns what reports whether the instance is the first of those that read a table.
func (n *nfct) firstOf(h *hub) func() bool {
	return func() bool {
		h.mu.Lock()
		defer h.mu.Unlock()
		return len(h.members) > 0 && h.members[0].owner == n
	}
}

// lead reports whether the instance, signalled once more, is the one to read the counters.
func (h *hub) lead(m *member) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	m.signals++
	if m.signals <= h.served {
		return false
	}
	h.served = m.signals
	return true
}

// ready reports whether the instance may read a part: no other one reads, and all have room for it.
func (h *hub) ready(n *nfct) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.reader != nil && h.reader != n {
		return false
	}
	h.reader = n
	for _, m := range h.members {
		if m.owner != n && len(m.parts) == cap(m.parts) {
			return false
		}
	}
	return true
}

// finish says that the instance has read all.
func (h *hub) finish(n *nfct) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.reader == n {
		h.reader = nil
	}
}

// share hands a part to every other instance.
func (h *hub) share(n *nfct, part []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, m := range h.members {
		if m.owner != n {
			m.parts <- slices.Clone(part) // there is room: one instance reads at a time, and it asked
		}
	}
}

// What the kernel could not track: a full table loses connections before any event.

package nfct

import (
	"time"

	"github.com/ti-mo/conntrack"

	"ulogd/engine"
	"ulogd/plugins/input/netlink/netns"
)

// pressureEvery is how often the kernel's statistics are read.
const pressureEvery = 10 * time.Second

// pressure watches the statistics of the kernel's table.
type pressure struct {
	conn           *conntrack.Conn
	next           time.Time
	known          bool
	dropped, early uint64 // the kernel's counts when they were last read
	lost           *engine.Counter
	evicted        *engine.Counter
}

// open connects and notes where the counts stand.
func (p *pressure) open(n *nfct) (err error) {
	p.lost = n.env.Stats.Counter(
		"table_full",
		"packets that the kernel dropped because its table had no room for their connections (nf_conntrack_max)",
	)
	p.evicted = n.env.Stats.Counter("early_drop", "connections that the kernel removed to make room for others")
	if err = netns.Do(n.place.Path, func() (err error) { p.conn, err = conntrack.Dial(nil); return err }); err != nil {
		return err
	}
	p.look(n, time.Now())
	return nil
}

// look adds what was lost since it was last called.
func (p *pressure) look(n *nfct, now time.Time) {
	if now.Before(p.next) {
		return
	}
	p.next = now.Add(pressureEvery)
	cpus, err := p.conn.Stats()
	if err != nil {
		return // an old kernel, or no right to ask any more: the events still come
	}
	var dropped, early uint64
	for _, c := range cpus {
		dropped += uint64(c.Drop)
		early += uint64(c.EarlyDrop)
	}
	if p.known && dropped >= p.dropped && early >= p.early { // the kernel's counts have 32 bits
		p.lost.Add(int(dropped - p.dropped))
		p.evicted.Add(int(early - p.early))
		if dropped > p.dropped {
			n.env.Limited().
				Warn("the kernel's connection table is full: packets of new connections are dropped", "packets", dropped-p.dropped,
					"remedy", "raise net.netfilter.nf_conntrack_max")
		}
	}
	p.known, p.dropped, p.early = true, dropped, early
}

func (p *pressure) close() error {
	if p.conn == nil {
		return nil
	}
	err := p.conn.Close()
	p.conn, p.known = nil, false
	return err
}

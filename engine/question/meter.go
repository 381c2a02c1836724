// What flows have gained lately: the counters of all live flows, compared with those of a second
// before, for as long as somebody asks.

package question

import (
	"context"
	"errors"
	"hash/maphash"
	"net"
	"strconv"
	"sync"
	"time"

	"ulogd/engine"
)

// A Meter answers [Top] over windows. While somebody watches it looks at all live flows each
// second, once for everybody, less often where there are so many that it would take more than its
// share of a processor; it remembers 50 octets or so for each. Nobody watching costs nothing.
//
// What a flow sent between its last look and its end is not seen, nor is a flow that began and ended
// between two.
type Meter struct {
	m     *engine.Machine
	share int
	seed  maphash.Seed

	mu       sync.Mutex
	watchers map[*watcher]bool
	running  bool
}

// watcher is one who asks.
type watcher struct {
	tallies []*tally
	began   time.Time
	results chan []Result
}

// MostWatchers is how many may watch at the same time.
const MostWatchers = 8

const lookEvery = time.Second

// ErrWatched is the error for one watcher too many.
var ErrWatched = errors.New("as many as may watch at the same time do already; try again")

// NewMeter makes a meter of a machine, whose looks take one in share of a processor.
func NewMeter(m *engine.Machine, share int) *Meter {
	return &Meter{m: m, share: share, seed: maphash.MakeSeed(), watchers: map[*watcher]bool{}}
}

// Watch calls show with each window's result until the context ends or show returns an error, which
// it returns.
func (t *Meter) Watch(ctx context.Context, q *Top, show func(Result) error) error {
	return t.WatchAll(ctx, []*Top{q}, func(all []Result) error { return show(all[0]) })
}

// WatchAll is Watch of several tops that choose the same flows and have the same window.
func (t *Meter) WatchAll(ctx context.Context, tops []*Top, show func([]Result) error) error {
	w := &watcher{results: make(chan []Result, 1)}
	for _, q := range tops {
		one := *q
		one.Window = max(one.Window, windowMin)
		w.tallies = append(w.tallies, newTally(&one))
	}
	t.mu.Lock()
	if len(t.watchers) >= MostWatchers {
		t.mu.Unlock()
		return ErrWatched
	}
	t.watchers[w] = true
	if !t.running {
		t.running = true
		go t.run()
	}
	t.mu.Unlock()
	defer func() {
		t.mu.Lock()
		delete(t.watchers, w)
		t.mu.Unlock()
	}()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-t.m.Ended():
			return errors.New("the daemon's inputs have ended")
		case res, ok := <-w.results:
			if !ok {
				return ErrNobody
			}
			if err := show(res); err != nil {
				return err
			}
		}
	}
}

// gained is what is remembered of a flow: its counters at the last look.
type gained struct {
	octets, packets uint64
	round           uint32
}

// run looks at the flows as long as somebody watches.
func (t *Meter) run() {
	seen := map[uint64]gained{}
	for round := uint32(1); ; round++ {
		t.mu.Lock()
		if len(t.watchers) == 0 {
			t.running = false
			t.mu.Unlock()
			return
		}
		watchers := make([]*watcher, 0, len(t.watchers))
		for w := range t.watchers {
			watchers = append(watchers, w)
		}
		t.mu.Unlock()
		began := time.Now()
		sum, err := t.look(seen, round, watchers)
		if errors.Is(err, ErrNobody) {
			t.mu.Lock()
			for w := range t.watchers {
				delete(t.watchers, w)
				close(w.results)
			}
			t.running = false
			t.mu.Unlock()
			return
		}
		now := time.Now()
		for _, w := range watchers {
			w.tell(now, sum.Unable)
		}
		wait := max(lookEvery-now.Sub(began), sum.Took*time.Duration(t.share-1))
		select {
		case <-time.After(wait):
		case <-t.m.Ended():
		}
	}
}

// look compares all flows with the look before.
func (t *Meter) look(seen map[uint64]gained, round uint32, watchers []*watcher) (sum Sum, err error) {
	all := &Flows{Limit: -1, Share: 1} // as new as the look, which pays for it
	sum, err = all.Ask(context.Background(), t.m, func(f *Flow) error {
		h := t.hash(f)
		now := gained{f.AllOctets(), f.AllPackets(), round}
		before, known := seen[h]
		seen[h] = now
		switch {
		case !known && round == 1: // how much of it is of now, nobody can say
			f.Octets, f.Packets = 0, 0
		case !known || now.octets < before.octets || now.packets < before.packets: // new, or counted anew
			f.Octets, f.Packets = now.octets, now.packets
		default:
			f.Octets, f.Packets = now.octets-before.octets, now.packets-before.packets
		}
		f.ReplyOctets, f.ReplyPackets = 0, 0
		if round == 1 {
			return nil
		}
		for _, w := range watchers {
			sport, dport := -1, -1
			if f.Has(Ports) {
				sport, dport = int(f.Sport), int(f.Dport)
			}
			if w.began.IsZero() || f.Packets == 0 && f.Has(Counters) || !w.wants(f, sport, dport) {
				continue
			}
			for _, tally := range w.tallies {
				tally.add(f)
			}
		}
		return nil
	})
	for h, g := range seen {
		if g.round != round {
			delete(seen, h)
		}
	}
	return sum, err
}

// wants reports whether a flow is among those that are watched.
func (w *watcher) wants(f *Flow, sport, dport int) bool {
	q := w.tallies[0].Top
	return q.through(f) && (q.id == "" || q.id == f.Instance) && q.Matches(f.Proto, f.Src, f.Dst, sport, dport)
}

// tell hands over a window's result when the window is over. Who does not take it in time gets the
// next one.
func (w *watcher) tell(now time.Time, unable []string) {
	switch {
	case w.began.IsZero():
		w.began = now
		return
	case now.Sub(w.began) < w.tallies[0].Window-lookEvery/2:
		return
	}
	var all []Result
	for i, tally := range w.tallies {
		res := tally.result(interfaceName)
		res.Took, res.Unable = now.Sub(w.began), unable
		all = append(all, res)
		w.tallies[i] = newTally(tally.Top)
	}
	w.began = now
	select {
	case w.results <- all:
	default:
	}
}

// hash tells flows apart, also those that differ in what an answer does not carry, such as the type
// of service: they began at different times.
func (t *Meter) hash(f *Flow) uint64 {
	type identity struct {
		instance  string
		proto     uint8
		src, dst  [16]byte
		ports, id uint32
		zone      uint16
		in, about uint32
		start     engine.Time
	}
	return maphash.Comparable(t.seed, identity{
		instance: f.Instance, proto: f.Proto, src: f.Src.As16(), dst: f.Dst.As16(),
		ports: uint32(f.Sport)<<16 | uint32(f.Dport), id: f.ID, zone: f.Zone, in: f.In,
		about: uint32(f.ICMPType)<<8 | uint32(f.ICMPCode), start: f.Start,
	})
}

// interfaceName returns an interface's name in the daemon's namespace, or its number.
func interfaceName(index uint32) string {
	if i, err := net.InterfaceByIndex(int(index)); err == nil {
		return i.Name
	}
	return strconv.FormatUint(uint64(index), 10)
}

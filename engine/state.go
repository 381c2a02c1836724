// What an operator watches beside the sums: gauges, the peers of an output, how long batches take,
// when an instance last had records and when its goroutine last turned.

package engine

import (
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// Level is a [Stats.Counter] that goes up and down, such as how many routes are known.
func (s *Stats) Level(name, doc string) *Counter {
	return s.Counter(name, doc).Falling()
}

// Falling says that the value also goes down.
func (c *Counter) Falling() *Counter {
	c.level = true
	return c
}

// Gauge returns a value that goes up and down and is for monitoring alone: it stands in no summary.
// Its unit is the end of its name: octets, seconds, or none for a number.
func (s *Stats) Gauge(name, doc string) *Counter {
	return s.counter(&s.figures, name, doc).Falling()
}

// Total is a Gauge that only grows.
func (s *Stats) Total(name, doc string) *Counter { return s.counter(&s.figures, name, doc) }

// Doc says what a named counter of the snapshot's instance means, and whether it goes up and down.
func (s *Snapshot) Doc(name string) (doc string, level bool) {
	if s.stats == nil {
		return "", false
	}
	s.stats.mu.Lock()
	defer s.stats.mu.Unlock()
	for _, c := range s.stats.named() {
		if c.Name == name {
			return c.Doc, c.level
		}
	}
	return "", false
}

// named lists all named counters. The caller holds the lock.
func (s *Stats) named() (all []*Counter) {
	for _, d := range s.drops {
		all = append(all, &d.Counter)
	}
	for _, x := range s.excls {
		all = append(all, &x.Counter)
	}
	return slices.Concat(all, s.lost, s.more, s.figures)
}

// A Peer is what an instance says of somebody whom it sends to, such as a collector. Any goroutine
// may use it.
type Peer struct {
	mu  sync.Mutex
	now PeerState
}

// A PeerState is the state of a peer.
type PeerState struct {
	Name  string    `json:"name"`
	Up    bool      `json:"up"`
	Since time.Time `json:"since"` // since when it is up, or not
	// Error is why it is down, or was the last time.
	Error string `json:"error,omitempty"`
	// Buffer and Spool are the octets that wait for it in memory and on disk, each with what fits;
	// no spool: SpoolMax is 0.
	Buffer    int64 `json:"buffer"`
	BufferMax int64 `json:"buffer_max"`
	Spool     int64 `json:"spool"`
	SpoolMax  int64 `json:"spool_max"`
}

// Peer returns the state of a peer by its name. It is down until somebody says that it is up.
func (s *Stats) Peer(name string) *Peer {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.peers {
		if p.now.Name == name {
			return p
		}
	}
	p := &Peer{now: PeerState{Name: name, Since: time.Now()}}
	s.peers = append(s.peers, p)
	return p
}

// Up notes that the peer takes records.
func (p *Peer) Up() { p.turn(true, nil) }

// Down notes that the peer takes none, and why, if that is known.
func (p *Peer) Down(err error) { p.turn(false, err) }

func (p *Peer) turn(up bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.now.Up != up {
		p.now.Up, p.now.Since = up, time.Now()
	}
	if err != nil {
		p.now.Error = err.Error()
	}
}

// Waits notes the octets that wait for the peer in memory and on disk, and how many may.
func (p *Peer) Waits(buffer, bufferMax, spool, spoolMax int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now.Buffer, p.now.BufferMax, p.now.Spool, p.now.SpoolMax = buffer, bufferMax, spool, spoolMax
}

// State returns the peer's state.
func (p *Peer) State() PeerState {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.now
}

// pulse is what the engine notes of an instance's life.
type pulse struct {
	turned  moment                 // when its goroutine last turned
	records moment                 // when it last had records, to a second
	failed  atomic.Pointer[string] // why an input has ended
	away    atomic.Pointer[string] // what an input reads is not there
	batches BatchTimes

	seen int64 // records when watch last looked
}

// look notes whether there were records since the last look.
func (p *pulse) look(s *Snapshot, now time.Time) {
	if n := s.In + s.Made; n != p.seen {
		p.seen = n
		p.records.set(now)
	}
}

// BatchTimes counts how long batches took: an input's until it is through the stacks that do not
// queue, an output's behind its queue until it is delivered. Bucket k has those of more than
// 2^(k-31) and at most 2^(k-30) seconds.
type BatchTimes struct {
	sum     atomic.Int64 // nanoseconds
	buckets [batchBuckets]atomic.Int64
}

const batchBuckets = 38 // up to 128 s

func (t *BatchTimes) add(d time.Duration) {
	d = max(d, 0)
	t.sum.Add(int64(d))
	// In units of 2^-30 s, so that the bounds are powers of two of a second.
	n := uint64(float64(d) * (1 << 30) / 1e9)
	t.buckets[min(bits.Len64(max(n, 1)-1), batchBuckets-1)].Add(1)
}

// A BatchTimesReading is the state of BatchTimes.
type BatchTimesReading struct {
	Count   uint64
	Sum     time.Duration
	Buckets [batchBuckets]uint64
}

func (t *BatchTimes) read() *BatchTimesReading {
	r := &BatchTimesReading{}
	for i := range t.buckets {
		r.Buckets[i] = uint64(t.buckets[i].Load())
		r.Count += r.Buckets[i]
	}
	r.Sum = time.Duration(t.sum.Load())
	return r
}

// A Path is one stack, as indexes into the snapshots, input first.
type Path struct {
	Name      string
	Instances []int
}

// A Survey is all counters and the stacks at one moment: a reload may exchange both.
type Survey struct {
	Snapshots []Snapshot
	Paths     []Path
	Changes   int // another number means that other instances may stand at the same places
}

// Survey reads all counters and lists the stacks, without stopping anything.
func (m *Machine) Survey() (s Survey) {
	all := m.now()
	s.Snapshots, s.Changes = all.snapshots(), all.changes
	for _, st := range all.stacks {
		p := Path{Name: st.Name}
		for _, inst := range st.insts {
			p.Instances = append(p.Instances, slices.Index(all.insts, inst))
		}
		s.Paths = append(s.Paths, p)
	}
	return s
}

// vital adds what is known of an instance's life to its snapshot.
func (i *Instance) vital(s *Snapshot, outputs []*output) {
	if down := i.down.Load(); down != nil {
		s.Down = *down
	} else if failed := i.pulse.failed.Load(); failed != nil {
		s.Down, s.Ended = *failed, true
	} else if away := i.pulse.away.Load(); away != nil {
		s.Down = *away
	}
	s.Turned = i.pulse.turned.get()
	s.Last = i.pulse.records.get()
	s.Batches = i.pulse.batches.read()
	for _, o := range outputs {
		if o.inst == i && o.queue != nil {
			s.QueueMax = int64(o.queue.max)
			o.queue.mu.Lock()
			s.Queue = int64(o.queue.rows)
			o.queue.mu.Unlock()
		}
	}
}

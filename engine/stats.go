// Counters: what becomes of records, instance by instance.

package engine

import (
	"sync"
	"sync/atomic"
	"time"
)

// A Counter is a number that any goroutine may add to and read.
type Counter struct {
	Name string
	Doc  string
	n    atomic.Int64

	level bool // it goes up and down
}

// Add adds n, which may be negative for what is held.
func (c *Counter) Add(n int) { c.n.Add(int64(n)) }

// Set replaces the value.
func (c *Counter) Set(n int64) { c.n.Store(n) }

// Load returns the value.
func (c *Counter) Load() int64 { return c.n.Load() }

// A Drop counts records that were given up, by one reason.
type Drop struct{ Counter }

// Rows counts n rows of b as dropped. The stage takes them off the row list itself.
func (d *Drop) Rows(b *Batch, n int) {
	d.Add(n)
	b.dropped += n
}

// An Exclusion counts records that were filtered, as the configuration asks, by one reason. They
// are part of Snapshot.Filtered.
type Exclusion struct{ Counter }

// Rows counts n rows of b as filtered. The stage takes them off the row list itself; an input did
// not put them there.
func (x *Exclusion) Rows(b *Batch, n int) {
	x.Add(n)
	b.excluded += n
}

// Stats are the counters of one instance. Of records they satisfy, whenever the instance is between
// two batches:
//
//	In + Made = Out + Absorbed + Filtered + Dropped (all reasons) + Held
//
// Lost counts what never arrived, as far as it is known: it is not part of the sum.
type Stats struct {
	In       Counter // records taken from the plugin before
	Made     Counter // records that an input read, or that a filter or output made of others
	Out      Counter // records handed on, or written by an output
	Absorbed Counter // records that went into others: packets into flows
	Filtered Counter // records that a filter is there to take out, those of an Exclusion apart
	Held     Counter // records that wait inside: in a queue, a cache, a buffer

	mu    sync.Mutex
	drops []*Drop
	excls []*Exclusion
	lost  []*Counter
	more  []*Counter

	figures []*Counter // for monitoring alone
	peers   []*Peer
}

// Drop returns the counter of records dropped by a reason, named in snake_case.
func (s *Stats) Drop(name, doc string) *Drop {
	return named(s, &s.drops, func(d *Drop) *Counter { return &d.Counter }, name, doc)
}

// Exclusion returns the counter of records filtered by a reason.
func (s *Stats) Exclusion(name, doc string) *Exclusion {
	return named(s, &s.excls, func(x *Exclusion) *Counter { return &x.Counter }, name, doc)
}

// Lost returns the counter of records that never arrived, by where they were lost.
func (s *Stats) Lost(name, doc string) *Counter { return s.counter(&s.lost, name, doc) }

// Counter returns a counter that informs and is not part of the sum, such as connections made.
func (s *Stats) Counter(name, doc string) *Counter { return s.counter(&s.more, name, doc) }

func (s *Stats) counter(list *[]*Counter, name, doc string) *Counter {
	return named(s, list, func(c *Counter) *Counter { return c }, name, doc)
}

// named returns the entry of a list with that name, which it makes if there is none.
func named[T any](s *Stats, list *[]*T, counter func(*T) *Counter, name, doc string) *T {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range *list {
		if counter(x).Name == name {
			return x
		}
	}
	x := new(T)
	counter(x).Name, counter(x).Doc = name, doc
	*list = append(*list, x)
	return x
}

// Dropped returns how many records were dropped, by whatever reason.
func (s *Stats) Dropped() (n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.drops {
		n += d.Load()
	}
	return n
}

// A Reading is the value of one named counter.
type Reading struct {
	Name  string `json:"name"`
	Value int64  `json:"value"`
}

// A Snapshot is the state of one instance's counters.
type Snapshot struct {
	ID       string    `json:"id"`
	Plugin   string    `json:"plugin"`
	Kind     string    `json:"kind"`
	Down     string    `json:"down,omitempty"`  // why an input does not work just now
	Ended    bool      `json:"ended,omitempty"` // it is Down for good
	In       int64     `json:"in"`
	Made     int64     `json:"made"`
	Out      int64     `json:"out"`
	Absorbed int64     `json:"absorbed"`
	Filtered int64     `json:"filtered"`
	Dropped  int64     `json:"dropped"`
	Held     int64     `json:"held"`
	Lost     int64     `json:"lost"`
	Drops    []Reading `json:"drops,omitempty"`
	// Exclusions are the parts of Filtered that have a reason.
	Exclusions []Reading `json:"exclusions,omitempty"`
	Losses     []Reading `json:"losses,omitempty"`
	Counters   []Reading `json:"counters,omitempty"`
	// Figures are for monitoring: what [Stats.Gauge] and [Stats.Total] count.
	Figures []Reading   `json:"figures,omitempty"`
	Peers   []PeerState `json:"peers,omitempty"` // whom an output sends to
	// Queue is how many records wait in front of an output, QueueMax how many may; 0: it has none.
	Queue    int64     `json:"queue,omitempty"`
	QueueMax int64     `json:"queue_max,omitempty"`
	Last     time.Time `json:"last,omitzero"` // when there last were records, to a second
	// Turned is when the goroutine of an input, or of an output with a queue, last was at its
	// beginning, or when the instance last said that it waits for somebody else: long ago where it
	// hangs.
	Turned  time.Time          `json:"-"`
	Batches *BatchTimesReading `json:"-"`

	stats *Stats
}

// Open returns how far the sum is from closing: 0 when every record is accounted for.
func (s Snapshot) Open() int64 {
	return s.In + s.Made - s.Out - s.Absorbed - s.Filtered - s.Dropped - s.Held
}

func (s *Stats) snapshot() (o Snapshot) {
	o.stats = s
	o.In, o.Made, o.Out = s.In.Load(), s.Made.Load(), s.Out.Load()
	o.Absorbed, o.Filtered, o.Held = s.Absorbed.Load(), s.Filtered.Load(), s.Held.Load()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.drops {
		o.Dropped += d.Load()
		o.Drops = append(o.Drops, Reading{d.Name, d.Load()})
	}
	for _, x := range s.excls {
		o.Filtered += x.Load()
		o.Exclusions = append(o.Exclusions, Reading{x.Name, x.Load()})
	}
	for _, c := range s.lost {
		o.Lost += c.Load()
		o.Losses = append(o.Losses, Reading{c.Name, c.Load()})
	}
	for _, c := range s.more {
		o.Counters = append(o.Counters, Reading{c.Name, c.Load()})
	}
	for _, c := range s.figures {
		o.Figures = append(o.Figures, Reading{c.Name, c.Load()})
	}
	for _, p := range s.peers {
		o.Peers = append(o.Peers, p.State())
	}
	return o
}

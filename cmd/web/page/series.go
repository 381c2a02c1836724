// The last hour: a ring of samples of each instance's counters.

package page

import (
	"context"
	"strings"
	"sync"
	"time"

	"ulogd/engine"
)

const (
	// sampleEvery is the time between two samples, and samples how many make an hour. The ring
	// takes 32 octets an instance and sample.
	sampleEvery = 5 * time.Second
	samples     = int(time.Hour / sampleEvery)
)

// A sample is what an instance had counted at a moment.
type sample struct{ records, out, lost, octets int64 }

// series holds the samples of all instances; who reads them takes the differences.
type series struct {
	mu    sync.Mutex
	times []int64    // milliseconds since 1970
	rows  [][]sample // by time, then by instance
	next  int        // where the next sample goes, once the ring is full

	changes int // of the stacks, so far: then other instances stand at these places, and the hour begins anew
}

// keep takes samples until the context ends.
func (s *series) keep(ctx context.Context, m *engine.Machine) {
	ticker := time.NewTicker(sampleEvery)
	defer ticker.Stop()
	for {
		survey := m.Survey()
		if survey.Changes != s.changes {
			s.forget(survey.Changes)
		}
		s.add(time.Now(), survey.Snapshots)
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

func (s *series) forget(changes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.times, s.rows, s.next, s.changes = nil, nil, 0, changes
}

func (s *series) add(now time.Time, all []engine.Snapshot) {
	row := make([]sample, len(all))
	for i := range all {
		row[i] = sampleOf(&all[i])
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.times) < samples {
		s.times, s.rows = append(s.times, now.UnixMilli()), append(s.rows, row)
		return
	}
	s.times[s.next], s.rows[s.next] = now.UnixMilli(), row
	s.next = (s.next + 1) % samples
}

// sampleOf sums up what an instance has counted: octets are those that it says it has written. Records are those that
// went in; of an output with those that it made, such as one for each direction, since it is these that it loses.
func sampleOf(x *engine.Snapshot) sample {
	s := sample{records: x.In, out: x.Out, lost: x.Dropped + x.Lost}
	if x.Kind != engine.FilterKind.String() {
		s.records += x.Made
	}
	for _, r := range x.Counters {
		if strings.HasSuffix(r.Name, "_octets") {
			s.octets += r.Value
		}
	}
	return s
}

// history is the ring as the page takes it: for each instance an array of each number.
type history struct {
	Times     []int64              `json:"times"`
	Instances []map[string][]int64 `json:"instances"`
}

func (s *series) read() history {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := history{Times: []int64{}, Instances: []map[string][]int64{}}
	for i := range s.times {
		at := (s.next + i) % len(s.times)
		h.Times = append(h.Times, s.times[at])
		for len(h.Instances) < len(s.rows[at]) {
			h.Instances = append(h.Instances, map[string][]int64{})
		}
		for k, x := range s.rows[at] {
			o := h.Instances[k]
			o["records"] = append(o["records"], x.records)
			o["out"] = append(o["out"], x.out)
			o["lost"] = append(o["lost"], x.lost)
			o["octets"] = append(o["octets"], x.octets)
		}
	}
	return h
}

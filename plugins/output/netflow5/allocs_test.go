package netflow5

import (
	"io"
	"testing"
	"time"

	"ulogd/engine"
	"ulogd/test/nstest"
)

// repeat is a feed that gives its batch again and again.
type repeat struct {
	*feed
	rounds int
	flows  []told
}

func (r *repeat) Read(b *engine.Batch, deadline time.Time) error {
	r.feed.flows = r.flows
	err := r.feed.Read(b, deadline)
	if r.rounds--; r.rounds <= 0 {
		return io.EOF
	}
	return err
}

// The number of batches makes no difference to allocations.
func TestNoAllocations(t *testing.T) {
	nstest.Need(t, "native") // the longer it takes, the more timers
	address, _ := collect(t)
	allocs := func(rounds int) float64 {
		return testing.AllocsPerRun(1, func() {
			in := &repeat{feed: &feed{replay: t0 + 9*second, epoch: t0}, rounds: rounds}
			for i := range engine.BatchSize {
				in.flows = append(in.flows, tcpFlow(i))
			}
			export(t, in, "host="+address, "rate=0") // a pace has timers
		})
	}
	few, many := allocs(10), allocs(1010)
	// The feed parses two addresses a flow without allocating; timers and the growing queue take
	// some.
	if many > few+300 {
		t.Errorf("10 batches: %v allocations, 1010 batches: %v", few, many)
	}
}

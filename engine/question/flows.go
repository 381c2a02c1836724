// The question which flows live, and how it is answered.

package question

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"ulogd/engine"
)

// Flows asks for live flows. Plugins see Matches, Full and Add, and where they have to read counters
// first Age, Waits and Cost.
type Flows struct {
	match
	Sort  string // "": as they come; or one of Orders
	Limit int    // negative: all
	// Share bounds what it may cost to read counters for the answer: one in so many of a processor.
	// Where they are dear they are older. 0: 10.
	Share int

	chunk []Flow
	left  int // how many more are wanted; negative: all
	cost  time.Duration
	asked time.Time // when a plugin first said later, of the chunk that is next
}

// Orders are what sort= takes.
var Orders = []string{"octets", "packets", "start", "last"}

// orders compare two flows: the most octets or packets, the newest start or packet come first.
// Where a value is unknown a flow comes behind those that have it.
var orders = map[string]func(a, b *Flow) int{
	"octets":  func(a, b *Flow) int { return cmp.Compare(b.AllOctets(), a.AllOctets()) },
	"packets": func(a, b *Flow) int { return cmp.Compare(b.AllPackets(), a.AllPackets()) },
	"start":   func(a, b *Flow) int { return cmp.Compare(b.Start, a.Start) },
	"last":    func(a, b *Flow) int { return cmp.Compare(b.Last, a.Last) },
}

const (
	// SortedDefault is how many flows are listed when they are sorted and no limit is given.
	SortedDefault = 1000
	// SortedMost bounds what one who asks can make the daemon remember.
	SortedMost = 100_000
	// ChunkFlows is a good number of flows to look at in one chunk of an answer.
	ChunkFlows = 4096
)

// FlowWords are the words that ParseFlows takes, each with the value that it needs.
const FlowWords = "sort, limit, " + matchWords

// ParseFlows reads the words of a question: filters, sort=ORDER, limit=N.
func ParseFlows(words []string) (*Flows, error) {
	q := &Flows{Limit: -1}
	for _, w := range words {
		name, value, ok := strings.Cut(w, "=")
		if !ok {
			return nil, fmt.Errorf("%q: write NAME=VALUE with one of %s", w, FlowWords)
		}
		known, err := q.set(name, value)
		switch {
		case known:
		case name == "limit":
			if q.Limit, err = strconv.Atoi(value); err != nil || q.Limit < 0 {
				err = fmt.Errorf("%q is no number of flows", value)
			}
		case name == "sort":
			if q.Sort = value; orders[value] == nil {
				err = fmt.Errorf("%q is none of %s", value, strings.Join(Orders, ", "))
			}
		default:
			err = fmt.Errorf("%q is none of %s", name, FlowWords)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", w, err)
		}
	}
	if q.Sort != "" && q.Limit < 0 {
		q.Limit = SortedDefault
	}
	if q.Sort != "" && q.Limit > SortedMost {
		return nil, fmt.Errorf("limit=%d: at most %d are sorted; without sort there is no limit", q.Limit, SortedMost)
	}
	return q, nil
}

// Add adds a flow to the answer. It is called by a plugin, for flows that match.
func (q *Flows) Add(f *Flow) {
	if q.left != 0 && q.through(f) {
		q.chunk = append(q.chunk, *f)
		q.left--
	}
}

// Full reports whether no more flows are wanted.
func (q *Flows) Full() bool { return q.left == 0 }

// Age returns how old counters may be that cost that much to read.
func (q *Flows) Age(cost time.Duration) time.Duration {
	return max(newEnough, time.Duration(cmp.Or(q.Share, 10))*cost)
}

// Waits reports whether whoever asks waits longer, where a plugin has said [engine.ErrLater].
func (q *Flows) Waits() bool {
	now := time.Now()
	if q.asked.IsZero() {
		q.asked = now
	}
	return now.Sub(q.asked) < patience
}

// Cost says what reading counters has cost that the question had to wait for.
func (q *Flows) Cost(d time.Duration) {
	if !q.asked.IsZero() {
		q.cost += d
	}
}

const (
	newEnough = 250 * time.Millisecond // counters are not read again for several who ask
	patience  = 5 * time.Second        // then a plugin tells what it has
)

// A Sum says what an answer holds.
type Sum struct {
	Flows  int           // that were given
	At     time.Time     // when the oldest of the counters were read
	Took   time.Duration // that somebody worked for it; waiting for each other does not count
	Unable []string      // instances that did not answer, each with the reason
}

// Ask has the question answered by all plugins and gives the flows, one after the other. A flow is
// valid until give returns; its error ends the answer. Memory is that of a chunk, or of twice the
// limit where flows are sorted.
func (q *Flows) Ask(ctx context.Context, m *engine.Machine, give func(*Flow) error) (sum Sum, err error) {
	sorted := q.Sort != ""
	best := newBest(q.Limit, orders[q.Sort])
	if q.left = q.Limit; sorted {
		q.left = -1
	}
	q.asked, q.cost, sum.At = time.Time{}, 0, time.Now()
	hand := func(f *Flow) error {
		sum.Flows++
		return give(f)
	}
	if q.Limit != 0 {
		sum.Unable, err = q.ask(ctx, m, func(of *engine.Instance, took time.Duration) error {
			began := time.Now()
			defer func() {
				q.chunk, q.asked = q.chunk[:0], time.Time{}
				sum.Took += took + time.Since(began)
			}()
			for i := range q.chunk {
				f := &q.chunk[i]
				f.Instance = of.ID
				if f.Counted != 0 && f.Counted < engine.Time(sum.At.UnixNano()) {
					sum.At = time.Unix(0, int64(f.Counted))
				}
				if sorted {
					best.add(f)
				} else if err := hand(f); err != nil {
					return err
				}
			}
			if q.left == 0 {
				return errEnough
			}
			return nil
		})
	}
	sum.Took += q.cost
	if err != nil || !sorted {
		return sum, err
	}
	for _, f := range best.first() {
		if err := hand(&f); err != nil {
			return sum, err
		}
	}
	return sum, nil
}

// errEnough ends an answer that has all that is wanted.
var errEnough = errors.New("that is enough")

// ErrNobody is the error where no plugin holds flows.
var ErrNobody = errors.New("no plugin of this daemon holds flows: FLOW and NFCT do")

// Wants implements engine.Choosy.
func (q *Flows) Wants(of *engine.Instance) bool { return q.id == "" || q.id == of.ID }

// ask puts the question and tells apart who could not answer from what ended the question.
func (q *Flows) ask(ctx context.Context, m *engine.Machine,
	chunk func(*engine.Instance, time.Duration) error,
) (unable []string, err error) {
	var stop error
	err = m.Query(ctx, q, func(of *engine.Instance, took time.Duration) error {
		stop = chunk(of, took)
		return stop
	})
	switch {
	case err == nil || errors.Is(err, errEnough):
		return nil, nil
	case errors.Is(err, engine.ErrNotAsked) && q.id != "":
		return nil, fmt.Errorf("id=%s: no FLOW and no NFCT of this daemon has that id", q.id)
	case errors.Is(err, engine.ErrNotAsked):
		return nil, ErrNobody
	case stop != nil || ctx.Err() != nil:
		return nil, err
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		unable = append(unable, line)
	}
	return unable, nil
}

// Several answers from one look at the live flows.

package question

import (
	"context"

	"ulogd/engine"
)

// A Survey looks once at all live flows and answers with the first of them in an order, and with who
// sends most, counted by several things: a page shows all of that, and looks are dear.
type Survey struct {
	flows   *Flows
	best    *best[Flow]
	tallies []*tally
	Sum     // of the flows that it has seen
}

// NewSurvey makes a survey. The words of flows choose; its Sort, which must be set where its Limit
// is not 0, and its Limit say which of them are listed; its Share holds for all. The words of the tops
// do not count.
func NewSurvey(flows *Flows, tops ...*Top) *Survey {
	s := &Survey{flows: flows, best: newBest(flows.Limit, orders[flows.Sort])}
	for _, q := range tops {
		s.tallies = append(s.tallies, newTally(q))
	}
	return s
}

// Ask looks at the flows.
func (s *Survey) Ask(ctx context.Context, m *engine.Machine) error {
	all := &Flows{match: s.flows.match, Limit: -1, Share: s.flows.Share}
	sum, err := all.Ask(ctx, m, func(f *Flow) error {
		s.Add(f)
		return nil
	})
	s.Sum = sum
	return err
}

// Add counts a flow.
func (s *Survey) Add(f *Flow) {
	for _, t := range s.tallies {
		t.add(f)
	}
	s.best.add(f)
}

// First returns the first flows.
func (s *Survey) First() []Flow { return s.best.first() }

// Tops returns an answer for each of the tops.
func (s *Survey) Tops() (list []Result) {
	for _, t := range s.tallies {
		res := t.result(interfaceName)
		res.At, res.Unable = s.At, s.Unable
		list = append(list, res)
	}
	return list
}

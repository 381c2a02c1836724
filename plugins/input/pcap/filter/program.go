// From a tree of tests to a program: the tests in a row, each with the step to go on with for
// either answer, always a later one. What is known on the way to a test is used: a test whose
// outcome is known is passed by, a number that is there is not loaded again.

package filter

import "fmt"

// maxSteps bounds a program; the kernel takes 4096 instructions, and a step has up to six.
const maxSteps = 4096

func newProgram(expression string, tree *node) (*Program, error) {
	f := &draft{}
	f.add(tree, f.label(taken), f.label(refused))
	if len(f.steps) > maxSteps {
		return nil, fmt.Errorf("filter %.40q... is too long: %d tests, at most %d are possible", expression, len(f.steps), maxSteps)
	}
	for i := range f.steps {
		f.steps[i].yes, f.steps[i].no = f.labels[f.steps[i].yes], f.labels[f.steps[i].no]
	}
	return &Program{steps: shorten(f.steps)}, nil
}

// draft is a program being made. Until all is there, steps name labels, whose place may yet be
// open.
type draft struct {
	steps  []step
	labels []uint16
}

func (f *draft) label(at uint16) uint16 {
	f.labels = append(f.labels, at)
	return uint16(len(f.labels) - 1)
}

// add appends the tests of a tree.
func (f *draft) add(n *node, yes, no uint16) {
	if len(f.steps) > maxSteps {
		return // newProgram refuses it
	}
	switch n.kind {
	case leafNode:
		f.steps = append(f.steps, step{test: n.test, yes: yes, no: no})
	case notNode:
		f.add(n.a, no, yes)
	case andNode, orNode:
		second := f.label(0)
		if n.kind == andNode {
			f.add(n.a, second, no)
		} else {
			f.add(n.a, yes, second)
		}
		f.labels[second] = uint16(len(f.steps))
		f.add(n.b, yes, no)
	}
}

// outcome is a test and its answer.
type outcome struct {
	test test
	hit  bool
}

// knowledge is what is certain whenever a step is reached.
type knowledge struct {
	reached  bool
	held     *load // the number loaded last
	outcomes []outcome
}

// maxOutcomes bounds the work for long filters; the tests that repeat are those for protocols,
// which come first.
const maxOutcomes = 32

// answer tells the answer to t if it follows from what is known.
func (k *knowledge) answer(t test) (hit, known bool) {
	for _, o := range k.outcomes {
		if o.test == t {
			return o.hit, true
		}
		if o.test.load == t.load && o.hit && o.test.cond == equal {
			return t.of(o.test.value), true
		}
	}
	return false, false
}

// of answers the test for a number.
func (t test) of(number uint32) bool {
	switch t.cond {
	case atLeast:
		return number >= t.value
	case anyBit:
		return number&t.value != 0
	}
	return number == t.value
}

// with is the knowledge after a step.
func (k *knowledge) with(t *test, hit bool) knowledge {
	after := knowledge{reached: true, held: &t.load, outcomes: k.outcomes}
	if len(k.outcomes) < maxOutcomes {
		after.outcomes = append(k.outcomes[:len(k.outcomes):len(k.outcomes)], outcome{*t, hit})
	}
	return after
}

// meet keeps what is certain on this way too.
func (k *knowledge) meet(way knowledge) {
	if !k.reached {
		*k = way
		return
	}
	if k.held != nil && *k.held != *way.held {
		k.held = nil
	}
	var both []outcome
	for _, o := range k.outcomes {
		if hit, known := way.answer(o.test); known && hit == o.hit {
			both = append(both, o)
		}
	}
	k.outcomes = both
}

// shorten leads each step's answers past the tests that they answer already and leaves out the
// steps that none leads to.
func shorten(steps []step) []step {
	known := make([]knowledge, len(steps))
	known[0].reached = true
	for i := range steps {
		s, k := &steps[i], &known[i]
		if !k.reached {
			continue
		}
		s.held = k.held != nil && *k.held == s.load
		for _, way := range []struct {
			to  *uint16
			hit bool
		}{{&s.yes, true}, {&s.no, false}} {
			after := k.with(&s.test, way.hit)
			for *way.to < taken {
				hit, sure := after.answer(steps[*way.to].test)
				if !sure {
					known[*way.to].meet(after)
					break
				}
				if hit {
					*way.to = steps[*way.to].yes
				} else {
					*way.to = steps[*way.to].no
				}
			}
		}
	}
	place := make([]uint16, len(steps))
	var kept []step
	for i := range steps {
		place[i] = uint16(len(kept))
		if known[i].reached {
			kept = append(kept, steps[i])
		}
	}
	for i := range kept {
		for _, to := range []*uint16{&kept[i].yes, &kept[i].no} {
			if *to < taken {
				*to = place[*to]
			}
		}
	}
	return kept
}

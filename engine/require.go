// What an output cannot do without, row by row.

package engine

// Require binds a key that an output needs in every record. As with [Need], a stack in which no
// plugin gives it is refused; and the engine leaves out each row that lacks it before the output
// sees the row. It counts as filtered, with the reason "no KEY". Only outputs may call it: a filter
// passes on what it has no use for.
func Require[T any](p *Binder, k Key[T]) Col[T] {
	if p.inst.Plugin.Kind() != OutputKind {
		panic("engine: " + p.inst.Plugin.Name + " is no output and calls Require: a filter loses no record for want of a key")
	}
	c := Need(p, k)
	if c.c.group != nil && p.step != nil {
		p.step.requires = append(p.step.requires, requirement{
			c.Mask(), p.Stats().Exclusion("no "+k.info.Name, "records without "+k.info.Name+", which the output needs"),
		})
	}
	return c
}

// requirement is a group that an output needs, and the counter of rows that lack it.
type requirement struct {
	mask  uint64
	lacks *Exclusion
}

// required are the requirements of an output at the end of one stack.
type required struct {
	list []requirement
	mask uint64 // of all
}

func newRequired(list []requirement) (q required) {
	q.list = list
	for _, x := range list {
		q.mask |= x.mask
	}
	return q
}

// met reports whether every row has what is required.
func (q *required) met(b *Batch) bool {
	if q.mask == 0 {
		return true
	}
	all := q.mask
	for _, r := range b.Rows() {
		all &= b.have[r]
	}
	return all == q.mask
}

// pick fills a view of b with the rows that have what is required, and counts the others.
func (q *required) pick(b, view *Batch) {
	for _, r := range b.Rows() {
		lacks := q.mask &^ b.have[r]
		if lacks == 0 {
			view.rows[view.n] = r
			view.n++
			continue
		}
		for _, x := range q.list {
			if lacks&x.mask != 0 {
				x.lacks.Add(1)
				break
			}
		}
	}
}

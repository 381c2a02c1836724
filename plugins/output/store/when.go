// When a row happened: stores order, divide and forget rows by their time.

package store

import (
	"cmp"
	"slices"

	"ulogd/engine"
)

// A Dating tells the time of rows of one shape.
type Dating struct{ keys []int }

// datedBy are the keys that date a row, the best first: a flow by its end, a packet by its arrival.
var datedBy = []string{"flow.end", "ct.end", "flow.start", "oob.time"}

// Dating returns how rows of this shape are dated: by the first of the keys that they have.
func (s *Shape) Dating() (d Dating) {
	for i, k := range s.Keys {
		if slices.Contains(datedBy, k.Name) && k.Type == engine.TimeType {
			d.keys = append(d.keys, i)
		}
	}
	slices.SortFunc(d.keys, func(a, b int) int {
		return cmp.Compare(slices.Index(datedBy, s.Keys[a].Name), slices.Index(datedBy, s.Keys[b].Name))
	})
	return d
}

// Of returns when a row happened; ok is false where it does not say.
func (d *Dating) Of(row []Value) (t engine.Time, ok bool) {
	for _, i := range d.keys {
		if row[i].Valid {
			return row[i].Time(), true
		}
	}
	return 0, false
}

// Keys returns the places in the shape of the keys that date rows, the best first.
func (d *Dating) Keys() []int { return d.keys }

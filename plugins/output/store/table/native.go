// Tables of the output's own.

package table

import (
	"slices"
	"strings"
	"time"

	"ulogd/engine"
	"ulogd/plugins/output/store"
)

// A Native is such a table: its first column, time, says when a row happened.
type Native struct {
	Name    string
	Columns []Column
	dating  store.Dating
}

// Time is the name of the column that says when a row happened: that of the key which dates it, or
// when it was written where it has none.
const Time = "time"

// NewNative returns the table for rows of a shape. Its name is that of the kind of record, unless
// another is asked for.
func NewNative(s *store.Shape, name string) *Native {
	n := &Native{Name: name, dating: s.Dating()}
	if name == "" {
		n.Name = kind(s)
	}
	n.Columns = append(n.Columns, Column{Name: Time, Key: len(s.Keys), Type: engine.TimeType, As: AsTimestamp})
	for i, k := range s.Keys {
		n.Columns = append(n.Columns, Column{Name: columnName(k.Name), Key: i, Type: k.Type})
		if k.Type == engine.TimeType {
			n.Columns[len(n.Columns)-1].As = AsTimestamp
		}
	}
	return n
}

// kind returns what rows of a shape are.
func kind(s *store.Shape) string {
	switch {
	case s.Index("sum.name") >= 0:
		return "counters"
	case s.Index("orig.ip.saddr") >= 0, s.Index("flow.start") >= 0:
		return "flows"
	}
	return "packets"
}

// Row returns room for a row: a value for each key, and one for its time.
func (n *Native) Row() []store.Value { return make([]store.Value, len(n.Columns)) }

// Date fills in the time of a row that was read.
func (n *Native) Date(row []store.Value) engine.Time {
	t, ok := n.dating.Of(row)
	if !ok {
		t = engine.Time(time.Now().UnixNano())
	}
	row[len(row)-1] = store.Value{Valid: true, N: uint64(t)}
	return t
}

// Definition returns the columns of a CREATE TABLE, by what a database calls the types of keys.
func (n *Native) Definition(d *Dialect, sqlType func(engine.Type) string) string {
	var list []string
	for _, c := range n.Columns {
		text := d.Name(c.Name) + " " + sqlType(c.Type)
		if c.Name == Time {
			text += " NOT NULL"
		}
		list = append(list, text)
	}
	return strings.Join(list, ", ")
}

// Has reports whether the table has all these columns.
func (n *Native) Has(names ...string) bool {
	for _, name := range names {
		if !slices.ContainsFunc(n.Columns, func(c Column) bool { return c.Name == name }) {
			return false
		}
	}
	return true
}

// In reports whether a table with these columns has all of n's.
func (n *Native) In(names []string) bool {
	return !slices.ContainsFunc(n.Columns, func(c Column) bool { return !slices.Contains(names, c.Name) })
}

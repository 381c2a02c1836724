// Package table is what outputs to SQL databases share below their rows: which key fills which
// column of a table, how its value is shown there, and the statements that write rows as ulogd2
// builds them.
package table

import (
	"fmt"
	"strings"

	"ulogd/engine"
	"ulogd/plugins/output/store"
)

// A Part is what of a key's value a column shows.
type Part uint8

// The parts: all of it; the seconds or the microseconds of a time, as ulogd2 has them.
const (
	Whole Part = iota
	Seconds
	Microseconds
)

// A Column is a column of a table and the key that fills it.
type Column struct {
	Name string
	Key  int         // in the shape
	Type engine.Type // of what it shows: of the key, or of its part
	Part Part
	As   As
}

// Columns finds the keys that fill the columns of a table as ulogd2 does: a column's name is the
// key's, with _ for each dot. Columns without a key are an error.
func Columns(s *store.Shape, table string, names []string) ([]Column, error) {
	var out []Column
	var lack []string
	for _, name := range names {
		if c, ok := find(s, name); ok {
			out = append(out, c)
		} else {
			lack = append(lack, name)
		}
	}
	if lack != nil {
		return nil, fmt.Errorf("table %s: no plugin of the stack gives what its columns %s take (a column is named as its "+
			"key, with _ for each dot); add the plugin that does, drop the columns, or name a view without them",
			table, strings.Join(lack, ", "))
	}
	return out, nil
}

func find(s *store.Shape, name string) (Column, bool) {
	for i, k := range s.Keys {
		plain := columnName(k.Name)
		switch {
		case plain == name:
			return Column{Name: name, Key: i, Type: k.Type}, true
		case k.Type == engine.TimeType && plain+"_sec" == name:
			return Column{Name: name, Key: i, Type: engine.Uint32Type, Part: Seconds}, true
		case k.Type == engine.TimeType && plain+"_usec" == name:
			return Column{Name: name, Key: i, Type: engine.Uint32Type, Part: Microseconds}, true
		}
	}
	return Column{}, false
}

func columnName(key string) string { return strings.ReplaceAll(key, ".", "_") }

// Of returns the column's value of a row; nil if it has none.
func (c *Column) Of(row []store.Value) *store.Value {
	if !row[c.Key].Valid {
		return nil
	}
	return &row[c.Key]
}

// Number returns what the column shows of a whole number or a time.
func (c *Column) Number(v *store.Value) uint64 {
	switch c.Part {
	case Seconds:
		return uint64(v.Time().Sec())
	case Microseconds:
		return uint64(v.Time().Usec())
	}
	return v.N
}

// Signed reports whether the column's numbers may be negative.
func (c *Column) Signed() bool {
	switch c.Type {
	case engine.Int8Type, engine.Int16Type, engine.Int32Type, engine.Int64Type, engine.TimeType:
		return true
	}
	return false
}

// Missing is the error where the table that is to be filled is not there. It has the statement that
// creates one.
func Missing(name string, s *store.Shape) error {
	var columns []string
	for _, k := range s.Keys {
		columns = append(columns, columnName(k.Name)+" "+sqlType(k.Type))
	}
	return fmt.Errorf("there is no table %s; create it, with those of these columns that you want: CREATE TABLE %s (%s)",
		name, name, strings.Join(columns, ", "))
}

// sqlType is a type that every database knows and that holds all values of the key.
func sqlType(t engine.Type) string {
	switch t {
	case engine.BoolType:
		return "BOOLEAN"
	case engine.Uint8Type, engine.Int8Type, engine.Int16Type:
		return "SMALLINT"
	case engine.Uint16Type, engine.Int32Type:
		return "INTEGER"
	case engine.Uint32Type, engine.Int64Type, engine.TimeType:
		return "BIGINT"
	case engine.Uint64Type:
		return "NUMERIC(20)"
	}
	return "VARCHAR(255)"
}

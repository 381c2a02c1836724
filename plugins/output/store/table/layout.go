// The option layout: tables as ulogd2 has them, or of the output's own.

package table

import (
	"errors"
	"slices"

	"ulogd/engine"
	"ulogd/plugins/output/store"
)

// A Layout is which table is asked for, and how it is filled: the options table, procedure and layout,
// and those that go with them.
type Layout struct {
	Table     string
	Procedure string // "" where the database calls none
	Compat    bool   // values are ulogd2's, with its faults
	Native    bool
	Create    bool // tables of the output's own are made, and get columns that they lack
	Retention store.Retention

	layout  string
	columns []string
}

// DeclareProcedure declares procedure.
func (l *Layout) DeclareProcedure(opts *engine.Options) {
	opts.String(&l.Procedure, "procedure", "INSERT",
		"INSERT, or a statement that begins so, up to its columns; CALL and a procedure; or a function, which SELECT "+
			"calls with the values of the table's columns")
}

// Declare declares the other options.
func (l *Layout) Declare(opts *engine.Options) {
	opts.String(&l.Table, "table", "", "the table or view whose columns say which keys; native: unset, the kind of record")
	opts.Enum(&l.layout, "layout", "ulogd2", []string{"ulogd2", "native"},
		"ulogd2: the columns of table say which keys, and procedure how they are written; native: a wide, typed table "+
			"for each kind of record, flows, packets and counters, in which a batch whose answer was lost is recognised "+
			"when it comes again")
	opts.Bool(&l.Create, "create", true, "native: make tables and views that are not there, and add columns that a table "+
		"lacks")
	opts.Strings(&l.columns, "columns", nil, "native: keys that the table is to have; unset: every key of the stack")
	l.Retention.Declare(opts, "native: how long rows are kept")
}

// Validate checks the options against each other and against those of ulogd2's layout.
func (l *Layout) Validate() error {
	if err := l.Retention.Validate(); err != nil {
		return err
	}
	switch l.Native = l.layout == "native"; {
	case !l.Native && l.Table == "":
		return errors.New("table: must be set to the table or view whose columns say which keys")
	case !l.Native && (len(l.columns) > 0 || l.Retention.Duration > 0):
		return errors.New(`columns and retention: are for layout = "native" alone`)
	case l.Native && l.Procedure != "" && !IsInsert(l.Procedure):
		return errors.New(`procedure: layout = "native" calls none; remove the option`)
	}
	return nil
}

// Fields returns the keys of a stack that rows are to have.
func (l *Layout) Fields(p *engine.Binder) []engine.Field {
	l.Compat = p.Settings().CompatULOGD2()
	if !l.Native || len(l.columns) == 0 {
		return store.All(p) // the table is not known yet
	}
	fields := store.Named(p, l.columns)
	for _, name := range l.columns {
		if _, ok := p.Named(name); !ok {
			p.Problem("columns: no plugin of the stack gives %s; take it out, or add the plugin that does", name)
		}
	}
	for _, name := range []string{"flow.end", "flow.start", "oob.time"} { // what dates the row
		if f, ok := p.Named(name); ok && !slices.Contains(l.columns, name) {
			fields = append(fields, f)
		}
	}
	return fields
}

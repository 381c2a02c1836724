// The option layout: tables as ulogd2 has them, or of the output's own.

package table

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

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
	Create    bool          // tables of the output's own are made, and get columns that they lack
	Retention time.Duration // how long rows are kept; 0: for ever

	layout, retention string
	columns           []string
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
	opts.String(&l.retention, "retention", "0",
		"native: how long rows are kept, in days (30d) or hours (36h); 0: for ever")
}

// keep reads the option retention.
func (l *Layout) keep() error {
	text := l.retention
	if number, ok := strings.CutSuffix(text, "d"); ok {
		if days, err := strconv.ParseUint(number, 10, 16); err == nil {
			text = fmt.Sprintf("%dh", 24*days)
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > 0 && d < time.Hour {
		return fmt.Errorf("retention: must be at least an hour, in days (30d) or hours (36h), is %q", l.retention)
	}
	l.Retention = d
	return nil
}

// Validate checks the options against each other and against those of ulogd2's layout.
func (l *Layout) Validate() error {
	if err := l.keep(); err != nil {
		return err
	}
	switch l.Native = l.layout == "native"; {
	case !l.Native && l.Table == "":
		return errors.New("table: must be set to the table or view whose columns say which keys")
	case !l.Native && (len(l.columns) > 0 || l.Retention > 0):
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

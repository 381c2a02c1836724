//go:build !mips && !mipsle

// One connection: the file, its table, and the statement that inserts.

package sqlite3

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"ulogd/engine"
	"ulogd/engine/safefile"
	"ulogd/plugins/output/store"
	"ulogd/plugins/output/store/table"
)

// busyFor is how long a locked file is waited for before the batch is tried anew.
const busyFor = time.Second

type conn struct {
	*output
	env   *engine.Env
	db    *sqlite.Conn
	file  os.FileInfo
	plans store.Plans[plan]
}

var dialect = table.Dialect{Quote: `"`}

// Connect opens the file and looks at its table.
func (o *output) Connect(_ context.Context, env *engine.Env, shapes []*store.Shape) (store.Conn, error) {
	if err := safefile.Library(o.db); err != nil { // the directory may have been given away since the start
		return nil, err
	}
	db, err := sqlite.OpenConn(o.db, sqlite.OpenReadWrite|sqlite.OpenCreate)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", o.db, err)
	}
	c := &conn{output: o, env: env, db: db, plans: store.Plans[plan]{}}
	c.file, _ = os.Stat(o.db) // nil: it is none that can be moved
	db.SetBusyTimeout(busyFor)
	if err := c.prepare(shapes); err != nil {
		db.Close()
		return nil, err
	}
	return c, nil
}

// prepare makes a plan for each shape. What is committed is on the disk: a loss of power costs
// nothing that was counted as written.
func (c *conn) prepare(shapes []*store.Shape) error {
	for _, pragma := range []string{"PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL"} {
		if err := sqlitex.ExecuteTransient(c.db, pragma, nil); err != nil {
			return fmt.Errorf("open %s: %w", c.output.db, err)
		}
	}
	for _, s := range shapes {
		if _, err := c.plan(s); err != nil {
			return err
		}
	}
	return nil
}

func (c *conn) Close() error { return c.db.Close() }

// plan returns how rows of a shape are inserted, found out once.
func (c *conn) plan(s *store.Shape) (*plan, error) {
	return c.plans.Of(s, func() (*plan, error) {
		p, err := c.findPlan(s)
		if err != nil {
			return nil, err
		}
		if err := p.prepare(c.db); err != nil {
			return nil, fmt.Errorf("insert into %s: %w", p.table, err)
		}
		return p, nil
	})
}

func (c *conn) findPlan(s *store.Shape) (*plan, error) {
	if c.layout.Native {
		return c.nativePlan(s)
	}
	return c.foundPlan(s)
}

// Fits reports by an error that the table is no longer the one that rows of this shape were encoded for.
func (c *conn) Fits(_ context.Context, s *store.Shape) error {
	same := func(was, now *plan) bool { return slices.Equal(was.columns, now.columns) }
	return c.plans.Fits(s, func() (*plan, error) { return c.findPlan(s) }, same)
}

// foundPlan returns how rows of a shape fill a table as ulogd2 has it.
func (c *conn) foundPlan(s *store.Shape) (*plan, error) {
	names, types, err := c.describe(c.layout.Table)
	if err != nil {
		return nil, fmt.Errorf("read the columns of %s: %w", c.layout.Table, err)
	}
	if len(names) == 0 {
		return nil, table.Missing(c.layout.Table, s)
	}
	p := &plan{table: c.layout.Table, compat: c.layout.Compat, row: make([]store.Value, len(s.Keys))}
	if p.columns, err = table.Columns(s, c.layout.Table, names); err != nil {
		return nil, err
	}
	for i := range p.columns {
		switch col := &p.columns[i]; {
		case c.layout.Compat:
			col.As = table.AsMemory
		case types[i] == "BLOB":
			col.As = table.AsOctets
		case strings.Contains(types[i], "INT"): // SQLite's own rule of which columns hold whole numbers
			col.As = table.AsNumber
		}
	}
	return p, nil
}

// describe lists the columns of the table; none if it is not there.
func (c *conn) describe(table string) (names, types []string, err error) {
	err = sqlitex.ExecuteTransient(c.db, "SELECT name, upper(type) FROM pragma_table_info(?)", &sqlitex.ExecOptions{
		Args: []any{table},
		ResultFunc: func(stmt *sqlite.Stmt) error {
			names, types = append(names, stmt.ColumnText(0)), append(types, stmt.ColumnText(1))
			return nil
		},
	})
	return names, types, err
}

// Send inserts the rows in one transaction.
func (c *conn) Send(ctx context.Context, rows *store.Rows) (err error) {
	if now, err := os.Stat(c.output.db); c.file != nil && !os.SameFile(c.file, now) {
		return errors.Join(fmt.Errorf("the file %s has been moved away or deleted; opening it anew", c.output.db), err)
	}
	p, err := c.plan(rows.Shape)
	if err != nil {
		return err
	}
	c.db.SetInterrupt(ctx.Done())
	defer c.db.SetInterrupt(nil)
	if err := sqlitex.Execute(c.db, "BEGIN IMMEDIATE", nil); err != nil {
		return err
	}
	if p.native != nil {
		if known, err := c.known(rows); known || err != nil {
			return c.undo(err)
		}
	}
	if err := p.send(rows); err != nil {
		return c.undo(err)
	}
	if err := sqlitex.Execute(c.db, "COMMIT", nil); err != nil {
		return c.undo(err)
	}
	return nil
}

// undo ends the transaction, and says whose fault the error is.
func (c *conn) undo(err error) error {
	c.db.SetInterrupt(nil)
	if !c.db.AutocommitEnabled() {
		if e := sqlitex.Execute(c.db, "ROLLBACK", nil); e != nil {
			return errors.Join(err, e)
		}
	}
	if err == nil {
		return nil
	}
	switch sqlite.ErrCode(err).ToPrimary() {
	case sqlite.ResultConstraint, sqlite.ResultMismatch, sqlite.ResultTooBig, sqlite.ResultRange:
		return &store.Refused{Err: err}
	}
	return err
}

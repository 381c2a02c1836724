// One connection: the table's columns, and how batches are sent.

package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	driver "github.com/go-sql-driver/mysql"

	"ulogd/engine"
	"ulogd/plugins/output/store"
	"ulogd/plugins/output/store/table"
)

type conn struct {
	*output
	env    *engine.Env
	pool   *sql.DB
	my     *sql.Conn // the only one of the pool
	plans  store.Plans[plan]
	noLoad bool // the server takes no LOAD DATA LOCAL
}

// plan is how rows of a shape are sent.
type plan struct {
	columns []table.Column
	write   table.Procedure
	load    string        // LOAD DATA LOCAL; empty: where a batch that it spoils could not be taken back
	native  *table.Native // nil: the table is as ulogd2 has it
	row     []store.Value
	buf     []byte
}

var dialect = table.Dialect{Quote: "`", Backslash: true, Hex: "x'"}

// session is the settings that literals are written for. Whether the session is strict is the
// server's to say, as with ulogd2: its own tables have no room for the protocol of IPv6, and a strict
// server refuses such packets. A locked table is waited for some seconds before the batch is tried anew and that
// is said; the server's own waits may be those of days.
const session = "SET SESSION sql_mode = REPLACE(@@sql_mode, 'NO_BACKSLASH_ESCAPES', ''), " +
	"time_zone = '+00:00', lock_wait_timeout = LEAST(@@lock_wait_timeout, 5), " +
	"innodb_lock_wait_timeout = LEAST(@@innodb_lock_wait_timeout, 5)"

// Connect connects and looks at the table.
func (o *output) Connect(ctx context.Context, env *engine.Env, shapes []*store.Shape) (store.Conn, error) {
	cfg, err := o.config()
	if err != nil {
		return nil, err
	}
	cfg.DialFunc = o.Dial
	at, err := driver.NewConnector(cfg)
	if err != nil {
		return nil, err
	}
	c := &conn{output: o, env: env, pool: sql.OpenDB(at), plans: store.Plans[plan]{}}
	if c.my, err = c.pool.Conn(ctx); err != nil {
		c.pool.Close()
		return nil, err
	}
	if _, err = c.my.ExecContext(ctx, session); err != nil {
		c.Close()
		return nil, err
	}
	for _, s := range shapes {
		if _, err := c.plan(ctx, s); err != nil {
			c.Close()
			return nil, err
		}
	}
	return c, nil
}

func (c *conn) Close() error { return errors.Join(c.my.Close(), c.pool.Close()) }

// plan returns how rows of a shape are sent, found out once.
func (c *conn) plan(ctx context.Context, s *store.Shape) (*plan, error) {
	return c.plans.Of(s, func() (*plan, error) { return c.findPlan(ctx, s) })
}

func (c *conn) findPlan(ctx context.Context, s *store.Shape) (*plan, error) {
	if c.layout.Native {
		return c.nativePlan(ctx, s)
	}
	return c.foundPlan(ctx, s)
}

// Fits reports by an error that the table is no longer the one that rows of this shape were encoded for.
func (c *conn) Fits(ctx context.Context, s *store.Shape) error {
	same := func(was, now *plan) bool { return slices.Equal(was.columns, now.columns) }
	return c.plans.Fits(s, func() (*plan, error) { return c.findPlan(ctx, s) }, same)
}

// foundPlan returns how rows of a shape fill a table as ulogd2 has it.
func (c *conn) foundPlan(ctx context.Context, s *store.Shape) (*plan, error) {
	names, types, err := c.describe(ctx, c.layout.Table)
	if err != nil {
		return nil, fmt.Errorf("read the columns of %s: %w", c.layout.Table, err)
	}
	if len(names) == 0 {
		return nil, table.Missing(c.layout.Table, s)
	}
	p := &plan{row: make([]store.Value, len(s.Keys))}
	if p.columns, err = table.Columns(s, c.layout.Table, names[1:]); err != nil {
		return nil, err
	}
	for i := range p.columns {
		p.columns[i].As = c.as(types[i+1])
	}
	p.write = table.NewProcedure(c.layout.Procedure, dialect.Name(c.layout.Table), p.columns, &dialect)
	if table.IsInsert(c.layout.Procedure) {
		p.load, err = c.loading(ctx, c.layout.Table, p.columns)
	}
	return p, err
}

// describe lists the columns of the table and their types; none if it is not there.
func (c *conn) describe(ctx context.Context, table string) (names, types []string, err error) {
	rows, err := c.my.QueryContext(ctx, "SELECT column_name, lower(data_type) FROM information_schema.columns "+
		"WHERE table_schema = DATABASE() AND table_name = ? ORDER BY ordinal_position", table)
	if err != nil {
		return nil, nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name, typ string
		if err := rows.Scan(&name, &typ); err != nil {
			return nil, nil, err
		}
		names, types = append(names, name), append(types, typ)
	}
	return names, types, rows.Err()
}

// as says how a column of the type shows addresses and times.
func (c *conn) as(typ string) table.As {
	switch {
	case strings.HasSuffix(typ, "binary"), strings.HasSuffix(typ, "blob"):
		return table.AsOctets
	case strings.HasSuffix(typ, "int"), typ == "decimal":
		if c.layout.Compat {
			return table.AsMemory
		}
		return table.AsNumber
	case typ == "datetime", typ == "timestamp":
		return table.AsTimestamp
	}
	return table.AsText
}

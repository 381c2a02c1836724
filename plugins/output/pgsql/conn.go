// One connection: the table's columns, and how batches are sent.

package pgsql

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"ulogd/engine"
	"ulogd/plugins/output/store"
	"ulogd/plugins/output/store/table"
)

type conn struct {
	*output
	env   *engine.Env
	pg    *pgconn.PgConn
	plans store.Plans[plan]
}

// plan is how rows of a shape are sent.
type plan struct {
	columns []table.Column
	oids    []uint32 // types of the columns
	copy    string   // the statement; empty: rows go by procedure
	calls   table.Procedure
	native  *native // nil: the table is as ulogd2 has it
	row     []store.Value
	buf     []byte
}

var dialect = table.Dialect{Quote: `"`, Hex: `'\x`}

// lockTimeout is how long a locked table is waited for before the batch is tried anew and that is said, unless
// the database or the role has a setting of its own.
const lockTimeout = "SELECT set_config('lock_timeout', '5s', false) WHERE current_setting('lock_timeout') = '0'"

// Connect connects and looks at the table.
func (o *output) Connect(ctx context.Context, env *engine.Env, shapes []*store.Shape) (store.Conn, error) {
	cfg, err := o.config()
	if err != nil {
		return nil, err
	}
	cfg.DialFunc = o.Dial
	pg, err := pgconn.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	c := &conn{output: o, env: env, pg: pg, plans: store.Plans[plan]{}}
	if err := c.exec(ctx, lockTimeout); err != nil {
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

func (c *conn) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return c.pg.Close(ctx)
}

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
	return c.plans.Fits(s, func() (*plan, error) { return c.findPlan(ctx, s) }, func(was, now *plan) bool {
		return slices.Equal(was.columns, now.columns) && slices.Equal(was.oids, now.oids)
	})
}

// foundPlan returns how rows of a shape are sent to a table as ulogd2 has it.
func (c *conn) foundPlan(ctx context.Context, s *store.Shape) (*plan, error) {
	name := c.schema + "." + c.layout.Table
	names, oids, copies, err := c.describe(ctx, c.layout.Table)
	if err != nil {
		return nil, fmt.Errorf("read the columns of %s: %w", name, err)
	}
	if len(names) == 0 {
		return nil, table.Missing(name, s)
	}
	if names[0][0] == '_' {
		names, oids = names[1:], oids[1:]
	}
	p := &plan{oids: oids, row: make([]store.Value, len(s.Keys))}
	if p.columns, err = table.Columns(s, name, names); err != nil {
		return nil, err
	}
	binary := copies && table.IsInsert(c.layout.Procedure)
	for i := range p.columns {
		p.columns[i].As = c.as(oids[i])
		binary = binary && takes(&p.columns[i], oids[i])
	}
	if binary {
		p.copy = c.copyTo(c.layout.Table, p.columns)
	} else {
		p.calls = table.NewProcedure(c.layout.Procedure, c.name(c.layout.Table), p.columns, &dialect)
	}
	return p, nil
}

// name is a table's name in a statement.
func (c *conn) name(table string) string { return dialect.Name(c.schema) + "." + dialect.Name(table) }

func (c *conn) copyTo(to string, columns []table.Column) string {
	return "COPY " + c.name(to) + " (" + dialect.Names(columns) + ") FROM STDIN (FORMAT binary)"
}

// describe lists the columns of the table and their types; none if it is not there. It reports whether
// COPY fills it: not a view.
func (c *conn) describe(ctx context.Context, table string) (names []string, oids []uint32, copies bool, err error) {
	res := c.pg.ExecParams(ctx, `SELECT a.attname, a.atttypid::int8::text, r.relkind IN ('r', 'p', 'f')
		FROM pg_attribute a JOIN pg_class r ON r.oid = a.attrelid JOIN pg_namespace n ON n.oid = r.relnamespace
		WHERE n.nspname = $1 AND r.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum`,
		[][]byte{[]byte(c.schema), []byte(table)}, nil, nil, nil).Read()
	for _, r := range res.Rows {
		oid, _ := strconv.ParseUint(string(r[1]), 10, 32)
		names, oids, copies = append(names, string(r[0])), append(oids, uint32(oid)), string(r[2]) == "t"
	}
	return names, oids, copies, res.Err
}

// as says how a column of the type shows addresses and times.
func (c *conn) as(oid uint32) table.As {
	switch oid {
	case oidBytea:
		return table.AsOctets
	case oidInt2, oidInt4, oidInt8, oidNumeric:
		if c.layout.Compat {
			return table.AsMemory
		}
		return table.AsNumber
	case oidTimestamp, oidTimestamptz:
		return table.AsTimestamp
	}
	return table.AsText
}

// Send sends rows in one transaction.
func (c *conn) Send(ctx context.Context, rows *store.Rows) error {
	p, err := c.plan(ctx, rows.Shape)
	if err != nil {
		return err
	}
	if p.copy == "" {
		return judge(c.call(ctx, p, rows))
	}
	if p.native != nil {
		return c.once(ctx, p, rows)
	}
	return judge(c.copy(ctx, p, rows))
}

// copy has COPY take the rows.
func (c *conn) copy(ctx context.Context, p *plan, rows *store.Rows) error {
	from := p.source(rows)
	tag, err := c.pg.CopyFrom(ctx, from, p.copy)
	switch bad := from.close(); {
	case bad != nil:
		return &store.Refused{Err: bad}
	case err == nil && tag.RowsAffected() != int64(rows.Len()):
		return fmt.Errorf("COPY took %d rows of %d", tag.RowsAffected(), rows.Len())
	}
	return err
}

// call sends rows as statements: those of one query are one transaction.
func (c *conn) call(ctx context.Context, p *plan, rows *store.Rows) error {
	p.buf = p.calls.Append(p.buf[:0], rows, p.row)
	r := c.pg.Exec(ctx, string(p.buf))
	for r.NextResult() {
		r.ResultReader().Close()
	}
	return r.Close()
}

// judge says whose fault an error is: of the data (class 22), of constraints (23, 44), of a limit (54),
// of what a function found (21) or raised (P0); or not the rows' own.
func judge(err error) error {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok && len(pg.Code) == 5 {
		switch pg.Code[:2] {
		case "21", "22", "23", "44", "54", "P0":
			return &store.Refused{Err: err}
		}
	}
	return err
}

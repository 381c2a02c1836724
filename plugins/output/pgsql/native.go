// Tables of the output's own: made, migrated, and filled once with each batch.

package pgsql

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"ulogd/engine"
	"ulogd/plugins/output/store"
	"ulogd/plugins/output/store/table"
)

// batches is the table of what has been taken.
const batches = "ulogd_batches"

// native is a table of the output's own.
type native struct {
	*table.Native
	days []int64 // of the rows that are being sent, since 1970, each once
	made map[int64]bool
}

// note notes the days of rows that are about to be sent.
func (n *native) note(rows *store.Rows, row []store.Value) {
	n.days = n.days[:0]
	for i := range rows.Len() {
		rows.Read(i, row)
		if day := int64(n.Date(row)) / int64(aDay); !slices.Contains(n.days, day) {
			n.days = append(n.days, day)
		}
	}
}

// nativePlan makes the table, or looks whether it fits.
func (c *conn) nativePlan(ctx context.Context, s *store.Shape) (*plan, error) {
	n := table.NewNative(s, c.layout.Table)
	p := &plan{native: &native{Native: n, made: map[int64]bool{}}, columns: n.Columns, row: n.Row()}
	names, oids, err := c.nativeColumns(ctx, n)
	if err != nil {
		return nil, err
	}
	for i := range p.columns {
		col := &p.columns[i]
		at := slices.Index(names, col.Name)
		if at < 0 {
			return nil, fmt.Errorf("the table %s.%s lacks the column %s: set create = true, or run: %s", c.schema, n.Name,
				col.Name, c.creation(n))
		}
		if col.As = c.as(oids[at]); !takes(col, oids[at]) {
			return nil, fmt.Errorf("the column %s of %s.%s is not of the type %s, which the output makes; rename the table "+
				"or name another", col.Name, c.schema, n.Name, sqlType(col.Type))
		}
		p.oids = append(p.oids, oids[at])
	}
	p.copy = c.copyTo(n.Name, p.columns)
	return p, nil
}

// nativeColumns returns the columns of the table, which is made or gets what it lacks if that is wanted. To
// statements that do so everybody who reads the table is in the way, even where there is nothing to do.
func (c *conn) nativeColumns(ctx context.Context, n *table.Native) (names []string, oids []uint32, err error) {
	for first := true; ; first = false {
		noted, _, _, err := c.describe(ctx, batches)
		if err == nil {
			names, oids, _, err = c.describe(ctx, n.Name)
		}
		if err != nil {
			return nil, nil, fmt.Errorf("read the columns of %s.%s: %w", c.schema, n.Name, err)
		}
		if n.In(names) && len(noted) > 0 || !first || !c.layout.Create {
			return names, oids, nil
		}
		if err := c.exec(ctx, c.creation(n)); err != nil {
			return nil, nil, fmt.Errorf("make the table %s.%s: %w", c.schema, n.Name, err)
		}
	}
}

// sqlType is the type of a column for a key's values.
func sqlType(t engine.Type) string {
	switch t {
	case engine.BoolType:
		return "boolean"
	case engine.Uint8Type, engine.Int8Type, engine.Int16Type:
		return "smallint"
	case engine.Uint16Type, engine.Int32Type:
		return "integer"
	case engine.Uint32Type, engine.Uint64Type, engine.Int64Type:
		return "bigint"
	case engine.TimeType:
		return "timestamptz"
	case engine.AddrType:
		return "inet"
	case engine.MACType:
		return "macaddr"
	case engine.RawType, engine.LabelType:
		return "bytea"
	}
	return "text"
}

// creation is the statements that make a table, add what it lacks, and make the views on flows.
func (c *conn) creation(n *table.Native) string {
	name := c.name(n.Name)
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE TABLE IF NOT EXISTS %s (id text COLLATE \"C\" PRIMARY KEY, time timestamptz NOT NULL DEFAULT now());\n",
		c.name(batches))
	fmt.Fprintf(&b, "CREATE TABLE IF NOT EXISTS %s (%s) PARTITION BY RANGE (time);\n", name,
		n.Definition(&dialect, sqlType))
	for _, col := range n.Columns[1:] {
		fmt.Fprintf(&b, "ALTER TABLE %s ADD COLUMN IF NOT EXISTS %s %s;\n", name, dialect.Name(col.Name), sqlType(col.Type))
	}
	fmt.Fprintf(&b, "CREATE TABLE IF NOT EXISTS %s PARTITION OF %s DEFAULT;\n", c.name(n.Name+"_default"), name)
	fmt.Fprintf(&b, "CREATE INDEX IF NOT EXISTS %s ON %s USING brin (time);\n", dialect.Name(n.Name+"_time"), name)
	for _, v := range n.Views(name, func(hours int) string { return fmt.Sprintf("now() - interval '%d hours'", hours) }) {
		c.view(&b, v.Name, v.Query)
	}
	return b.String()
}

// view makes a view unless there is something of that name: users may have made it what they like.
func (c *conn) view(b *strings.Builder, name, query string) {
	fmt.Fprintf(b, "DO $do$ BEGIN IF to_regclass('%s') IS NULL THEN CREATE VIEW %s AS %s; END IF; END $do$;\n",
		strings.ReplaceAll(c.name(name), "'", "''"), c.name(name), query)
}

// once sends rows and their name in one transaction, unless the database has them.
func (c *conn) once(ctx context.Context, p *plan, rows *store.Rows) error {
	p.native.note(rows, p.row)
	if err := c.partitions(ctx, p.native); err != nil {
		return err
	}
	known, err := c.begin(ctx, rows)
	if err == nil && !known {
		err = c.copy(ctx, p, rows)
	}
	end := "COMMIT"
	if err != nil || known {
		end = "ROLLBACK" // which does nothing where none has begun
	}
	if e := c.exec(ctx, end); e != nil {
		if err == nil { // a constraint may be deferred to the end
			return judge(e)
		}
		return fmt.Errorf("%w; and then: %w", err, e)
	}
	return judge(err)
}

// begin begins a transaction with the name of these rows. It reports whether the database has them.
func (c *conn) begin(ctx context.Context, rows *store.Rows) (known bool, err error) {
	if rows.Stored {
		from, to := rows.Pieces()
		res := c.pg.ExecParams(ctx, "SELECT id FROM "+c.name(batches)+` WHERE id COLLATE "C" >= $1 AND id COLLATE "C" < $2`,
			[][]byte{[]byte(from), []byte(to)}, nil, nil, nil).Read()
		var ids []string
		for _, r := range res.Rows {
			ids = append(ids, string(r[0]))
		}
		if res.Err != nil {
			return false, res.Err
		}
		if known, err = rows.Known(ids); known || err != nil {
			return known, err
		}
	}
	r, err := c.pg.Exec(ctx, "BEGIN; INSERT INTO "+c.name(batches)+" (id) VALUES ('"+rows.ID()+"') ON CONFLICT DO "+
		"NOTHING").ReadAll()
	if err != nil {
		return false, err
	}
	return r[len(r)-1].CommandTag.RowsAffected() == 0, nil
}

// exec runs statements; many are one transaction.
func (c *conn) exec(ctx context.Context, text string) error {
	_, err := c.pg.Exec(ctx, text).ReadAll()
	return err
}

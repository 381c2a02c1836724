// Tables of the output's own: made, migrated, and filled once with each batch.

package mysql

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"ulogd/engine"
	"ulogd/plugins/output/store"
	"ulogd/plugins/output/store/table"
)

// nativePlan makes the table, or looks whether it fits.
func (c *conn) nativePlan(ctx context.Context, s *store.Shape) (*plan, error) {
	n := table.NewNative(s, c.layout.Table)
	noted, _, err := c.describe(ctx, "ulogd_batches")
	var names []string
	if err == nil {
		names, _, err = c.describe(ctx, n.Name)
	}
	if err != nil {
		return nil, fmt.Errorf("read the columns of %s: %w", n.Name, err)
	}
	// Statements that make tables wait for those who use them, even where there is nothing to do.
	whole := n.In(names) && len(noted) > 0
	switch statements := creation(n, names); {
	case !whole && c.layout.Create:
		if err := c.create(ctx, n, statements); err != nil {
			return nil, fmt.Errorf("make the table %s: %w", n.Name, err)
		}
	case !whole:
		return nil, fmt.Errorf("the table %s is not there, or lacks columns: set create = true, or run: %s", n.Name,
			statements)
	}
	p := &plan{columns: n.Columns, native: n, row: n.Row(), write: n.Insert(&dialect, dialect.Name(n.Name))}
	p.load, err = c.loading(ctx, n.Name, n.Columns)
	return p, err
}

// sqlType is the type of a column for a key's values.
func sqlType(t engine.Type) string {
	switch t {
	case engine.BoolType:
		return "boolean"
	case engine.Uint8Type:
		return "tinyint unsigned"
	case engine.Uint16Type:
		return "smallint unsigned"
	case engine.Uint32Type:
		return "int unsigned"
	case engine.Uint64Type:
		return "bigint unsigned"
	case engine.Int8Type, engine.Int16Type, engine.Int32Type, engine.Int64Type:
		return "bigint"
	case engine.TimeType:
		return "datetime(6)"
	case engine.AddrType:
		return "varchar(39) CHARACTER SET ascii"
	case engine.MACType:
		return "char(17) CHARACTER SET ascii"
	case engine.RawType, engine.LabelType:
		return "blob"
	}
	return "text CHARACTER SET utf8mb4"
}

// creation is the statements that make a table, or add to the columns that it has.
func creation(n *table.Native, has []string) string {
	var b strings.Builder
	b.WriteString("CREATE TABLE IF NOT EXISTS ulogd_batches (id varchar(80) CHARACTER SET ascii PRIMARY KEY, " +
		"time timestamp DEFAULT CURRENT_TIMESTAMP) ENGINE=InnoDB;\n")
	fmt.Fprintf(&b, "CREATE TABLE IF NOT EXISTS %s (%s, KEY (time)) ENGINE=InnoDB", dialect.Name(n.Name),
		n.Definition(&dialect, sqlType))
	for _, col := range n.Columns {
		if len(has) > 0 && !slices.Contains(has, col.Name) {
			fmt.Fprintf(&b, ";\nALTER TABLE %s ADD COLUMN %s %s", dialect.Name(n.Name), dialect.Name(col.Name),
				sqlType(col.Type))
		}
	}
	return b.String()
}

// create runs these statements, and makes views where there is nothing of their names.
func (c *conn) create(ctx context.Context, n *table.Native, statements string) error {
	ago := func(hours int) string { return fmt.Sprintf("UTC_TIMESTAMP(6) - INTERVAL %d HOUR", hours) }
	for _, v := range n.Views(dialect.Name(n.Name), ago) {
		has, _, err := c.describe(ctx, v.Name)
		if err != nil {
			return err
		}
		if len(has) == 0 {
			statements += fmt.Sprintf(";\nCREATE VIEW %s AS %s", dialect.Name(v.Name), v.Query)
		}
	}
	return c.exec(ctx, []byte(statements))
}

// Maintain deletes what is older than the retention, some at a time, so that nobody has to wait for
// long. What cannot be had soon is tried again a minute later.
func (c *conn) Maintain(ctx context.Context) error {
	if !c.layout.Native || !c.layout.Create {
		return nil
	}
	statements := "DELETE FROM ulogd_batches WHERE time < NOW() - INTERVAL 30 DAY LIMIT 10000"
	if c.layout.Retention.Duration > 0 {
		before := time.Now().Add(-c.layout.Retention.Duration).UTC().Format(time.DateTime)
		for _, p := range c.plans {
			statements += fmt.Sprintf("; DELETE FROM %s WHERE time < '%s' LIMIT 100000", dialect.Name(p.native.Name), before)
		}
	}
	if err := c.exec(ctx, []byte(statements)); err != nil {
		if e := c.my.PingContext(ctx); e != nil {
			return err
		}
		c.env.Limited().Error("rows that are older than the retention cannot be deleted now; trying again", "error", err)
	}
	return nil
}

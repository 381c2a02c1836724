//go:build !mips && !mipsle

// Tables of the output's own: made, migrated, and filled once with each batch.

package sqlite3

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"ulogd/engine"
	"ulogd/plugins/output/store"
	"ulogd/plugins/output/store/table"
)

// nativePlan makes the table, or looks whether it fits.
func (c *conn) nativePlan(s *store.Shape) (*plan, error) {
	n := table.NewNative(s, c.layout.Table)
	names, _, err := c.describe(n.Name)
	if err != nil {
		return nil, fmt.Errorf("read the columns of %s: %w", n.Name, err)
	}
	if statements := creation(n, names); c.layout.Create {
		if err := sqlitex.ExecuteScript(c.db, statements, nil); err != nil {
			return nil, fmt.Errorf("make the table %s: %w", n.Name, err)
		}
	} else if !n.In(names) {
		return nil, fmt.Errorf("the table %s is not there, or lacks columns: set create = true, or run: %s", n.Name,
			statements)
	}
	return &plan{table: n.Name, columns: n.Columns, native: n, row: n.Row()}, nil
}

// sqlType is the type of a column for a key's values.
func sqlType(t engine.Type) string {
	switch {
	case t == engine.TimeType:
		return "TEXT"
	case t == engine.RawType, t == engine.LabelType:
		return "BLOB"
	case t.Integer():
		return "INTEGER"
	}
	return "TEXT"
}

// creation is the statements that make a table, or add to the columns that it has, and make the
// views on flows.
func creation(n *table.Native, has []string) string {
	name := dialect.Name(n.Name)
	var b strings.Builder
	b.WriteString("CREATE TABLE IF NOT EXISTS ulogd_batches (id TEXT PRIMARY KEY, time TEXT DEFAULT CURRENT_TIMESTAMP);\n")
	fmt.Fprintf(&b, "CREATE TABLE IF NOT EXISTS %s (%s);\n", name, n.Definition(&dialect, sqlType))
	for _, col := range n.Columns {
		if len(has) > 0 && !slices.Contains(has, col.Name) {
			fmt.Fprintf(&b, "ALTER TABLE %s ADD COLUMN %s %s;\n", name, dialect.Name(col.Name), sqlType(col.Type))
		}
	}
	fmt.Fprintf(&b, "CREATE INDEX IF NOT EXISTS %s ON %s (time);\n", dialect.Name(n.Name+"_time"), name)
	for _, v := range n.Views(name, func(hours int) string { return fmt.Sprintf("datetime('now', '-%d hours')", hours) }) {
		fmt.Fprintf(&b, "CREATE VIEW IF NOT EXISTS %s AS %s;\n", dialect.Name(v.Name), v.Query)
	}
	return b.String()
}

// known notes in the transaction that these rows are there. It reports whether they were before.
func (c *conn) known(rows *store.Rows) (bool, error) {
	if rows.Stored {
		if known, err := c.knownPieces(rows); known || err != nil {
			return known, err
		}
	}
	err := sqlitex.Execute(c.db, "INSERT OR IGNORE INTO ulogd_batches (id) VALUES (?)",
		&sqlitex.ExecOptions{Args: []any{rows.ID()}})
	return err == nil && c.db.Changes() == 0, err
}

// knownPieces looks whether pieces of the batch are there.
func (c *conn) knownPieces(rows *store.Rows) (bool, error) {
	from, to := rows.Pieces()
	var ids []string
	err := sqlitex.Execute(c.db, "SELECT id FROM ulogd_batches WHERE id >= ? AND id < ?", &sqlitex.ExecOptions{
		Args: []any{from, to},
		ResultFunc: func(stmt *sqlite.Stmt) error {
			ids = append(ids, stmt.ColumnText(0))
			return nil
		},
	})
	if err != nil {
		return false, err
	}
	return rows.Known(ids)
}

// Maintain deletes what is older than the retention. What is locked is tried again a minute later.
func (c *conn) Maintain(context.Context) error {
	if !c.layout.Native || !c.layout.Create {
		return nil
	}
	statements := "DELETE FROM ulogd_batches WHERE time < datetime('now', '-30 days');\n"
	if c.layout.Retention.Duration > 0 {
		before := time.Now().Add(-c.layout.Retention.Duration).UTC().Format(time.DateTime)
		for _, p := range c.plans {
			statements += fmt.Sprintf("DELETE FROM %s WHERE time < '%s';\n", dialect.Name(p.table), before)
		}
	}
	if err := sqlitex.ExecuteScript(c.db, statements, nil); err != nil {
		c.env.Limited().Error("rows that are older than the retention cannot be deleted now; trying again", "error", err)
	}
	return nil
}

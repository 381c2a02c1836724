// Partitions of tables of the output's own: one a day, made where rows want it, dropped when all of
// it is older than the retention.

package pgsql

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"ulogd/plugins/output/store/table"
)

const aDay = 24 * time.Hour

// window is how far back days have partitions of their own where rows are kept for ever. What is
// older or of the future, such as from a capture or by a wrong clock, goes to the default partition.
const window = 400 * aDay

func partition(table string, day time.Time) string { return table + "_" + day.Format("20060102") }

// partitions makes those that rows which are about to be sent want. Where that cannot be, because
// rows of the day are in the default partition, that is where the others go.
func (c *conn) partitions(ctx context.Context, n *native) error {
	oldest := window
	if c.layout.Retention.Duration > 0 {
		oldest = c.layout.Retention.Duration + aDay
	}
	now := time.Now()
	for _, number := range n.days {
		day := time.Unix(number*int64(aDay/time.Second), 0).UTC()
		if n.made[number] || !c.layout.Create || now.Sub(day) > oldest || day.After(now) {
			continue
		}
		err := c.exec(ctx, fmt.Sprintf("CREATE TABLE IF NOT EXISTS %s PARTITION OF %s FOR VALUES FROM ('%s') TO ('%s')",
			c.name(partition(n.Name, day)), c.name(n.Name), day.Format(time.RFC3339), day.Add(aDay).Format(time.RFC3339)))
		switch {
		case err != nil && (c.pg.IsClosed() || passes(err)):
			return err
		case err != nil:
			c.env.Limited().Warn("there is no partition for a day, its rows go to the default one", "table", n.Name,
				"day", day.Format(time.DateOnly), "error", err)
		}
		n.made[number] = true
	}
	return nil
}

// passes reports whether a statement that failed may do later: something is locked or full, or the server ends.
func passes(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	if !ok || len(pg.Code) != 5 {
		return true
	}
	switch pg.Code[:2] {
	case "40", "53", "55", "57", "58":
		return true
	}
	return false
}

// keepBatches is how long the names of batches are kept: one that is sent again is sent soon.
const keepBatches = "30 days"

// Maintain drops what is older than the retention. Somebody who reads such rows must not stop those
// that come: what cannot be had soon is tried again a minute later.
func (c *conn) Maintain(ctx context.Context) error {
	if !c.layout.Native || !c.layout.Create {
		return nil
	}
	done := map[string]bool{}
	for _, p := range c.plans {
		if done[p.native.Name] {
			continue
		}
		done[p.native.Name] = true
		if err := c.forget(ctx, p.native.Native); err != nil {
			if c.pg.IsClosed() {
				return err
			}
			c.env.Limited().Error("rows that are older than the retention cannot be deleted now; trying again", "table",
				p.native.Name, "error", err)
		}
	}
	return nil
}

// forget drops partitions, and deletes rows of the default one.
func (c *conn) forget(ctx context.Context, n *table.Native) error {
	var b strings.Builder
	b.WriteString("SET LOCAL lock_timeout = '2s';\n")
	fmt.Fprintf(&b, "DELETE FROM %s WHERE time < now() - interval '%s';\n", c.name(batches), keepBatches)
	if c.layout.Retention.Duration > 0 {
		before := time.Now().Add(-c.layout.Retention.Duration).UTC()
		old, err := c.partitionsBefore(ctx, n, before)
		if err != nil {
			return err
		}
		for _, name := range old {
			fmt.Fprintf(&b, "DROP TABLE IF EXISTS %s;\n", c.name(name))
		}
		fmt.Fprintf(&b, "DELETE FROM %s WHERE time < '%s';\n", c.name(n.Name+"_default"), before.Format(time.RFC3339))
	}
	return c.exec(ctx, b.String())
}

// partitionsBefore lists the days that ended before a time.
func (c *conn) partitionsBefore(ctx context.Context, n *table.Native, before time.Time) (old []string, err error) {
	res := c.pg.ExecParams(ctx, `SELECT p.relname FROM pg_inherits i JOIN pg_class p ON p.oid = i.inhrelid
		JOIN pg_class r ON r.oid = i.inhparent JOIN pg_namespace s ON s.oid = r.relnamespace
		WHERE s.nspname = $1 AND r.relname = $2`, [][]byte{[]byte(c.schema), []byte(n.Name)}, nil, nil, nil).Read()
	for _, r := range res.Rows {
		name := string(r[0])
		day, err := time.Parse("20060102", strings.TrimPrefix(name, n.Name+"_"))
		if err == nil && !day.Add(aDay).After(before) {
			old = append(old, name)
		}
	}
	return old, res.Err
}

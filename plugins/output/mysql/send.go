// How a batch is sent: by LOAD DATA LOCAL, or as statements.

package mysql

import (
	"context"
	"errors"
	"fmt"
	"unsafe"

	driver "github.com/go-sql-driver/mysql"

	"ulogd/plugins/output/store"
)

// fewRows are inserted: a statement costs less than a file, and pieces of a batch that was refused
// would be loaded in vain again and again.
const fewRows = 16

// Send sends rows in one transaction.
func (c *conn) Send(ctx context.Context, rows *store.Rows) error {
	p, err := c.plan(ctx, rows.Shape)
	if err != nil {
		return err
	}
	if p.load != "" && !c.noLoad && rows.Len() >= fewRows {
		if whole, err := c.load(ctx, p, rows); whole || err != nil {
			return err
		}
	}
	known, err := c.begin(ctx, p, rows)
	if err == nil && !known {
		p.buf = p.write.Append(p.buf[:0], rows, p.row)
		err = c.exec(ctx, p.buf)
	}
	return c.end(ctx, known, err)
}

// begin begins a transaction, with the name of these rows if the tables are the output's own. It
// reports whether the database has them.
func (c *conn) begin(ctx context.Context, p *plan, rows *store.Rows) (known bool, err error) {
	if _, err = c.my.ExecContext(ctx, "START TRANSACTION"); err != nil || p.native == nil {
		return false, err
	}
	if rows.Stored {
		if ids, err := c.pieces(ctx, rows); err != nil {
			return false, err
		} else if known, err = rows.Known(ids); known || err != nil {
			return known, err
		}
	}
	res, err := c.my.ExecContext(ctx, "INSERT IGNORE INTO ulogd_batches (id) VALUES ('"+rows.ID()+"')")
	if err != nil {
		return false, err
	}
	n, err := res.RowsAffected()
	return n == 0, err
}

// pieces returns what the database has of a batch.
func (c *conn) pieces(ctx context.Context, rows *store.Rows) (ids []string, err error) {
	from, to := rows.Pieces()
	found, err := c.my.QueryContext(ctx, "SELECT id FROM ulogd_batches WHERE id >= ? AND id < ?", from, to)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	for found.Next() {
		var id string
		if err := found.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, found.Err()
}

// end ends the transaction, and says whose fault an error is.
func (c *conn) end(ctx context.Context, known bool, err error) error {
	if err == nil && !known {
		if _, err = c.my.ExecContext(ctx, "COMMIT"); err == nil {
			return nil
		}
	}
	if _, e := c.my.ExecContext(ctx, "ROLLBACK"); e != nil {
		return errors.Join(err, e)
	}
	if refused(err) {
		return &store.Refused{Err: err}
	}
	return err
}

func (c *conn) exec(ctx context.Context, text []byte) error {
	_, err := c.my.ExecContext(ctx, unsafe.String(unsafe.SliceData(text), len(text)))
	return err
}

// load has LOAD DATA LOCAL take the rows. It reports whether all of them are there, as they are: what
// it would skip or bend is taken back.
func (c *conn) load(ctx context.Context, p *plan, rows *store.Rows) (whole bool, err error) {
	known, err := c.begin(ctx, p, rows)
	if err != nil || known {
		return err == nil, c.end(ctx, known, err)
	}
	p.buf = p.appendFile(p.buf[:0], rows)
	name, closeFile := open(p.buf)
	res, err := c.my.ExecContext(ctx, fmt.Sprintf(p.load, name))
	closeFile()
	var warnings int64
	if err == nil {
		err = c.my.QueryRowContext(ctx, "SELECT @@warning_count").Scan(&warnings)
	}
	if my, ok := errors.AsType[*driver.MySQLError](err); ok && my.Number != lockWaitTimeout {
		c.noLoad = notAllowed[my.Number]
		return false, c.end(ctx, true, nil) // the statements that come say what is wrong
	}
	if err != nil {
		return false, c.end(ctx, false, err)
	}
	if n, err := res.RowsAffected(); err != nil || n != int64(rows.Len()) || warnings > 0 {
		return false, c.end(ctx, true, err)
	}
	return true, c.end(ctx, false, nil)
}

// lockWaitTimeout is the error of a statement that has waited for a lock: another would wait again.
const lockWaitTimeout = 1205

// notAllowed are the errors of servers and accounts that take no LOAD DATA LOCAL.
var notAllowed = map[uint16]bool{1148: true, 3948: true, 4166: true}

//go:build !mips && !mipsle

// Values of a row into the statement that inserts it.

package sqlite3

import (
	"strings"
	"unsafe"

	"zombiezen.com/go/sqlite"

	"ulogd/engine"
	"ulogd/plugins/output/store"
	"ulogd/plugins/output/store/table"
)

// plan is how rows of a shape are inserted.
type plan struct {
	table   string
	columns []table.Column
	one     *sqlite.Stmt // inserts a row
	several *sqlite.Stmt // inserts together
	compat  bool
	native  *table.Native // nil: the table is as ulogd2 has it
	row     []store.Value
	buf     []byte
}

// together is how many rows a statement inserts where there are as many: a row then takes three quarters of the time
// that it takes alone, and more rows gain next to nothing.
const together = 16

// prepare makes the statements.
func (p *plan) prepare(db *sqlite.Conn) (err error) {
	row := "(?" + strings.Repeat(", ?", len(p.columns)-1) + ")"
	text := "INSERT INTO " + dialect.Name(p.table) + " (" + dialect.Names(p.columns) + ") VALUES " + row
	if p.one, err = db.Prepare(text); err == nil {
		p.several, err = db.Prepare(text + strings.Repeat(", "+row, together-1))
	}
	return err
}

// send inserts rows.
func (p *plan) send(rows *store.Rows) error {
	for i := 0; i < rows.Len(); {
		insert, n := p.several, together
		if rows.Len()-i < together {
			insert, n = p.one, 1
		}
		for at := 1; n > 0; n, i = n-1, i+1 {
			rows.Read(i, p.row)
			if p.native != nil {
				p.native.Date(p.row)
			}
			for j := range p.columns {
				p.bind(insert, at, &p.columns[j])
				at++
			}
		}
		_, err := insert.Step()
		if e := insert.Reset(); err == nil {
			err = e
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// bind binds the value of a column.
func (p *plan) bind(into *sqlite.Stmt, at int, c *table.Column) {
	v := c.Of(p.row)
	if v == nil {
		into.BindNull(at)
		return
	}
	switch c.Type {
	case engine.StringType:
		into.BindText(at, text(table.Clean(v.Bytes)))
	case engine.RawTextType:
		octets, ok := table.AppendHex(p.buf[:0], v.Bytes)
		if p.buf = octets; ok {
			into.BindBytes(at, octets)
		} else {
			into.BindText(at, text(table.Clean(v.Bytes)))
		}
	case engine.RawType, engine.LabelType:
		into.BindBytes(at, v.Bytes)
	case engine.MACType:
		p.bindText(into, at, c, v)
	case engine.TimeType:
		if c.As == table.AsTimestamp {
			p.bindText(into, at, c, v)
		} else {
			into.BindInt64(at, int64(v.N))
		}
	case engine.AddrType:
		p.bindAddr(into, at, c, v)
	case engine.Uint32Type:
		n := int64(c.Number(v))
		if p.compat { // ulogd2 binds 32 bits, with a sign
			n = int64(int32(n))
		}
		into.BindInt64(at, n)
	default:
		into.BindInt64(at, int64(c.Number(v)))
	}
}

func (p *plan) bindAddr(into *sqlite.Stmt, at int, c *table.Column, v *store.Value) {
	switch {
	case c.As == table.AsOctets:
		p.buf = table.AppendOctets(p.buf[:0], v)
		into.BindBytes(at, p.buf)
	case c.As == table.AsMemory && v.Is6:
		into.BindNull(at)
	case c.As == table.AsMemory:
		into.BindInt64(at, int64(int32(c.IPv4(v))))
	case c.As == table.AsNumber && !v.Is6:
		into.BindInt64(at, int64(c.IPv4(v)))
	default:
		p.bindText(into, at, c, v)
	}
}

func (p *plan) bindText(into *sqlite.Stmt, at int, c *table.Column, v *store.Value) {
	p.buf = c.AppendText(p.buf[:0], v)
	into.BindText(at, text(p.buf))
}

// text is the octets as a string that SQLite copies at once.
func text(p []byte) string { return unsafe.String(unsafe.SliceData(p), len(p)) }

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
	insert  *sqlite.Stmt
	compat  bool
	native  *table.Native // nil: the table is as ulogd2 has it
	row     []store.Value
	buf     []byte
}

// statement is the one that inserts a row.
func (p *plan) statement() string {
	return "INSERT INTO " + dialect.Name(p.table) + " (" + dialect.Names(p.columns) + ") VALUES (?" +
		strings.Repeat(", ?", len(p.columns)-1) + ")"
}

// send inserts rows, one after the other.
func (p *plan) send(rows *store.Rows) error {
	for i := range rows.Len() {
		rows.Read(i, p.row)
		if p.native != nil {
			p.native.Date(p.row)
		}
		for j := range p.columns {
			p.bind(&p.columns[j], j+1)
		}
		_, err := p.insert.Step()
		if e := p.insert.Reset(); err == nil {
			err = e
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// bind binds the value of a column.
func (p *plan) bind(c *table.Column, at int) {
	v := c.Of(p.row)
	if v == nil {
		p.insert.BindNull(at)
		return
	}
	switch c.Type {
	case engine.StringType:
		p.insert.BindText(at, text(table.Clean(v.Bytes)))
	case engine.RawTextType:
		octets, ok := table.AppendHex(p.buf[:0], v.Bytes)
		if p.buf = octets; ok {
			p.insert.BindBytes(at, octets)
		} else {
			p.insert.BindText(at, text(table.Clean(v.Bytes)))
		}
	case engine.RawType, engine.LabelType:
		p.insert.BindBytes(at, v.Bytes)
	case engine.MACType:
		p.bindText(c, at, v)
	case engine.TimeType:
		if c.As == table.AsTimestamp {
			p.bindText(c, at, v)
		} else {
			p.insert.BindInt64(at, int64(v.N))
		}
	case engine.AddrType:
		p.bindAddr(c, at, v)
	case engine.Uint32Type:
		n := int64(c.Number(v))
		if p.compat { // ulogd2 binds 32 bits, with a sign
			n = int64(int32(n))
		}
		p.insert.BindInt64(at, n)
	default:
		p.insert.BindInt64(at, int64(c.Number(v)))
	}
}

func (p *plan) bindAddr(c *table.Column, at int, v *store.Value) {
	switch {
	case c.As == table.AsOctets:
		p.buf = table.AppendOctets(p.buf[:0], v)
		p.insert.BindBytes(at, p.buf)
	case c.As == table.AsMemory && v.Is6:
		p.insert.BindNull(at)
	case c.As == table.AsMemory:
		p.insert.BindInt64(at, int64(int32(c.IPv4(v))))
	case c.As == table.AsNumber && !v.Is6:
		p.insert.BindInt64(at, int64(c.IPv4(v)))
	default:
		p.bindText(c, at, v)
	}
}

func (p *plan) bindText(c *table.Column, at int, v *store.Value) {
	p.buf = c.AppendText(p.buf[:0], v)
	p.insert.BindText(at, text(p.buf))
}

// text is the octets as a string that SQLite copies at once.
func text(p []byte) string { return unsafe.String(unsafe.SliceData(p), len(p)) }

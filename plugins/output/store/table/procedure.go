// Statements that write rows, by ulogd2's option procedure.

package table

import (
	"strings"

	"ulogd/plugins/output/store"
)

// IsInsert reports whether the option asks for plain rows of the table that was described, so that
// a faster way than statements may be taken.
func IsInsert(option string) bool { return strings.EqualFold(strings.TrimSpace(option), "INSERT") }

// A Procedure is how rows are written. Rows of an INSERT share a statement; functions and procedures
// are called once for each row.
type Procedure struct {
	Calls   bool // a statement for each row
	begin   string
	before  string // of a row's values
	columns []Column
	dialect *Dialect
	native  *Native // nil: the table is as ulogd2 has it
}

// NewProcedure reads the option procedure: INSERT, INSERT INTO ..., CALL of a procedure, or a
// function, which SELECT calls. The table is named as the database wants it.
func NewProcedure(option, table string, columns []Column, d *Dialect) Procedure {
	option = strings.TrimSpace(option)
	p := Procedure{columns: columns, dialect: d, before: "("}
	verb, rest, _ := strings.Cut(option, " ")
	switch strings.ToUpper(verb) {
	case "INSERT":
		if IsInsert(option) {
			option = "INSERT INTO " + table
		}
		p.begin = option + " (" + d.Names(columns) + ") VALUES "
	case "CALL", "SELECT":
		p.Calls, p.before = true, strings.ToUpper(verb)+" "+strings.TrimSpace(rest)+"("
	default:
		p.Calls, p.before = true, "SELECT "+option+"("
	}
	return p
}

// Insert returns the INSERT that fills a table of the output's own.
func (n *Native) Insert(d *Dialect, qualified string) Procedure {
	p := NewProcedure("INSERT", qualified, n.Columns, d)
	p.native = n
	return p
}

// Append appends the statements that write the rows. Row is room for one.
func (p *Procedure) Append(dst []byte, rows *store.Rows, row []store.Value) []byte {
	dst = append(dst, p.begin...)
	for i := range rows.Len() {
		rows.Read(i, row)
		if p.native != nil {
			p.native.Date(row)
		}
		if i > 0 && !p.Calls {
			dst = append(dst, ',')
		}
		dst = append(dst, p.before...)
		for j := range p.columns {
			if j > 0 {
				dst = append(dst, ',')
			}
			dst = p.dialect.appendLiteral(dst, &p.columns[j], p.columns[j].Of(row))
		}
		if dst = append(dst, ')'); p.Calls {
			dst = append(dst, ';')
		}
	}
	return dst
}

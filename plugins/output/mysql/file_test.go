// What a row costs.

package mysql

import (
	"testing"

	"ulogd/engine"
	"ulogd/plugins/output/store"
	"ulogd/plugins/output/store/table"
	"ulogd/test/dbtest"
)

// Rows of LOAD DATA's file and of INSERT allocate nothing, once the buffer has grown.
func TestAllocations(t *testing.T) {
	rows := dbtest.Flows(1000)
	p := &plan{row: make([]store.Value, len(rows.Shape.Keys)), columns: dbtest.Columns(t, rows)}
	for i := range p.columns {
		if p.columns[i].Type == engine.TimeType {
			p.columns[i].As = table.AsTimestamp
		}
	}
	p.write = table.NewProcedure("INSERT", "t", p.columns, &dialect)
	dbtest.NoAllocations(t, rows, func() { p.buf = p.appendFile(p.buf[:0], rows) })
	dbtest.NoAllocations(t, rows, func() { p.buf = p.write.Append(p.buf[:0], rows, p.row) })
	if len(p.buf) < 100_000 {
		t.Errorf("%d octets", len(p.buf))
	}
}

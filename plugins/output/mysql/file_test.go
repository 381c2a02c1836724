// What a row costs.

package mysql

import (
	"strings"
	"testing"

	"ulogd/engine"
	"ulogd/plugins/output/store"
	"ulogd/plugins/output/store/table"
	"ulogd/test/dbtest"
)

// Rows of LOAD DATA's file and of INSERT allocate nothing, once the buffer has grown.
func TestAllocations(t *testing.T) {
	rows := dbtest.Flows(1000)
	p := &plan{row: make([]store.Value, len(rows.Shape.Keys))}
	var names []string
	for _, k := range rows.Shape.Keys {
		names = append(names, strings.ReplaceAll(k.Name, ".", "_"))
	}
	var err error
	if p.columns, err = table.Columns(rows.Shape, "t", names); err != nil {
		t.Fatal(err)
	}
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

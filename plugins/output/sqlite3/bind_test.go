//go:build !mips && !mipsle

// What a row costs.

package sqlite3

import (
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"ulogd/engine"
	"ulogd/plugins/output/store"
	"ulogd/plugins/output/store/table"
	"ulogd/test/dbtest"
)

// Rows that are inserted allocate nothing, with times as whole numbers and as texts, and addresses as texts and as
// octets.
func TestAllocations(t *testing.T) {
	db, err := sqlite.OpenConn(":memory:", sqlite.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows := dbtest.Flows(1000)
	for _, as := range []table.As{table.AsText, table.AsOctets, table.AsTimestamp} {
		p := &plan{table: "t", row: make([]store.Value, len(rows.Shape.Keys)), columns: dbtest.Columns(t, rows)}
		for i := range p.columns {
			if c := &p.columns[i]; c.Type == engine.TimeType == (as == table.AsTimestamp) {
				c.As = as
			}
		}
		script := "DROP TABLE IF EXISTS t; CREATE TABLE t (" + dialect.Names(p.columns) + ")"
		if err := sqlitex.ExecuteScript(db, script, nil); err != nil {
			t.Fatal(err)
		}
		if err := p.prepare(db); err != nil {
			t.Fatal(err)
		}
		dbtest.NoAllocations(t, rows, func() {
			if err := sqlitex.ExecuteTransient(db, "DELETE FROM t", nil); err != nil {
				t.Fatal(err)
			}
			if err := p.send(rows); err != nil {
				t.Fatal(err)
			}
		})
	}
}

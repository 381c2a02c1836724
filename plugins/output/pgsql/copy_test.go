// What a row costs.

package pgsql

import (
	"io"
	"testing"

	"ulogd/engine"
	"ulogd/plugins/output/store"
	"ulogd/test/dbtest"
)

// Rows that COPY reads allocate nothing, once the buffer has grown.
func TestAllocations(t *testing.T) {
	rows := dbtest.Flows(1000)
	p := &plan{row: make([]store.Value, len(rows.Shape.Keys)), columns: dbtest.Columns(t, rows)}
	for _, k := range rows.Shape.Keys {
		p.oids = append(p.oids, map[engine.Type]uint32{
			engine.Uint8Type: oidInt2, engine.Uint16Type: oidInt4, engine.Uint32Type: oidInt8, engine.Uint64Type: oidInt8,
			engine.AddrType: oidInet, engine.TimeType: oidTimestamptz, engine.StringType: oidText,
		}[k.Type])
	}
	dbtest.NoAllocations(t, rows, func() {
		if n, err := io.Copy(struct{ io.Writer }{io.Discard}, p.source(rows)); err != nil || n < 100_000 {
			t.Fatalf("%d octets, %v", n, err)
		}
	})
}

// What a row costs.

package clickhouse

import (
	"strings"
	"testing"
	"time"

	"ulogd/test/dbtest"
)

// Rows in RowBinary allocate nothing, once the buffer has grown: with the types of an old and of a new server.
func TestAllocations(t *testing.T) {
	for _, modern := range []bool{false, true} {
		rows := dbtest.Flows(1000)
		columns := []described{{"time", columnType{kind: datetime}}}
		for _, k := range rows.Shape.Keys {
			typ, ok := parseType((&server{modern: modern}).typeFor(k))
			if !ok {
				t.Fatalf("the type of %s is not known", k.Name)
			}
			columns = append(columns, described{strings.ReplaceAll(k.Name, ".", "_"), typ})
		}
		p, err := planFor(rows.Shape, columns)
		if err != nil {
			t.Fatal(err)
		}
		var body []byte
		now := time.Now()
		dbtest.NoAllocations(t, rows, func() {
			body = body[:0]
			for i := range rows.Len() {
				rows.Read(i, p.row)
				body = p.append(body, now)
			}
		})
		if len(body) < 100_000 {
			t.Errorf("%d octets", len(body))
		}
	}
}

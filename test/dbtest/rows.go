// Rows as stores get them, and what encoding them may cost.

package dbtest

import (
	"encoding/binary"
	"strings"
	"testing"

	"ulogd/engine"
	"ulogd/plugins/output/store"
	"ulogd/plugins/output/store/table"
)

// Flows returns n rows of finished connections with 20 columns, of IPv4 and IPv6, and a text that some lack.
func Flows(n int) *store.Rows {
	rows := &store.Rows{Shape: &store.Shape{Keys: []store.Key{
		{Name: "oob.family", Type: engine.Uint8Type},
		{Name: "oob.protocol", Type: engine.Uint16Type},
		{Name: "orig.ip.saddr", Type: engine.AddrType},
		{Name: "orig.ip.daddr", Type: engine.AddrType},
		{Name: "orig.ip.protocol", Type: engine.Uint8Type},
		{Name: "orig.l4.sport", Type: engine.Uint16Type},
		{Name: "orig.l4.dport", Type: engine.Uint16Type},
		{Name: "orig.raw.pktlen", Type: engine.Uint64Type},
		{Name: "orig.raw.pktcount", Type: engine.Uint64Type},
		{Name: "reply.ip.saddr", Type: engine.AddrType},
		{Name: "reply.ip.daddr", Type: engine.AddrType},
		{Name: "reply.ip.protocol", Type: engine.Uint8Type},
		{Name: "reply.l4.sport", Type: engine.Uint16Type},
		{Name: "reply.l4.dport", Type: engine.Uint16Type},
		{Name: "reply.raw.pktlen", Type: engine.Uint64Type},
		{Name: "reply.raw.pktcount", Type: engine.Uint64Type},
		{Name: "ct.mark", Type: engine.Uint32Type},
		{Name: "ct.helper", Type: engine.StringType},
		{Name: "flow.start", Type: engine.TimeType},
		{Name: "flow.end", Type: engine.TimeType},
	}}}
	row := make([]store.Value, len(rows.Shape.Keys))
	for i := range n {
		for k, key := range rows.Shape.Keys {
			v := store.Value{Valid: true, N: uint64(i*(k+7)) & 0x7f}
			switch key.Type {
			case engine.AddrType:
				if v.Bytes = binary.BigEndian.AppendUint32(nil, 10<<24+uint32(i*k)); i%7 == 0 {
					v.Is6, v.Bytes = true, append([]byte{0x20, 1, 0xd, 0xb8, 11: 0}, v.Bytes...)
				}
			case engine.StringType:
				v.Valid, v.Bytes = i%10 == 0, []byte("ftp")
			case engine.TimeType:
				v.N += 1767225600_000_000_000 + uint64(i)*1_000_000
			}
			row[k] = v
		}
		rows.Append(row)
	}
	return rows
}

// Columns are those of a table that has a column for each key of the rows.
func Columns(t *testing.T, rows *store.Rows) []table.Column {
	t.Helper()
	var names []string
	for _, k := range rows.Shape.Keys {
		names = append(names, strings.ReplaceAll(k.Name, ".", "_"))
	}
	columns, err := table.Columns(rows.Shape, "t", names)
	if err != nil {
		t.Fatal(err)
	}
	return columns
}

// NoAllocations fails the test where encoding rows allocates for each of them. What it does once for all of them it
// may.
func NoAllocations(t *testing.T, rows *store.Rows, encode func()) {
	t.Helper()
	encode() // buffers grow
	if n := testing.AllocsPerRun(5, encode); n > float64(rows.Len())/50 {
		t.Errorf("%v allocations for %d rows", n, rows.Len())
	}
}

// What a row costs.

package kafka

import (
	"testing"
	"time"

	"ulogd/test/dbtest"
)

// Messages of all formats, and their keys, allocate nothing, once the buffer has grown.
func TestAllocations(t *testing.T) {
	for _, format := range []string{"json", "protobuf", "csv"} {
		for _, key := range []string{"flow", "source", "none"} {
			rows := dbtest.Flows(1000)
			e := newEncoder(&kafka{format: format, key: key}, rows.Shape)
			var data []byte
			now := time.Now()
			dbtest.NoAllocations(t, rows, func() {
				data = data[:0]
				for i := range rows.Len() {
					rows.Read(i, e.row)
					data = e.appendValue(e.appendKey(data), now)
				}
			})
			if len(data) < 50_000 {
				t.Errorf("%s: %d octets", format, len(data))
			}
		}
	}
}

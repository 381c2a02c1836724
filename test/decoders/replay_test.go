package decoders

import (
	"strconv"
	"testing"
)

// TestReplay exports a capture of 2024 as NetFlow v9, whose times are uptimes of 32 bits: they must
// be the capture's own, to the millisecond.
func TestReplay(t *testing.T) {
	t.Parallel()
	messages, _ := traced(t, "NETFLOW9", "")
	for _, p := range []program{{"nfdump", readNfdump, nil}, {"goflow2", readGoflow2, nil}, {"tshark", readTshark, nil}} {
		t.Run(p.name, func(t *testing.T) {
			first := int64(0)
			for _, r := range p.read(t, messages) {
				start, _ := strconv.ParseInt(r["flowStartMilliseconds"], 10, 64)
				end, _ := strconv.ParseInt(r["flowEndMilliseconds"], 10, 64)
				if tells(r) && end < start {
					t.Errorf("a flow ends at %d and begins at %d", end, start)
				}
				if tells(r) && (first == 0 || start < first) {
					first = start
				}
			}
			if first != 1714564800000 { // 2024-05-01 12:00 UTC
				t.Errorf("the first flow begins at %d", first)
			}
		})
	}
}

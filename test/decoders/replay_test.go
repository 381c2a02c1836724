package decoders

import (
	"strconv"
	"testing"
)

// TestReplay exports a capture of 2024 as NetFlow v9, whose times are uptimes of 32 bits: they must
// be the capture's own, to the millisecond; those of a live flow beside it are of now.
func TestReplay(t *testing.T) {
	t.Parallel()
	messages, _ := traced(t, "NETFLOW9", "")
	for _, p := range []program{{"nfdump", readNfdump, nil}, {"goflow2", readGoflow2, nil}, {"tshark", readTshark, nil}} {
		t.Run(p.name, func(t *testing.T) {
			first, lively := int64(0), false
			for _, r := range p.read(t, messages) {
				start, _ := strconv.ParseInt(r["flowStartMilliseconds"], 10, 64)
				end, _ := strconv.ParseInt(r["flowEndMilliseconds"], 10, 64)
				if tells(r) && end < start {
					t.Errorf("a flow ends at %d and begins at %d", end, start)
				}
				if r["sourceIPv4Address"] == "10.9.0.1" || r["destinationIPv4Address"] == "10.9.0.1" { // live, beside the file
					if start != began+123 {
						t.Errorf("the live flow begins at %d, want %d", start, began+123)
					}
					lively = true
					continue
				}
				if tells(r) && (first == 0 || start < first) {
					first = start
				}
			}
			if first != 1714564800000 { // 2024-05-01 12:00 UTC
				t.Errorf("the first flow begins at %d", first)
			}
			if !lively {
				t.Error("there is no live flow")
			}
		})
	}
}

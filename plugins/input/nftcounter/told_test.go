package nftcounter

import "testing"

// TestTold: an error in mid-poll has no element told twice, and none lost.
func TestTold(t *testing.T) {
	var told told
	a, b := id{2, "t", "set/a"}, id{2, "t", "set/b"}
	sum := map[id]uint64{}
	read := func(at id, packets uint64) {
		t.Helper()
		p, o := told.since(at, count{packets, 100 * packets})
		if o != 100*p {
			t.Errorf("%d packets of %d octets", p, o)
		}
		sum[at] += p
	}
	read(a, 10)
	read(b, 1)
	told.end(true)
	read(a, 15) // an error before b
	told.end(false)
	told.end(false) // one before a
	read(a, 15)
	read(b, 8)
	told.end(true)
	if sum[a] != 15 || sum[b] != 8 {
		t.Errorf("told %d and %d of 15 and 8", sum[a], sum[b])
	}
	told.end(true) // both are deleted
	read(a, 3)
	if sum[a] != 18 {
		t.Errorf("of one made anew %d are told, want 3", sum[a]-15)
	}
}

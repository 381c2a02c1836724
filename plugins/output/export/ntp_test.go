// Times as fractions of 2^32 must read back as what they were.

package export

import (
	"encoding/binary"
	"testing"

	"ulogd/engine"
)

func TestFractionsReadBack(t *testing.T) {
	const sec = 1714564800
	for i := range 3_000_000 {
		nsec := uint64(i) * 333
		if i < 3000 {
			nsec = 1e9 - 1 - uint64(i)
		}
		nsec = (nsec + 123_456_789) % 1e9
		for mask, unit := range map[uint32]uint64{ntpNano: 1, ntpMicro: 1000} {
			var b [8]byte
			putNTP(b[:], engine.Time(sec*1e9+nsec), mask)
			fraction := uint64(binary.BigEndian.Uint32(b[4:]))
			if got := fraction * (1e9 / unit) >> 32; got != nsec/unit || binary.BigEndian.Uint32(b[:]) != sec+ntpEpoch {
				t.Fatalf("%d ns in units of %d: %d", nsec, unit, got)
			}
		}
	}
}

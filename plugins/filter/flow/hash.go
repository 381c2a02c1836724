// Keyed hashes, so that nobody can choose addresses that fall into one place of the cache, or to
// one worker.

package flow

import (
	"crypto/rand"
	"encoding/binary"
	"math/bits"

	"ulogd/engine"
	"ulogd/engine/key"
)

type secret [6]uint64

func newSecret() (s secret) {
	var octets [len(s) * 8]byte
	rand.Read(octets[:])
	for i := range s {
		s[i] = binary.NativeEndian.Uint64(octets[8*i:])
	}
	return s
}

// side hashes an address.
func (s *secret) side(a *engine.Addr) uint64 {
	hi, lo := bits.Mul64(a.Hi^s[2], a.Lo^s[3])
	return hi ^ lo
}

// pair hashes the two addresses of a packet, whichever is the source.
func (s *secret) pair(t *key.Tuple) uint32 {
	hi, lo := bits.Mul64((s.side(&t.Src)+s.side(&t.Dst))^s[0], s[1])
	return uint32((hi ^ lo) >> 32)
}

// Keyed hashes, so that nobody can choose addresses that fall into one place of the cache, or to
// one worker.

package flow

import (
	"math/bits"
	"math/rand/v2"

	"ulogd/engine"
	"ulogd/engine/key"
)

type secret [6]uint64

// newSecret draws a secret. The generator is ChaCha8, which the runtime seeds from the kernel: crypto/rand is no harder to
// guess, and larger.
func newSecret() (s secret) {
	for i := range s {
		s[i] = rand.Uint64()
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

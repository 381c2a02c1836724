// Hashing what identifies a connection.

package nfct

import (
	"math/bits"
	"math/rand/v2"
)

// hasher is a key: nobody outside can choose connections that share a bucket.
type hasher [2]uint64

func newHasher() hasher { return hasher{rand.Uint64() | 1, rand.Uint64() | 1} }

// hash covers the original tuple, the zone and the identifier.
func (h *hasher) hash(f *flow) uint32 {
	o := &f.orig
	a := mix(o.src.Hi^o.dst.Lo^h[0], o.src.Lo^bits.RotateLeft64(o.dst.Hi, 32)^h[1])
	ports := uint64(o.sport)<<48 | uint64(o.dport)<<32
	return uint32(mix(a^uint64(f.id), ports|uint64(f.zone)<<16|uint64(o.proto)^h[0]))
}

// mix folds a product of 128 bits.
func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b|1<<63)
	return hi ^ lo
}

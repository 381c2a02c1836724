// Hashing what identifies a connection.

package table

import (
	"math/bits"
	"math/rand/v2"

	"ulogd/plugins/input/nfct/ctnetlink"
)

// hasher is a key: nobody outside can choose connections that share a bucket.
type hasher [2]uint64

func NewHasher() hasher { return hasher{rand.Uint64() | 1, rand.Uint64() | 1} }

// hash covers the original tuple, the zone and the identifier.
func (h *hasher) hash(f *ctnetlink.Flow) uint32 {
	o := &f.Orig
	a := mix(o.Src.Hi^o.Dst.Lo^h[0], o.Src.Lo^bits.RotateLeft64(o.Dst.Hi, 32)^h[1])
	ports := uint64(o.Sport)<<48 | uint64(o.Dport)<<32
	return uint32(mix(a^uint64(f.ID), ports|uint64(f.Zone)<<16|uint64(o.Proto)^h[0]))
}

// mix folds a product of 128 bits.
func mix(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b|1<<63)
	return hi ^ lo
}

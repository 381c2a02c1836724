// Which shard or partition a row belongs to: both directions of a flow, and all that is told of it,
// go to the same.

package store

import (
	"hash/fnv"
	"slices"
)

// A FlowHash hashes the addresses, ports and protocol of rows of one shape.
type FlowHash struct{ src, dst, other []int }

// endpoints are the keys of a flow's two ends: those of connections, else those of packets.
var endpoints = [...]struct{ src, dst, other []string }{
	{
		[]string{"orig.ip.saddr", "orig.l4.sport"},
		[]string{"orig.ip.daddr", "orig.l4.dport"},
		[]string{"orig.ip.protocol"},
	},
	{
		[]string{"ip.saddr", "tcp.sport", "udp.sport", "sctp.sport"},
		[]string{"ip.daddr", "tcp.dport", "udp.dport", "sctp.dport"},
		[]string{"ip.protocol"},
	},
}

// FlowHash returns what hashes rows of this shape. Rows without any of these keys all have the same
// hash.
func (s *Shape) FlowHash() (h FlowHash) {
	for _, e := range endpoints {
		if s.Index(e.src[0]) < 0 {
			continue
		}
		return FlowHash{s.indexes(e.src), s.indexes(e.dst), s.indexes(e.other)}
	}
	return h
}

func (s *Shape) indexes(names []string) (list []int) {
	for _, name := range names {
		if i := s.Index(name); i >= 0 {
			list = append(list, i)
		}
	}
	return slices.Clip(list)
}

// Of returns the hash of a row. A sum of the ends' hashes is the same in both directions.
func (h *FlowHash) Of(row []Value) uint32 {
	x := sum(row, h.src) + sum(row, h.dst) + sum(row, h.other)<<1
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd // the finalizer of MurmurHash3: shards are chosen by the remainder
	x ^= x >> 33
	return uint32(x)
}

func sum(row []Value, keys []int) uint64 {
	h := fnv.New64a()
	var number [8]byte
	for _, k := range keys {
		v := &row[k]
		if !v.Valid {
			continue
		}
		if len(v.Bytes) > 0 {
			h.Write(v.Bytes)
			continue
		}
		for i := range number {
			number[i] = byte(v.N >> (8 * i))
		}
		h.Write(number[:])
	}
	return h.Sum64()
}

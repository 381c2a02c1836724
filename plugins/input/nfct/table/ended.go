// Which connections have ended lately. Where any listener of the machine asked for reliable events
// and has no room, the kernel sends an event to all listeners again.

package table

import (
	"math/bits"
	"slices"

	"ulogd/engine"
	"ulogd/engine/hugepage"
	"ulogd/plugins/input/nfct/ctnetlink"
)

// Ended is a set of fingerprints in groups of four; the oldest of a full group is forgotten.
type Ended struct {
	groups [][4]uint64
	hasher hasher
	keys   [engine.BatchSize]uint64 // of the rows of the batch that is being filled; 0: not to be looked up
	warm   uint64                   // keeps the compiler from leaving out loads that only fetch cache lines
}

// Four ends are remembered for each connection that the kernel may track, of a million connections
// at most: 8 MiB, and 512 KiB on a small router.
const mostEndedGroups = 1 << 18

func NewEnded(h hasher, connections int) *Ended {
	groups := 1 << bits.Len(uint(min(max(connections, 1), mostEndedGroups)-1))
	d := &Ended{groups: make([][4]uint64, groups), hasher: h}
	hugepage.Advise(d.groups)
	return d
}

// Fingerprint stands for one connection. Identifiers are reused: without the kernel's start time
// nobody can tell, and it is 0.
func (d *Ended) Fingerprint(f *ctnetlink.Flow) uint64 {
	if f.Start == 0 {
		return 0
	}
	return d.Name(f) | 1
}

// Name is like fingerprint, and stands for a connection also where the kernel keeps no start time,
// as long as no other one has its identifier.
func (d *Ended) Name(f *ctnetlink.Flow) uint64 {
	return mix(uint64(f.Start)^d.hasher[1], uint64(d.hasher.hash(f))<<32|uint64(f.ID))
}

// Has reports whether the end was noted.
func (d *Ended) Has(key uint64) bool {
	return key != 0 && slices.Contains(d.group(key)[:], key)
}

func (d *Ended) group(key uint64) *[4]uint64 { return &d.groups[key>>32&uint64(len(d.groups)-1)] }

// Again notes the end of a connection and reports whether it was noted before.
func (d *Ended) Again(key uint64) bool {
	if key == 0 {
		return false
	}
	g := d.group(key)
	for _, k := range g {
		if k == key {
			return true
		}
	}
	g[3], g[2], g[1], g[0] = g[2], g[1], g[0], key
	return false
}

// Expect says which end the row is of, for sift; 0: not to be looked up.
func (d *Ended) Expect(row engine.Row, key uint64) { d.keys[row] = key }

// Sift leaves out of rows the ends that were noted before, and notes the others. It is for a whole
// batch because memory answers to many questions at a time nearly as fast as to one.
func (d *Ended) Sift(rows []engine.Row) (kept int) {
	for _, r := range rows {
		d.warm += d.group(d.keys[r])[0]
	}
	for _, r := range rows {
		rows[kept] = r
		if !d.Again(d.keys[r]) {
			kept++
		}
	}
	return kept
}

// Which connections have ended lately. Where any listener of the machine asked for reliable events and has no room, the kernel sends an event to all
// listeners again.

package nfct

// ended is a set of fingerprints in groups of four; the oldest of a full group is forgotten.
type ended struct {
	groups [][4]uint64
	hasher hasher
}

// endedGroups times four ends are remembered: 8 MiB once all have been used.
const endedGroups = 1 << 18

func newEnded(h hasher) *ended { return &ended{groups: make([][4]uint64, endedGroups), hasher: h} }

// again notes the end of a connection and tells whether it was noted before. Identifiers are reused: without the kernel's start time nobody can tell.
func (d *ended) again(f *flow) bool {
	if f.start == 0 {
		return false
	}
	key := mix(uint64(f.start)^d.hasher[1], uint64(d.hasher.hash(f))<<32|uint64(f.id)) | 1
	g := &d.groups[key>>32%endedGroups]
	for _, k := range g {
		if k == key {
			return true
		}
	}
	g[3], g[2], g[1], g[0] = g[2], g[1], g[0], key
	return false
}

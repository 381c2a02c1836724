// The index of the table: chains of entries by their hash. It grows by linear hashing, one chain
// with each entry that finds it full, so that no event waits for all the others to be sorted in
// anew.

package table

// index is the heads of the chains. Their number is between half of mask+1 and all of it: those
// that are not there yet share the chains of the lower half.
type index struct {
	heads slab[uint32] // first entry of each chain; 0 ends it, so entry 0 is not used
	size  uint32
	mask  uint32
}

func newIndex() index {
	x := index{size: partSize, mask: partSize - 1}
	x.heads.reach(0)
	return x
}

// head returns the first link of the chain of a hash.
func (x *index) head(hash uint32) *uint32 {
	c := hash & x.mask
	if c >= x.size {
		c &= x.mask >> 1
	}
	return x.heads.at(c)
}

// grow adds a chain, and moves the entries that belong to it out of the one that they shared.
func (x *index) grow(entries *slab[entry]) {
	if x.size > x.mask {
		x.mask = x.mask<<1 | 1
	}
	fresh := x.size
	x.size++
	moved, link := x.heads.reach(fresh), x.heads.at(fresh&(x.mask>>1))
	for *link != 0 {
		e := entries.at(*link)
		if e.hash&x.mask != fresh {
			link = &e.next
			continue
		}
		i := *link
		*link = e.next
		e.next, *moved = *moved, i
	}
}

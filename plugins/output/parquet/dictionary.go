// Dictionaries: the distinct values of a column, each with its number.

package parquet

import (
	"encoding/binary"
	"hash/maphash"
)

// seed keeps peers from choosing addresses that meet in one place of a dictionary.
var seed = maphash.MakeSeed()

// A dictionary has the distinct values of a column in the order in which they came. A value is known by
// octets that stand for it, such as those of an address, and is written only the first time.
type dictionary struct {
	page []byte // the values as they stand in the file
	n    int32

	// Of octets: a table with open addressing, at most half full; its size is a power of two.
	slots []slot
	long  []byte // the octets of values that do not fit into their slots

	// Of numbers of 8 and 16 bits: for each of them its place plus one; 0: it has not come yet.
	places []int32
}

// A slot is a value's place plus one; 0: the slot is empty. The octets stand in it if they are few, as those of
// addresses are, else in long from where the first says.
type slot struct {
	place int32
	hash  uint32
	size  uint32
	short [inSlot]byte
}

const inSlot = 16

// number returns the place of a number that has 8 or 16 bits.
func (d *dictionary) number(v uint64, width int) int32 {
	if d.places == nil {
		d.places = make([]int32, 1<<width)
	}
	p := &d.places[v&uint64(len(d.places)-1)]
	if *p == 0 {
		d.page = binary.LittleEndian.AppendUint32(d.page, uint32(v))
		d.n++
		*p = d.n
	}
	return *p - 1
}

// find returns the place of a value. It reports whether the value is new: then it is to be written.
func (d *dictionary) find(octets []byte) (place int32, isNew bool) {
	if 2*int(d.n) >= len(d.slots) {
		d.grow()
	}
	sum := maphash.Bytes(seed, octets)
	hash, mask := uint32(sum>>32), len(d.slots)-1
	for at := int(sum) & mask; ; at = (at + 1) & mask {
		s := &d.slots[at]
		if s.place == 0 {
			d.n++
			*s = slot{place: d.n, hash: hash, size: uint32(len(octets))}
			if copy(s.short[:], octets) < len(octets) {
				binary.NativeEndian.PutUint32(s.short[:], uint32(len(d.long)))
				d.long = append(d.long, octets...)
			}
			return d.n - 1, true
		}
		if s.hash == hash && string(d.of(s)) == string(octets) {
			return s.place - 1, false
		}
	}
}

// of returns the octets of a slot.
func (d *dictionary) of(s *slot) []byte {
	if s.size <= inSlot {
		return s.short[:s.size]
	}
	from := binary.NativeEndian.Uint32(s.short[:])
	return d.long[from : from+s.size]
}

func (d *dictionary) grow() {
	old := d.slots
	d.slots = make([]slot, max(2*len(old), 1<<10))
	mask := len(d.slots) - 1
	for i := range old {
		s := &old[i]
		if s.place == 0 {
			continue
		}
		at := int(maphash.Bytes(seed, d.of(s))) & mask
		for d.slots[at].place != 0 {
			at = (at + 1) & mask
		}
		d.slots[at] = *s
	}
}

func (d *dictionary) reset() {
	d.page, d.n, d.long = d.page[:0], 0, d.long[:0]
	clear(d.slots)
	clear(d.places)
}

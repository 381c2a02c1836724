// Dictionaries: the distinct values of a column, each with its number.

package parquet

import (
	"bytes"
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
	slots  []slot
	octets []byte
	ends   []uint32 // in octets, of each value

	// Of numbers of 8 and 16 bits: for each of them its place plus one; 0: it has not come yet.
	places []int32
}

// A slot is a value's place plus one, and the upper half of its hash; 0: the slot is empty.
type slot struct {
	place int32
	hash  uint32
}

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
	at, hash := d.free(sum, octets)
	if p := d.slots[at].place; p != 0 {
		return p - 1, false
	}
	d.n++
	d.slots[at] = slot{d.n, hash}
	d.octets = append(d.octets, octets...)
	d.ends = append(d.ends, uint32(len(d.octets)))
	return d.n - 1, true
}

// free returns the slot of the value with these octets, or the empty one that it is to have.
func (d *dictionary) free(sum uint64, octets []byte) (at int, hash uint32) {
	hash = uint32(sum >> 32)
	mask := len(d.slots) - 1
	for at = int(sum) & mask; ; at = (at + 1) & mask {
		s := &d.slots[at]
		if s.place == 0 || s.hash == hash && bytes.Equal(d.of(s.place-1), octets) {
			return at, hash
		}
	}
}

// of returns the octets of a value.
func (d *dictionary) of(place int32) []byte {
	from := uint32(0)
	if place > 0 {
		from = d.ends[place-1]
	}
	return d.octets[from:d.ends[place]]
}

func (d *dictionary) grow() {
	d.slots = make([]slot, max(2*len(d.slots), 1<<10))
	for place := range d.n {
		octets := d.of(place)
		at, hash := d.free(maphash.Bytes(seed, octets), octets)
		d.slots[at] = slot{place + 1, hash}
	}
}

func (d *dictionary) reset() {
	d.page, d.n, d.octets, d.ends = d.page[:0], 0, d.octets[:0], d.ends[:0]
	clear(d.slots)
	clear(d.places)
}

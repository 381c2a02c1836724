// What elements had counted when they were told, on kernels that cannot set them to zero (before 6.5).

package nftcounter

// An id names an element.
type id struct {
	family      uint8
	table, name string
}

type count struct{ packets, octets uint64 }

// told is what elements had counted at the polls before, and what has been read in the present one.
type told struct{ before, now map[id]count }

// since returns what an element has counted since it was told; one that was made anew has less than
// before.
func (t *told) since(at id, now count) (packets, octets uint64) {
	if t.now == nil {
		t.now = map[id]count{}
	}
	t.now[at] = now
	before := t.before[at]
	if now.packets < before.packets || now.octets < before.octets {
		return now.packets, now.octets
	}
	return now.packets - before.packets, now.octets - before.octets
}

// end ends a poll. Elements that a whole one did not find are gone; after an error, those that it
// did not come to are as before, and those that it told are told.
func (t *told) end(whole bool) {
	if !whole {
		for at, n := range t.before {
			if _, again := t.now[at]; again {
				continue
			}
			if t.now == nil {
				t.now = map[id]count{}
			}
			t.now[at] = n
		}
	}
	t.before, t.now = t.now, nil
}

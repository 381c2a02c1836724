package hugepage

import (
	"testing"
	"unsafe"
)

// TestMake: the memory begins at a huge page, has the room that was asked for, and can be filled.
func TestMake(t *testing.T) {
	b := Make(2 * Size)
	if len(b) != 0 || cap(b) != 2*Size || uintptr(unsafe.Pointer(unsafe.SliceData(b)))%Size != 0 {
		t.Fatalf("%d octets, room for %d, at %p", len(b), cap(b), unsafe.SliceData(b))
	}
	b = b[:cap(b)]
	for i := range b {
		b[i] = byte(i)
	}
}

// TestAdvise: memory of any place and size is left as it is.
func TestAdvise(t *testing.T) {
	Advise[uint64](nil)
	for _, n := range []int{1, Size / 8, Size, 3*Size/8 + 5} {
		s := make([]uint64, n)
		s[0], s[n-1] = 1, 2
		Advise(s)
		Advise(s[1:])
		if s[n-1] != 2 || n > 1 && s[0] != 1 {
			t.Errorf("%d words: they begin with %d and end with %d", n, s[0], s[n-1])
		}
	}
}

package nlattr

import (
	"bytes"
	"testing"

	"github.com/mdlayher/netlink"
)

func sample() []byte {
	return AppendMessage(nil, 0x100, 2, 7, func(b []byte) []byte {
		b = append(b, 2, 0, 0, 0)
		b = Append(b, 1, []byte("odd"))
		b = AppendNest(b, 2, func(b []byte) []byte {
			b = Append8(b, 1, 6)
			return Append64(b, 2, 1<<40)
		})
		return Append32(b, 3, 0xdeadbeef)
	})
}

func TestWalkFindsWhatWasWritten(t *testing.T) {
	m, rest := NextMessage(sample())
	if m.Type != 0x100 || m.Flags != 2 || m.Seq != 7 || len(rest) != 0 {
		t.Fatalf("message %+v, rest %d", m, len(rest))
	}
	kind, value, attrs := Next(m.Body[4:])
	if kind != 1 || string(value) != "odd" {
		t.Fatalf("first attribute: %d %q", kind, value)
	}
	kind, nest, attrs := Next(attrs)
	if kind != 2 {
		t.Fatalf("the nested flag was not taken off: %#x", kind)
	}
	kind, value, nest = Next(nest)
	if kind != 1 || !bytes.Equal(value, []byte{6}) {
		t.Fatalf("inner attribute: %d %v", kind, value)
	}
	if kind, value, nest = Next(nest); kind != 2 || len(value) != 8 || value[2] != 1 || len(nest) != 0 {
		t.Fatalf("second inner attribute: %d %v", kind, value)
	}
	if kind, value, attrs = Next(attrs); kind != 3 || len(value) != 4 || len(attrs) != 0 {
		t.Fatalf("last attribute: %d %v", kind, value)
	}
}

func TestLengthsThatLie(t *testing.T) {
	whole := sample()
	for name, b := range map[string][]byte{
		"short header":     whole[:10],
		"cut message":      whole[:len(whole)-1],
		"length too small": append([]byte{15, 0, 0, 0}, whole[4:]...),
	} {
		if m, rest := NextMessage(b); m.Type != Malformed || rest != nil {
			t.Errorf("%s: got %+v", name, m)
		}
	}
	for name, b := range map[string][]byte{
		"short header": {4, 0, 1},
		"past the end": {9, 0, 1, 0, 0, 0, 0, 0},
		"below header": {3, 0, 1, 0},
		"zero":         {0, 0, 0, 0},
	} {
		if kind, _, rest := Next(b); kind != Malformed || rest != nil {
			t.Errorf("%s: got kind %d", name, kind)
		}
	}
}

func TestWalkDoesNotAllocate(t *testing.T) {
	b := sample()
	if n := testing.AllocsPerRun(100, func() { walk(b) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// walk visits everything, two levels deep, and counts attributes.
func walk(b []byte) (n int) {
	for len(b) > 0 {
		var m Message
		if m, b = NextMessage(b); m.Type == Malformed || len(m.Body) < 4 {
			return n
		}
		for attrs := m.Body[4:]; len(attrs) > 0; {
			kind, value, rest := Next(attrs)
			if kind == Malformed {
				break
			}
			attrs = rest
			n++
			for len(value) > 0 {
				_, _, value = Next(value)
				n++
			}
		}
	}
	return n
}

// FuzzNext compares the walk with an independent decoder's.
func FuzzNext(f *testing.F) {
	f.Add(sample()[20:])
	f.Add([]byte{5, 0, 1, 0, 9})
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		walk(b)
		var mine []netlink.Attribute
		ok := true
		for rest := b; len(rest) > 0; {
			var kind uint16
			var value []byte
			if kind, value, rest = Next(rest); kind == Malformed {
				ok = false
				break
			}
			mine = append(mine, netlink.Attribute{Type: kind, Data: value})
		}
		theirs, err := netlink.UnmarshalAttributes(b)
		if err != nil || !ok {
			// It refuses what we read in two cases only: lengths of 0 and trailing bytes.
			return
		}
		if len(mine) != len(theirs) {
			t.Fatalf("%d attributes, the other decoder sees %d", len(mine), len(theirs))
		}
		for i := range mine {
			if mine[i].Type != theirs[i].Type&typeMask || !bytes.Equal(mine[i].Data, theirs[i].Data) {
				t.Fatalf("attribute %d: %v, the other decoder sees %v", i, mine[i], theirs[i])
			}
		}
	})
}

func BenchmarkWalk(b *testing.B) {
	s := sample()
	for b.Loop() {
		walk(s)
	}
}

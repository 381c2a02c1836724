// Lines that wait, by themselves: 64 MiB of them are too many for a test of a stack.

package print

import (
	"container/heap"
	"testing"
)

// TestWaitingLines: lines come out by their start, and those of one start in an order of their own, whatever order they
// came in.
func TestWaitingLines(t *testing.T) {
	lines := []waitingLine{{3, []byte("c")}, {1, []byte("b")}, {2, []byte("a")}, {1, []byte("a")}, {1, []byte("ab")}, {0, []byte("z")}}
	const want = "z a ab b a c "
	for range len(lines) {
		lines = append(lines[1:], lines[0])
		w := &waiting{}
		for _, l := range lines {
			heap.Push(w, l)
		}
		got := ""
		for w.Len() > 0 {
			got += string(heap.Pop(w).(waitingLine).text) + " "
		}
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestRoomForWaitingLines: where there is no room for more, the earliest goes.
func TestRoomForWaitingLines(t *testing.T) {
	w := &waiting{most: 3 * (1 + lineCosts)}
	got := ""
	for _, line := range []string{"5", "3", "4", "9", "1", "7"} {
		for w.add(uint64(line[0]), []byte(line)); w.full(); {
			got += string(w.next())
		}
	}
	if got != "314" || w.Len() != 3 {
		t.Errorf("%q went and %d wait, want 314 and 3", got, w.Len())
	}
}

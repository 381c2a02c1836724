// Package hugepage asks the kernel for memory in large pieces. Large memory that is filled or looked up at random costs
// less in them: it is taken with few page faults, and the processor finds it with few look-ups of its own.
package hugepage

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Size is that of a huge page where pages have 4 KiB; where they are larger, this costs speed only.
const Size = 2 << 20

// Advise tells the kernel that huge pages suit the memory of s, from its first whole one on: memory that is not used
// yet, which stays the garbage collector's. Without such pages it is slower, not wrong
// (/sys/kernel/mm/transparent_hugepage).
func Advise[T any](s []T) {
	var zero T
	octets := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), uintptr(cap(s))*unsafe.Sizeof(zero))
	if from := toNext(octets); from+Size <= len(octets) {
		_ = unix.Madvise(octets[from:], unix.MADV_HUGEPAGE)
	}
}

// Make returns an empty slice with room for octets, a multiple of [Size], in huge pages. It takes one page more of
// addresses than that, and no more of memory.
func Make(octets int) []byte {
	room := make([]byte, octets+Size)
	from := toNext(room)
	room = room[from : from : from+octets]
	Advise(room)
	return room
}

// toNext returns how far it is to the next huge page.
func toNext(b []byte) int { return int(-uintptr(unsafe.Pointer(unsafe.SliceData(b))) % Size) }

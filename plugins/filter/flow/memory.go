// Memory of the flow table, outside of the garbage collector's.

package flow

import (
	"fmt"
	"math"
	"unsafe"

	"golang.org/x/sys/unix"

	"ulogd/engine/hugepage"
)

// memory is taken from the kernel directly: the garbage collector has nothing to do with it, and
// huge pages halve the time that a look-up in a large table takes.
type memory []byte

// take maps room for n values of a type without pointers, all zero. Pages are backed when they are
// first used.
func take[T any](all *[]memory, n int) ([]T, error) {
	var zero T
	m, err := mapped(int64(n) * int64(unsafe.Sizeof(zero)))
	if err != nil {
		return nil, err
	}
	*all = append(*all, m)
	return unsafe.Slice((*T)(unsafe.Pointer(&m[0])), n), nil
}

// mapped takes so many octets, up to a whole page.
func mapped(octets int64) (memory, error) {
	size := (octets + hugepage.Size - 1) &^ (hugepage.Size - 1)
	if size > math.MaxInt {
		return nil, fmt.Errorf("max_flows: %d octets of memory are more than this machine's word size can address; set less",
			size)
	}
	m, err := unix.Mmap(-1, 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, fmt.Errorf("take %d octets of memory for max_flows: %w", size, err)
	}
	hugepage.Advise(m)
	return m, nil
}

// release gives all memory back.
func release(all *[]memory) error {
	var first error
	for _, m := range *all {
		if err := unix.Munmap(m); err != nil && first == nil {
			first = fmt.Errorf("release the cache's memory: %w", err)
		}
	}
	*all = nil
	return first
}

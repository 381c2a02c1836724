// Memory that grows in parts and never moves: what lies in it keeps its place, and growing copies
// nothing and stops nobody for long.

package table

// slab is an array in parts. Parts are made when they are first needed.
type slab[T any] struct{ parts []*[partSize]T }

const (
	partBits = 11
	partSize = 1 << partBits
)

// at returns what lies at i, whose part must be there.
func (s *slab[T]) at(i uint32) *T { return &s.parts[i>>partBits][i&(partSize-1)] }

// reach makes the part in which i lies.
func (s *slab[T]) reach(i uint32) *T {
	part := int(i >> partBits)
	if part >= len(s.parts) {
		s.parts = append(s.parts, make([]*[partSize]T, part+1-len(s.parts))...)
	}
	if s.parts[part] == nil {
		s.parts[part] = new([partSize]T)
	}
	return &s.parts[part][i&(partSize-1)]
}

// Objects within objects, one for each part of a key's name.

package json

import (
	"slices"
	"strings"

	"ulogd/engine"
	"ulogd/engine/text"
)

// enclosing is an object for a part of names that others follow.
type enclosing struct {
	label []byte // `"part": {`
}

// nest gives each member its place. Those of one object stand together, where the first of them was.
func (s *stage) nest() {
	at := map[string]int{}
	s.within = make([][]int, len(s.members))
	for i := range s.members {
		m := &s.members[i]
		parts := strings.Split(m.name, ".")
		for n := 1; n < len(parts); n++ {
			name := strings.Join(parts[:n], ".")
			if _, ok := at[name]; !ok {
				at[name] = len(s.objects)
				label := append(text.AppendJSON(nil, []byte(parts[n-1])), ": {"...)
				s.objects = append(s.objects, enclosing{label})
			}
			s.within[i] = append(s.within[i], at[name])
		}
	}
	for i := range s.members {
		m := &s.members[i]
		last := m.name[strings.LastIndexByte(m.name, '.')+1:]
		if o, ok := at[m.name]; ok { // others continue its name
			s.within[i] = append(s.within[i], o)
			last = "value"
		}
		m.label = append(text.AppendJSON(nil, []byte(last)), ": "...)
	}
	s.order = s.together(nil, 0)
}

// together returns the members in which an object's stand together, in the order of the first of each.
func (s *stage) together(within []int, depth int) (order []int) {
	done := map[int]bool{}
	for i, around := range s.within {
		if len(around) < depth || !slices.Equal(around[:depth], within) {
			continue
		}
		if len(around) == depth {
			order = append(order, i)
			continue
		}
		if o := around[depth]; !done[o] {
			done[o] = true
			order = append(order, s.together(around[:depth+1], depth+1)...)
		}
	}
	return order
}

// appendNested appends the members that a record has. Objects without any are left out.
func (s *stage) appendNested(buf []byte, b *engine.Batch, r engine.Row) []byte {
	open := s.open[:0]
	for _, i := range s.order {
		m := &s.members[i]
		if !m.Has(b, r) || s.told(m, b, r) {
			continue
		}
		same, within := 0, s.within[i]
		for same < len(open) && same < len(within) && open[same] == within[same] {
			same++
		}
		for ; len(open) > same; open = open[:len(open)-1] {
			buf = append(buf, '}')
		}
		buf = append(buf, ", "...)
		for _, o := range within[same:] {
			buf = append(buf, s.objects[o].label...)
			open = append(open, o)
		}
		buf = s.appendMember(buf, m, b, r)
	}
	for range open {
		buf = append(buf, '}')
	}
	s.open = open[:0]
	return buf
}

// told reports whether the object has a member of that name already.
func (s *stage) told(m *member, b *engine.Batch, r engine.Row) bool {
	for _, i := range m.earlier {
		if s.members[i].Has(b, r) {
			return true
		}
	}
	return false
}

// Names that many connections share, as small numbers.

package table

// names numbers up to 255 names from 1; 0 is none, and what every name beyond gets.
type names struct{ list [][]byte }

func (n *names) number(name []byte) uint8 {
	if len(name) == 0 {
		return 0
	}
	for i, known := range n.list {
		if string(known) == string(name) {
			return uint8(i + 1)
		}
	}
	if len(n.list) == 255 {
		return 0
	}
	n.list = append(n.list, append([]byte(nil), name...))
	return uint8(len(n.list))
}

func (n *names) name(number uint8) []byte { return n.list[number-1] }

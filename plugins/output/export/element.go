// Information elements as templates name them.

package export

import "ulogd/engine"

// Variable is the length of a field that states its length in each record (RFC 7011 section 7).
const Variable = engine.VariableLength

// A Specifier is a field of a template: an information element and how many octets it takes (RFC
// 7011 section 3.2).
type Specifier struct {
	engine.IE
	Length uint16
}

func specify(e *engine.Element) Specifier { return Specifier{e.IE, e.Length()} }

func specifyAll(list []*engine.Element) (out []Specifier) {
	for _, e := range list {
		out = append(out, specify(e))
	}
	return out
}

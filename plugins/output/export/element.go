// Information elements as templates name them.

package export

import "ulogd/engine"

// Variable is the length of a field that states its length in each record (RFC 7011 section 7).
const Variable = 65535

// An Element is a field of a template: an information element and how many octets it takes.
type Element struct {
	engine.IE
	Length uint16
}

func iana(id, length uint16) Element { return Element{engine.IE{ID: id}, length} }

func reverse(id, length uint16) Element {
	return Element{engine.IE{PEN: engine.Reverse, ID: id}, length}
}

// of makes an element of a key that has one.
func of(k *engine.KeyInfo, length uint16) Element { return Element{k.IE, length} }

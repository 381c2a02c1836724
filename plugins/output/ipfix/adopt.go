// Messages from the spool: an earlier run wrote them, with templates of its own numbers.

package ipfix

import (
	"bytes"
	"encoding/binary"

	"ulogd/engine"
	"ulogd/plugins/output/export"
	"ulogd/plugins/output/export/collector"
)

// adopter gives stored messages the template numbers of this run. With each message its templates
// are stored, as the sets that would announce them.
type adopter struct {
	registry *export.Templates
	contexts map[uint64][]byte // by the templates' bits

	context []byte // of the last message adopted
	now     map[uint16]*export.Template
}

func newAdopter(g *export.Templates) *adopter {
	return &adopter{registry: g, contexts: map[uint64][]byte{}, now: map[uint16]*export.Template{}}
}

const ipfixHeader = 16

// Context implements collector.Keeper.
func (a *adopter) Context(m collector.Mark) []byte {
	context, ok := a.contexts[m.Needs]
	if !ok {
		for _, msg := range a.registry.TemplateMessages(m.Needs, 65535) {
			context = append(context, msg[ipfixHeader:]...)
		}
		a.contexts[m.Needs] = context
	}
	return context
}

// Adopt implements collector.Keeper.
func (a *adopter) Adopt(context, msg []byte) (m collector.Mark, ok bool) {
	if !a.learn(context) || len(msg) < ipfixHeader || binary.BigEndian.Uint16(msg) != a.registry.Dialect.Version {
		return m, false
	}
	ok = eachSet(msg[ipfixHeader:], func(id, body []byte) bool {
		switch n := binary.BigEndian.Uint16(id); {
		case n == a.registry.Dialect.TemplateSet:
			return eachTemplate(body, func(id []byte, _ []export.Specifier) bool { return a.renumber(id, &m.Brings) })
		case n < 256:
			return false
		}
		return a.renumber(id, &m.Needs)
	})
	return m, ok
}

// renumber writes a template's present number in the place of its old one.
func (a *adopter) renumber(id []byte, bits *uint64) bool {
	t := a.now[binary.BigEndian.Uint16(id)]
	if t == nil {
		return false
	}
	binary.BigEndian.PutUint16(id, t.ID)
	*bits |= t.Needs
	return true
}

// learn finds this run's templates for those of a context, and returns false if there is no number
// left for one.
func (a *adopter) learn(context []byte) bool {
	if len(context) > 0 && bytes.Equal(context, a.context) {
		return true
	}
	a.context = a.context[:0]
	clear(a.now)
	ok := eachSet(context, func(id, body []byte) bool {
		return binary.BigEndian.Uint16(id) == a.registry.Dialect.TemplateSet && eachTemplate(body, func(id []byte, els []export.Specifier) bool {
			if len(els) == 0 {
				return false
			}
			t := a.registry.Of(els, 0)
			a.now[binary.BigEndian.Uint16(id)] = t
			return t != nil
		})
	})
	if ok {
		a.context = append(a.context, context...)
	}
	return ok
}

// eachSet calls f with id and body of each set until it returns false (RFC 7011 section 3.3).
func eachSet(p []byte, f func(id, body []byte) bool) bool {
	for len(p) > 0 {
		if len(p) < 4 {
			return false
		}
		n := int(binary.BigEndian.Uint16(p[2:]))
		if n < 4 || n > len(p) || !f(p[:2], p[4:n]) {
			return false
		}
		p = p[n:]
	}
	return true
}

// eachTemplate calls f with id and elements of each template record until it returns false (RFC
// 7011 section 3.4.1).
func eachTemplate(p []byte, f func(id []byte, els []export.Specifier) bool) bool {
	for len(p) > 0 {
		if len(p) < 4 {
			return false
		}
		id, count := p[:2], int(binary.BigEndian.Uint16(p[2:]))
		p = p[4:]
		var els []export.Specifier
		for range count {
			if len(p) < 4 {
				return false
			}
			e := export.Specifier{IE: engine.IE{ID: binary.BigEndian.Uint16(p)}, Length: binary.BigEndian.Uint16(p[2:])}
			p = p[4:]
			if e.ID&0x8000 != 0 {
				if len(p) < 4 {
					return false
				}
				e.ID &^= 0x8000
				e.PEN = binary.BigEndian.Uint32(p)
				p = p[4:]
			}
			els = append(els, e)
		}
		if !f(id, els) {
			return false
		}
	}
	return true
}

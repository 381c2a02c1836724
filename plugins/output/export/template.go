// Templates: which elements, in which order, under which number.

package export

import (
	"encoding/binary"
	"slices"
)

// A Template describes records.
type Template struct {
	ID       uint16
	Elements []Specifier
	Scope    int // leading elements that are an options record's scope; 0 for data
	Needs    uint64

	record []byte // the template record as it is sent
	fixed  int    // octets of a record's fields of fixed length
	set    uint16 // id of the set that announces it
}

// Size returns the octets of a record without its fields of variable length.
func (t *Template) Size() int { return t.fixed }

// SetSize returns the octets of a set that announces this template alone.
func (t *Template) SetSize() int { return 4 + len(t.record) }

// Dialect is what IPFIX and NetFlow v9 do differently.
type Dialect struct {
	Version     uint16
	Header      int    // octets of the message header
	TemplateSet uint16 // id of the set that templates travel in
	OptionsSet  uint16
	Enterprise  bool // elements may carry an enterprise number
	Pad         bool // data sets end on a multiple of 4 octets
}

// The two dialects.
var (
	IPFIX    = Dialect{Version: 10, Header: 16, TemplateSet: 2, OptionsSet: 3, Enterprise: true}
	NetFlow9 = Dialect{Version: 9, Header: 20, TemplateSet: 0, OptionsSet: 1, Pad: true}
)

// Templates numbers the templates of one output. A template stays for as long as the output does.
type Templates struct {
	Dialect Dialect
	First   uint16 // number of the first template
	Max     int    // templates at most, 64 or fewer: a word of bits names them
	list    []*Template
}

// List returns all templates so far.
func (g *Templates) List() []*Template { return g.list }

// Known returns the bits of all templates so far.
func (g *Templates) Known() uint64 { return 1<<len(g.list) - 1 }

// Of returns the template of these elements, a new one if need be, or nil if there are too many
// already.
func (g *Templates) Of(els []Specifier, scope int) *Template {
	for _, t := range g.list {
		if t.Scope == scope && slices.Equal(t.Elements, els) {
			return t
		}
	}
	if len(g.list) == g.Max {
		return nil
	}
	t := &Template{ID: g.First + uint16(len(g.list)), Elements: slices.Clone(els), Scope: scope, Needs: 1 << len(g.list)}
	t.build(&g.Dialect)
	g.list = append(g.list, t)
	return t
}

// around returns the smallest template that has all the elements asked for and besides only such as
// may be zero.
func (g *Templates) around(els []Specifier, may func(Specifier) bool) (best *Template) {
	for _, t := range g.list {
		if t.Scope == 0 && (best == nil || t.fixed < best.fixed) && covers(t.Elements, els, may) {
			best = t
		}
	}
	return best
}

func covers(has, want []Specifier, may func(Specifier) bool) bool {
	for _, e := range want {
		if !slices.Contains(has, e) {
			return false
		}
	}
	for _, e := range has {
		if !slices.Contains(want, e) && !may(e) {
			return false
		}
	}
	return true
}

// build writes the template record: RFC 7011 section 3.4, RFC 3954 sections 5.2 and 6.1.
func (t *Template) build(d *Dialect) {
	t.set = d.TemplateSet
	p := binary.BigEndian.AppendUint16(nil, t.ID)
	switch {
	case t.Scope > 0 && d.Version == 9: // lengths in octets instead of counts
		t.set = d.OptionsSet
		p = binary.BigEndian.AppendUint16(p, uint16(4*t.Scope))
		p = binary.BigEndian.AppendUint16(p, uint16(4*(len(t.Elements)-t.Scope)))
	case t.Scope > 0:
		t.set = d.OptionsSet
		p = binary.BigEndian.AppendUint16(p, uint16(len(t.Elements)))
		p = binary.BigEndian.AppendUint16(p, uint16(t.Scope))
	default:
		p = binary.BigEndian.AppendUint16(p, uint16(len(t.Elements)))
	}
	for _, e := range t.Elements {
		id := e.ID
		if e.PEN != 0 && d.Enterprise {
			id |= 0x8000
		}
		p = binary.BigEndian.AppendUint16(p, id)
		p = binary.BigEndian.AppendUint16(p, e.Length)
		if e.PEN != 0 && d.Enterprise {
			p = binary.BigEndian.AppendUint32(p, e.PEN)
		}
		if e.Length != Variable {
			t.fixed += int(e.Length)
		}
	}
	for d.Pad && len(p)%4 != 0 { // an options template of an odd number of fields, RFC 3954 section 6.1
		p = append(p, 0)
	}
	t.record = p
}

// TemplateMessages builds messages of at most limit octets that announce the templates named by
// bits, and nothing else. A template that is longer than the limit travels alone.
func (g *Templates) TemplateMessages(bits uint64, limit int) [][]byte {
	var (
		out [][]byte
		msg []byte
		set int
	)
	end := func() {
		if msg != nil {
			g.seal(msg, set)
			out = append(out, msg)
		}
	}
	for _, t := range g.list {
		if bits&t.Needs == 0 {
			continue
		}
		if msg == nil || len(msg)+t.SetSize() > limit {
			end()
			msg, set = make([]byte, g.Dialect.Header, limit+len(t.record)), 0
			binary.BigEndian.PutUint16(msg, g.Dialect.Version)
		}
		padded := g.Dialect.Pad && t.Scope > 0 // padding is at a flowset's end only, RFC 3954 section 6.1
		if set == 0 || padded || binary.BigEndian.Uint16(msg[set:]) != t.set {
			if set != 0 {
				binary.BigEndian.PutUint16(msg[set+2:], uint16(len(msg)-set))
			}
			set = len(msg)
			msg = append(msg, byte(t.set>>8), byte(t.set), 0, 0)
		}
		msg = append(msg, t.record...)
		g.count(msg, 1)
	}
	end()
	return out
}

// seal completes lengths: of the last set and, in IPFIX, of the message.
func (g *Templates) seal(msg []byte, set int) {
	if set != 0 {
		binary.BigEndian.PutUint16(msg[set+2:], uint16(len(msg)-set))
	}
	if g.Dialect.Version == 10 {
		binary.BigEndian.PutUint16(msg[2:], uint16(len(msg)))
	}
}

// count adds to NetFlow v9's count of records of all kinds (RFC 3954 section 5.1).
func (g *Templates) count(msg []byte, n int) {
	if g.Dialect.Version == 9 {
		binary.BigEndian.PutUint16(msg[2:], binary.BigEndian.Uint16(msg[2:])+uint16(n))
	}
}

// Choosing among the items by name.

package export

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"ulogd/engine"
	"ulogd/engine/element"
)

// A Choice is what a configuration asks for among the elements that a stack can fill.
type Choice struct {
	Fields     []string  // names of elements and keys, in this order; nil: the usual ones
	Enterprise string    // elements under enterprise numbers: EnterpriseAuto ...
	FlagOctets uint16    // of TCP flags: 1, or 2
	Exporter   *Exporter // whose address Fields may name; nil: there is none
}

// Elements under an enterprise number other than that of reverse elements. A collector that does
// not know one may refuse all of a template.
const (
	EnterpriseAuto = "auto"  // those that a record is pointless without, and those that Fields names
	EnterpriseAll  = "true"  // all that the stack can fill
	EnterpriseNone = "false" // none
)

// ExporterDoc says in options' texts which elements there are besides the stack's.
const ExporterDoc = "exporterIPv4Address and exporterIPv6Address are the address that the output sends from, to the first " +
	"of several collectors"

// Options declares them, and Validate checks them.
func (c *Choice) Options(o *engine.Options) {
	o.Strings(&c.Fields, "fields", nil, "elements of the records in their order, by the names of the registry or of keys "+
		"that have an element; "+ExporterDoc+"; unset: the usual ones that the stack can fill")
	o.Enum(&c.Enterprise, "enterprise", EnterpriseAuto, []string{EnterpriseAuto, EnterpriseAll, EnterpriseNone},
		"elements under netfilter's enterprise number, such as ct.mark and ct.zone; a collector that does not know one may refuse all of a template. auto: only those that fields "+
			"names and, in records of packets and counters, prefix, mark and name; true: all that the stack can fill; false: none")
	engine.Int(o, &c.FlagOctets, "tcp_flags_octets", 1, "octets of tcpControlBits: 1 holds the eight flags up to CWR, and is what nfacctd and others read; 2 also those above them (RFC 9565)")
}

// Validate checks the options.
func (c *Choice) Validate() error {
	if c.FlagOctets < 1 || c.FlagOctets > 2 {
		return fmt.Errorf("tcp_flags_octets: must be 1 or 2, is %d", c.FlagOctets)
	}
	return nil
}

// choose has the encoder write the items chosen.
func (e *Encoder) choose(p *engine.Binder, c Choice, all items, g *Templates) {
	e.shapes.init(c.choose(p, all, g), g)
	if c.Exporter != nil && c.Exporter.asked {
		e.exporter = c.Exporter
	}
}

// choose returns the items named, in that order, or the usual ones if none are named, as far as the
// registry's dialect has them.
func (c Choice) choose(p *engine.Binder, all items, g *Templates) (chosen items) {
	if len(c.Fields) == 0 {
		for _, it := range all {
			if !it.Extra || it.own() && c.Enterprise == EnterpriseAll {
				chosen = append(chosen, it)
			}
		}
	}
	var own items
	if c.Exporter != nil {
		own = c.Exporter.items()
	}
	for _, name := range c.Fields {
		found := all.named(name)
		if found == nil {
			if found = own.named(name); found != nil {
				c.Exporter.asked = true
			}
		}
		if found == nil {
			found = keyItems(p, name)
		}
		if slices.ContainsFunc(found, func(it Item) bool { return it.own() }) && c.Enterprise == EnterpriseNone {
			p.Problem("fields: %q is under an enterprise number, which enterprise = false leaves out; remove one of them", name)
		}
		chosen = append(chosen, found...)
	}
	if c.Enterprise == EnterpriseNone {
		chosen = slices.DeleteFunc(chosen, func(it Item) bool { return it.own() })
	}
	if !g.Dialect.Enterprise {
		chosen = slices.DeleteFunc(chosen, func(it Item) bool { return it.PEN != 0 || it.Length == Variable })
		for i := range chosen {
			if n := chosen[i].element.V9; n != 0 {
				chosen[i].ID = n
			}
		}
	}
	return chosen
}

// named returns the items of an element of that name or, if it is a key's name, those of the key:
// under its own number if it has one, else the usual ones.
func (l items) named(name string) (found items) {
	for _, it := range l {
		if strings.EqualFold(it.element.Name, name) {
			found = append(found, it)
		}
	}
	if found != nil {
		return found
	}
	for _, it := range l {
		if it.key != nil && strings.EqualFold(it.key.Name, name) && it.key.Own() == nil && !it.Extra {
			found = append(found, it)
		}
	}
	return found
}

// keyItems makes items of any key, named by itself or by one of its elements.
func keyItems(p *engine.Binder, name string) (l items) {
	f, e := elementOf(p, name)
	if e == nil {
		f, ok := p.Named(name)
		switch {
		case !ok:
			p.Problem("fields: %q is neither an information element that this stack can fill nor one of its keys", name)
		case len(f.Key.Elements) == 0 || f.Name != f.Key.Name:
			p.Problem("fields: the key %q has no information element; a custom plugin's key gets one from engine.Own, under its own enterprise number", name)
		default:
			for _, e := range usual(f.Key) {
				l.key(f, e)
			}
		}
		return l
	}
	l.key(f, e)
	return l
}

// elementOf finds the key of the stack that has an element of that name.
func elementOf(p *engine.Binder, name string) (f engine.Field, e *engine.Element) {
	p.All(func(g engine.Field) bool {
		for _, x := range g.Key.Elements {
			if e == nil && g.Name == g.Key.Name && x.Name != g.Name && strings.EqualFold(x.Name, name) {
				f, e = g, x
				return true
			}
		}
		return false
	})
	return f, e
}

// usual returns what a key leaves as: under its own number if it has one, else the first of its
// elements, and its like of the other IP version.
func usual(k *engine.KeyInfo) (list []*engine.Element) {
	if own := k.Own(); own != nil {
		return []*engine.Element{own}
	}
	for _, e := range k.Elements {
		if len(list) == 0 || len(list) == 1 && list[0].Family != 0 && e.Family != 0 && e.Family != list[0].Family {
			list = append(list, e)
		}
	}
	return list
}

// key adds an item that writes any key as one of its elements.
func (l *items) key(f engine.Field, e *engine.Element) {
	var fill filler = anyBytes{f}
	if e.Length() != Variable {
		fill = anyKey{f, e}
	}
	s := from(fill, f.Mask())
	s.key = f.Key
	l.add(e, s, s)
}

// anyKey writes a key of whatever type as its element.
type anyKey struct {
	engine.Field
	element *engine.Element
}

func (f anyKey) fill(b *engine.Batch, buf []byte, spots []spot, off int) {
	for _, s := range spots {
		p := buf[int(s.pos)+off:][:f.element.Length()]
		if f.Key.Type == engine.TimeType {
			putTime(p, engine.Time(f.Uint(b, s.row)), f.element.Type)
			continue
		}
		switch typ := f.element.Type; {
		case typ == engine.IPv4Address:
			a, _ := f.Addr(b, s.row)
			binary.BigEndian.PutUint32(p, a.V4())
		case typ == engine.IPv6Address:
			a, _ := f.Addr(b, s.row)
			a.Put16(p)
		case typ == engine.MACAddress || typ == engine.OctetArray && f.Key.Type != engine.Uint32Type: // labels are numbers
			clear(p[copy(p, f.Bytes(b, s.row)):])
		case typ == engine.Boolean:
			p[0] = 2 - byte(f.Uint(b, s.row)&1)
		default:
			v := part(f.element, f.Uint(b, s.row))
			for i := range p {
				p[i] = byte(v >> (8 * (len(p) - 1 - i)))
			}
		}
	}
}

// part returns what an element has of a key that is more than the element is: ip.fragoff is the whole
// word of the IPv4 header, with the flags in its upper bits.
func part(e *engine.Element, v uint64) uint64 {
	switch e {
	case element.FragmentOffset:
		return v & 0x1fff
	case element.FragmentFlags: // from its upper bit on, too
		return v >> 8 & 0xe0
	}
	return v
}

// anyBytes writes a key that is a string or raw data.
type anyBytes struct{ engine.Field }

func (f anyBytes) size(b *engine.Batch, r engine.Row) int { return varSize(f.Bytes(b, r)) }

func (f anyBytes) fill(b *engine.Batch, buf []byte, spots []spot, off int) {
	for i := range spots {
		s := &spots[i]
		s.pos += uint32(putVar(buf[int(s.pos)+off:], f.Bytes(b, s.row), f.Key.Type != engine.RawType))
	}
}

// Infos returns the keys that the encoder writes under an enterprise number.
func (e *Encoder) Infos() (list []*engine.KeyInfo) {
	for _, it := range e.shapes.items {
		if it.own() && it.key != nil {
			list = append(list, it.key)
		}
	}
	return list
}

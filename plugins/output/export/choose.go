// Choosing among the items by name.

package export

import (
	"strings"

	"ulogd/engine"
)

// choose returns the items named, in that order, or the usual ones if none are named. A name is that of an information element, or of a key, which
// then needs an element of its own.
func choose(p *engine.Binder, all items, names []string) (chosen items) {
	if len(names) == 0 {
		for _, it := range all {
			if !it.Extra {
				chosen = append(chosen, it)
			}
		}
		return chosen
	}
	for _, name := range names {
		found := false
		for _, it := range all {
			if strings.EqualFold(it.Name, name) {
				chosen = append(chosen, it)
				found = true
			}
		}
		if found {
			continue
		}
		if it, ok := keyItem(p, name); ok {
			chosen = append(chosen, it)
		}
	}
	return chosen
}

// keyItem makes an item of any key that has an information element.
func keyItem(p *engine.Binder, name string) (Item, bool) {
	f, ok := p.Named(name)
	if !ok {
		p.Problem("fields: %q is neither an information element that this stack can fill nor one of its keys", name)
		return Item{}, false
	}
	if f.Key.IE == (engine.IE{}) || f.Name != f.Key.Name {
		p.Problem("fields: the key %q has no information element; a custom plugin's key gets one from KeyInfo.IE, under its own enterprise number", name)
		return Item{}, false
	}
	it := Item{Element: of(f.Key, Variable), Name: name, Info: f.Key}
	var fill filler = anyBytes{f}
	if width, ok := lengths[f.Key.Type]; ok {
		it.Length = uint16(width)
		fill = anyKey{f, width}
	}
	s := from(fill, f.Mask())
	var l items
	l.add(it, s, s)
	if len(l) == 0 {
		return Item{}, false
	}
	return l[0], true
}

// lengths are the octets of keys that always take the same number; others are of variable length.
var lengths = map[engine.Type]int{
	engine.BoolType: 1, engine.Int8Type: 1, engine.Uint8Type: 1, engine.Int16Type: 2, engine.Uint16Type: 2,
	engine.Int32Type: 4, engine.Uint32Type: 4, engine.Int64Type: 8, engine.Uint64Type: 8,
	engine.TimeType: 8, engine.MACType: 6, engine.LabelType: 16, engine.AddrType: 16,
}

// anyKey writes a key of whatever type: numbers in their own width, times as dateTimeNanoseconds, addresses as ipv6Address.
type anyKey struct {
	engine.Field
	width int
}

func (f anyKey) fill(b *engine.Batch, buf []byte, spots []spot, off int) {
	for _, s := range spots {
		p := buf[int(s.pos)+off:][:f.width]
		switch f.Key.Type {
		case engine.AddrType:
			a, _ := f.Addr(b, s.row)
			a.Put16(p)
		case engine.MACType, engine.LabelType:
			copy(p, f.Bytes(b, s.row))
		case engine.TimeType:
			putNTP(p, engine.Time(f.Uint(b, s.row)), ntpNano)
		case engine.BoolType:
			p[0] = 2 - byte(f.Uint(b, s.row)&1)
		default:
			v := f.Uint(b, s.row)
			for i := range p {
				p[i] = byte(v >> (8 * (f.width - 1 - i)))
			}
		}
	}
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
		if it.Info != nil && it.PEN != 0 && it.PEN != engine.Reverse {
			list = append(list, it.Info)
		}
	}
	return list
}

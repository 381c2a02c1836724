// Which keys an output shows that has no keys of its own.

package engine

import "slices"

// A Selection is which keys an output shows that has no keys of its own: all of the stack's but the
// extra ones, or those that are named.
type Selection struct {
	Keys  []string
	Extra bool
}

// Options declares keys and extra_keys.
func (s *Selection) Options(o *Options) {
	o.Strings(&s.Keys, "keys", nil, "keys to show, in this order; unset: every key of the stack")
	o.Bool(&s.Extra, "extra_keys", false, "show also the keys that ulogd2's plugins do not have")
}

// Fields returns the selected keys. A key that no plugin gives is a problem of the stack, reported
// with the nearest name.
func (s *Selection) Fields(p *Binder) []Field {
	if len(s.Keys) == 0 {
		return p.All(func(f Field) bool { return s.Extra || !f.Extra })
	}
	var out []Field
	for _, name := range s.Keys {
		f, ok := p.Named(name)
		if ok {
			out = append(out, f)
			continue
		}
		if p.describe == nil {
			p.Problem("keys: no plugin of the stack gives %s; given are %v", name, p.Names())
		}
	}
	return out
}

// Whole replaces the second and microsecond parts of times by the time itself, once each.
func Whole(fields []Field) []Field {
	out := slices.Clone(fields[:0])
	for _, f := range fields {
		if f.part == microseconds {
			continue
		}
		if f.part == seconds {
			f.part, f.Name = wholeTime, f.Key.Name
		}
		out = append(out, f)
	}
	return out
}

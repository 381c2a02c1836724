// Options: how instances declare their settings, and how values of a configuration are read.

package engine

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"ulogd/engine/value"
)

// A Value is an option's value as the configuration has it.
type Value struct {
	Kind value.Kind
	Text string
	List []Value
}

// An Option is one setting of an instance.
type Option struct {
	Name    string
	Type    string // for people: "integer", "seconds", "string" ...
	Default string
	Doc     string
	Given   bool // the configuration sets it

	value Value      // that the configuration gives it
	kind  value.Kind // how a conversion to TOML writes it
	set   func(Value) (warning string, err error)
	texts func() []string // what a text or a list is now
	use   Use             // of the files that it names; 0: it names none
}

// Kind returns how the option's value is written in TOML.
func (o *Option) Kind() value.Kind { return o.kind }

// Options is the set of settings that an instance declares, after the manner of the flag package:
// each declaration names the variable, gives it its default and says what it means.
type Options struct{ list []*Option }

// List returns the options in the order of their declaration.
func (o *Options) List() []*Option { return o.list }

// Lookup finds an option by name.
func (o *Options) Lookup(name string) (*Option, bool) {
	for _, opt := range o.list {
		if opt.Name == name {
			return opt, true
		}
	}
	return nil, false
}

// Given reports whether the configuration sets the option.
func (o *Options) Given(name string) bool {
	opt, ok := o.Lookup(name)
	return ok && opt.Given
}

// Set gives an option a value.
func (o *Option) Set(v Value) (warning string, err error) {
	warning, err = o.set(v)
	if err == nil {
		o.Given, o.value = true, v
	}
	return warning, err
}

// same reports whether an option has the same value, written in the same way.
func (o *Option) same(p *Option) bool {
	return o.Name == p.Name && o.Given == p.Given && reflect.DeepEqual(o.value, p.value)
}

func (o *Options) add(name, typ, def, doc string, kind value.Kind, set func(Value) (string, error)) {
	if _, dup := o.Lookup(name); dup {
		panic("engine: option " + name + " is declared twice")
	}
	o.list = append(o.list, &Option{Name: name, Type: typ, Default: def, Doc: doc, kind: kind, set: set})
}

// Integer is any whole-number variable an option can fill.
type Integer interface {
	~int | ~int8 | ~int16 | ~int32 | ~int64 | ~uint | ~uint8 | ~uint16 | ~uint32 | ~uint64
}

// Int declares a whole number, in decimal, 0x hexadecimal or 0 octal. In ulogd.conf what follows
// the number is ignored with a warning, as ulogd2 2.0.8 reads it, and 32-bit values may be written
// signed or unsigned.
func Int[T Integer](o *Options, p *T, name string, def T, doc string) {
	*p = def
	o.add(name, "integer", fmt.Sprint(def), doc, value.Int, func(v Value) (string, error) {
		n, warning, err := v.integer()
		if err != nil {
			return "", err
		}
		*p = T(n)
		if int64(*p) == n {
			return warning, nil
		}
		// -1 for a full 32-bit mask, or 0xffffffff for -1: both spell the same bits.
		small, same := int64(int32(n)), int64(T(int32(n))) == int64(int32(n)) || int64(T(uint32(n))) == int64(uint32(n))
		if n >= -1<<31 && n < 1<<32 && same {
			*p = T(small)
			if int64(*p) != small {
				*p = T(uint32(n))
			}
			return warning, nil
		}
		*p = def
		return "", fmt.Errorf("%s is out of range", v.Text)
	})
}

// Bool declares a switch: true, false, yes, no, on, off, or a number that is not zero.
func (o *Options) Bool(p *bool, name string, def bool, doc string) {
	*p = def
	o.add(name, "boolean", strconv.FormatBool(def), doc, value.Bool, func(v Value) (warning string, err error) {
		switch strings.ToLower(v.Text) {
		case "true", "yes", "on":
			*p = true
			return "", nil
		case "false", "no", "off":
			*p = false
			return "", nil
		}
		n, warning, err := v.integer()
		if err != nil || warning != "" {
			return "", fmt.Errorf("must be true or false, is %q", v.Text)
		}
		*p = n != 0
		return "", nil
	})
}

// BoolOr declares a boolean in whose place a word may stand: p is "true", "false" or that word.
func (o *Options) BoolOr(p *string, name string, def bool, word, doc string) {
	*p = strconv.FormatBool(def)
	o.add(name, "boolean | "+word, *p, doc, value.Bool, func(v Value) (string, error) {
		switch text := strings.ToLower(v.Text); text {
		case word:
			*p = word
		case "true", "yes", "on", "1":
			*p = "true"
		case "false", "no", "off", "0":
			*p = "false"
		default:
			return "", fmt.Errorf("must be true, false or %s, is %q", word, v.Text)
		}
		return "", nil
	})
}

// String declares a text.
func (o *Options) String(p *string, name, def, doc string) {
	*p = def
	o.add(name, "string", def, doc, value.String, func(v Value) (string, error) {
		if v.Kind == value.List || v.Kind == value.Bool {
			return "", fmt.Errorf("must be a string, is %s", v.Kind)
		}
		*p = v.Text
		return "", nil
	})
	o.list[len(o.list)-1].texts = func() []string { return []string{*p} }
}

// Strings declares a list: a TOML list, or one word split at commas.
func (o *Options) Strings(p *[]string, name string, def []string, doc string) {
	*p = def
	o.add(name, "list", strings.Join(def, ","), doc, value.List, func(v Value) (string, error) {
		list := []string{} // not nil, which stands for an option that is not set
		switch v.Kind {
		case value.List:
			for _, e := range v.List {
				if e.Kind == value.List || e.Kind == value.Bool {
					return "", fmt.Errorf("must be a list of strings, has %s in it", e.Kind)
				}
				list = append(list, e.Text)
			}
		case value.Bool:
			return "", fmt.Errorf("must be a list of strings, is %s", v.Kind)
		default:
			for s := range strings.SplitSeq(v.Text, ",") {
				if s = strings.TrimSpace(s); s != "" {
					list = append(list, s)
				}
			}
		}
		*p = list
		return "", nil
	})
	o.list[len(o.list)-1].texts = func() []string { return *p }
}

// Func declares an option whose value set reads; typ says to people what it is, kind how TOML
// writes it.
func (o *Options) Func(name, typ, def, doc string, kind value.Kind, set func(Value) (warning string, err error)) {
	o.add(name, typ, def, doc, kind, set)
}

// Enum declares a choice among words. They compare without regard to case and the variable gets the
// word as declared here.
func (o *Options) Enum(p *string, name, def string, words []string, doc string) {
	*p = def
	o.add(name, strings.Join(words, " | "), def, doc, value.String, func(v Value) (string, error) {
		for _, w := range words {
			if strings.EqualFold(w, v.Text) {
				*p = w
				return "", nil
			}
		}
		return "", fmt.Errorf("must be one of %s, is %q", strings.Join(words, ", "), v.Text)
	})
}

// Seconds declares a duration: a number of seconds, or a Go duration such as "500ms".
func (o *Options) Seconds(p *time.Duration, name string, def time.Duration, doc string) {
	*p = def
	o.add(name, "seconds", strconv.FormatFloat(def.Seconds(), 'f', -1, 64), doc, value.Int, func(v Value) (string, error) {
		if v.Kind == value.List || v.Kind == value.Bool {
			return "", fmt.Errorf("must be a number of seconds, is %s", v.Kind)
		}
		d, err := time.ParseDuration(v.Text)
		if err != nil {
			var f float64
			if f, err = strconv.ParseFloat(v.Text, 64); err == nil && !(f >= -1e9 && f <= 1e9) {
				err = strconv.ErrRange
			}
			d = time.Duration(f * float64(time.Second))
		}
		if err != nil {
			return "", fmt.Errorf("must be a number of seconds or a duration such as 500ms, is %q", v.Text)
		}
		if d < 0 {
			return "", fmt.Errorf("must not be negative, is %s", v.Text)
		}
		*p = d
		return "", nil
	})
}

// Range declares a whole number between two others, both included.
func Range[T Integer](o *Options, p *T, name string, def, least, most T, doc string) {
	Int(o, p, name, def, doc)
	opt := o.list[len(o.list)-1]
	opt.Type = fmt.Sprintf("%d to %d", least, most)
	set := opt.set
	opt.set = func(v Value) (warning string, err error) {
		if n, _, err := v.integer(); err == nil && (n < int64(least) || n > int64(most)) {
			return "", fmt.Errorf("must be from %d to %d, is %s", least, most, v.Text)
		}
		return set(v)
	}
}

// Ticks declares a duration that is kept as a number of ticks, and may be given as that number or
// as a Go duration.
func Ticks[T Integer](o *Options, p *T, name string, tick time.Duration, def T, doc string) {
	Int(o, p, name, def, doc)
	opt := o.list[len(o.list)-1]
	opt.Type = "times " + tick.String()
	set := opt.set
	opt.set = func(v Value) (warning string, err error) {
		d, err := time.ParseDuration(v.Text)
		switch {
		case err != nil || v.Text == "0" || v.Kind == value.Int:
			return set(v)
		case d < 0 || int64(T(d/tick)) != int64(d/tick):
			return "", fmt.Errorf("%s is out of range", v.Text)
		}
		*p = T((d + tick - 1) / tick)
		return "", nil
	}
}

// Size declares a number of octets, with an optional KiB, MiB or GiB.
func (o *Options) Size(p *int64, name string, def int64, doc string) { Octets(o, p, name, def, doc) }

// Octets is Size for other whole numbers.
func Octets[T Integer](o *Options, p *T, name string, def T, doc string) {
	*p = def
	o.add(name, "octets", FormatSize(int64(def)), doc, value.String, func(v Value) (string, error) {
		text, unit := strings.TrimSpace(v.Text), int64(1)
		for _, u := range []struct {
			name string
			n    int64
		}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}} {
			if end := len(text) - len(u.name); end > 0 && strings.EqualFold(text[end:], u.name) {
				text, unit = strings.TrimSpace(text[:end]), u.n
			}
		}
		n, err := strconv.ParseInt(text, 0, 64)
		if err != nil || v.Kind == value.List || v.Kind == value.Bool {
			return "", fmt.Errorf("must be a number of octets such as 65536 or 64MiB, is %q", v.Text)
		}
		if n < 0 || n > 1<<62/unit {
			return "", fmt.Errorf("%s is out of range", v.Text)
		}
		size := T(n * unit)
		if int64(size) != n*unit || size < 0 {
			return "", fmt.Errorf("%s is out of range", v.Text)
		}
		*p = size
		return "", nil
	})
}

// FormatSize writes a number of octets with the largest unit that divides it.
func FormatSize(n int64) string {
	for _, u := range []struct {
		name string
		n    int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if n != 0 && n%u.n == 0 {
			return fmt.Sprintf("%d%s", n/u.n, u.name)
		}
	}
	return fmt.Sprint(n)
}

// integer reads the value as C does: in a ulogd.conf the longest number that leads the word counts.
func (v Value) integer() (n int64, warning string, err error) {
	switch v.Kind {
	case value.Int:
		n, err = strconv.ParseInt(v.Text, 0, 64)
		if err != nil {
			err = fmt.Errorf("%s is out of range", v.Text)
		}
		return n, "", err
	case value.Word:
		if n, err = strconv.ParseInt(v.Text, 0, 64); err == nil {
			return n, "", nil
		}
		for end := len(v.Text) - 1; end > 0; end-- {
			if n, err = strconv.ParseInt(v.Text[:end], 0, 64); err == nil {
				return n, fmt.Sprintf("%q is not a number; using %d", v.Text, n), nil
			}
		}
		return 0, fmt.Sprintf("%q is not a number; using 0", v.Text), nil
	}
	return 0, "", fmt.Errorf("must be a whole number, is %s", v.Kind)
}

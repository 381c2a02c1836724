// A configuration written as TOML, whatever grammar it was read from.

package conf

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"ulogd/engine/value"
)

// TOML returns the configuration in TOML, options and sections in their order. The words of ulogd.conf have no type:
// kind tells the type of an option, so that 1 and "1" are each written as the option's reader expects. Where kind is
// nil or returns Word, a decimal integer is written as such and all else as a string. A word that cannot be of its
// type is written as a string: whoever checks the option will point at it.
func (f *File) TOML(kind func(section, option string) value.Kind) []byte {
	var b bytes.Buffer
	writeSection := func(s Section) {
		fmt.Fprintf(&b, "[%s]\n", tomlName(s.Name))
		for _, o := range s.Options {
			as := value.Word
			if kind != nil {
				as = kind(s.Name, o.Name)
			}
			fmt.Fprintf(&b, "%s = %s\n", tomlName(o.Name), tomlValue(o.Value, as))
		}
	}
	if len(f.Global.Options) > 0 || len(f.Stacks) > 0 {
		writeSection(f.Global)
		writeStacks(&b, f.Stacks)
	}
	for _, s := range f.Sections {
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		writeSection(s)
	}
	return b.Bytes()
}

func writeStacks(b *bytes.Buffer, stacks []Stack) {
	switch len(stacks) {
	case 0:
	case 1:
		fmt.Fprintf(b, "stack = %s\n", tomlString(stacks[0].Text))
	default:
		b.WriteString("stack = [\n")
		for _, s := range stacks {
			fmt.Fprintf(b, "  %s,\n", tomlString(s.Text))
		}
		b.WriteString("]\n")
	}
}

// tomlValue writes a value; as is the type of its option, which matters to a Word only.
func tomlValue(v Value, as value.Kind) string {
	switch v.Kind {
	case value.Word:
		return tomlWord(v.Text, as)
	case value.String:
		return tomlString(v.Text)
	case value.List:
		items := make([]string, len(v.List))
		for i, item := range v.List {
			items[i] = tomlValue(item, value.String)
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	return v.Text
}

var decimal = regexp.MustCompile(`^(0|-?[1-9][0-9]{0,17})$`) // at most 18 digits: fits 64 bits

func tomlWord(text string, as value.Kind) string {
	switch as {
	case value.Word:
		if decimal.MatchString(text) {
			return text
		}
	case value.Int:
		if literal, ok := tomlInt(text); ok {
			return literal
		}
	case value.Float:
		if f, err := strconv.ParseFloat(text, 64); err == nil {
			return formatFloat(f)
		}
	case value.Bool: // ulogd2 has no booleans, only integers that are used as such
		if i := slices.Index([]string{"0", "1", "false", "true"}, text); i >= 0 {
			return strconv.FormatBool(i%2 == 1)
		}
	case value.List:
		var items []string
		for item := range strings.SplitSeq(text, ",") {
			if item = strings.TrimSpace(item); item != "" {
				items = append(items, tomlString(item))
			}
		}
		return "[" + strings.Join(items, ", ") + "]"
	}
	return tomlString(text)
}

// tomlInt reads an integer as C and so ulogd2 writes it: decimal, 0x hexadecimal or, with a leading zero, octal.
// Hexadecimal stays so, since masks read better that way.
func tomlInt(text string) (string, bool) {
	digits, negative := strings.CutPrefix(text, "-")
	if !negative {
		digits = strings.TrimPrefix(text, "+")
	}
	base := 10
	switch {
	case strings.HasPrefix(digits, "0x"), strings.HasPrefix(digits, "0X"):
		base, digits = 16, digits[2:]
	case len(digits) > 1 && digits[0] == '0':
		base, digits = 8, digits[1:]
	}
	n, err := strconv.ParseUint(digits, base, 63)
	switch {
	case err != nil:
		return "", false
	case negative:
		return strconv.FormatInt(-int64(n), 10), true
	case base == 16:
		return "0x" + strings.ToLower(digits), true
	}
	return strconv.FormatUint(n, 10), true
}

var bareName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// tomlName writes a key, in quotes if it needs them.
func tomlName(name string) string {
	if bareName.MatchString(name) {
		return name
	}
	return tomlString(name)
}

// tomlString writes a basic string.
func tomlString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\t':
			b.WriteString(`\t`)
		case r == '\n':
			b.WriteString(`\n`)
		case r < ' ' || r == 0x7f: // control characters, which a string must not hold as they are
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

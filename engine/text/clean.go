// Package text holds what outputs of lines share: escapes that keep a line one line, and times that are formatted once a second.
package text

const digits = "0123456789abcdef"

// AppendClean appends s with control characters (0x00 to 0x1f, 0x7f) as \x and two digits, so that what comes from outside, such as a packet's
// prefix, cannot begin a line of its own. All else stays as it is.
func AppendClean(dst, s []byte) []byte {
	start := 0
	for i, c := range s {
		if c >= ' ' && c != 0x7f {
			continue
		}
		dst = append(dst, s[start:i]...)
		dst = append(dst, '\\', 'x', digits[c>>4], digits[c&15])
		start = i + 1
	}
	return append(dst, s[start:]...)
}

// AppendField is AppendClean for a value in a list of name=value joined by commas: a comma in front of an equal sign, which would
// make the rest look like another field, is escaped too. A comma or an equal sign alone stays.
func AppendField(dst, s []byte) []byte {
	last := -1 // the last equal sign
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] == '=' {
			last = i
			break
		}
	}
	start := 0
	for i, c := range s[:last+1] {
		if c != ',' {
			continue
		}
		dst = AppendClean(dst, s[start:i])
		dst = append(dst, `\x2c`...)
		start = i + 1
	}
	return AppendClean(dst, s[start:])
}

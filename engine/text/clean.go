// Package text holds what outputs of lines share: escapes that keep a line one line, and times that
// are formatted once a second.
package text

import "unicode/utf8"

const digits = "0123456789abcdef"

// AppendClean appends s with control characters as \x and two digits for each octet, so that what
// comes from outside, such as a packet's prefix, can neither begin a line of its own nor command a
// terminal. Controls are 0x00 to 0x1f, 0x7f, and C1: U+0080 to U+009F, also as the octets 0x80 to
// 0x9f where they are no part of a character in UTF-8. All else stays as it is.
func AppendClean(dst, s []byte) []byte {
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= ' ' && c < 0x7f {
			i++
			continue
		}
		size := 1
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRune(s[i:])
			if !IsC1(r, n, c) {
				i += n
				continue
			}
			size = n
		}
		dst = append(dst, s[start:i]...)
		for _, c := range s[i : i+size] {
			dst = append(dst, '\\', 'x', digits[c>>4], digits[c&15])
		}
		i += size
		start = i
	}
	return append(dst, s[start:]...)
}

// IsC1 reports whether what utf8.DecodeRune returned for octets that begin with c is a control
// character above 0x7f. Terminals obey some of them, such as 0x9b, as they obey an escape.
func IsC1(r rune, size int, c byte) bool {
	if r == utf8.RuneError && size == 1 {
		return c >= 0x80 && c <= 0x9f
	}
	return r >= 0x80 && r <= 0x9f
}

// AppendField is AppendClean for a value in a list of name=value joined by commas: a comma in front
// of an equal sign, which would make the rest look like another field, is escaped too. A comma or
// an equal sign alone stays.
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

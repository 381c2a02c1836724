// Package text holds what outputs of lines share: escapes that keep a line one line, and times that
// are formatted once a second.
package text

import (
	"encoding/binary"
	"unicode/utf8"
)

const digits = "0123456789abcdef"

// AppendClean appends s with control characters as \x and two digits for each octet, so that what
// comes from outside, such as a packet's prefix, can neither begin a line of its own nor command a
// terminal. Controls are 0x00 to 0x1f, 0x7f, and C1: U+0080 to U+009F, also as the octets 0x80 to
// 0x9f where they are no part of a character in UTF-8. All else stays as it is.
func AppendClean(dst, s []byte) []byte {
	start := 0
	for i := plain(s); i < len(s); i += plain(s[i:]) {
		c := s[i]
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

// plain returns how many octets s begins with that are printable ASCII: most lines are nothing else.
func plain(s []byte) int {
	i := 0
	for ; i+32 <= len(s); i += 32 {
		p := s[i : i+32]
		if odd(p)|odd(p[8:])|odd(p[16:])|odd(p[24:]) != 0 {
			break
		}
	}
	for ; i+8 <= len(s) && odd(s[i:]) == 0; i += 8 {
	}
	for i < len(s) && s[i] >= ' ' && s[i] < 0x7f {
		i++
	}
	return i
}

// odd returns 0 if the first eight octets are printable ASCII. The top bit of an octet below 0x20 is
// set by the first term, of 0x7f by the second, of what is above by the third; a borrow or a carry
// into the next octet begins only at one that counts.
func odd(s []byte) uint64 {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	v := binary.LittleEndian.Uint64(s)
	return ((v - ' '*ones) | (v + ones) | v) & tops
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

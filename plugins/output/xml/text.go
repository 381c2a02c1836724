// Texts and times inside elements.

package xml

import (
	"strconv"
	"time"
	"unicode/utf8"
)

// appendText appends s as character data: markup and line ends escaped, what XML 1.0 does not allow
// (section 2.2) replaced by U+FFFD.
func appendText(dst, s []byte) []byte {
	for len(s) > 0 {
		r, size := utf8.DecodeRune(s)
		switch {
		case r == '<':
			dst = append(dst, "&lt;"...)
		case r == '>':
			dst = append(dst, "&gt;"...)
		case r == '&':
			dst = append(dst, "&amp;"...)
		case r == '\n' || r == '\r' || r >= 0x7f && r <= 0x9f: // a terminal obeys some of those above 0x7f
			dst = append(strconv.AppendInt(append(dst, "&#"...), int64(r), 10), ';')
		case r < ' ' && r != '\t' || r == 0xfffe || r == 0xffff:
			dst = append(dst, "\ufffd"...)
		default:
			dst = utf8.AppendRune(dst, r) // U+FFFD for bytes that are no UTF-8
		}
		s = s[size:]
	}
	return dst
}

// number appends <name>v</name>.
func number(dst []byte, name string, v uint64) []byte {
	dst = append(append(append(dst, '<'), name...), '>')
	dst = strconv.AppendUint(dst, v, 10)
	return append(append(append(dst, "</"...), name...), '>')
}

// two appends <name>v</name> with at least two digits.
func two(dst []byte, name string, v int) []byte {
	dst = append(append(append(dst, '<'), name...), '>')
	dst = append(dst, '0'+byte(v/10), '0'+byte(v%10))
	return append(append(append(dst, "</"...), name...), '>')
}

// appendNow appends a local time; days of the week count from Sunday, 1.
func appendNow(dst []byte, t time.Time) []byte {
	dst = number(dst, "hour", uint64(t.Hour()))
	dst = two(dst, "min", t.Minute())
	dst = two(dst, "sec", t.Second())
	dst = number(dst, "wday", uint64(t.Weekday())+1)
	dst = number(dst, "day", uint64(t.Day()))
	dst = number(dst, "month", uint64(t.Month()))
	return number(dst, "year", uint64(t.Year()))
}

// appendWhen appends the same as an element.
func appendWhen(dst []byte, t time.Time) []byte {
	return append(appendNow(append(dst, "<when>"...), t), "</when>"...)
}

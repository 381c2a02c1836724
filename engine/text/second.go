// Times of whole seconds as text, of which most are those of the record before.

package text

import "time"

// A Second formats times of whole seconds and remembers the last, since most records share theirs with the one before.
type Second struct {
	// Format appends the time's text. It is called once per second that differs from the one before.
	Format func(dst []byte, t time.Time) []byte

	sec   int64
	valid bool
	text  []byte
}

// Text returns the text for so many seconds since 1970, in local time; it is valid until the next call.
func (s *Second) Text(sec int64) []byte {
	if sec != s.sec || !s.valid {
		s.text = s.Format(s.text[:0], time.Unix(sec, 0))
		s.sec, s.valid = sec, true
	}
	return s.text
}

// Layout makes a Second of one of package time's layouts.
func Layout(layout string) Second {
	return Second{Format: func(dst []byte, t time.Time) []byte { return t.AppendFormat(dst, layout) }}
}

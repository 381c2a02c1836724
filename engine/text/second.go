// Times of whole seconds as text, of which most are those of the record before.

package text

import (
	"strconv"
	"time"

	"ulogd/engine"
	"ulogd/engine/zone"
)

// A Second formats times of whole seconds and remembers the last, since most records share theirs
// with the one before.
type Second struct {
	// Format appends the time's text. It is called once per second that differs from the one
	// before.
	Format func(dst []byte, t time.Time) []byte

	sec   int64
	valid bool
	text  []byte
}

// Text returns the text for so many seconds since 1970, in local time; it is valid until the next
// call.
func (s *Second) Text(sec int64) []byte {
	if sec != s.sec || !s.valid {
		s.text = s.Format(s.text[:0], time.Unix(sec, 0).In(zone.Local()))
		s.sec, s.valid = sec, true
	}
	return s.text
}

// Stamp declares the option time_format of outputs whose lines begin with a time, for Format.
func Stamp(o *engine.Options, v *string) {
	o.Enum(v, "time_format", "rfc3164", []string{"rfc3164", "iso8601", "unix"},
		"how times are written: rfc3164: Nov 21 02:06:28; iso8601: 2026-11-21T02:06:28+01:00, with year and zone; unix: seconds since 1970")
}

// Format appends a time as time_format says.
func Format(dst []byte, t time.Time, format string) []byte {
	switch format {
	case "iso8601":
		return t.AppendFormat(dst, time.RFC3339)
	case "unix":
		return strconv.AppendInt(dst, t.Unix(), 10)
	}
	return t.AppendFormat(dst, time.Stamp)
}

// Layout makes a Second of one of package time's layouts.
func Layout(layout string) Second {
	return Second{Format: func(dst []byte, t time.Time) []byte { return t.AppendFormat(dst, layout) }}
}

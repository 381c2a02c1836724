// Records as names and values, and as CSV.

package print

import (
	"bytes"
	"strconv"
	"time"

	"ulogd/engine"
	"ulogd/engine/text"
)

// keyLines prints name=value of every valid key, separated by blanks.
type keyLines []engine.Field

func (keyLines) head(buf []byte) []byte { return buf }

func (k keyLines) line(buf []byte, b *engine.Batch, r engine.Row) []byte {
	start := len(buf)
	for i := range k {
		f := &k[i]
		if !f.Has(b, r) {
			continue
		}
		if len(buf) > start {
			buf = append(buf, ' ')
		}
		buf = append(append(buf, f.Name...), '=')
		buf = appendValue(buf, f, b, r)
	}
	return buf
}

func appendValue(line []byte, f *engine.Field, b *engine.Batch, r engine.Row) []byte {
	switch f.Type() {
	case engine.TimeType:
		return appendUTC(line, f, b, r)
	case engine.StringType, engine.RawTextType:
		s := f.Bytes(b, r)
		if plain(s) {
			return append(line, s...)
		}
		return strconv.AppendQuote(line, string(s))
	}
	return f.AppendText(line, b, r)
}

func appendUTC(line []byte, f *engine.Field, b *engine.Batch, r engine.Row) []byte {
	return time.Unix(0, int64(f.Uint(b, r))).UTC().AppendFormat(line, "2006-01-02T15:04:05.000000Z")
}

// plain reports whether text can stand without quotes.
func plain(s []byte) bool {
	for _, c := range s {
		if c <= ' ' || c == '"' || c >= 0x7f {
			return false
		}
	}
	return len(s) > 0
}

// csvLines prints values between commas (RFC 4180), nothing for what a record does not have.
type csvLines []engine.Field

func (c csvLines) head(buf []byte) []byte {
	for i := range c {
		if i > 0 {
			buf = append(buf, ',')
		}
		buf = append(buf, c[i].Name...)
	}
	return append(buf, '\n')
}

func (c csvLines) line(buf []byte, b *engine.Batch, r engine.Row) []byte {
	for i := range c {
		f := &c[i]
		if i > 0 {
			buf = append(buf, ',')
		}
		if !f.Has(b, r) {
			continue
		}
		switch f.Type() {
		case engine.TimeType:
			buf = appendUTC(buf, f, b, r)
		case engine.StringType, engine.RawTextType:
			buf = appendCSV(buf, f.Bytes(b, r))
		default:
			buf = f.AppendText(buf, b, r)
		}
	}
	return buf
}

// appendCSV appends text in quotes where it needs them. Control characters are escaped: a record is a line.
func appendCSV(buf, value []byte) []byte {
	if !bytes.ContainsAny(value, `",`) {
		return text.AppendClean(buf, value)
	}
	buf = append(buf, '"')
	buf = text.AppendClean(buf, bytes.ReplaceAll(value, []byte(`"`), []byte(`""`)))
	return append(buf, '"')
}

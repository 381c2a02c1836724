// Names and literals as a database writes them.

package table

import (
	"encoding/hex"
	"strconv"
	"strings"

	"ulogd/engine"
	"ulogd/plugins/output/store"
)

// A Dialect is how a database writes names and literals.
type Dialect struct {
	Quote     string // around names
	Backslash bool   // it escapes in texts
	Hex       string // what stands before octets in hexadecimal digits; a ' stands behind
}

// Name quotes a name.
func (d *Dialect) Name(name string) string {
	return d.Quote + strings.ReplaceAll(name, d.Quote, d.Quote+d.Quote) + d.Quote
}

// Names quotes the names of columns, with a comma between them.
func (d *Dialect) Names(columns []Column) string {
	names := make([]string, len(columns))
	for i := range columns {
		names[i] = d.Name(columns[i].Name)
	}
	return strings.Join(names, ", ")
}

func (d *Dialect) appendLiteral(dst []byte, c *Column, v *store.Value) []byte {
	if v == nil {
		return append(dst, "NULL"...)
	}
	switch c.Type {
	case engine.BoolType: // as ulogd2: it fits columns of booleans, of numbers and of text
		return append(dst, '\'', '0'+byte(v.N&1), '\'')
	case engine.AddrType:
		return d.appendAddr(dst, c, v)
	case engine.StringType:
		return d.appendQuoted(dst, v.Bytes)
	case engine.RawTextType:
		var room [64]byte
		if octets, ok := AppendHex(room[:0], v.Bytes); ok {
			return d.appendOctets(dst, octets)
		}
		return d.appendQuoted(dst, v.Bytes)
	case engine.RawType, engine.LabelType:
		return d.appendOctets(dst, v.Bytes)
	}
	if c.Type == engine.MACType || c.As == AsTimestamp {
		return append(c.AppendText(append(dst, '\''), v), '\'')
	}
	return c.AppendText(dst, v)
}

func (d *Dialect) appendAddr(dst []byte, c *Column, v *store.Value) []byte {
	switch {
	case c.As == AsText:
		return append(c.AppendText(append(dst, '\''), v), '\'')
	case c.As == AsOctets:
		var room [16]byte
		return d.appendOctets(dst, AppendOctets(room[:0], v))
	case v.Is6:
		return append(dst, "NULL"...)
	}
	return strconv.AppendUint(dst, uint64(c.IPv4(v)), 10)
}

func (d *Dialect) appendOctets(dst, p []byte) []byte {
	return append(hex.AppendEncode(append(dst, d.Hex...), p), '\'')
}

// appendQuoted appends a text in quotes.
func (d *Dialect) appendQuoted(dst, p []byte) []byte {
	dst = append(dst, '\'')
	for _, c := range Clean(p) {
		if c == '\'' || c == '\\' && d.Backslash {
			dst = append(dst, c)
		}
		dst = append(dst, c)
	}
	return append(dst, '\'')
}

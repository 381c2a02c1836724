// Values as columns show them.

package table

import (
	"bytes"
	"encoding/hex"
	"math/bits"
	"strconv"
	"time"
	"unicode/utf8"

	"ulogd/engine"
	"ulogd/plugins/output/store"
)

// As is how a column shows an address or a time.
type As uint8

// Addresses are text; sixteen octets, of IPv4 mapped; the number that IPv4's octets spell; or, as
// ulogd2 had it, the number that they are in the memory of a little-endian machine. Numbers show
// none of IPv6. Times are nanoseconds since 1970, or what SQL calls a timestamp, in UTC.
const (
	AsText As = iota
	AsOctets
	AsNumber
	AsMemory
	AsTimestamp
)

// AppendOctets appends an address as sixteen octets.
func AppendOctets(dst []byte, v *store.Value) []byte {
	if !v.Is6 {
		dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff)
	}
	return append(dst, v.Bytes...)
}

// IPv4 returns an address of IPv4 as the number that the column shows.
func (c *Column) IPv4(v *store.Value) uint32 {
	n := engine.AddrFrom4(v.Bytes).V4()
	if c.As == AsMemory {
		return bits.ReverseBytes32(n)
	}
	return n
}

// AppendText appends what the column shows as text.
func (c *Column) AppendText(dst []byte, v *store.Value) []byte {
	switch c.Type {
	case engine.StringType, engine.RawTextType:
		return append(dst, Clean(v.Bytes)...)
	case engine.AddrType, engine.MACType, engine.RawType, engine.LabelType:
		return v.AppendText(dst, c.Type)
	}
	if c.As == AsTimestamp {
		return time.Unix(0, int64(v.N)).UTC().AppendFormat(dst, "2006-01-02 15:04:05.000000")
	}
	if c.Signed() {
		return strconv.AppendInt(dst, int64(c.Number(v)), 10)
	}
	return strconv.AppendUint(dst, c.Number(v), 10)
}

// AppendHex appends the octets of a literal such as 0x0a4d0002, which IP2BIN writes. It reports
// whether the text is one.
func AppendHex(dst, text []byte) ([]byte, bool) {
	if len(text) < 2 || len(text)%2 != 0 || text[0] != '0' || text[1] != 'x' {
		return dst, false
	}
	dst, err := hex.AppendDecode(dst, text[2:])
	return dst, err == nil
}

// Clean returns the text as columns take it: octets that are not UTF-8 become U+FFFD, zeros are left
// out. It allocates only where there is something to mend.
func Clean(p []byte) []byte {
	if !utf8.Valid(p) {
		p = bytes.ToValidUTF8(p, []byte("\ufffd"))
	}
	if bytes.IndexByte(p, 0) >= 0 {
		p = bytes.ReplaceAll(p, []byte{0}, nil)
	}
	return p
}

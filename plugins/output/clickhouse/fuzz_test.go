package clickhouse

import (
	"testing"

	"ulogd/engine"
	"ulogd/plugins/output/store"
)

// FuzzType reads any text as the type of a column. Values of each key's type that fits have the octets that the type
// says.
func FuzzType(f *testing.F) {
	for _, s := range []string{
		"UInt8", "Int64", "LowCardinality(Nullable(String))", "Nullable(FixedString(16))", "DateTime64(6, 'UTC')",
		"DateTime('Europe/Berlin')", "Nullable(IPv6)", "IPv4", "Bool", "FixedString(-1)", "FixedString(99999999)",
		"DateTime64(", "DateTime64(10)", "DateTime64(-1)", "Nullable(", "Nullable())", "Array(UInt8)",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, ok := parseType(s)
		if !ok {
			return
		}
		want := map[kind]int{fixed: c.width, number: c.width, ipv4: 4, ipv6: 16, datetime: 4, ticks: 8}
		v := store.Value{Valid: true, N: 1 << 63, Bytes: make([]byte, 16), Is6: true}
		for of := engine.BoolType; of <= engine.RawTextType; of++ {
			for _, v := range []*store.Value{&v, nil} {
				if !c.fits(of) {
					continue
				}
				n := len(c.append(nil, v, of))
				if c.nullable {
					n--
				}
				if size := want[c.kind]; c.kind != text && n != size && !(c.nullable && n == 0) {
					t.Errorf("%q: %d octets of type %v, want %d", s, n, of, size)
				}
			}
		}
	})
}

// Rows in COPY's binary format (PostgreSQL's manual, COPY, "Binary Format").

package pgsql

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"net/netip"
	"sync"

	"ulogd/engine"
	"ulogd/plugins/output/store"
	"ulogd/plugins/output/store/table"
)

// Types by their number in pg_type.
const (
	oidBool, oidBytea, oidInt8, oidInt2, oidInt4, oidText = 16, 17, 20, 21, 23, 25
	oidFloat8, oidMacaddr, oidInet                        = 701, 829, 869
	oidBpchar, oidVarchar                                 = 1042, 1043
	oidTimestamp, oidTimestamptz, oidNumeric              = 1114, 1184, 1700
)

// takes reports whether COPY's binary form of a column's type is known for the key's.
func takes(c *table.Column, oid uint32) bool {
	number := c.Type.Integer() || c.Type == engine.TimeType
	switch oid {
	case oidText, oidBpchar, oidVarchar:
		return true
	case oidBytea:
		return !number && c.Type != engine.MACType
	case oidBool:
		return c.Type == engine.BoolType
	case oidInt2, oidInt4, oidInt8, oidFloat8:
		return number || c.Type == engine.AddrType && oid != oidFloat8
	case oidMacaddr:
		return c.Type == engine.MACType
	case oidInet:
		return c.Type == engine.AddrType || c.Type == engine.StringType
	case oidTimestamp, oidTimestamptz:
		return c.Type == engine.TimeType && c.Part == table.Whole
	}
	return false
}

const copyHead = "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// A source is the rows as COPY reads them. They are encoded while the server works at those before them.
type source struct {
	mu   sync.Mutex // pgx reads on a goroutine, which it leaves behind when the connection breaks
	over bool
	plan *plan
	rows *store.Rows
	next int    // row
	rest []byte // encoded and not read yet
	err  error  // of a row that cannot be encoded
}

func (p *plan) source(rows *store.Rows) *source {
	p.buf = append(p.buf[:0], copyHead...)
	return &source{plan: p, rows: rows, rest: p.buf}
}

// Read implements io.Reader.
func (s *source) Read(dst []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over {
		return 0, io.ErrClosedPipe
	}
	if len(s.rest) == 0 {
		if s.next > s.rows.Len() {
			return 0, io.EOF
		}
		s.rest = s.plan.buf[:0]
		for ; s.next < s.rows.Len() && len(s.rest) < len(dst); s.next++ {
			if s.rest, s.err = s.plan.appendRow(s.rest, s.rows, s.next); s.err != nil {
				return 0, s.err
			}
		}
		s.plan.buf = s.rest
		if s.next == s.rows.Len() {
			s.rest = append(s.rest, 0xff, 0xff)
			s.next++
		}
	}
	n := copy(dst, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// close ends reading. It returns the error of a row that cannot be encoded.
func (s *source) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.over = true
	return s.err
}

// appendRow appends a row of COPY's.
func (p *plan) appendRow(dst []byte, rows *store.Rows, i int) (_ []byte, err error) {
	rows.Read(i, p.row)
	if p.native != nil {
		p.native.Date(p.row)
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(p.columns)))
	for j := range p.columns {
		c := &p.columns[j]
		v := c.Of(p.row)
		if v == nil {
			dst = append(dst, 0xff, 0xff, 0xff, 0xff)
			continue
		}
		at := len(dst)
		dst = append(dst, 0, 0, 0, 0)
		var null bool
		if dst, null, err = appendField(dst, c, p.oids[j], v); err != nil {
			return dst, fmt.Errorf("column %s: %w", c.Name, err)
		}
		n := uint32(len(dst) - at - 4)
		if null {
			n = math.MaxUint32
		}
		binary.BigEndian.PutUint32(dst[at:], n)
	}
	return dst, nil
}

func appendField(dst []byte, c *table.Column, oid uint32, v *store.Value) (_ []byte, null bool, err error) {
	switch oid {
	case oidText, oidBpchar, oidVarchar:
		return c.AppendText(dst, v), false, nil
	case oidBytea:
		switch c.Type {
		case engine.AddrType:
			return table.AppendOctets(dst, v), false, nil
		case engine.RawTextType:
			if d, ok := table.AppendHex(dst, v.Bytes); ok {
				return d, false, nil
			}
		}
		return append(dst, v.Bytes...), false, nil
	case oidBool:
		return append(dst, byte(v.N&1)), false, nil
	case oidMacaddr:
		return append(dst, v.Bytes...), false, nil
	case oidInet:
		return appendInet(dst, c, v)
	case oidTimestamp, oidTimestamptz:
		const since2000 = 946684800 * 1000000 // PostgreSQL counts from 2000-01-01
		return binary.BigEndian.AppendUint64(dst, uint64(int64(v.N)/1000-since2000)), false, nil
	}
	n, negative := c.Number(v), false
	if c.Type == engine.AddrType {
		if v.Is6 {
			return dst, true, nil
		}
		n = uint64(c.IPv4(v))
	} else if c.Signed() {
		negative = int64(n) < 0
	}
	switch oid {
	case oidFloat8:
		f := float64(n)
		if negative {
			f = float64(int64(n))
		}
		return binary.BigEndian.AppendUint64(dst, math.Float64bits(f)), false, nil
	case oidInt2:
		if int64(n) != int64(int16(n)) {
			return dst, false, fmt.Errorf("%d is out of range of smallint", n)
		}
		return binary.BigEndian.AppendUint16(dst, uint16(n)), false, nil
	case oidInt4:
		if int64(n) != int64(int32(n)) {
			return dst, false, fmt.Errorf("%d is out of range of integer", n)
		}
		return binary.BigEndian.AppendUint32(dst, uint32(n)), false, nil
	}
	if !negative && n > math.MaxInt64 {
		return dst, false, fmt.Errorf("%d is out of range of bigint", n)
	}
	return binary.BigEndian.AppendUint64(dst, n), false, nil
}

// appendInet appends an address: family (2, or 3 for IPv6), bits of the prefix, whether it is a
// network, octets.
func appendInet(dst []byte, c *table.Column, v *store.Value) ([]byte, bool, error) {
	octets := v.Bytes
	var room [16]byte
	if c.Type == engine.StringType { // IP2STR's
		a, err := netip.ParseAddr(string(v.Bytes))
		if err != nil {
			return dst, false, fmt.Errorf("%q is no address", v.Bytes)
		}
		room = a.As16()
		if octets = room[:]; a.Is4() {
			octets = room[12:]
		}
	}
	family := byte(2)
	if len(octets) == 16 {
		family = 3
	}
	return append(append(dst, family, byte(8*len(octets)), 0, byte(len(octets))), octets...), false, nil
}

// Writing one field of many records, column by column. All integers are big-endian (RFC 7011
// section 6.1).

package export

import (
	"encoding/binary"
	"unicode/utf8"

	"ulogd/engine"
)

// A spot is where a row's record goes. In records with fields of variable length pos moves on with
// each of them, so that offsets count from the end of the last.
type spot struct {
	pos uint32
	row engine.Row
}

// A filler writes one field of many records.
type filler interface {
	fill(b *engine.Batch, buf []byte, spots []spot, off int)
}

// A sizer is a filler of variable length: it tells how many octets its field takes, length octets
// included.
type sizer interface {
	size(b *engine.Batch, r engine.Row) int
}

type integer interface {
	~uint8 | ~uint16 | ~uint32 | ~uint64 | ~int8 | ~int16 | ~int32 | ~int64
}

// number writes a whole number in width octets. Narrower than the key's type means that the values
// are known to fit.
type number[T integer] struct {
	col   engine.Col[T]
	width int
}

func (f number[T]) fill(b *engine.Batch, buf []byte, spots []spot, off int) {
	buf = buf[off:]
	v := f.col.Of(b)
	switch f.width {
	case 1:
		for _, s := range spots {
			buf[s.pos] = byte(v[s.row])
		}
	case 2:
		for _, s := range spots {
			binary.BigEndian.PutUint16(buf[s.pos:], uint16(v[s.row]))
		}
	case 4:
		for _, s := range spots {
			binary.BigEndian.PutUint32(buf[s.pos:], uint32(v[s.row]))
		}
	case 8:
		for _, s := range spots {
			binary.BigEndian.PutUint64(buf[s.pos:], uint64(v[s.row]))
		}
	}
}

// sum adds the counters of both directions.
type sum struct {
	a, b  engine.Col[uint64]
	width int
}

func (f sum) fill(b *engine.Batch, buf []byte, spots []spot, off int) {
	buf = buf[off:]
	x, y, have, m := f.a.Of(b), f.b.Of(b), b.Have(), f.b.Mask()
	for _, s := range spots {
		n := x[s.row]
		if have[s.row]&m != 0 {
			n += y[s.row]
		}
		if f.width == 4 {
			binary.BigEndian.PutUint32(buf[s.pos:], uint32(n))
		} else {
			binary.BigEndian.PutUint64(buf[s.pos:], n)
		}
	}
}

// millis writes a time as milliseconds since 1970.
type millis struct{ col engine.Col[engine.Time] }

func (f millis) fill(b *engine.Batch, buf []byte, spots []spot, off int) {
	buf = buf[off:]
	v := f.col.Of(b)
	for _, s := range spots {
		binary.BigEndian.PutUint64(buf[s.pos:], uint64(v[s.row])/1e6)
	}
}

// seconds writes a time as 32 bits of seconds since 1970, which wrap in 2106.
type seconds struct{ col engine.Col[engine.Time] }

func (f seconds) fill(b *engine.Batch, buf []byte, spots []spot, off int) {
	buf = buf[off:]
	v := f.col.Of(b)
	for _, s := range spots {
		binary.BigEndian.PutUint32(buf[s.pos:], v[s.row].Sec())
	}
}

// ntp writes a time in NTP's format: seconds since 1900 and a 32-bit fraction, of which
// microseconds leave the low 11 bits zero (RFC 7011 sections 6.1.9 and 6.1.10).
type ntp struct {
	col  engine.Col[engine.Time]
	mask uint32
}

const (
	ntpEpoch = 2208988800 // 1970 in seconds since 1900
	ntpMicro = ^uint32(1<<11 - 1)
	ntpNano  = ^uint32(0)
)

func (f ntp) fill(b *engine.Batch, buf []byte, spots []spot, off int) {
	buf = buf[off:]
	v := f.col.Of(b)
	for _, s := range spots {
		putNTP(buf[s.pos:], v[s.row], f.mask)
	}
}

// putNTP rounds fractions up, so that a reader that cuts what they are in nanoseconds or
// microseconds has the value again.
func putNTP(p []byte, t engine.Time, mask uint32) {
	sec, nsec := uint64(t)/1e9, uint64(t)%1e9
	if mask != ntpNano {
		nsec -= nsec % 1000
	}
	fraction := (nsec<<32+1e9-1)/1e9 + uint64(^mask)
	binary.BigEndian.PutUint32(p, uint32(sec+ntpEpoch))
	binary.BigEndian.PutUint32(p[4:], uint32(fraction)&mask)
}

// uptime writes a time as milliseconds since a base, modulo 2^32 (RFC 3954 section 8,
// FIRST_SWITCHED); one before it as the first, since collectors take 0 for no time.
type uptime struct {
	col  engine.Col[engine.Time]
	base *int64 // nanoseconds since 1970
}

func (f uptime) fill(b *engine.Batch, buf []byte, spots []spot, off int) {
	buf = buf[off:]
	v, base := f.col.Of(b), *f.base
	for _, s := range spots {
		binary.BigEndian.PutUint32(buf[s.pos:], uint32(max(int64(v[s.row])-base, 1e6)/1e6))
	}
}

// putTime writes a time in the unit of a data type.
func putTime(p []byte, t engine.Time, typ engine.DataType) {
	switch typ {
	case engine.DateTimeSeconds:
		binary.BigEndian.PutUint32(p, t.Sec())
	case engine.DateTimeMilliseconds:
		binary.BigEndian.PutUint64(p, uint64(t)/1e6)
	case engine.DateTimeMicroseconds:
		putNTP(p, t, ntpMicro)
	case engine.DateTimeNanoseconds:
		putNTP(p, t, ntpNano)
	}
}

type addr4 struct{ col engine.Col[engine.Addr] }

func (f addr4) fill(b *engine.Batch, buf []byte, spots []spot, off int) {
	buf = buf[off:]
	v := f.col.Of(b)
	for _, s := range spots {
		binary.BigEndian.PutUint32(buf[s.pos:], v[s.row].V4())
	}
}

type addr6 struct{ col engine.Col[engine.Addr] }

func (f addr6) fill(b *engine.Batch, buf []byte, spots []spot, off int) {
	buf = buf[off:]
	v := f.col.Of(b)
	for _, s := range spots {
		v[s.row].Put16(buf[s.pos:])
	}
}

type mac struct{ col engine.Col[engine.MAC] }

func (f mac) fill(b *engine.Batch, buf []byte, spots []spot, off int) {
	buf = buf[off:]
	v := f.col.Of(b)
	for _, s := range spots {
		copy(buf[s.pos:], v[s.row][:])
	}
}

// rawMAC writes a hardware address that comes as bytes; other lengths than Ethernet's are cut or
// filled with zeros.
type rawMAC struct{ col engine.Col[engine.Raw] }

func (f rawMAC) fill(b *engine.Batch, buf []byte, spots []spot, off int) {
	buf = buf[off:]
	v := f.col.Of(b)
	for _, s := range spots {
		p := buf[s.pos:][:6]
		clear(p[copy(p, b.Bytes(engine.Span(v[s.row]))):])
	}
}

type label struct{ col engine.Col[engine.Label] }

func (f label) fill(b *engine.Batch, buf []byte, spots []spot, off int) {
	buf = buf[off:]
	v := f.col.Of(b)
	for _, s := range spots {
		copy(buf[s.pos:], v[s.row][:])
	}
}

// icmp writes type*256+code; of a reply the type that answers.
type icmp struct {
	typ, code engine.Col[uint8]
	reply     bool
}

func (f icmp) fill(b *engine.Batch, buf []byte, spots []spot, off int) {
	buf = buf[off:]
	t, c := f.typ.Of(b), f.code.Of(b)
	for _, s := range spots {
		typ := t[s.row]
		if f.reply {
			typ = icmpAnswer[typ]
		}
		p := buf[s.pos:]
		p[0], p[1] = typ, c[s.row]
	}
}

// icmpAnswer holds, for each type that asks or answers, the other one: ICMP echo, timestamp,
// information and address mask, ICMPv6 echo and node information. Numbers of the two protocols do
// not meet.
var icmpAnswer = func() (a [256]uint8) {
	for i := range a {
		a[i] = uint8(i)
	}
	for _, p := range [][2]uint8{{8, 0}, {13, 14}, {15, 16}, {17, 18}, {128, 129}, {139, 140}} {
		a[p[0]], a[p[1]] = p[1], p[0]
	}
	return
}()

// zero writes nothing but zeros, for elements that a record's own template would leave out.
type zero struct{ width int }

func (f zero) fill(_ *engine.Batch, buf []byte, spots []spot, off int) {
	buf = buf[off:]
	for _, s := range spots {
		clear(buf[s.pos:][:f.width])
	}
}

// constant writes the same octet everywhere.
type constant byte

func (f constant) fill(_ *engine.Batch, buf []byte, spots []spot, off int) {
	buf = buf[off:]
	for _, s := range spots {
		buf[s.pos] = byte(f)
	}
}

// octets writes bytes of variable length: strings are made well-formed UTF-8 (RFC 7011 section
// 6.1.6), raw data is cut to max.
type octets[T ~struct{ Off, Len uint32 }] struct {
	col  engine.Col[T]
	text bool
	max  int
}

func (f octets[T]) bytes(b *engine.Batch, r engine.Row) []byte {
	p := b.Bytes(engine.Span(f.col.Of(b)[r]))
	return p[:min(len(p), f.max)]
}

func (f octets[T]) size(b *engine.Batch, r engine.Row) int { return varSize(f.bytes(b, r)) }

func (f octets[T]) fill(b *engine.Batch, buf []byte, spots []spot, off int) {
	buf = buf[off:]
	for i := range spots {
		s := &spots[i]
		s.pos += uint32(putVar(buf[s.pos:], f.bytes(b, s.row), f.text))
	}
}

// varSize returns the octets of a field of variable length, with those that state it.
func varSize(v []byte) int {
	if len(v) < 255 {
		return 1 + len(v)
	}
	return 3 + len(v)
}

// putVar writes a field of variable length and returns its octets (RFC 7011 section 7).
func putVar(p, v []byte, text bool) int {
	head := varSize(v) - len(v)
	if head == 1 {
		p[0] = byte(len(v))
	} else {
		p[0] = 255
		binary.BigEndian.PutUint16(p[1:], uint16(len(v)))
	}
	copy(p[head:], v)
	if text {
		repair(p[head : head+len(v)])
	}
	return head + len(v)
}

// repair puts a question mark in place of each octet that is not part of well-formed UTF-8.
func repair(p []byte) {
	for len(p) > 0 {
		r, n := utf8.DecodeRune(p)
		if r == utf8.RuneError && n == 1 {
			p[0] = '?'
		}
		p = p[n:]
	}
}

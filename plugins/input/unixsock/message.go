// One message: integers are big-endian where nothing else is said.
//
//	0  4  marker
//	4  2  octets that follow the marker
//	6  4  a version in the low bits of the machine's word; not checked
//	10 2  length of the IP packet
//	12    the packet, padded to a multiple of 8; then options, each of a number and a length of 4 octets and a value padded to 8

package unixsock

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"ulogd/engine"
)

const (
	marker     = 0x41c90fd4
	markerLen  = 4
	headerLen  = 12
	maxMessage = markerLen + 1<<16
)

// Numbers of options.
const (
	optPrefix   = 1
	optIn       = 2
	optOut      = 3
	optTime     = 4 // seconds, in the machine's byte order
	optUserName = 200
	optUserID   = 201 // in the machine's byte order
	optOSName   = 202
	optOSRel    = 203
	optOSVers   = 204
	optAppName  = 205
	optLabel    = 206
)

// messageSize returns the length of the message that b begins with, 0 if more octets are needed to
// tell or to have it whole.
func messageSize(b []byte) (int, error) {
	if len(b) < headerLen {
		return 0, nil
	}
	if m := binary.BigEndian.Uint32(b); m != marker {
		return 0, fmt.Errorf("the marker is %#08x, not %#08x", m, marker)
	}
	size := markerLen + int(binary.BigEndian.Uint16(b[4:]))
	if size < headerLen {
		return 0, fmt.Errorf("the message says that it has %d octets, less than its header", size)
	}
	if len(b) < size {
		return 0, nil
	}
	return size, nil
}

// message decodes the message at start in the block into row r.
func (u *unixsock) message(a *arrays, r engine.Row, start, size int) error {
	m := u.stream.block.Data[start : start+size]
	length := int(binary.BigEndian.Uint16(m[10:]))
	if headerLen+length > size {
		return fmt.Errorf("its packet of %d octets does not fit a message of %d", length, size)
	}
	if length == 0 {
		return fmt.Errorf("it has no packet")
	}
	at := func(from, to int) engine.Span { return engine.Span{Off: uint32(start + from), Len: uint32(to - from)} }
	a.pkt[r] = engine.Raw(at(headerLen, headerLen+length))
	a.pktLen[r], a.pktCount[r], a.protocol[r] = uint32(length), 1, 0
	have := u.always
	switch m[headerLen] >> 4 {
	case 4:
		a.family[r] = engine.FamilyIPv4
	case 6:
		a.family[r] = engine.FamilyIPv6
	default:
		return fmt.Errorf("its packet is neither IPv4 nor IPv6: it begins with %#02x", m[headerLen])
	}
	for pos := pad(length) + headerLen; pos < size; {
		if size-pos < 8 {
			return fmt.Errorf("%d octets are left for an option, which has 8 at least", size-pos)
		}
		id, n := binary.BigEndian.Uint32(m[pos:]), binary.BigEndian.Uint32(m[pos+4:])
		pos += 8
		if int64(n) > int64(size-pos) {
			return fmt.Errorf("option %d has %d octets, %d are left", id, n, size-pos)
		}
		bits, err := u.option(a, r, id, m[pos:pos+int(n)], at(pos, pos+int(n)))
		if err != nil {
			return err
		}
		have |= bits
		pos += pad(int(n))
	}
	a.have[r] = have
	return nil
}

// option takes one option's value and returns the presence bit of its key.
func (u *unixsock) option(a *arrays, r engine.Row, id uint32, v []byte, span engine.Span) (uint64, error) {
	for i := range u.texts {
		if t := &u.texts[i]; t.option == id {
			if end := bytes.IndexByte(v, 0); end >= 0 {
				span.Len = uint32(end)
			}
			a.texts[i][r] = engine.String(span)
			return t.bit, nil
		}
	}
	need := 4
	switch id {
	case optTime, optUserID:
	case optLabel:
		need = 1
	default:
		u.unknown.Add(1)
		return 0, nil
	}
	if len(v) < need {
		return 0, fmt.Errorf("option %d has %d octets, not %d", id, len(v), need)
	}
	switch id {
	case optTime:
		a.sec[r] = binary.NativeEndian.Uint32(v)
		a.time[r] = engine.Time(int64(a.sec[r]) * 1e9)
		return u.hasTime, nil
	case optUserID:
		a.userID[r] = binary.NativeEndian.Uint32(v)
		return u.hasUserID, nil
	}
	a.label[r] = v[0]
	return u.hasLabel, nil
}

// pad rounds up to a multiple of 8.
func pad(n int) int { return (n + 7) &^ 7 }

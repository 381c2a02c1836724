// How messages lie in a segment file.
//
//	segment = "ULSPOOL1" *message [end]
//	message = head context body
//	head    = mark(4) octets of context(2) octets of body(2) records(4) checksum of context and body(4) checksum of the 16 octets before(4)
//	end     = head with a mark of its own, no octets, and the records of all messages: the segment is complete
//
// Numbers are big-endian, checksums CRC-32C (RFC 3720 section 12.1).

package spool

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
)

// A Message is what a spool keeps.
type Message struct {
	Records int    // in Body
	Context []byte // what whoever reads it in a later run must know, at most 65,535 octets
	Body    []byte // at most 65,535 octets
}

const (
	fileMagic   = "ULSPOOL1"
	messageMark = 0xa5f10c01
	endMark     = 0xa5f10c02
	headLen     = 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// size returns the octets that a message takes in a segment.
func (m *Message) size() int { return headLen + len(m.Context) + len(m.Body) }

// append writes the message behind p.
func (m *Message) append(p []byte) []byte {
	sum := crc32.Update(crc32.Checksum(m.Context, castagnoli), castagnoli, m.Body)
	p = appendHead(p, messageMark, len(m.Context), len(m.Body), m.Records, sum)
	p = append(p, m.Context...)
	return append(p, m.Body...)
}

// appendEnd writes the end of a segment of so many records.
func appendEnd(p []byte, records int) []byte { return appendHead(p, endMark, 0, 0, records, 0) }

func appendHead(p []byte, mark uint32, context, body, records int, sum uint32) []byte {
	at := len(p)
	p = binary.BigEndian.AppendUint32(p, mark)
	p = binary.BigEndian.AppendUint16(p, uint16(context))
	p = binary.BigEndian.AppendUint16(p, uint16(body))
	p = binary.BigEndian.AppendUint32(p, uint32(records))
	p = binary.BigEndian.AppendUint32(p, sum)
	return binary.BigEndian.AppendUint32(p, crc32.Checksum(p[at:], castagnoli))
}

// A state is what stands at a place of a segment.
type state uint8

const (
	whole   state = iota // a message
	damaged              // what was one
	ended                // the end, with the records of all
	torn                 // nothing that could be read up to the end of the file
)

// A cursor reads a segment. It believes nothing that no checksum confirms.
type cursor struct {
	p   []byte
	off int
}

// newCursor begins behind the file's magic. Where that is damaged, the messages still speak for
// themselves.
func newCursor(p []byte) *cursor { return &cursor{p, min(len(fileMagic), len(p))} }

// next returns what stands at the cursor and moves behind it, except where everything else is torn.
// The records of a damaged message are known if its head is whole.
func (c *cursor) next() (m Message, s state) {
	p := c.p[c.off:]
	mark, ok := headAt(p)
	if !ok {
		skip := nextHead(p)
		if skip < 0 {
			return Message{}, torn
		}
		c.off += skip
		return Message{}, damaged
	}
	m.Records = int(binary.BigEndian.Uint32(p[8:]))
	context, body := int(binary.BigEndian.Uint16(p[4:])), int(binary.BigEndian.Uint16(p[6:]))
	n := headLen + context + body
	if n > len(p) {
		return Message{}, torn
	}
	c.off += n
	if mark == endMark {
		return m, ended
	}
	if crc32.Checksum(p[headLen:n], castagnoli) != binary.BigEndian.Uint32(p[12:]) {
		return Message{Records: m.Records}, damaged
	}
	m.Context, m.Body = p[headLen:headLen+context:headLen+context], p[headLen+context:n:n]
	return m, whole
}

// headAt reports whether a head begins p, and its mark.
func headAt(p []byte) (mark uint32, ok bool) {
	if len(p) < headLen {
		return 0, false
	}
	mark = binary.BigEndian.Uint32(p)
	return mark, (mark == messageMark || mark == endMark) && crc32.Checksum(p[:16], castagnoli) == binary.BigEndian.Uint32(p[16:])
}

// nextHead returns where behind the begin of p the next head is, -1 if there is none.
func nextHead(p []byte) int {
	common := []byte{messageMark >> 24, messageMark >> 16 & 0xff, messageMark >> 8 & 0xff} // of both marks
	for at := 1; at < len(p); at++ {
		i := bytes.Index(p[at:], common)
		if i < 0 {
			return -1
		}
		at += i
		if _, ok := headAt(p[at:]); ok {
			return at
		}
	}
	return -1
}

// survey returns the records that a segment holds, damaged ones included as far as they are known,
// and where its end belongs.
func survey(p []byte) (records, end int) {
	for c := newCursor(p); ; {
		m, s := c.next()
		switch s {
		case ended:
			return m.Records, c.off - headLen
		case torn:
			return records, c.off
		}
		records += m.Records
	}
}

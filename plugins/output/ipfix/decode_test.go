// An independent, strict decoder: it refuses whatever RFC 7011 does not allow, so that what it
// accepts is right.

package ipfix

import (
	"encoding/binary"
	"fmt"
	"io"
	"net/netip"
	"testing"
	"time"
	"unicode/utf8"

	"ulogd/engine"
)

type element = struct {
	engine.IE
	Length uint16
}

type decodedTemplate struct {
	elements []element
	scope    int
}

type decodedRecord struct {
	template uint16
	scope    int
	order    []engine.IE
	values   map[engine.IE][]byte
}

func (r *decodedRecord) uint(pen uint32, id uint16) uint64 {
	var v uint64
	for _, c := range r.values[engine.IE{PEN: pen, ID: id}] {
		v = v<<8 | uint64(c)
	}
	return v
}

func (r *decodedRecord) has(pen uint32, id uint16) bool {
	_, ok := r.values[engine.IE{PEN: pen, ID: id}]
	return ok
}

func (r *decodedRecord) addr(id uint16) netip.Addr {
	a, _ := netip.AddrFromSlice(r.values[engine.IE{ID: id}])
	return a
}

// session is one transport session as a collector sees it.
type session struct {
	templates map[uint16]decodedTemplate
	records   uint32 // data records so far: the next sequence number
	odid      uint32
	began     bool
	messages  int
	announced int  // messages that carried templates
	stored    bool // messages are decoded long after they were sent
}

func newSession() *session { return &session{templates: map[uint16]decodedTemplate{}} }

// decode reads one message. Data whose template is unknown is an error.
func (s *session) decode(msg []byte) (out []decodedRecord, err error) {
	if len(msg) < 16 || binary.BigEndian.Uint16(msg) != 10 || int(binary.BigEndian.Uint16(msg[2:])) != len(msg) {
		return nil, fmt.Errorf("bad header in %d octets: %x", len(msg), msg[:min(len(msg), 16)])
	}
	if age := time.Now().Unix() - int64(binary.BigEndian.Uint32(msg[4:])); !s.stored && (age < -1 || age > 60) {
		return nil, fmt.Errorf("export time is %d s ago", age)
	}
	seq, odid := binary.BigEndian.Uint32(msg[8:]), binary.BigEndian.Uint32(msg[12:])
	if seq != s.records {
		return nil, fmt.Errorf("sequence number %d, want %d", seq, s.records)
	}
	if s.began && odid != s.odid {
		return nil, fmt.Errorf("observation domain changes from %d to %d", s.odid, odid)
	}
	s.began, s.odid = true, odid
	s.messages++
	p, told := msg[16:], false
	if len(p) == 0 {
		return nil, fmt.Errorf("a message without sets")
	}
	for len(p) > 0 {
		if len(p) < 4 {
			return nil, fmt.Errorf("%d octets where a set should be", len(p))
		}
		id, n := binary.BigEndian.Uint16(p), int(binary.BigEndian.Uint16(p[2:]))
		if n < 5 || n > len(p) {
			return nil, fmt.Errorf("set %d of %d octets where %d are left", id, n, len(p))
		}
		body := p[4:n]
		p = p[n:]
		switch {
		case id == 2 || id == 3:
			told = true
			err = s.template(body, id == 3)
		case id < 256:
			err = fmt.Errorf("set id %d is reserved", id)
		default:
			out, err = s.data(out, id, body)
		}
		if err != nil {
			return nil, err
		}
	}
	if told {
		s.announced++
	}
	s.records += uint32(len(out))
	return out, nil
}

func (s *session) template(p []byte, options bool) error {
	for len(p) > 0 {
		head := 4
		if options {
			head = 6
		}
		if len(p) < head {
			return fmt.Errorf("%d octets where a template should be", len(p))
		}
		id, count, t := binary.BigEndian.Uint16(p), int(binary.BigEndian.Uint16(p[2:])), decodedTemplate{}
		if options {
			t.scope = int(binary.BigEndian.Uint16(p[4:]))
			if t.scope == 0 || t.scope > count {
				return fmt.Errorf("options template %d has %d scope fields of %d", id, t.scope, count)
			}
		}
		if id < 256 || count == 0 {
			return fmt.Errorf("template %d with %d fields", id, count)
		}
		p = p[head:]
		for range count {
			if len(p) < 4 {
				return fmt.Errorf("template %d is cut", id)
			}
			e := element{Length: binary.BigEndian.Uint16(p[2:])}
			e.ID = binary.BigEndian.Uint16(p)
			p = p[4:]
			if e.ID&0x8000 != 0 {
				if len(p) < 4 {
					return fmt.Errorf("template %d is cut", id)
				}
				e.ID &= 0x7fff
				e.PEN = binary.BigEndian.Uint32(p)
				if e.PEN == 0 {
					return fmt.Errorf("template %d: enterprise number 0", id)
				}
				p = p[4:]
			}
			if e.ID == 0 || e.Length == 0 {
				return fmt.Errorf("template %d: element %v of length %d", id, e.IE, e.Length)
			}
			for _, other := range t.elements {
				if other.IE == e.IE { // allowed by RFC 7011 section 8, but collectors keep one value of each
					return fmt.Errorf("template %d: element %v is there twice", id, e.IE)
				}
			}
			t.elements = append(t.elements, e)
		}
		if old, ok := s.templates[id]; ok && fmt.Sprint(old) != fmt.Sprint(t) {
			return fmt.Errorf("template %d changes within the session", id)
		}
		s.templates[id] = t
	}
	return nil
}

func (s *session) data(out []decodedRecord, id uint16, p []byte) ([]decodedRecord, error) {
	t, ok := s.templates[id]
	if !ok {
		return nil, fmt.Errorf("data of template %d, which was not announced", id)
	}
	shortest := 0
	for _, e := range t.elements {
		if e.Length == 65535 {
			shortest++
		} else {
			shortest += int(e.Length)
		}
	}
	if len(p) < shortest {
		return nil, fmt.Errorf("a set of template %d without a record", id)
	}
	for len(p) >= shortest {
		r := decodedRecord{template: id, scope: t.scope, values: map[engine.IE][]byte{}}
		for _, e := range t.elements {
			n := int(e.Length)
			if n == 65535 {
				if len(p) < 1 {
					return nil, fmt.Errorf("template %d: record is cut", id)
				}
				n, p = int(p[0]), p[1:]
				if n == 255 {
					if len(p) < 2 {
						return nil, fmt.Errorf("template %d: record is cut", id)
					}
					n, p = int(binary.BigEndian.Uint16(p)), p[2:]
				}
			}
			if len(p) < n {
				return nil, fmt.Errorf("template %d: record is cut", id)
			}
			if e.Length == 65535 && !utf8.Valid(p[:n]) && e.ID != 313 && e.ID != 1 {
				return nil, fmt.Errorf("template %d: string %q is not UTF-8", id, p[:n])
			}
			r.order = append(r.order, e.IE)
			r.values[e.IE] = p[:n:n]
			p = p[n:]
		}
		out = append(out, r)
	}
	for _, c := range p {
		if c != 0 {
			return nil, fmt.Errorf("template %d: padding %x is not zero", id, p)
		}
	}
	return out, nil
}

// must decodes or fails the test.
func (s *session) must(t testing.TB, msg []byte) []decodedRecord {
	t.Helper()
	out, err := s.decode(msg)
	if err != nil {
		t.Fatalf("%v\n%x", err, msg)
	}
	return out
}

// readMessage takes one message off a stream.
func readMessage(c io.Reader) ([]byte, error) {
	head := make([]byte, 16)
	if _, err := io.ReadFull(c, head); err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint16(head[2:]))
	if n < 16 {
		return nil, fmt.Errorf("message length %d", n)
	}
	msg := append(head, make([]byte, n-16)...)
	_, err := io.ReadFull(c, msg[16:])
	return msg, err
}

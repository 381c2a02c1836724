// Sets and maps, and their elements.

package nftables

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// What golang.org/x/sys/unix lacks of linux/netfilter/nf_tables.h.
const (
	setDescConcat     = 2    // NFTA_SET_DESC_CONCAT
	setFieldLen       = 1    // NFTA_SET_FIELD_LEN
	elemKeyEnd        = 10   // NFTA_SET_ELEM_KEY_END
	elemExpressions   = 11   // NFTA_SET_ELEM_EXPRESSIONS
	flagCatchAll      = 2    // NFT_SET_ELEM_CATCHALL
	flagConcat        = 0x80 // NFT_SET_CONCAT
	userKeyByteOrder  = 0    // NFTNL_UDATA_SET_KEYBYTEORDER, libnftnl's
	userByteOrderHost = 1    // BYTEORDER_HOST_ENDIAN, nft's
)

// A Set is a set or a map.
type Set struct {
	Family      uint8
	Table, Name string

	flags  uint32
	key    uint32 // its types, of 6 bits each
	fields []int  // octets of a concatenation's fields, where the kernel says
	host   bool   // the key's one field has the byte order of the machine
}

// Anonymous reports whether the set belongs to one rule, and has a name of the kernel's.
func (s *Set) Anonymous() bool { return s.flags&unix.NFT_SET_ANONYMOUS != 0 }

// intervals reports whether elements are intervals, of one field or of several.
func (s *Set) intervals() bool { return s.flags&unix.NFT_SET_INTERVAL != 0 }

// An Element is one element of a set that has a counter of its own.
type Element struct {
	Text            string // as nft prints it
	Packets, Octets uint64
}

// Sets returns all sets and maps.
func (c *Conn) Sets() (list []Set, malformed int, err error) {
	answers, err := c.ask(unix.NFT_MSG_GETSET, msgNewSet, unix.AF_UNSPEC, netlink.Dump, nil)
	for _, a := range answers {
		if s, ok := setOf(a); ok {
			list = append(list, s)
		} else {
			malformed++
		}
	}
	return list, malformed, err
}

func setOf(a body) (s Set, ok bool) {
	s.Family = a.family
	ok = each(a.attrs, func(kind uint16, v []byte) {
		switch kind {
		case unix.NFTA_SET_TABLE:
			s.Table = word(v)
		case unix.NFTA_SET_NAME:
			s.Name = word(v)
		case unix.NFTA_SET_FLAGS:
			s.flags = uint32(number(v))
		case unix.NFTA_SET_KEY_TYPE:
			s.key = uint32(number(v))
		case unix.NFTA_SET_DESC:
			s.fields = fieldLengths(v)
		case unix.NFTA_SET_USERDATA:
			s.host = userSaysHost(v)
		}
	})
	return s, ok && s.Table != "" && s.Name != ""
}

// fieldLengths reads the lengths of a concatenation's fields.
func fieldLengths(desc []byte) (list []int) {
	each(desc, func(kind uint16, v []byte) {
		if kind != setDescConcat {
			return
		}
		each(v, func(_ uint16, v []byte) {
			each(v, func(kind uint16, v []byte) {
				if kind == setFieldLen {
					list = append(list, int(number(v)))
				}
			})
		})
	})
	return list
}

// userSaysHost reads what nft has noted about a key: entries of kind, length and value.
func userSaysHost(data []byte) bool {
	for len(data) >= 2 && len(data) >= 2+int(data[1]) {
		v := data[2 : 2+data[1]]
		if data[0] == userKeyByteOrder && len(v) == 4 {
			return binary.NativeEndian.Uint32(v) == userByteOrderHost
		}
		data = data[2+len(v):]
	}
	return false
}

// errNoZero is a kernel that cannot set elements to zero.
var errNoZero = errors.New("elements are set to zero by Linux 6.5 and newer")

// CannotZero reports whether an error says that the kernel cannot set elements to zero.
func CannotZero(err error) bool { return errors.Is(err, errNoZero) }

// Elements returns the elements of a set that have counters, in their order. zero: sets them to zero.
func (c *Conn) Elements(s *Set, zero bool) (list []Element, malformed int, err error) {
	attrs := appendWord(nil, unix.NFTA_SET_ELEM_LIST_TABLE, s.Table)
	attrs = appendWord(attrs, unix.NFTA_SET_ELEM_LIST_SET, s.Name)
	question := uint16(unix.NFT_MSG_GETSETELEM)
	if zero {
		question = msgZeroElements
	}
	answers, err := c.ask(question, msgNewElements, s.Family, netlink.Dump, attrs)
	if zero && (errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EOPNOTSUPP)) {
		return nil, 0, errNoZero
	}
	if gone(err) {
		return nil, 0, nil
	}
	var all []element
	for _, a := range answers {
		whole := each(a.attrs, func(kind uint16, v []byte) {
			if kind == unix.NFTA_SET_ELEM_LIST_ELEMENTS && !each(v, func(_ uint16, v []byte) {
				if e, ok := elementOf(v); ok {
					all = append(all, e)
				} else {
					malformed++
				}
			}) {
				malformed++
			}
		})
		if !whole {
			malformed++
		}
	}
	return s.told(all), malformed, err
}

// gone reports whether what was asked for is not there any more.
func gone(err error) bool { return errors.Is(err, unix.ENOENT) }

// element is one as the kernel has it: an interval of one field is two of them.
type element struct {
	from, to        []byte // to: of a concatenation of intervals
	flags           uint32
	packets, octets uint64
	counted         bool
}

func elementOf(attrs []byte) (e element, ok bool) {
	ok = each(attrs, func(kind uint16, v []byte) {
		switch kind {
		case unix.NFTA_SET_ELEM_KEY:
			e.from = value(v)
		case elemKeyEnd:
			e.to = value(v)
		case unix.NFTA_SET_ELEM_FLAGS:
			e.flags = uint32(number(v))
		case unix.NFTA_SET_ELEM_EXPR:
			e.expression(v)
		case elemExpressions:
			each(v, func(_ uint16, v []byte) { e.expression(v) })
		}
	})
	return e, ok && (len(e.from) > 0 || e.flags&flagCatchAll != 0)
}

// value unpacks NFTA_DATA_VALUE.
func value(attrs []byte) (data []byte) {
	each(attrs, func(kind uint16, v []byte) {
		if kind == unix.NFTA_DATA_VALUE {
			data = v
		}
	})
	return data
}

// expression reads one of an element's expressions.
func (e *element) expression(attrs []byte) {
	name, data := expression(attrs)
	if packets, octets, ok := counts(data); ok && name == "counter" {
		e.packets, e.octets, e.counted = packets, octets, true
	}
}

// expression unpacks an expression.
func expression(attrs []byte) (name string, data []byte) {
	each(attrs, func(kind uint16, v []byte) {
		switch kind {
		case unix.NFTA_EXPR_NAME:
			name = word(v)
		case unix.NFTA_EXPR_DATA:
			data = v
		}
	})
	return name, data
}

// told returns the elements that have counters as nft tells them.
func (s *Set) told(all []element) (list []Element) {
	intervals := s.intervals() && s.flags&flagConcat == 0
	if intervals {
		// The end of an interval is the next element's beginning, or one that only says so (NFT_SET_ELEM_INTERVAL_END).
		slices.SortStableFunc(all, func(a, b element) int {
			if c := bytes.Compare(a.from, b.from); c != 0 {
				return c
			}
			return int(b.flags&unix.NFT_SET_ELEM_INTERVAL_END) - int(a.flags&unix.NFT_SET_ELEM_INTERVAL_END)
		})
	}
	for i, e := range all {
		if !e.counted || e.flags&unix.NFT_SET_ELEM_INTERVAL_END != 0 {
			continue
		}
		text := "*"
		switch {
		case e.flags&flagCatchAll != 0:
		case intervals:
			text = s.text(e.from, last(e.from, all[i+1:]))
		case e.to != nil:
			text = s.text(e.from, e.to)
		default:
			text = s.text(e.from, e.from)
		}
		list = append(list, Element{text, e.packets, e.octets})
	}
	return list
}

// last returns the last key of an interval that begins at from: the one before the next element.
func last(from []byte, next []element) []byte {
	end := bytes.Repeat([]byte{0xff}, len(from))
	for _, e := range next {
		if len(e.from) == len(from) && !bytes.Equal(e.from, from) {
			copy(end, e.from)
			for i := len(end) - 1; i >= 0; i-- {
				end[i]--
				if end[i] != 0xff {
					break
				}
			}
			break
		}
	}
	return end
}

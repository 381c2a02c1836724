// Information elements: what keys are in IPFIX and NetFlow v9.

package engine

import "fmt"

// IE is the number of an information element: IANA's, or an enterprise's (RFC 7011 section 3.2).
// The zero IE means there is none.
type IE struct {
	PEN uint32
	ID  uint16
}

// Enterprise numbers: netfilter's holds ulogd2's own elements and, above 1000, this daemon's; 29305
// marks reverse elements (RFC 5103).
const (
	Netfilter uint32 = 21373
	Reverse   uint32 = 29305
)

func (e IE) String() string {
	switch {
	case e == IE{}:
		return "-"
	case e.PEN == 0:
		return fmt.Sprint(e.ID)
	}
	return fmt.Sprintf("%d/%d", e.PEN, e.ID)
}

// DataType is an abstract data type, by its number in IANA's registry of them (RFC 7012 section
// 3.1, RFC 5610 section 3.1).
type DataType uint8

// The data types of elements.
const (
	OctetArray DataType = iota
	Unsigned8
	Unsigned16
	Unsigned32
	Unsigned64
	Signed8
	Signed16
	Signed32
	Signed64
	Float32
	Float64
	Boolean
	MACAddress
	Text // "string" in the registry
	DateTimeSeconds
	DateTimeMilliseconds
	DateTimeMicroseconds
	DateTimeNanoseconds
	IPv4Address
	IPv6Address
)

// VariableLength is the length of a field that states its length in each record (RFC 7011 section
// 7).
const VariableLength uint16 = 65535

// An Element is an information element. Those of the IANA registry stand in engine/element; a key
// that the registry has nothing for may have one under an enterprise number.
type Element struct {
	IE
	Name   string
	Type   DataType
	Family uint8  // 4 or 6 if only records of that IP version have it
	V9     uint16 // number in NetFlow v9, where it has another
	Octets uint16 // of a field, where the type does not say: of octet arrays
}

// Length returns the octets that a field of the element takes.
func (e *Element) Length() uint16 {
	if e.Octets > 0 {
		return e.Octets
	}
	switch e.Type {
	case Unsigned8, Signed8, Boolean:
		return 1
	case Unsigned16, Signed16:
		return 2
	case Unsigned32, Signed32, Float32, DateTimeSeconds, IPv4Address:
		return 4
	case Unsigned64, Signed64, Float64, DateTimeMilliseconds, DateTimeMicroseconds, DateTimeNanoseconds:
		return 8
	case MACAddress:
		return 6
	case IPv6Address:
		return 16
	}
	return VariableLength
}

// Own makes the element of a key under an enterprise number. Its name and its type are the key's.
func Own(pen uint32, id uint16) []*Element { return []*Element{{IE: IE{pen, id}}} }

// dataTypes are the types of elements that have the type of their key.
var dataTypes = map[Type]Element{
	BoolType: {Type: Boolean}, Int8Type: {Type: Signed8}, Int16Type: {Type: Signed16}, Int32Type: {Type: Signed32}, Int64Type: {Type: Signed64},
	Uint8Type: {Type: Unsigned8}, Uint16Type: {Type: Unsigned16}, Uint32Type: {Type: Unsigned32}, Uint64Type: {Type: Unsigned64},
	AddrType: {Type: IPv6Address}, StringType: {Type: Text}, RawType: {Type: OctetArray}, RawTextType: {Type: Text},
	TimeType: {Type: DateTimeNanoseconds}, MACType: {Type: MACAddress}, LabelType: {Type: OctetArray, Octets: 16},
}

// describe completes the key's own element.
func (k *KeyInfo) describe() {
	for _, e := range k.Elements {
		if e.Name == "" {
			own := dataTypes[k.Type]
			own.IE, own.Name = e.IE, k.Name
			*e = own
		}
	}
}

// Own returns the key's element under an enterprise number; nil if it has none.
func (k *KeyInfo) Own() *Element {
	for _, e := range k.Elements {
		if e.PEN != 0 && e.PEN != Reverse {
			return e
		}
	}
	return nil
}

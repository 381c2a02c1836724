// Keys: the names by which plugins exchange values, with type, unit and meaning.

package engine

// Type is the type of a key's values.
type Type uint8

// The types of keys. Names in comments are those that ulogd2 prints for them.
const (
	Opaque      Type = iota // a struct between two plugins that know each other's column; never printed
	BoolType                // boolean
	Int8Type                // int 8
	Int16Type               // int 16
	Int32Type               // int 32
	Int64Type               // int 64
	Uint8Type               // unsigned int 8
	Uint16Type              // unsigned int 16
	Uint32Type              // unsigned int 32
	Uint64Type              // unsigned int 64
	AddrType                // IP addr
	StringType              // string
	RawType                 // raw data
	RawTextType             // string that SQL takes unquoted
	TimeType                // nanoseconds since 1970, shown as NAME.sec and NAME.usec
	MACType                 // hardware address
	LabelType               // 128 connection labels
)

var typeNames = [...]string{
	"opaque", "boolean", "int 8", "int 16", "int 32", "int 64", "unsigned int 8", "unsigned int 16", "unsigned int 32", "unsigned int 64",
	"IP addr", "string", "raw data", "raw string", "time", "hardware address", "128 bits",
}

func (t Type) String() string { return typeNames[t] }

// Integer reports whether values of the type are whole numbers (booleans included), which the
// engine converts into one another.
func (t Type) Integer() bool { return t >= BoolType && t <= Uint64Type }

// Time is nanoseconds since 1970-01-01 UTC. A key of this type is read as NAME.sec and NAME.usec by
// those that want ulogd2's names.
type Time int64

// Sec returns whole seconds since 1970, as ulogd2's NAME.sec keys carry them (32 bits, wrapping in
// 2106).
func (t Time) Sec() uint32 { return uint32(int64(t) / 1e9) }

// Usec returns the microseconds within the second, truncated.
func (t Time) Usec() uint32 { return uint32(int64(t) % 1e9 / 1e3) }

// MAC is a 48-bit hardware address.
type MAC [6]byte

// Label is the 128 bits of a connection's labels in memory order: label n is bit n%8 of octet n/8.
type Label [16]byte

// Span names bytes of a batch: [Batch.Bytes] reads them. String, Raw and RawText are spans by what
// the bytes mean.
type Span struct{ Off, Len uint32 }

// String is text without a terminating zero.
type String Span

// Raw is binary data.
type Raw Span

// RawText is text that SQL outputs take unquoted.
type RawText Span

// KeyInfo is what is known of a key.
type KeyInfo struct {
	Name string
	Type Type
	Unit string // "octets", "packets", "s" ...; empty for pure numbers and names
	Doc  string // meaning, one sentence
	// Elements are what it leaves as in IPFIX and NetFlow v9: of either IP version, of deltas or
	// totals, of several units of time. The first is the usual one; exporters say in which records
	// the others are.
	Elements []*Element
	CIM      string // name in JSON after the Common Information Model, where ulogd2 has one
}

// A Key is a name with the type of its values.
type Key[T any] struct{ info *KeyInfo }

// NewKey makes a key. Keys that are known to several plugins stand in engine/key; a plugin may make
// its own.
func NewKey[T any](k KeyInfo) Key[T] { return Key[T]{newKey(&k, typeOf(*new(T)))} }

// newKey is what is the same for all types.
func newKey(k *KeyInfo, t Type) *KeyInfo {
	k.Type = t
	k.describe()
	if k.Name == "" {
		panic("engine: a key needs a name")
	}
	return k
}

// Info tells what is known of the key.
func (k Key[T]) Info() *KeyInfo { return k.info }

// Name returns the key's name.
func (k Key[T]) Name() string { return k.info.Name }

func typeOf(zero any) Type {
	switch zero.(type) {
	case bool:
		return BoolType
	case int8:
		return Int8Type
	case int16:
		return Int16Type
	case int32:
		return Int32Type
	case int64:
		return Int64Type
	case uint8:
		return Uint8Type
	case uint16:
		return Uint16Type
	case uint32:
		return Uint32Type
	case uint64:
		return Uint64Type
	case Addr:
		return AddrType
	case String:
		return StringType
	case Raw:
		return RawType
	case RawText:
		return RawTextType
	case Time:
		return TimeType
	case MAC:
		return MACType
	case Label:
		return LabelType
	}
	return Opaque
}

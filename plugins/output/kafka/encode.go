// Messages in their three formats, and their keys.

package kafka

import (
	"bytes"
	_ "embed"
	"encoding/binary"
	"encoding/hex"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"ulogd/engine"
	"ulogd/engine/text"
	"ulogd/plugins/output/store"
)

//go:embed ulogd.proto
var schema string

var fieldIn = regexp.MustCompile(`(?m)^  optional (\w+) (\w+) = (\d+);$`)

// A protoField is a field of the schema.
type protoField struct {
	typ    string
	number uint64
}

// protoFields returns the fields of the schema by name.
func protoFields() map[string]protoField {
	fields := map[string]protoField{}
	for _, m := range fieldIn.FindAllStringSubmatch(schema, -1) {
		n, _ := strconv.ParseUint(m[3], 10, 32)
		fields[m[2]] = protoField{m[1], n}
	}
	return fields
}

// An encoder makes messages of rows of one shape.
type encoder struct {
	format, key string
	shape       *store.Shape
	row         []store.Value
	dating      store.Dating
	hash        store.FlowHash
	source      []int    // keys that may be the source address
	labels      [][]byte // in JSON: `, "name": `; in protobuf: the tag
}

// The wire types of protobuf (protobuf.dev/programming-guides/encoding).
const (
	varint = 0
	i64    = 1
	length = 2
)

func newEncoder(o *kafka, s *store.Shape) *encoder {
	e := &encoder{
		format: o.format, key: o.key, shape: s, row: make([]store.Value, len(s.Keys)), dating: s.Dating(), hash: s.FlowHash(),
		labels: make([][]byte, len(s.Keys)),
	}
	for _, name := range []string{"orig.ip.saddr", "ip.saddr"} {
		if i := s.Index(name); i >= 0 {
			e.source = append(e.source, i)
		}
	}
	fields := protoFields()
	for i, k := range s.Keys {
		if o.format == "json" {
			name := k.Name
			if other := o.names[name]; other != "" {
				name = other
			}
			e.labels[i] = append(text.AppendJSON([]byte(", "), []byte(name)), ": "...)
			continue
		}
		f, ok := fields[strings.ReplaceAll(k.Name, ".", "_")]
		if !ok || f.typ != protoType(k.Type) {
			continue
		}
		wire := uint64(varint)
		switch f.typ {
		case "fixed64":
			wire = i64
		case "string", "bytes":
			wire = length
		}
		e.labels[i] = binary.AppendUvarint(nil, f.number<<3|wire)
	}
	return e
}

// protoType returns the type of a field for a key.
func protoType(t engine.Type) string {
	switch t {
	case engine.BoolType:
		return "bool"
	case engine.Uint8Type, engine.Uint16Type, engine.Uint32Type:
		return "uint32"
	case engine.Uint64Type:
		return "uint64"
	case engine.Int8Type, engine.Int16Type, engine.Int32Type:
		return "int32"
	case engine.Int64Type:
		return "int64"
	case engine.TimeType:
		return "fixed64"
	case engine.StringType, engine.RawTextType:
		return "string"
	}
	return "bytes"
}

// appendKey appends the message's key.
func (e *encoder) appendKey(dst []byte) []byte {
	switch e.key {
	case "flow":
		var sum [4]byte
		binary.BigEndian.PutUint32(sum[:], e.hash.Of(e.row))
		return hex.AppendEncode(dst, sum[:])
	case "source":
		for _, i := range e.source {
			if e.row[i].Valid {
				return e.row[i].AppendText(dst, engine.AddrType)
			}
		}
	}
	return dst
}

func (e *encoder) appendValue(dst []byte, at time.Time) []byte {
	switch e.format {
	case "json":
		return e.appendJSON(dst, at)
	case "csv":
		return e.appendCSV(dst)
	}
	return e.appendProto(dst)
}

func (e *encoder) appendJSON(dst []byte, at time.Time) []byte {
	dst = append(dst, `{"timestamp": "`...)
	dst = append(at.UTC().AppendFormat(dst, "2006-01-02T15:04:05.000000Z"), '"')
	for i := range e.row {
		v := &e.row[i]
		if !v.Valid {
			continue
		}
		dst = append(dst, e.labels[i]...)
		switch t := e.shape.Keys[i].Type; t {
		case engine.StringType, engine.RawTextType:
			dst = text.AppendJSON(dst, v.Bytes)
		case engine.AddrType, engine.MACType, engine.RawType, engine.LabelType:
			dst = append(v.AppendText(append(dst, '"'), t), '"')
		default:
			dst = v.AppendText(dst, t)
		}
	}
	return append(dst, '}')
}

// appendCSV appends a line (RFC 4180 section 2), without its end.
func (e *encoder) appendCSV(dst []byte) []byte {
	for i := range e.row {
		if i > 0 {
			dst = append(dst, ',')
		}
		v := &e.row[i]
		if !v.Valid {
			continue
		}
		at := len(dst)
		dst = v.AppendText(dst, e.shape.Keys[i].Type)
		if bytes.ContainsAny(dst[at:], ",\"\r\n") {
			dst = append(dst[:at], `"`+strings.ReplaceAll(string(dst[at:]), `"`, `""`)+`"`...)
		}
	}
	return dst
}

func (e *encoder) appendProto(dst []byte) []byte {
	for i := range e.row {
		v := &e.row[i]
		if !v.Valid || e.labels[i] == nil {
			continue
		}
		dst = append(dst, e.labels[i]...)
		switch t := e.shape.Keys[i].Type; protoType(t) {
		case "fixed64":
			dst = binary.LittleEndian.AppendUint64(dst, v.N)
		case "bytes":
			dst = append(binary.AppendUvarint(dst, uint64(len(v.Bytes))), v.Bytes...)
		case "string":
			s := v.Bytes
			if !utf8.Valid(s) {
				s = bytes.ToValidUTF8(s, []byte("\ufffd"))
			}
			dst = append(binary.AppendUvarint(dst, uint64(len(s))), s...)
		default:
			dst = binary.AppendUvarint(dst, v.N)
		}
	}
	return dst
}

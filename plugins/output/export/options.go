// Options records: what is told about the records, not in them (RFC 7011 section 3.4.2).

package export

import (
	"encoding/binary"
	"math"
	"slices"
	"time"

	"ulogd/engine"
	"ulogd/engine/element"
)

// An OptionsRecord is one record of an options template, encoded.
type OptionsRecord struct {
	Template *Template
	Data     []byte
}

// OptionsMessages builds messages of at most limit octets, each with the templates of the records
// in it. It returns with each how many records it has.
func (g *Templates) OptionsMessages(records []OptionsRecord, limit int) (msgs [][]byte, counts []int) {
	w := Packer{Registry: g, Announce: Always, Limit: limit}
	for _, r := range records {
		if pos, n := w.places(r.Template, len(r.Data), 1); n == 1 {
			copy(w.buf[pos:], r.Data)
		}
	}
	w.finish()
	for _, d := range w.done {
		msgs, counts = append(msgs, w.buf[d.begin:d.end]), append(counts, d.mark.Records)
	}
	return msgs, counts
}

// Scopes of NetFlow v9, which are no elements (RFC 3954 section 6.1).
var (
	scopeSystem    = Specifier{engine.IE{ID: 1}, 4}
	scopeInterface = Specifier{engine.IE{ID: 2}, 4}
)

// fixedName is the name of an interface in NetFlow v9, which has no fields of variable length:
// linux/if.h's IFNAMSIZ.
var fixedName = Specifier{element.InterfaceName.IE, nameLength}

const nameLength = 16

// OptionsTemplates are the options templates of one output; nil are those that it does not send.
type OptionsTemplates struct {
	statistics, ignored, notSent, keys, interfaces, timeouts, types *Template
	sampling                                                        []sampler
}

// CountOptionsTemplates returns how many templates options records need at most.
func CountOptionsTemplates(everything, sampling bool) (n int) {
	if everything {
		n += 7
	}
	if sampling {
		n += 5
	}
	return n
}

// NewOptions takes numbers for options templates; call it before templates of data take theirs.
// Those of sampling are taken where a packet of several was looked at, the others where everything
// is to be told.
func NewOptions(g *Templates, everything, sampling bool) *OptionsTemplates {
	o := &OptionsTemplates{}
	of := func(scope int, list ...*engine.Element) *Template { return g.Of(specifyAll(list), scope) }
	v9 := func(scope Specifier, list ...*engine.Element) *Template {
		return g.Of(append([]Specifier{scope}, specifyAll(list)...), 1)
	}
	switch {
	case !everything:
	case g.Dialect.Version == 9:
		o.statistics = v9(scopeSystem, element.ExportedMessageTotalCount, element.ExportedFlowTotalCount, element.ExportedOctetTotalCount)
		o.interfaces = g.Of([]Specifier{scopeInterface, fixedName}, 1)
		o.timeouts = v9(scopeSystem, element.FlowActiveTimeout, element.FlowIdleTimeout)
	default:
		o.statistics = of(1, element.ObservationDomainID, element.ExportedMessageTotalCount, element.ExportedFlowTotalCount, element.ExportedOctetTotalCount)
		// RFC 7011 has observationTime twice here, as first and last; collectors that keep one
		// value for each element lose one of them.
		o.ignored = of(1, element.ObservationDomainID, element.IgnoredPacketTotalCount, element.FlowStartMilliseconds, element.FlowEndMilliseconds)
		o.notSent = of(1, element.ExportingProcessID, element.NotSentFlowTotalCount, element.NotSentPacketTotalCount, element.NotSentOctetTotalCount,
			element.FlowStartMilliseconds, element.FlowEndMilliseconds)
		o.keys = of(1, element.TemplateID, element.FlowKeyIndicator)
		o.interfaces = of(1, element.IngressInterface, element.InterfaceName)
		o.timeouts = of(2, element.ObservationDomainID, element.MeteringProcessID, element.FlowActiveTimeout, element.FlowIdleTimeout)
		o.types = of(2, element.PrivateEnterpriseNumber, element.InformationElementID, element.InformationElementDataType, element.InformationElementSemantics,
			element.InformationElementUnits, element.InformationElementBegin, element.InformationElementEnd, element.InformationElementName, element.InformationElementDoc)
	}
	if sampling {
		o.sampling = samplers(g)
	}
	return o
}

// A Span is when something happened first and last, in nanoseconds since 1970; zero if it never
// did.
type Span struct{ First, Last int64 }

func (s Span) append(p []byte) []byte {
	p = binary.BigEndian.AppendUint64(p, uint64(s.First/1e6))
	return binary.BigEndian.AppendUint64(p, uint64(s.Last/1e6))
}

// Statistics tells what the exporter has sent of its observation domain (RFC 7011 section 4.1).
func (o *OptionsTemplates) Statistics(domain uint32, messages, records, octets uint64) OptionsRecord {
	p := binary.BigEndian.AppendUint32(nil, domain)
	p = binary.BigEndian.AppendUint64(p, messages)
	p = binary.BigEndian.AppendUint64(p, records)
	return OptionsRecord{o.statistics, binary.BigEndian.AppendUint64(p, octets)}
}

// Ignored tells what was there and was not metered (RFC 7011 section 4.2).
func (o *OptionsTemplates) Ignored(domain uint32, packets uint64, when Span) OptionsRecord {
	p := binary.BigEndian.AppendUint32(nil, domain)
	return OptionsRecord{o.ignored, when.append(binary.BigEndian.AppendUint64(p, packets))}
}

// NotSent tells what was metered and not sent (RFC 7011 section 4.3).
func (o *OptionsTemplates) NotSent(process uint32, what Content, when Span) OptionsRecord {
	p := binary.BigEndian.AppendUint32(nil, process)
	p = binary.BigEndian.AppendUint64(p, what.Records)
	p = binary.BigEndian.AppendUint64(p, what.Packets)
	return OptionsRecord{o.notSent, when.append(binary.BigEndian.AppendUint64(p, what.Octets))}
}

// interfaceOf tells an interface's name.
func (o *OptionsTemplates) interfaceOf(index uint32, name string) OptionsRecord {
	p := binary.BigEndian.AppendUint32(nil, index)
	if o.interfaces.Elements[1] == fixedName {
		p = append(p, make([]byte, nameLength)...)
		copy(p[4:], name)
		return OptionsRecord{o.interfaces, p}
	}
	return OptionsRecord{o.interfaces, appendText(p, name)}
}

// timeoutsOf tells after what age a flow that goes on is reported, and after what pause it has
// ended. process numbers the metering processes of an observation domain; NetFlow v9 does not tell
// them apart.
func (o *OptionsTemplates) timeoutsOf(domain, process uint32, m meter) OptionsRecord {
	p := binary.BigEndian.AppendUint32(nil, domain)
	if o.timeouts.Scope == 2 {
		p = binary.BigEndian.AppendUint32(p, process)
	}
	p = binary.BigEndian.AppendUint16(p, wholeSeconds(m.active))
	return OptionsRecord{o.timeouts, binary.BigEndian.AppendUint16(p, wholeSeconds(m.idle))}
}

// wholeSeconds rounds up, so that what is set is never shown as nothing, to what 16 bits hold.
func wholeSeconds(d time.Duration) uint16 {
	return uint16(min((d+time.Second-1)/time.Second, 1<<16-1))
}

// Keys tells which elements of a template make a flow (RFC 7011 section 4.4); ok is false if none
// does.
func (o *OptionsTemplates) Keys(t *Template) (r OptionsRecord, ok bool) {
	var bits uint64
	for i, e := range t.Elements {
		if i < 64 && slices.Contains(flowKeyElements, e.IE) {
			bits |= 1 << i
		}
	}
	p := binary.BigEndian.AppendUint16(nil, t.ID)
	return OptionsRecord{o.keys, binary.BigEndian.AppendUint64(p, bits)}, bits != 0 && t.Scope == 0
}

// flowKeyElements are addresses, ports, ICMP's type and code, and the protocol.
var flowKeyElements = []engine.IE{
	element.SourceIPv4Address.IE, element.DestinationIPv4Address.IE, element.SourceIPv6Address.IE, element.DestinationIPv6Address.IE,
	element.SourceTransportPort.IE, element.DestinationTransportPort.IE, element.ICMPTypeCodeIPv4.IE, element.ICMPTypeCodeIPv6.IE, element.ProtocolIdentifier.IE,
}

// Type describes an enterprise element (RFC 5610 section 3.9). libfixbuf takes no description that
// lacks any of the fields.
func (o *OptionsTemplates) Type(k *engine.KeyInfo) OptionsRecord {
	own := k.Own()
	p := binary.BigEndian.AppendUint32(nil, own.PEN)
	p = binary.BigEndian.AppendUint16(p, own.ID)
	p = append(p, byte(own.Type), semantics(k))
	p = binary.BigEndian.AppendUint16(p, units[k.Unit])
	low, high := span(k.Type)
	p = binary.BigEndian.AppendUint64(p, low)
	p = binary.BigEndian.AppendUint64(p, high)
	p = appendText(p, k.Name)
	return OptionsRecord{o.types, appendText(p, k.Doc)}
}

// span returns the least and the greatest value of a whole number; 0 and 0 for what is none.
func span(t engine.Type) (low, high uint64) {
	switch t {
	case engine.Uint8Type:
		return 0, math.MaxUint8
	case engine.Uint16Type:
		return 0, math.MaxUint16
	case engine.Uint32Type:
		return 0, math.MaxUint32
	case engine.Uint64Type:
		return 0, math.MaxUint64
	case engine.Int8Type:
		return 1<<64 - 1<<7, math.MaxInt8 // signed numbers in two's complement
	case engine.Int16Type:
		return 1<<64 - 1<<15, math.MaxInt16
	case engine.Int32Type:
		return 1<<64 - 1<<31, math.MaxInt32
	case engine.Int64Type:
		return 1 << 63, math.MaxInt64
	}
	return 0, 0
}

// units are numbers of the registry's informationElementUnits.
var units = map[string]uint16{"bits": 1, "octets": 2, "packets": 3, "flows": 4, "s": 5, "ms": 6, "us": 7, "ns": 8, "4 octets": 9, "hops": 11}

// semantics are default (0) for what is no number, quantity (1) for what has a unit, identifier (4)
// for other numbers.
func semantics(k *engine.KeyInfo) byte {
	switch {
	case !k.Type.Integer() || k.Type == engine.BoolType:
		return 0
	case k.Unit != "":
		return 1
	}
	return 4
}

func appendText(p []byte, s string) []byte {
	v := []byte(s[:min(len(s), maxString)])
	at := len(p)
	p = append(p, make([]byte, varSize(v))...)
	putVar(p[at:], v, true)
	return p
}

// Options records: what is told about the records, not in them (RFC 7011 section 3.4.2).

package export

import (
	"encoding/binary"
	"math"
	"slices"
	"time"

	"ulogd/engine"
)

// An OptionsRecord is one record of an options template, encoded.
type OptionsRecord struct {
	Template *Template
	Data     []byte
}

// OptionsMessages builds messages of at most limit octets, each with the templates of the records in it. It returns with each how many records it has.
func (g *Registry) OptionsMessages(records []OptionsRecord, limit int) (msgs [][]byte, counts []int) {
	w := Builder{Registry: g, Announce: Always, Limit: limit}
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

// Elements of options records (IANA registry), and the scopes of NetFlow v9 (RFC 3954 section 6.1).
var (
	observationDomainID = iana(149, 4)
	meteringProcessID   = iana(143, 4)
	exportingProcessID  = iana(144, 4)
	templateID          = iana(145, 2)
	flowKeyIndicator    = iana(173, 8)
	exportedMessages    = iana(41, 8)
	exportedRecords     = iana(42, 8)
	exportedOctets      = iana(40, 8)
	ignoredPackets      = iana(164, 8)
	notSentFlows        = iana(166, 8)
	notSentPackets      = iana(167, 8)
	notSentOctets       = iana(168, 8)
	observationTime     = iana(323, 8)
	ingressInterface    = iana(10, 4)
	interfaceName       = iana(82, Variable)
	activeTimeout       = iana(36, 2)
	idleTimeout         = iana(37, 2)
	selectorID          = iana(302, 8)
	selectorAlgorithm   = iana(304, 2)
	packetInterval      = iana(305, 4)
	packetSpace         = iana(306, 4)
	enterpriseNumber    = iana(346, 4)
	elementID           = iana(303, 2)
	elementDataType     = iana(339, 1)
	elementSemantics    = iana(344, 1)
	elementUnits        = iana(345, 2)
	elementRangeBegin   = iana(342, 8)
	elementRangeEnd     = iana(343, 8)
	elementName         = iana(341, Variable)
	elementDescription  = iana(340, Variable)

	scopeSystem       = iana(1, 4)
	scopeInterface    = iana(2, 4)
	samplingInterval  = iana(34, 4)
	samplingAlgorithm = iana(35, 1)
	fixedName         = iana(82, nameLength)
)

// nameLength is what NetFlow v9, which has no fields of variable length, gives to an interface's name: linux/if.h's IFNAMSIZ.
const nameLength = 16

// Options are the options templates of one output. In NetFlow v9 those stay nil that its elements do not allow.
type Options struct {
	statistics, ignored, notSent, keys, interfaces, timeouts, sampling, interval, types *Template
}

// OptionsTemplates is how many templates options records need at most.
const OptionsTemplates = 9

// NewOptions takes numbers for options templates; call it before templates of data take theirs.
func NewOptions(g *Registry) *Options {
	of := func(scope int, els ...Element) *Template { return g.Of(els, scope) }
	if g.Dialect.Version == 9 {
		return &Options{
			statistics: of(1, scopeSystem, exportedMessages, exportedRecords, exportedOctets),
			interfaces: of(1, scopeInterface, fixedName),
			timeouts:   of(1, scopeSystem, activeTimeout, idleTimeout),
			sampling:   of(1, scopeSystem, samplingInterval, samplingAlgorithm),
			interval:   of(1, scopeSystem, samplingInterval),
		}
	}
	return &Options{
		statistics: of(1, observationDomainID, exportedMessages, exportedRecords, exportedOctets),
		ignored:    of(1, observationDomainID, ignoredPackets, observationTime, observationTime),
		notSent:    of(1, exportingProcessID, notSentFlows, notSentPackets, notSentOctets, observationTime, observationTime),
		keys:       of(1, templateID, flowKeyIndicator),
		interfaces: of(1, ingressInterface, interfaceName),
		timeouts:   of(2, observationDomainID, meteringProcessID, activeTimeout, idleTimeout),
		sampling:   of(1, selectorID, selectorAlgorithm, packetInterval, packetSpace),
		interval:   of(1, selectorID, packetInterval, packetSpace),
		types:      of(2, enterpriseNumber, elementID, elementDataType, elementSemantics, elementUnits, elementRangeBegin, elementRangeEnd, elementName, elementDescription),
	}
}

// A Span is when something happened first and last, in nanoseconds since 1970; zero if it never did.
type Span struct{ First, Last int64 }

func (s Span) append(p []byte) []byte {
	p = binary.BigEndian.AppendUint64(p, uint64(s.First/1e6))
	return binary.BigEndian.AppendUint64(p, uint64(s.Last/1e6))
}

// Statistics tells what the exporter has sent of its observation domain (RFC 7011 section 4.1).
func (o *Options) Statistics(domain uint32, messages, records, octets uint64) OptionsRecord {
	p := binary.BigEndian.AppendUint32(nil, domain)
	p = binary.BigEndian.AppendUint64(p, messages)
	p = binary.BigEndian.AppendUint64(p, records)
	return OptionsRecord{o.statistics, binary.BigEndian.AppendUint64(p, octets)}
}

// Ignored tells what was there and was not metered (RFC 7011 section 4.2).
func (o *Options) Ignored(domain uint32, packets uint64, when Span) OptionsRecord {
	p := binary.BigEndian.AppendUint32(nil, domain)
	return OptionsRecord{o.ignored, when.append(binary.BigEndian.AppendUint64(p, packets))}
}

// NotSent tells what was metered and not sent (RFC 7011 section 4.3).
func (o *Options) NotSent(process uint32, what Content, when Span) OptionsRecord {
	p := binary.BigEndian.AppendUint32(nil, process)
	p = binary.BigEndian.AppendUint64(p, what.Records)
	p = binary.BigEndian.AppendUint64(p, what.Packets)
	return OptionsRecord{o.notSent, when.append(binary.BigEndian.AppendUint64(p, what.Octets))}
}

// interfaceOf tells an interface's name.
func (o *Options) interfaceOf(index uint32, name string) OptionsRecord {
	p := binary.BigEndian.AppendUint32(nil, index)
	if o.interfaces.Elements[1] == fixedName {
		p = append(p, make([]byte, nameLength)...)
		copy(p[4:], name)
		return OptionsRecord{o.interfaces, p}
	}
	return OptionsRecord{o.interfaces, appendText(p, name)}
}

// timeoutsOf tells after what age a flow that goes on is reported, and after what pause it has ended. process numbers the metering processes of an
// observation domain; NetFlow v9 does not tell them apart.
func (o *Options) timeoutsOf(domain, process uint32, m meter) OptionsRecord {
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

// samplingOf tells that one packet of every n was looked at: IPFIX by a report of the selector, one packet taken and n-1 left out (RFC 5477 section
// 8.2), NetFlow v9 by the interval. A second record says the same without the algorithm: nfdump 1.7.1 passes over records that name it.
func (o *Options) samplingOf(domain, n uint32) []OptionsRecord {
	const systematicCount, deterministic = 1, 1 // selectorAlgorithm, samplingAlgorithm
	if o.sampling.Elements[1] == samplingInterval {
		p := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, domain), n)
		return []OptionsRecord{{o.sampling, append(slices.Clone(p), deterministic)}, {o.interval, p}}
	}
	const selector = 1 // the only one
	how := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, 1), n-1)
	id := binary.BigEndian.AppendUint64(nil, selector)
	algorithm := binary.BigEndian.AppendUint16(slices.Clone(id), systematicCount)
	return []OptionsRecord{{o.sampling, append(algorithm, how...)}, {o.interval, append(id, how...)}}
}

// Keys tells which elements of a template make a flow (RFC 7011 section 4.4); ok is false if none does.
func (o *Options) Keys(t *Template) (r OptionsRecord, ok bool) {
	var bits uint64
	for i, e := range t.Elements {
		if i < 64 && e.PEN == 0 && slices.Contains(flowKeyElements, e.ID) {
			bits |= 1 << i
		}
	}
	p := binary.BigEndian.AppendUint16(nil, t.ID)
	return OptionsRecord{o.keys, binary.BigEndian.AppendUint64(p, bits)}, bits != 0 && t.Scope == 0
}

// flowKeyElements are addresses, ports, ICMP's type and code, and the protocol.
var flowKeyElements = []uint16{8, 12, 27, 28, 7, 11, 32, 139, 4}

// Type describes an enterprise element (RFC 5610 section 3.9). libfixbuf takes no description that lacks any of the fields.
func (o *Options) Type(k *engine.KeyInfo) OptionsRecord {
	p := binary.BigEndian.AppendUint32(nil, k.IE.PEN)
	p = binary.BigEndian.AppendUint16(p, k.IE.ID)
	p = append(p, abstractTypes[k.Type], semantics(k))
	p = binary.BigEndian.AppendUint16(p, units[k.Unit])
	low, high := span(k.Type)
	p = binary.BigEndian.AppendUint64(p, low)
	p = binary.BigEndian.AppendUint64(p, high)
	p = appendText(p, k.Name)
	return OptionsRecord{o.types, appendText(p, k.Doc)}
}

// abstractTypes are numbers of the registry's informationElementDataType.
var abstractTypes = map[engine.Type]byte{
	engine.RawType: 0, engine.LabelType: 0,
	engine.Uint8Type: 1, engine.Uint16Type: 2, engine.Uint32Type: 3, engine.Uint64Type: 4,
	engine.Int8Type: 5, engine.Int16Type: 6, engine.Int32Type: 7, engine.Int64Type: 8,
	engine.BoolType: 11, engine.MACType: 12, engine.StringType: 13, engine.RawTextType: 13, engine.TimeType: 17, engine.AddrType: 19,
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

// semantics are default (0) for what is no number, quantity (1) for what has a unit, identifier (4) for other numbers.
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

// How collectors are told that one packet of several was looked at. There is no one way that all of
// them read.

package export

import (
	"encoding/binary"

	"ulogd/engine"
	"ulogd/engine/element"
)

// A sampler is an options template and its one record.
type sampler struct {
	template *Template
	record   func(domain, n uint32) []byte
}

// samplers takes templates for every way.
func samplers(g *Templates) (list []sampler) {
	add := func(record func(domain, n uint32) []byte, scope Specifier, rest ...*engine.Element) {
		list = append(list, sampler{g.Of(append([]Specifier{scope}, specifyAll(rest)...), 1), record})
	}
	const (
		selector        = uint64(1) // selectorId, the only one
		id              = uint8(1)  // samplerId
		systematicCount = uint16(1) // selectorAlgorithm
		deterministic   = uint8(1)  // samplingAlgorithm, samplerMode
		one             = uint32(1) // packet taken
	)
	system := scopeSystem
	if g.Dialect.Version == 10 {
		system = specify(element.ObservationDomainID)
		// RFC 5477 section 8.2: one packet taken and n-1 left out. nfdump 1.7.1 passes over a
		// record that names the algorithm.
		add(func(_, n uint32) []byte { return bigEndian(selector, systematicCount, one, n-1) },
			specify(element.SelectorID), element.SelectorAlgorithm, element.SamplingPacketInterval, element.SamplingPacketSpace)
		add(func(_, n uint32) []byte { return bigEndian(selector, one, n-1) },
			specify(element.SelectorID), element.SamplingPacketInterval, element.SamplingPacketSpace)
	}
	// NetFlow v9's two ways, which many read in IPFIX too; nfdump passes over a record that names
	// the algorithm here as well.
	add(func(domain, n uint32) []byte { return bigEndian(domain, n, deterministic) }, system, element.SamplingInterval, element.SamplingAlgorithm)
	add(func(domain, n uint32) []byte { return bigEndian(domain, n) }, system, element.SamplingInterval)
	add(func(domain, n uint32) []byte { return bigEndian(domain, id, deterministic, n) },
		system, element.SamplerID, element.SamplerMode, element.SamplerRandomInterval)
	return list
}

// bigEndian writes whole numbers one behind another.
func bigEndian(values ...any) (p []byte) {
	for _, v := range values {
		switch v := v.(type) {
		case uint8:
			p = append(p, v)
		case uint16:
			p = binary.BigEndian.AppendUint16(p, v)
		case uint32:
			p = binary.BigEndian.AppendUint32(p, v)
		case uint64:
			p = binary.BigEndian.AppendUint64(p, v)
		}
	}
	return p
}

// Sampling tells that one packet of every n was looked at.
func (o *OptionsTemplates) Sampling(domain, n uint32) (records []OptionsRecord) {
	for _, s := range o.sampling {
		records = append(records, OptionsRecord{s.template, s.record(domain, n)})
	}
	return records
}

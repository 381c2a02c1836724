// What the exporter tells its collectors about itself and about its records (RFC 3954 section 6).

package netflow9

import (
	"ulogd/plugins/output/export"
	"ulogd/plugins/output/export/collector"
)

// reporter makes the options records of one output.
type reporter struct {
	o       *output
	options *export.OptionsTemplates
	stacks  export.Metering
	known   uint64 // the options templates, by their bits
}

func newReporter(o *output) *reporter {
	r := &reporter{o: o, options: export.NewOptions(&o.templates, o.optionRecords, o.sampling > 0)}
	r.known = o.templates.Known()
	return r
}

// settings sends what holds for all records.
func (r *reporter) settings(q *collector.Queue, p *peer) {
	records := r.options.Sampling(r.o.sourceID, r.o.sampling)
	if r.o.optionRecords {
		records = append(records, r.options.Timeouts(r.o.sourceID, &r.stacks)...)
	}
	r.send(q, p, records)
}

// figures sends what was sent so far, and the names of interfaces.
func (r *reporter) figures(q *collector.Queue, p *peer) {
	if !r.o.optionRecords {
		return
	}
	sent := q.Sent()
	records := []export.OptionsRecord{r.options.Statistics(r.o.sourceID, sent.Messages, sent.Records, sent.Octets)}
	r.send(q, p, append(records, r.options.Interfaces(&r.stacks)...))
}

func (r *reporter) send(q *collector.Queue, p *peer, records []export.OptionsRecord) {
	p.stream.OptionsRecords(q, &r.o.templates, records)
}

// What the exporter tells its collectors about itself and about its records.

package ipfix

import (
	"time"

	"ulogd/engine"
	"ulogd/plugins/output/export"
	"ulogd/plugins/output/export/collector"
)

// reporter makes the options records of one output.
type reporter struct {
	o       *output
	options *export.OptionsTemplates
	stacks  export.Metering
	infos   []*engine.KeyInfo // of the elements under an enterprise number

	lost             int64 // at the last report
	notSent          export.Content
	ignored, dropped export.Span
}

func newReporter(o *output) *reporter {
	return &reporter{o: o, options: export.NewOptions(&o.templates, o.everything, o.sampling > 0)}
}

// bind notes what is to be told of a stack.
func (r *reporter) bind(p *engine.Binder, e *export.Encoder) {
	r.infos = append(r.infos, e.Infos()...)
	r.stacks.Add(p)
}

// drop counts what no message could take.
func (r *reporter) drop(c export.Content, now time.Time) {
	r.notSent.Add(c)
	note(&r.dropped, now)
}

// dropMessage counts what is in a message that found no room.
func (r *reporter) dropMessage(msg []byte) { r.drop(r.o.templates.Content(msg), time.Now()) }

// report sends a collector the figures as of now, the settings, and the names of interfaces.
func (r *reporter) report(q *collector.Queue, p *peer, now time.Time) {
	sent, oid := q.Sent(), r.o.oid
	if !r.o.everything {
		r.send(q, p, r.options.Sampling(oid, r.o.sampling))
		return
	}
	if lost := r.o.Env().Lost(); lost != r.lost {
		r.lost = lost
		note(&r.ignored, now)
	}
	records := []export.OptionsRecord{
		r.options.Statistics(oid, sent.Messages, sent.Records, sent.Octets),
		r.options.Ignored(oid, uint64(r.lost), r.ignored),
		r.options.NotSent(oid, r.notSent, r.dropped),
	}
	records = append(records, r.options.Timeouts(oid, &r.stacks)...)
	records = append(records, r.options.Sampling(oid, r.o.sampling)...)
	r.send(q, p, append(records, r.options.Interfaces(&r.stacks)...))
}

// note widens the time in which something happened.
func note(when *export.Span, now time.Time) {
	when.Last = now.UnixNano()
	if when.First == 0 {
		when.First = when.Last
	}
}

// describe tells what enterprise elements in the templates named by bits mean. It goes ahead of the
// templates: libfixbuf knows no element later than the first template that has it.
func (r *reporter) describe(q *collector.Queue, p *peer, bits uint64) {
	if !r.o.everything {
		return
	}
	var records []export.OptionsRecord
	for _, t := range r.templates(bits) {
		for _, e := range t.Elements {
			for i, info := range r.infos {
				if info.Own().IE == e.IE && p.described&(1<<i) == 0 {
					p.described |= 1 << i
					records = append(records, r.options.Type(info))
				}
			}
		}
	}
	r.send(q, p, records)
}

// keys tells which fields of the templates named by bits make a flow.
func (r *reporter) keys(q *collector.Queue, p *peer, bits uint64) {
	if !r.o.everything {
		return
	}
	var records []export.OptionsRecord
	for _, t := range r.templates(bits) {
		if k, ok := r.options.Keys(t); ok {
			records = append(records, k)
		}
	}
	r.send(q, p, records)
}

// templates returns those of data that bits name.
func (r *reporter) templates(bits uint64) (list []*export.Template) {
	for _, t := range r.o.templates.List() {
		if t.Needs&bits != 0 && t.Scope == 0 {
			list = append(list, t)
		}
	}
	return list
}

func (r *reporter) send(q *collector.Queue, p *peer, records []export.OptionsRecord) {
	p.stream.OptionsRecords(q, &r.o.templates, records)
}

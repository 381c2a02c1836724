// What the exporter tells its collectors about itself and about its records.

package ipfix

import (
	"net"
	"time"

	"ulogd/engine"
	"ulogd/engine/collector"
	"ulogd/engine/export"
)

// reporter makes the options records of one output.
type reporter struct {
	o       *output
	options *export.Options
	infos   []*engine.KeyInfo // of the elements under an enterprise number

	lost, dropped    int64 // at the last report
	ignored, notSent export.Span
}

// optionsTemplates is how many templates a reporter needs.
const optionsTemplates = 6

func newReporter(o *output) *reporter {
	return &reporter{o: o, options: export.NewOptions(&o.registry)}
}

// report sends a collector the figures as of now, and the names of interfaces.
func (r *reporter) report(q *collector.Queue, p *peer, now time.Time) {
	sent, oid := q.Sent(), r.o.oid
	lost, dropped := r.o.env.Lost(), int64(0)
	for _, d := range r.o.drops {
		dropped += d.Load()
	}
	grew(&r.ignored, &r.lost, lost, now)
	grew(&r.notSent, &r.dropped, dropped, now)
	records := []export.OptionsRecord{
		r.options.Statistics(oid, sent.Messages, sent.Records, sent.Octets),
		r.options.Ignored(oid, uint64(lost), r.ignored),
		r.options.NotSent(oid, uint64(dropped), r.notSent),
	}
	if list, err := net.Interfaces(); err == nil {
		for _, i := range list {
			records = append(records, r.options.Interface(uint32(i.Index), i.Name))
		}
	}
	r.send(q, p, records)
}

// grew notes when a figure has grown.
func grew(when *export.Span, last *int64, value int64, now time.Time) {
	if value == *last {
		return
	}
	*last, when.Last = value, now.UnixNano()
	if when.First == 0 {
		when.First = when.Last
	}
}

// describe tells which fields of the templates named by bits make a flow, and what enterprise elements in them mean.
func (r *reporter) describe(q *collector.Queue, p *peer, bits uint64) {
	var records []export.OptionsRecord
	for _, t := range r.o.registry.List() {
		if t.Needs&bits == 0 || t.Scope > 0 {
			continue
		}
		if k, ok := r.options.Keys(t); ok {
			records = append(records, k)
		}
		for _, e := range t.Elements {
			for i, info := range r.infos {
				if info.IE == e.IE && p.described&(1<<i) == 0 {
					p.described |= 1 << i
					records = append(records, r.options.Type(info))
				}
			}
		}
	}
	r.send(q, p, records)
}

func (r *reporter) send(q *collector.Queue, p *peer, records []export.OptionsRecord) {
	msgs, counts := r.o.registry.OptionsMessages(records, p.l.builder.Limit)
	for i, msg := range msgs {
		q.Control(msg, counts[i])
	}
}

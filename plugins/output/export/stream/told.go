// Templates that a collector is told, and told again.

package stream

import (
	"time"

	"ulogd/engine"
	"ulogd/plugins/output/export"
	"ulogd/plugins/output/export/collector"
)

// Refresh says how often templates are told again where a message may be lost (RFC 7011 section
// 8.4, RFC 3954 section 7).
type Refresh struct {
	Every time.Duration // 0: not by time
	Count int           // messages; 0: not by number
}

// Options declares the options; doc says where they apply and what 0 means.
func (r *Refresh) Options(o *engine.Options, before, after string) {
	o.Seconds(&r.Every, "template_refresh", time.Minute, before+"announce the templates again after this time"+after)
	engine.Int(o, &r.Count, "template_refresh_packets", 1000, before+"announce the templates again after so many messages"+after)
}

// Told is which templates one collector knows in its present session.
type Told struct {
	Bits uint64 // the templates

	refreshed time.Time
	at        uint32 // position behind the last refresh
}

// Forget begins a session: its collector knows nothing.
func (t *Told) Forget(now time.Time) { *t = Told{refreshed: now} }

// DueByNumber reports whether so many messages were sent that the templates are to be told again.
func (t *Told) DueByNumber(r Refresh, q *collector.Queue) bool {
	return r.Count > 0 && q.Position().Messages-t.at >= uint32(r.Count)
}

// DueByTime reports whether the templates are to be told again by time.
func (t *Told) DueByTime(r Refresh, q *collector.Queue, now time.Time) bool {
	return r.Every > 0 && t.Bits != 0 && q.Session() != nil && now.Sub(t.refreshed) >= r.Every
}

// Refreshed notes that all of them are on their way again.
func (t *Told) Refreshed(q *collector.Queue, now time.Time) { t.refreshed, t.at = now, q.Controlled() }

// Templates tells a collector the templates named by bits.
func (s *Stream) Templates(q *collector.Queue, g *export.Templates, bits uint64) {
	if bits == 0 {
		return
	}
	for _, msg := range g.TemplateMessages(bits, s.limit) {
		q.Control(msg, 0)
	}
}

// OptionsRecords tells a collector options records, each message with the templates that it needs.
func (s *Stream) OptionsRecords(q *collector.Queue, g *export.Templates, records []export.OptionsRecord) {
	msgs, counts := g.OptionsMessages(records, s.limit)
	for i, msg := range msgs {
		q.Control(msg, counts[i])
	}
}

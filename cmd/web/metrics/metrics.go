// Package metrics shows the engine's counters to Prometheus. It reads them when it is asked, and
// costs nothing otherwise.
package metrics

import (
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"ulogd/engine"
)

// Handler answers /metrics: the counters of all instances, of the Go runtime and of the process.
func Handler(version string, snapshot func() []engine.Snapshot) http.Handler {
	r := prometheus.NewRegistry()
	build := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "ulogd_build_info", Help: "Which ulogd runs; the value is 1.",
		ConstLabels: prometheus.Labels{"version": version},
	})
	build.Set(1)
	r.MustRegister(
		build, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		&collector{began: time.Now(), snapshot: snapshot},
	)
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: 20 * time.Second})
}

// collector makes metrics of snapshots. Which there are depends on the plugins, so it describes
// none beforehand.
type collector struct {
	began    time.Time
	snapshot func() []engine.Snapshot
}

// Describe implements prometheus.Collector: what it says of nothing makes it an unchecked one.
func (*collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c *collector) Collect(to chan<- prometheus.Metric) {
	out := &writer{to: to, now: time.Now(), began: c.began, help: map[string]string{}}
	for _, s := range c.snapshot() {
		out.instance(&s)
	}
}

// writer writes the metrics of one answer.
type writer struct {
	to         chan<- prometheus.Metric
	now, began time.Time
	help       map[string]string // of each metric: plugins may say different things of one name
}

// metric is one of the daemon's own metrics.
type metric struct {
	name, help string
	kind       prometheus.ValueType
	labels     []string // beside those of the instance
}

var instanceLabels = []string{"id", "plugin", "kind"}

var (
	recordsIn   = counter("records_in_total", "Records taken from the plugin before.")
	recordsMade = counter("records_made_total",
		"Records that an input read, or that a filter or output made of others.")
	recordsOut      = counter("records_out_total", "Records handed on, or written by an output.")
	recordsAbsorbed = counter("records_absorbed_total", "Records that went into others: packets into flows.")
	recordsFiltered = counter("records_filtered_total", "Records that a filter took out, as it is there to do.")
	recordsExcluded = counter("records_excluded_total",
		"Filtered records that have a reason, by it; records_filtered_total has them too.", "reason")
	recordsDropped = counter("records_dropped_total", "Records given up, by reason.", "reason")
	recordsLost    = counter("records_lost_total", "Records that never arrived, by where they were lost.", "reason")
	recordsDoubt   = gauge("records_lost_estimate",
		"Records that are most likely lost and that nothing has told of yet.", "reason")
	recordsHeld = gauge("records_held", "Records that wait inside: in a queue, a cache, a buffer.")
	queue       = gauge("queue_records", "Records that wait in front of an output.")
	queueMax    = gauge("queue_records_max", "Records that may wait in front of an output.")
	recordAge   = gauge("last_record_age_seconds", "Seconds since the instance last had a record, or since the start.")
	inputUp     = gauge("input_up", "1 if an input works, 0 if it has failed.")
	peerUp      = gauge("collector_up",
		"1 if whom an output sends to takes records, such as a collector or a file; 0 if not.", "peer")
	peerAge   = gauge("collector_state_age_seconds", "Seconds since the state of a collector last changed.", "peer")
	buffer    = gauge("collector_buffer_bytes", "Octets that wait in memory for a collector.", "peer")
	bufferMax = gauge("collector_buffer_max_bytes", "Octets that may wait in memory for a collector.", "peer")
	spool     = gauge("collector_spool_bytes", "Octets that the spool of a collector takes on disk.", "peer")
	spoolMax  = gauge("collector_spool_max_bytes", "Octets that the spool of a collector may take on disk.", "peer")
)

func counter(name, help string, labels ...string) metric {
	return metric{prefix + name, help, prometheus.CounterValue, labels}
}

func gauge(name, help string, labels ...string) metric {
	return metric{prefix + name, help, prometheus.GaugeValue, labels}
}

const prefix = "ulogd_"

// instance writes what one instance counts.
func (w *writer) instance(s *engine.Snapshot) {
	for _, c := range []struct {
		m metric
		n int64
	}{
		{recordsIn, s.In},
		{recordsMade, s.Made},
		{recordsOut, s.Out},
		{recordsAbsorbed, s.Absorbed},
		{recordsFiltered, s.Filtered},
		{recordsHeld, s.Held},
	} {
		w.write(s, c.m, float64(c.n))
	}
	w.reasons(s, recordsExcluded, recordsExcluded, s.Exclusions)
	w.reasons(s, recordsDropped, recordsDropped, s.Drops)
	w.reasons(s, recordsLost, recordsDoubt, s.Losses)
	if s.QueueMax > 0 {
		w.write(s, queue, float64(s.Queue))
		w.write(s, queueMax, float64(s.QueueMax))
	}
	since := s.Last
	if since.IsZero() {
		since = w.began
	}
	w.write(s, recordAge, max(0, w.now.Sub(since).Seconds()))
	if s.Kind == engine.InputKind.String() {
		w.write(s, inputUp, truth(s.Down == ""))
	}
	if s.Batches != nil && s.Batches.Count > 0 {
		w.batches(s)
	}
	for _, p := range s.Peers {
		w.peer(s, p)
	}
	for _, list := range [][]engine.Reading{s.Counters, s.Figures} {
		for _, r := range list {
			w.other(s, r)
		}
	}
}

func (w *writer) reasons(s *engine.Snapshot, grows, falls metric, list []engine.Reading) {
	for _, r := range list {
		m := grows
		if _, level := s.Doc(r.Name); level {
			m = falls
		}
		w.write(s, m, float64(r.Value), r.Name)
	}
}

func (w *writer) peer(s *engine.Snapshot, p engine.PeerState) {
	w.write(s, peerUp, truth(p.Up), p.Name)
	w.write(s, peerAge, max(0, w.now.Sub(p.Since).Seconds()), p.Name)
	if p.BufferMax > 0 {
		w.write(s, buffer, float64(p.Buffer), p.Name)
		w.write(s, bufferMax, float64(p.BufferMax), p.Name)
	}
	if p.SpoolMax > 0 {
		w.write(s, spool, float64(p.Spool), p.Name)
		w.write(s, spoolMax, float64(p.SpoolMax), p.Name)
	}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// other writes a counter of the plugin's own.
func (w *writer) other(s *engine.Snapshot, r engine.Reading) {
	doc, level := s.Doc(r.Name)
	name, scale := nameOf(r.Name, level)
	m := metric{name, doc, prometheus.CounterValue, nil}
	if level {
		m.kind = prometheus.GaugeValue
	}
	w.write(s, m, float64(r.Value)*scale)
}

// nameOf makes a name by Prometheus's conventions: of base units, with the unit and total at its
// end. Names of plugins end in their unit, and a most in _max.
func nameOf(counter string, level bool) (name string, scale float64) {
	name = strings.Map(func(c rune) rune {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			return c
		}
		return '_'
	}, strings.ToLower(counter))
	name, most := strings.CutSuffix(name, "_max")
	unit := ""
	for _, u := range []struct {
		ours, theirs string
		scale        float64
	}{{"_octets", "_bytes", 1}, {"_ms", "_seconds", 1e-3}, {"_seconds", "_seconds", 1}} {
		if short, ok := strings.CutSuffix(name, u.ours); ok && unit == "" {
			name, unit, scale = short, u.theirs, u.scale
		}
	}
	if unit == "" {
		scale = 1
	}
	if most && unit != "" {
		name += "_max"
	}
	name = prefix + name + unit
	if most && unit == "" {
		name += "_max"
	}
	if !level {
		name += "_total"
	}
	if own[name] {
		name = prefix + "plugin_" + strings.TrimPrefix(name, prefix)
	}
	return name, scale
}

// own are the names that no plugin's counter may have.
var own = func() map[string]bool {
	set := map[string]bool{prefix + "build_info": true, batchName: true}
	for _, m := range []metric{
		recordsIn, recordsMade, recordsOut, recordsAbsorbed, recordsFiltered, recordsExcluded, recordsDropped, recordsLost,
		recordsDoubt, recordsHeld, queue, queueMax, recordAge, inputUp, peerUp, peerAge, buffer, bufferMax, spool, spoolMax,
	} {
		set[m.name] = true
	}
	return set
}()

func (w *writer) write(s *engine.Snapshot, m metric, v float64, labels ...string) {
	w.to <- prometheus.MustNewConstMetric(w.desc(m), m.kind, v, values(s, labels)...)
}

// desc describes a metric. All of one name have the help of the first.
func (w *writer) desc(m metric) *prometheus.Desc {
	help, ok := w.help[m.name]
	if !ok {
		if help = m.help; help == "" {
			help = "See the manual of the plugin."
		}
		w.help[m.name] = help
	}
	return prometheus.NewDesc(m.name, help, append(instanceLabels[:len(instanceLabels):len(instanceLabels)],
		m.labels...), nil)
}

// values are the labels of an instance's metric. Ids come from the configuration and names from
// whoever: what is no text would cost the whole answer.
func values(s *engine.Snapshot, more []string) []string {
	list := append([]string{s.ID, s.Plugin, s.Kind}, more...)
	for i, v := range list {
		list[i] = strings.ToValidUTF8(v, "\uFFFD")
	}
	return list
}

// The histogram of batch times: classic buckets for all, and native ones for whoever asks by
// protocol buffers.

package metrics

import (
	"math"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"ulogd/engine"
)

const batchName = prefix + "batch_duration_seconds"

const batchHelp = "How long batches of up to 256 records took: an input's through its stacks up to the first queue, " +
	"an output's behind its queue."

// Bucket k of the engine has what took at most 2^(k-30) seconds. Classic buckets are every second
// of them, from 1 us to 16 s.
const (
	unitBucket   = 30
	firstClassic = unitBucket - 20
	lastClassic  = unitBucket + 4
)

// batches writes the times of an instance's batches.
func (w *writer) batches(s *engine.Snapshot) {
	desc := w.desc(metric{name: batchName, help: batchHelp})
	w.to <- &histogram{desc, prometheus.MakeLabelPairs(desc, values(s, nil)), s.Batches}
}

// histogram is a metric with classic and native buckets; the library makes constant ones of one
// sort only.
type histogram struct {
	desc   *prometheus.Desc
	labels []*dto.LabelPair
	times  *engine.BatchTimesReading
}

// Desc implements prometheus.Metric.
func (h *histogram) Desc() *prometheus.Desc { return h.desc }

// Write implements prometheus.Metric.
func (h *histogram) Write(m *dto.Metric) error {
	t := h.times
	sum := t.Sum.Seconds()
	out := &dto.Histogram{SampleCount: &t.Count, SampleSum: &sum}
	below, k := uint64(0), 0
	for at := firstClassic; at <= lastClassic; at += 2 {
		for ; k <= at; k++ {
			below += t.Buckets[k]
		}
		bound, cumulative := math.Exp2(float64(at-unitBucket)), below
		out.Bucket = append(out.Bucket, &dto.Bucket{UpperBound: &bound, CumulativeCount: &cumulative})
	}
	native(out, t)
	m.Label, m.Histogram = h.labels, out
	return nil
}

// native adds buckets whose bounds are powers of two (schema 0): number i ends at 2^i seconds. They
// are told as differences to the bucket before.
func native(out *dto.Histogram, t *engine.BatchTimesReading) {
	first, last := 0, len(t.Buckets)-1
	for first < last && t.Buckets[first] == 0 {
		first++
	}
	for last > first && t.Buckets[last] == 0 {
		last--
	}
	schema, zero, none := int32(0), math.Exp2(-128), uint64(0)
	offset, length := int32(first-unitBucket), uint32(last-first+1)
	out.Schema, out.ZeroThreshold, out.ZeroCount = &schema, &zero, &none
	out.PositiveSpan = []*dto.BucketSpan{{Offset: &offset, Length: &length}}
	before := int64(0)
	for _, n := range t.Buckets[first : last+1] {
		out.PositiveDelta = append(out.PositiveDelta, int64(n)-before)
		before = int64(n)
	}
}

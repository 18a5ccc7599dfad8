// Package metrics tells Prometheus what a node does. It reads what the other
// packages count for themselves, when it is asked, and is the only one that
// knows Prometheus. It has a registry of its own; nothing registers itself.
//
// No label is a word that a client can invent: routes are patterns, methods,
// outcomes and cases are of fixed lists. So the number of series has a bound
// that no request moves.
package metrics

import (
	"net/http"
	"sort"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/jotsmith/jotsmith/server/internal/timing"
)

// A Metric is one family of series.
type Metric struct {
	Name   string
	Type   string // counter, gauge or histogram
	Help   string
	Labels []string

	desc *prometheus.Desc
	read func(*Sources, func(Sample))
}

// A Sample is one series of a family.
type Sample struct {
	Labels    []string // in the order of the family's
	Value     float64
	Histogram *timing.Snapshot // of histograms, in the place of Value
}

// List answers every family that this package makes itself, by name. Those of
// the Go runtime (go_) and of the process (process_) are of the library.
func List() []Metric {
	all := append([]Metric(nil), families...)
	sort.Slice(all, func(i, j int) bool { return all[i].Name < all[j].Name })
	return all
}

// Handler answers GET /metrics from what s reads.
func Handler(s *Sources) http.Handler {
	r := prometheus.NewRegistry()
	r.MustRegister(collector{s}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{
		MaxRequestsInFlight: 4,
		ErrorHandling:       promhttp.ContinueOnError,
	})
}

type collector struct{ s *Sources }

func (collector) Describe(to chan<- *prometheus.Desc) {
	for _, m := range families {
		to <- m.desc
	}
}

func (c collector) Collect(to chan<- prometheus.Metric) {
	for _, m := range families {
		kind := prometheus.GaugeValue
		if m.Type == "counter" {
			kind = prometheus.CounterValue
		}
		m.read(c.s, func(s Sample) {
			if h := s.Histogram; h != nil {
				to <- prometheus.MustNewConstHistogram(m.desc, h.Count, h.Sum, h.Buckets, s.Labels...)
				return
			}
			to <- prometheus.MustNewConstMetric(m.desc, kind, s.Value, s.Labels...)
		})
	}
}

func init() {
	for i := range families {
		m := &families[i]
		m.desc = prometheus.NewDesc(m.Name, m.Help, m.Labels, nil)
	}
}

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"
)

// results are all samples, in the order of their rounds.
type results struct {
	subjects []*subject
	samples  map[string][]sample // by group and name
}

func (s *subject) id() string { return s.group + "/" + s.name }

func (r *results) measure(subjects []*subject, rounds int, length time.Duration, wanted func(group string) bool) {
	subjects = slices.DeleteFunc(subjects, func(s *subject) bool { return !wanted(s.group) })
	for _, s := range subjects {
		s.calibrate(length)
		s.measure()
	}
	r.subjects = append(r.subjects, subjects...)
	for range rounds {
		for _, s := range subjects {
			r.samples[s.id()] = append(r.samples[s.id()], s.measure())
		}
	}
	var groups []string
	for _, s := range r.subjects {
		groups = append(groups, s.group)
	}
	slices.SortStableFunc(r.subjects, func(a, b *subject) int {
		return slices.Index(groups, a.group) - slices.Index(groups, b.group)
	})
}

// print writes every sample in the format that benchstat reads.
func (r *results) print(w io.Writer) {
	fmt.Fprintf(w, "goos: %s\ngoarch: %s\ncpu: %s\npkg: github.com/jotsmith/jotsmith/bench\n", runtime.GOOS, runtime.GOARCH, processor())
	for _, s := range r.subjects {
		name := strings.NewReplacer(" ", "_", ",", "").Replace(s.id())
		for _, m := range r.samples[s.id()] {
			fmt.Fprintf(w, "Benchmark%s-%d\t%d\t%.1f ns/op\t%.1f cpu-ns/op\t%.0f B/op\t%.0f allocs/op\n",
				strings.ToUpper(name[:1])+name[1:], runtime.GOMAXPROCS(0), s.n, m.wall, m.cpu, m.bytes, m.allocs)
		}
	}
}

// ratio is the median, over the rounds, of what s cost in CPU time over what the
// first of its group did in the same round.
func (r *results) ratio(s *subject) float64 {
	limit, own := r.samples[r.first(s.group).id()], r.samples[s.id()]
	ratios := make([]float64, len(own))
	for i := range own {
		ratios[i] = own[i].cpu / limit[i].cpu
	}
	return median(ratios)
}

func (r *results) first(group string) *subject {
	return r.subjects[slices.IndexFunc(r.subjects, func(s *subject) bool { return s.group == group })]
}

func (r *results) median(s *subject, of func(sample) float64) float64 {
	var values []float64
	for _, m := range r.samples[s.id()] {
		values = append(values, of(m))
	}
	return median(values)
}

func median(values []float64) float64 {
	values = slices.Sorted(slices.Values(values))
	if n := len(values); n%2 == 0 {
		return (values[n/2-1] + values[n/2]) / 2
	}
	return values[len(values)/2]
}

func (r *results) table() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Results\n\nWritten by `make bench` on %s: %s, %d cores, %s. Medians of %d rounds, each of which measured everything once in one process.\n\n",
		time.Now().UTC().Format(time.DateOnly), processor(), runtime.NumCPU(), runtime.Version(), r.rounds())
	b.WriteString("The ratio is CPU time, the garbage collector's included, over the first row of the same group in the same round. " +
		"Times are of this machine; ratios travel better. Allocations are per operation.\n")
	group := ""
	for _, s := range r.subjects {
		if s.group != group {
			group = s.group
			fmt.Fprintf(&b, "\n## %s\n\n| | ratio | CPU | wall | allocations | bytes |\n| --- | --- | --- | --- | --- | --- |\n", group)
		}
		fmt.Fprintf(&b, "| %s | %.2f× | %s | %s | %.0f | %.0f |\n", s.name, r.ratio(s),
			span(r.median(s, func(m sample) float64 { return m.cpu })), span(r.median(s, func(m sample) float64 { return m.wall })),
			r.median(s, func(m sample) float64 { return m.allocs }), r.median(s, func(m sample) float64 { return m.bytes }))
	}
	return b.String()
}

func (r *results) rounds() int { return len(r.samples[r.subjects[0].id()]) }

func span(ns float64) string {
	if ns < 1000 {
		return fmt.Sprintf("%.0f ns", ns)
	}
	return fmt.Sprintf("%.2f µs", ns/1000)
}

// compare tells which of our ratios exceed those of a baseline, and writes the
// baseline where there is none.
func (r *results) compare(file string, slack float64) (ok bool) {
	now := make(map[string]float64)
	for _, s := range r.subjects {
		if strings.HasPrefix(s.name, ours) {
			now[s.id()] = float64(int(100*r.ratio(s)+0.5)) / 100
		}
	}
	text, err := os.ReadFile(file)
	if os.IsNotExist(err) {
		text, _ := json.MarshalIndent(now, "", "\t")
		check(os.WriteFile(file, append(text, '\n'), 0o644))
		return true
	}
	check(err)
	then := make(map[string]float64)
	check(json.Unmarshal(text, &then))
	ok = true
	for _, s := range r.subjects {
		old, new := then[s.id()], now[s.id()]
		if old != 0 && new > old*(1+slack) {
			fmt.Fprintf(os.Stderr, "%s: %.2f× of the bare limit, in the baseline %.2f×\n", s.id(), new, old)
			ok = false
		}
	}
	return ok
}

func processor() string {
	out, err := exec.Command("sh", "-c", "sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1").Output()
	if err != nil || len(out) == 0 {
		return "unknown processor"
	}
	return strings.TrimSpace(string(out))
}

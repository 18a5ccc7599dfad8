package main

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/load"
)

// A benchView shows how a measurement goes on, where somebody looks.
type benchView struct {
	c    *console
	live bool // one line, written over and over
}

func newBenchView(c *console, cmd *benchCmd) *benchView {
	return &benchView{c: c, live: isTerminal(c.err) && !cmd.JSON}
}

func (v *benchView) say(format string, args ...any) {
	if v.live {
		fmt.Fprintf(v.c.err, "\r\x1b[K"+format, args...)
	}
}

func (v *benchView) progress(r load.Report) {
	v.say("%4.0f s  %s/s  p50 %s  p99 %s  %d failed", r.Elapsed.Seconds(), thousands(r.All.PerSecond),
		duration(r.All.Times.Quantile(0.5)), duration(r.All.Times.Quantile(0.99)), r.All.Failed)
}

func (v *benchView) end() { v.say("") }

// benchJSON is the report as --json prints it. Times are milliseconds.
type benchJSON struct {
	Target      string          `json:"target"`
	Seconds     float64         `json:"seconds"`
	Connections int             `json:"connections"`
	Rate        float64         `json:"rate,omitempty"` // that was asked for
	Late        int64           `json:"late,omitempty"` // operations of the rate that had not begun at the end
	All         benchOpJSON     `json:"all"`
	Operations  []benchOpJSON   `json:"operations"`
	Server      *benchUsageJSON `json:"server,omitempty"` // where it was started for this
	Stays       []string        `json:"stays"`
}

type benchOpJSON struct {
	Name      string           `json:"name"`
	Count     int64            `json:"count"`
	PerSecond float64          `json:"per_second"`
	Mean      float64          `json:"mean_ms"`
	P50       float64          `json:"p50_ms"`
	P90       float64          `json:"p90_ms"`
	P99       float64          `json:"p99_ms"`
	P999      float64          `json:"p999_ms"`
	Max       float64          `json:"max_ms"`
	Failed    int64            `json:"failed"`
	Errors    map[string]int64 `json:"errors"`
	Histogram []benchBarJSON   `json:"histogram"`
}

type benchBarJSON struct {
	UpTo  float64 `json:"up_to_ms"`
	Count int64   `json:"count"`
}

type benchUsageJSON struct {
	CPU    float64 `json:"cpu_ms_per_operation"`
	Memory int64   `json:"memory_bytes"` // at the end
}

func milliseconds(d time.Duration) float64 {
	return math.Round(float64(d)/float64(time.Microsecond)) / 1000
}

func opJSON(o load.OpReport) benchOpJSON {
	q := func(q float64) float64 { return milliseconds(o.Times.Quantile(q)) }
	out := benchOpJSON{
		Name: o.Name, Count: o.Count, PerSecond: math.Round(o.PerSecond*10) / 10, Mean: milliseconds(o.Times.Mean()),
		P50: q(0.5), P90: q(0.9), P99: q(0.99), P999: q(0.999), Max: milliseconds(o.Times.Max()),
		Failed: o.Failed, Errors: map[string]int64{}, Histogram: []benchBarJSON{},
	}
	for _, e := range o.Errors {
		out.Errors[e.Code] = e.Count
	}
	for _, b := range o.Times.Bars() {
		out.Histogram = append(out.Histogram, benchBarJSON{milliseconds(b.UpTo), b.Count})
	}
	return out
}

func (cmd *benchCmd) show(c *console, s *benchServer, r load.Report, used load.Usage, stays []string) error {
	if cmd.JSON {
		out := benchJSON{
			Target: s.about, Seconds: math.Round(r.Elapsed.Seconds()*1000) / 1000, Connections: r.Connections, Rate: r.Rate, Late: r.Late,
			All: opJSON(r.All), Operations: []benchOpJSON{}, Stays: append([]string{}, stays...),
		}
		for _, o := range r.Ops {
			out.Operations = append(out.Operations, opJSON(o))
		}
		if used.CPU > 0 {
			out.Server = &benchUsageJSON{milliseconds(perAnswer(used, r)), used.Resident}
		}
		return c.json(out)
	}
	how := "each waits for its answer"
	if r.Rate > 0 {
		how = fmt.Sprintf("%s operations a second", thousands(r.Rate))
	}
	fmt.Fprintf(c.out, "%s, %.0f s, %d connections, %s\n\n", printable(s.about), r.Elapsed.Seconds(), r.Connections, how)
	if err := showOps(c, r); err != nil {
		return err
	}
	showBars(c, r.All.Times)
	if used.CPU > 0 {
		fmt.Fprintf(c.out, "\nserver: %.3f ms of CPU per operation, %d MB of memory at the end\n", milliseconds(perAnswer(used, r)), used.Resident>>20)
	}
	if r.Late > 0 {
		fmt.Fprintf(c.out, "\n%s more should have begun: the rate is more than this server, or this generator with %d connections, can do\n",
			plural(r.Late, "operation"), r.Connections)
	}
	for _, o := range r.Ops {
		for _, e := range o.Errors {
			fmt.Fprintf(c.out, "failed: %s, %d times: %s\n", o.Name, e.Count, printable(e.Code))
		}
	}
	if len(stays) > 0 {
		fmt.Fprintf(c.out, "\nStays in %s: %s\n", printable(s.keeps), printable(strings.Join(stays, "; ")))
	}
	return nil
}

func showOps(c *console, r load.Report) error {
	var rows [][]string
	row := func(o load.OpReport) {
		cells := []string{o.Name, fmt.Sprint(o.Count), thousands(o.PerSecond)}
		for _, q := range []float64{0.5, 0.9, 0.99, 0.999} {
			cells = append(cells, duration(o.Times.Quantile(q)))
		}
		rows = append(rows, append(cells, duration(o.Times.Max()), fmt.Sprint(o.Failed)))
	}
	for _, o := range r.Ops {
		row(o)
	}
	if len(r.Ops) > 1 {
		row(r.All)
	}
	return c.table([]string{"OPERATION", "COUNT", "PER SECOND", "P50", "P90", "P99", "P99.9", "MAX", "FAILED"}, rows)
}

// showBars draws how the times are spread.
func showBars(c *console, t load.Times) {
	const width = 50
	bars := t.Bars()
	var most int64
	for _, b := range bars {
		most = max(most, b.Count)
	}
	if len(bars) > 0 {
		fmt.Fprintln(c.out)
	}
	for _, b := range bars {
		length := int((b.Count*width + most - 1) / most)
		fmt.Fprintf(c.out, "≤ %8s  %s %.1f %%\n", duration(b.UpTo), c.paint.cyan(strings.Repeat("█", length)), 100*float64(b.Count)/float64(t.Count()))
	}
}

// perAnswer is what the server's CPU did for each operation.
func perAnswer(used load.Usage, r load.Report) time.Duration {
	return used.CPU / time.Duration(max(r.All.Count+r.All.Failed, 1))
}

// thousands writes a rate as people read it: 12,345.
func thousands(n float64) string {
	if n < 100 {
		return fmt.Sprintf("%.1f", n)
	}
	digits := fmt.Sprintf("%.0f", n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

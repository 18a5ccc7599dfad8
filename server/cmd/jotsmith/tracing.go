package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/jotsmith/jotsmith/server/internal/httpapi"
	"github.com/jotsmith/jotsmith/server/internal/metrics"
	"github.com/jotsmith/jotsmith/server/internal/traces"
)

// traceFlags say where traces go.
type traceFlags struct {
	Trace        string `env:"JOTSMITH_TRACE" placeholder:"URL" help:"The OpenTelemetry collector that is sent traces with OTLP over HTTP, such as http://127.0.0.1:4318; by default none is. Headers that it wants, NAME=VALUE and separated by commas, stand in $OTEL_EXPORTER_OTLP_HEADERS."`
	TracePercent int    `default:"100" env:"JOTSMITH_TRACE_PERCENT" placeholder:"N" help:"So many requests of a hundred are traced (${default}); of those that a trusted proxy sends a traceparent with, those that it says."`
}

func (f traceFlags) check() error {
	if f.Trace == "" {
		return nil
	}
	c, err := f.config(nil)
	return wrap(errors.Join(err, c.Validate()), "--trace")
}

// open answers nil where nobody wants traces.
func (f traceFlags) open(log *slog.Logger) (*traces.Tracer, error) {
	if f.Trace == "" {
		return nil, nil
	}
	c, err := f.config(log)
	if err != nil {
		return nil, err
	}
	return traces.New(c)
}

func (f traceFlags) config(log *slog.Logger) (traces.Config, error) {
	headers, err := traceHeaders(os.Getenv("OTEL_EXPORTER_OTLP_HEADERS"))
	return traces.Config{Endpoint: f.Trace, Headers: headers, Percent: f.TracePercent, Version: readBuildInfo().Version, Log: log}, err
}

// traceHeaders reads NAME=VALUE,NAME=VALUE, percent-encoded, as the
// specification of OpenTelemetry's exporters has it. No error quotes a value.
func traceHeaders(s string) (map[string]string, error) {
	headers := make(map[string]string)
	for entry := range strings.SplitSeq(s, ",") {
		if strings.TrimSpace(entry) == "" {
			continue
		}
		name, value, ok := strings.Cut(entry, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		plain, err := url.PathUnescape(value)
		if !ok || name == "" || err != nil || strings.ContainsAny(name, ": \t") || strings.ContainsFunc(name+plain, unicode.IsControl) {
			return nil, errors.New("malformed OTEL_EXPORTER_OTLP_HEADERS: NAME=VALUE, separated by commas, percent-encoded")
		}
		headers[name] = plain
	}
	return headers, nil
}

// An observer tells metrics and traces of each request.
type observer struct {
	*metrics.Traffic
	tracer *traces.Tracer // nil: none
}

func (o observer) Answered(a httpapi.Answer) string {
	o.Traffic.Answered(a.Pattern, a.Status, a.Took)
	if o.tracer == nil {
		return ""
	}
	return o.tracer.Answered(traces.Request{
		Pattern: a.Pattern, Status: a.Status, Code: a.Code, Parent: a.Parent,
		Began: a.Began, Took: a.Took, Spent: a.Spent.Stretches(),
	})
}

// closeTraces sends what has not been sent, unless the collector hangs.
func (n *node) closeTraces() error {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	if err := n.config.Tracer.Close(ctx); err != nil {
		return fmt.Errorf("sending the last traces: %w", err)
	}
	return nil
}

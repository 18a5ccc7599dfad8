// Package traces tells a collector of OpenTelemetry, with OTLP over HTTP, what
// requests did: a span for each, named after its route, and one within it for
// every wait for the store and every password hash. It is the only package that
// knows OpenTelemetry. Spans are made when a request has been answered, from
// what was noted of it anyhow (see timing), so that nothing waits for them and
// nothing of it costs where nobody wants traces.
//
// No span holds a token, a user name, an address, a path or a query. Spans that
// the collector does not take in time are dropped; no request waits.
package traces

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/jotsmith/jotsmith/server/internal/timing"
)

// Config says where traces go.
type Config struct {
	Endpoint string            // base URL of the collector; /v1/traces is added to it
	Headers  map[string]string // of every export, such as for authorization
	Percent  int               // of requests without a parent that are traced
	Version  string            // of this program
	Log      *slog.Logger
}

// A Tracer may be used by many goroutines. A nil *Tracer traces nothing.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   trace.Tracer
}

// A Request is what is told of one.
type Request struct {
	Pattern string // of its route: "METHOD /path"; empty where none matched
	Status  int
	Code    string // of a refusal
	Parent  string // a traceparent header of somebody who is trusted (W3C Trace Context §3.2)
	Began   time.Time
	Took    time.Duration
	Spent   []timing.Stretch
}

// Validate reports every fault of c.
func (c Config) Validate() error {
	var faults []error
	u, err := url.Parse(c.Endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		faults = append(faults, errors.New("traces: the endpoint is the http or https URL of a collector, without user and query, such as http://127.0.0.1:4318"))
	}
	if c.Percent < 0 || c.Percent > 100 {
		faults = append(faults, fmt.Errorf("traces: %d percent of requests: 0 to 100", c.Percent))
	}
	return errors.Join(faults...)
}

// New checks c and begins to send. It does not ask whether the collector is
// there.
func New(c Config) (*Tracer, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	at, err := url.JoinPath(c.Endpoint, "v1/traces")
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	exporter, err := otlptrace.New(context.Background(), newUploader(at, c.Headers, c.Log))
	if err != nil {
		return nil, fmt.Errorf("traces: %w", err)
	}
	provider := sdk.NewTracerProvider(
		sdk.WithSampler(sdk.ParentBased(sdk.TraceIDRatioBased(float64(c.Percent)/100))),
		sdk.WithResource(resource.NewSchemaless(
			attribute.String("service.name", "jotsmith"),
			attribute.String("service.version", c.Version),
		)),
		sdk.WithRawSpanLimits(sdk.SpanLimits{AttributeValueLengthLimit: 256, AttributeCountLimit: 16, EventCountLimit: 1, LinkCountLimit: 1, AttributePerEventCountLimit: 1, AttributePerLinkCountLimit: 1}),
		sdk.WithSpanProcessor(sdk.NewBatchSpanProcessor(exporter,
			sdk.WithMaxQueueSize(4096), sdk.WithMaxExportBatchSize(512), sdk.WithBatchTimeout(2*time.Second), sdk.WithExportTimeout(exportTime))),
	)
	return &Tracer{provider, provider.Tracer("jotsmith")}, nil
}

// Answered tells of a request and answers the id of its trace, "" where it is
// not traced.
func (t *Tracer) Answered(r Request) (id string) {
	if t == nil {
		return ""
	}
	ctx := context.Background()
	if r.Parent != "" {
		ctx = propagation.TraceContext{}.Extract(ctx, propagation.MapCarrier{"traceparent": r.Parent})
	}
	method, route, ok := strings.Cut(r.Pattern, " ")
	name := r.Pattern
	if !ok {
		name, method, route = "no route", "", ""
	}
	ctx, span := t.tracer.Start(ctx, name, trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(r.Began))
	if !span.SpanContext().IsSampled() {
		return ""
	}
	span.SetAttributes(attribute.String("http.request.method", method), attribute.String("http.route", route), attribute.Int("http.response.status_code", r.Status))
	if r.Code != "" {
		span.SetAttributes(attribute.String("error.type", r.Code))
	}
	if r.Status >= 500 {
		span.SetStatus(codes.Error, "")
	}
	for _, s := range r.Spent {
		_, child := t.tracer.Start(ctx, s.Part.String(), trace.WithTimestamp(s.Began))
		child.End(trace.WithTimestamp(s.Began.Add(s.Took)))
	}
	span.End(trace.WithTimestamp(r.Began.Add(r.Took)))
	return span.SpanContext().TraceID().String()
}

// Close sends what has not been sent, for as long as ctx lasts.
func (t *Tracer) Close(ctx context.Context) error {
	if t == nil {
		return nil
	}
	return t.provider.Shutdown(ctx)
}

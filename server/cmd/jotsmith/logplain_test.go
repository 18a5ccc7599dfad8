package main

import (
	"bytes"
	"log/slog"
	"math"
	"testing"
	"time"
)

// A plain line is the one that slog would have written, byte by byte.
func TestPlainLinesAreThoseOfSlog(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 23, 59, 59, 120_000_000, time.UTC)
	request := []slog.Attr{
		slog.String("method", "GET"), slog.String("route", "GET /v1/me"), slog.Int("status", 200), slog.Float64("ms", 0.25),
		slog.String("address", "2001:db8::1"), slog.String("agent", "Mozilla/5.0 (X11) <&>"), slog.String("sub", ""),
	}
	for name, c := range map[string]struct {
		at    time.Time
		attrs []slog.Attr
		plain bool
	}{
		"a request":         {at, request, true},
		"now":               {time.Now(), request, true},
		"elsewhere":         {at.In(time.FixedZone("", 5400)), request, true},
		"nothing":           {at, nil, true},
		"numbers":           {at, []slog.Attr{slog.Int64("a", math.MinInt64), slog.Float64("b", 1e-6), slog.Float64("c", 1234567890.125), slog.Float64("d", 3)}, true},
		"no time":           {time.Time{}, request, false},
		"a quote":           {at, []slog.Attr{slog.String("agent", `a"b`)}, false},
		"a backslash":       {at, []slog.Attr{slog.String("agent", `a\b`)}, false},
		"a line's end":      {at, []slog.Attr{slog.String("agent", "a\n{}")}, false},
		"delete":            {at, []slog.Attr{slog.String("agent", "\x7f")}, false},
		"beyond ASCII":      {at, []slog.Attr{slog.String("agent", "ü")}, false},
		"no Unicode":        {at, []slog.Attr{slog.String("agent", "\xff")}, false},
		"a key with quotes": {at, []slog.Attr{slog.String(`a"b`, "c")}, false},
		"an exponent":       {at, []slog.Attr{slog.Float64("ms", 1e21)}, false},
		"a small number":    {at, []slog.Attr{slog.Float64("ms", 9e-7)}, false},
		"no number":         {at, []slog.Attr{slog.Float64("ms", math.NaN())}, false},
		"a bool":            {at, []slog.Attr{slog.Bool("slow", true)}, false},
		"a group":           {at, []slog.Attr{slog.Group("g", slog.Int("a", 1))}, false},
		"an empty group":    {at, []slog.Attr{slog.Group("g"), slog.Int("a", 1)}, true}, // no record keeps it
		"no attribute":      {at, []slog.Attr{{}}, false},
	} {
		r := slog.NewRecord(c.at, slog.LevelWarn+1, "request", 0)
		r.AddAttrs(c.attrs...)
		var want, got bytes.Buffer
		if err := slog.NewJSONHandler(&want, nil).Handle(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		if _, ok := appendPlain(nil, r); ok != c.plain {
			t.Errorf("%s is plain: %v", name, ok)
		}
		log, _, flush := logFlags{Log: "json", LogLevel: "info"}.newLog(&got)
		if err := log.Handler().Handle(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		flush()
		if got.String() != want.String() {
			t.Errorf("%s: %swant %s", name, &got, &want)
		}
	}
}

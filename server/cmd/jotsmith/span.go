package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A span is a duration on the command line: as Go writes it, or in days, "7d".
type span time.Duration

func (s *span) UnmarshalText(text []byte) error {
	if days, ok := strings.CutSuffix(string(text), "d"); ok {
		n, err := strconv.ParseUint(days, 10, 16)
		if err != nil {
			return fmt.Errorf("malformed duration %q: such as 90s, 15m, 12h or 7d", text)
		}
		*s = span(n) * span(24*time.Hour)
		return nil
	}
	d, err := time.ParseDuration(string(text))
	if err != nil || d < 0 {
		return fmt.Errorf("malformed duration %q: such as 90s, 15m, 12h or 7d", text)
	}
	*s = span(d)
	return nil
}

func (s span) String() string {
	if d := time.Duration(s); d > 0 && d%(24*time.Hour) == 0 {
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	}
	return time.Duration(s).String()
}

// seconds is what the HTTP API calls a time; a part of a second counts as one.
func (s span) seconds() int64 {
	return int64((time.Duration(s) + time.Second - 1) / time.Second)
}

// about says d in words, in its largest unit: "3 minutes", "1 day".
func about(d time.Duration) string {
	d = d.Abs()
	for _, u := range []struct {
		size time.Duration
		name string
	}{
		{365 * 24 * time.Hour, "year"},
		{24 * time.Hour, "day"},
		{time.Hour, "hour"},
		{time.Minute, "minute"},
	} {
		if d >= u.size {
			return plural(int64(d/u.size), u.name)
		}
	}
	return plural(int64(d/time.Second), "second")
}

func plural(n int64, unit string) string {
	if n == 1 {
		return "1 " + unit
	}
	return fmt.Sprintf("%d %ss", n, unit)
}

// relative says when t is, seen from now: "3 minutes ago", "in 2 hours".
func relative(t, now time.Time) string {
	d := t.Sub(now).Round(time.Second)
	switch {
	case d == 0:
		return "now"
	case d < 0:
		return about(d) + " ago"
	}
	return "in " + about(d)
}

package main

import (
	"bytes"
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"
)

func TestSpan(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"0": 0, "90s": 90 * time.Second, "15m": 15 * time.Minute, "7d": 7 * 24 * time.Hour, "1h30m": 90 * time.Minute,
		"": -1, "d": -1, "-1d": -1, "-1h": -1, "1.5d": -1, "soon": -1, "99999d": -1, "7 d": -1, "7days": -1,
	} {
		var s span
		err := s.UnmarshalText([]byte(text))
		switch {
		case want < 0 && err == nil:
			t.Errorf("%q was taken as %v", text, s)
		case want >= 0 && (err != nil || time.Duration(s) != want):
			t.Errorf("%q is %v, %v, want %v", text, s, err, want)
		}
	}
}

func TestRelative(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		d    time.Duration
		want string
	}{
		{0, "now"},
		{time.Second, "in 1 second"},
		{-3 * time.Minute, "3 minutes ago"},
		{-119 * time.Second, "1 minute ago"},
		{2 * time.Hour, "in 2 hours"},
		{-30 * 24 * time.Hour, "30 days ago"},
		{800 * 24 * time.Hour, "in 2 years"},
	} {
		if got := relative(now.Add(c.d), now); got != c.want {
			t.Errorf("%v: %q, want %q", c.d, got, c.want)
		}
	}
}

func TestDuration(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		999: "999 ns", 1500: "1.5 µs", 46_000: "46 µs", 2_900_000: "2.9 ms", 52_000_000: "52 ms",
	} {
		if got := duration(d); got != want {
			t.Errorf("%d: %q, want %q", d, got, want)
		}
	}
}

// TestADM05Printable says that nothing which was read can command a terminal
// or turn its text around.
func TestADM05Printable(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"plain, ünïcode, 日本": "plain, ünïcode, 日本",
		"two\nlines":         "two\nlines",
		"\x1b[31mred":        `\u001b[31mred`,
		"\u009b31m":          `\u009b31m`,
		"a\u202eb":           `a\u202eb`,
		"a\u2066b\u2069":     `a\u2066b\u2069`,
		"tag \U000e0041":     `tag \U000e0041`,
		"a\rb\tc\x00":        `a\u000db\u0009c\u0000`,
	} {
		if got := printable(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestPalette(t *testing.T) {
	t.Parallel()
	if got := (palette{on: false}).red("x"); got != "x" {
		t.Errorf("colour where there is none: %q", got)
	}
	if got := (palette{on: true}).red("x"); got != "\x1b[31mx\x1b[0m" {
		t.Errorf("colour is %q", got)
	}
	if got := (palette{on: true}).red(""); got != "" {
		t.Errorf("colour of nothing is %q", got)
	}
}

// TestPartsAreColoured says that header, claims and signature each have their
// colour on a terminal, and that the text is the same without.
func TestPartsAreColoured(t *testing.T) {
	t.Parallel()
	raw, err := readUnverified("eyJhbGciOiJub25lIn0.eyJleHAiOjF9.AAAAAAAAAAAA")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Unix(60, 0)
	var plain, coloured bytes.Buffer
	(&console{out: &plain}).explain(raw, examine(raw, nil, now), now)
	(&console{out: &coloured, paint: palette{true}}).explain(raw, examine(raw, nil, now), now)
	const first = "\x1b[31meyJhbGciOiJub25lIn0\x1b[0m.\x1b[35meyJleHAiOjF9\x1b[0m.\x1b[36mAAAAAAAA…\x1b[0m\n"
	if !strings.HasPrefix(coloured.String(), first) {
		t.Errorf("coloured: %q", coloured.String())
	}
	if got := regexp.MustCompile("\x1b\\[[0-9]+m").ReplaceAllString(coloured.String(), ""); got != plain.String() {
		t.Errorf("with colours it says %q, without %q", got, plain.String())
	}
}

func TestGeneratedPasswords(t *testing.T) {
	t.Parallel()
	a, b := newPassword(), newPassword()
	if a == b || len(a) < 26 || strings.ContainsFunc(a, func(r rune) bool { return r != '-' && !unicode.IsLower(r) && !unicode.IsDigit(r) }) {
		t.Errorf("passwords %q and %q", a, b)
	}
}

func TestIssuer(t *testing.T) {
	t.Parallel()
	for issuer, good := range map[string]bool{
		"https://auth.example.com":       true,
		"https://auth.example.com/realm": true,
		"http://127.0.0.1:8080":          true,
		"http://[::1]:8080":              true,
		"http://localhost:1":             true,
		"http://auth.example.com":        false,
		"http://127.0.0.1.example.com":   false,
		"https://a@auth.example.com":     false,
		"https://auth.example.com?x=1":   false,
		"https://auth.example.com?":      false,
		"https://auth.example.com#":      false,
		"auth.example.com":               false,
		"https://":                       false,
		"ftp://auth.example.com":         false,
	} {
		if err := checkIssuer(issuer); (err == nil) != good {
			t.Errorf("%s: %v", issuer, err)
		}
	}
}

func TestLoopback(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]bool{
		"127.0.0.1:80": true, "127.9.9.9:80": true, "[::1]:80": true, "localhost:80": true, "[::ffff:127.0.0.1]:80": true,
		":80": false, "0.0.0.0:80": false, "[::]:80": false, "10.0.0.1:80": false, "example.com:80": false, "127.0.0.1": false,
	} {
		if got := onLoopback(addr); got != want {
			t.Errorf("%s: %v", addr, got)
		}
	}
}

// FuzzInspect says that whatever is inspected, nothing in it reaches the
// terminal as more than text, and that it is never called good.
func FuzzInspect(f *testing.F) {
	for _, seed := range []string{
		"", ".", "..", "e30.e30.", "e30.e30.AAAA", "eyJhbGciOiJub25lIn0.eyJleHAiOjF9.", "W10.W10.x", "a.b.c.d.e", "jsr_x",
		"eyJhbGciOiJub25lIiwiandrIjp7Imt0eSI6IkVDIn19.eyJldmlsIjoiYVx1MjAyZWJcdTAwMWJbMzFtIn0.",
		"eyJhbGciOiJFUzI1NiJ9.eyJleHAiOjFlMzAwLCJpYXQiOi0xZTMwMCwibmJmIjoieCJ9.AA",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		raw, err := readUnverified(text)
		if err != nil {
			return
		}
		now := time.Unix(1_800_000_000, 0)
		found := examine(raw, nil, now)
		var out bytes.Buffer
		c := &console{out: &out}
		c.explain(raw, found, now)
		if i := strings.IndexFunc(out.String(), unprintable); i >= 0 {
			t.Errorf("unprintable %q", out.String()[i:])
		}
		if !strings.Contains(out.String(), "Nothing was verified.") {
			t.Error("it does not say that nothing was verified")
		}
		out.Reset()
		if err := c.json(inspection{false, raw.header, raw.payload, len(raw.signature), found}); err != nil || !json.Valid(out.Bytes()) {
			t.Errorf("%v: %s", err, out.Bytes())
		}
	})
}

// A password that is made contains no user name, not even by chance.
func TestUnlike(t *testing.T) {
	t.Parallel()
	made := []string{"abcd-vicx-mnop", "vic", "quiet-river", "never"}
	n := 0
	next := func() string { n++; return made[n-1] }
	if p := unlike("Vic", next); p != "quiet-river" {
		t.Errorf("%q", p)
	}
	n = 0
	if p := unlike("vi", next); p != made[0] {
		t.Errorf("%q: a name so short is no weakness", p)
	}
}

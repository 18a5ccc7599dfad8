package account

import (
	"errors"
	"strings"
	"testing"
)

func TestCanonical(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, want string }{
		"as it is":        {"alice", "alice"},
		"upper case":      {"ALICE", "alice"},
		"full width":      {"Ａｌｉｃｅ", "alice"},
		"e-mail address":  {"Alice@Example.COM", "alice@example.com"},
		"composed":        {"J\u00f6rg", "j\u00f6rg"},
		"decomposed":      {"Jo\u0308rg", "j\u00f6rg"},
		"sigma":           {"ΣΊΣΥΦΟΣ", "σίσυφοσ"},
		"longest":         {strings.Repeat("a", 128), strings.Repeat("a", 128)},
		"empty":           {"", ""},
		"space":           {"alice bob", ""},
		"leading space":   {" alice", ""},
		"control":         {"alice\x00", ""},
		"line feed":       {"alice\n", ""},
		"zero width":      {"ali\u200bce", ""},
		"direction":       {"alice\u202e", ""},
		"not UTF-8":       {"alice\xff", ""},
		"too long":        {strings.Repeat("a", 129), ""},
		"a megabyte":      {strings.Repeat("a", 1<<20), ""},
		"private use":     {"alice\ue000", ""},
		"non-breaking":    {"alice\u00a0", ""},
		"ligature":        {"\ufb01ona", ""},
		"unpaired marker": {"a\u00b7", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Canonical(c.in)
			if got != c.want || (err == nil) != (c.want != "") {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
			if err != nil && !errors.Is(err, ErrUsername) {
				t.Errorf("not ErrUsername: %v", err)
			}
		})
	}
}

func FuzzCanonical(f *testing.F) {
	f.Fuzz(func(t *testing.T, s string) {
		once, err := Canonical(s)
		if err != nil {
			return
		}
		if again, err := Canonical(once); err != nil || again != once || len(once) > maxUsername || once == "" {
			t.Errorf("%q → %q → %q, %v", s, once, again, err)
		}
	})
}

func TestNewPassword(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		password string
		good     bool
	}{
		"good":                   {"vier Kühe im Regen", true},
		"eight characters":       {"xk7-qp2m", true},
		"of another script":      {"четырекоровы", true},
		"spaces and emoji":       {"🐄 🐄 🌧 cows!", true},
		"1024 bytes":             {strings.Repeat("xk7-qp2m", 128), true},
		"empty":                  {"", false},
		"seven characters":       {"xk7-qp2", false},
		"eight bytes, two runes": {"🐄🌧", false},
		"1025 bytes":             {strings.Repeat("xk7-qp2m", 128) + "x", false},
		"a megabyte":             {strings.Repeat("x", 1<<20), false},
		"control character":      {"xk7-qp2m\x00", false},
		"not UTF-8":              {"xk7-qp2m\xff", false},
		"commonest":              {"iloveyou", false},
		"commonest, upper case":  {"PassWord123", false},
		"one character":          {"zzzzzzzzzzzz", false},
		"one wide character":     {"éééééééé", false},
		"digits in a row":        {"1234567890", false},
		"keys in a row":          {"asdfghjkl", false},
		"the user name":          {"margarete", false},
		"around the user name":   {"xMARGARETE1", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := newPassword(c.password, "margarete")
			if (err == nil) != c.good {
				t.Errorf("got %v", err)
			}
			if err != nil && !errors.Is(err, ErrWeakPassword) {
				t.Errorf("not ErrWeakPassword: %v", err)
			}
			if err != nil && len(c.password) > 3 && strings.Contains(err.Error(), c.password) {
				t.Errorf("the error quotes the password: %v", err)
			}
		})
	}
	composed, err1 := newPassword("Stra\u00dfenb\u00e4ume", "u")
	decomposed, err2 := newPassword("Stra\u00dfenba\u0308ume", "u")
	if err1 != nil || err2 != nil || composed != decomposed {
		t.Errorf("two ways to type one password: %q %v, %q %v", composed, err1, decomposed, err2)
	}
}

func TestDisplayName(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ in, want string }{
		"plain":         {"Alice Liddell", "Alice Liddell"},
		"trimmed":       {"  Alice ", "Alice"},
		"any script":    {"アリス 🐇", "アリス 🐇"},
		"markup":        {"<b>Alice</b>", "<b>Alice</b>"}, // whoever shows it escapes it
		"empty":         {" ", ""},
		"too long":      {strings.Repeat("a", 257), ""},
		"line feed":     {"Alice\nadmin", ""},
		"terminal code": {"Alice\x1b[31m", ""},
		"direction":     {"Alice\u202e", ""},
		"not UTF-8":     {"Alice\xff", ""},
	} {
		if got, err := displayName(c.in); got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
}

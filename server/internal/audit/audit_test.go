package audit_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/jotsmith/jotsmith/server/internal/audit"
)

var at = time.Date(2026, 3, 1, 13, 0, 0, 123456789, time.FixedZone("", 3600))

func example() audit.Event {
	return audit.Event{
		Act: "session.end", Outcome: audit.Refused, Rule: "used token presented again",
		Targets: map[string]string{"session": "ses_1", "account": "acc_1"},
		Actor:   audit.Actor{Kind: audit.KindAccount, ID: "acc_2", Name: "ada", Address: "192.0.2.1", Device: "curl/8"},
	}
}

func record(t *testing.T, e audit.Event) audit.Record {
	t.Helper()
	r, err := e.Record(at)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRecordHasTwoParts(t *testing.T) {
	t.Parallel()
	r := record(t, example())
	want := `{"act":"session.end","outcome":"refused","rule":"used token presented again",` +
		`"targets":{"account":"acc_1","session":"ses_1"},"actor_kind":"account","actor_id":"acc_2"}`
	if string(r.What) != want {
		t.Errorf("what happened is kept as %s, want %s", r.What, want)
	}
	if want := `{"name":"ada","address":"192.0.2.1","device":"curl/8"}`; string(r.Who) != want {
		t.Errorf("who did it is kept as %s, want %s", r.Who, want)
	}
	for _, personal := range []string{"ada", "192.0.2.1", "curl"} {
		if bytes.Contains(r.What, []byte(personal)) {
			t.Errorf("%q stands in the part that stays when the other is erased", personal)
		}
	}
	if want := time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC); r.At != want {
		t.Errorf("time %v, want %v", r.At, want)
	}
}

func TestRecordsAreTold(t *testing.T) {
	t.Parallel()
	a, b := record(t, example()), record(t, example())
	if a.ID == b.ID || !strings.HasPrefix(a.ID, "evt_") {
		t.Errorf("ids %q and %q", a.ID, b.ID)
	}
	salts := map[string]bool{}
	for _, s := range [][]byte{a.WhatSalt, a.WhoSalt, b.WhatSalt, b.WhoSalt} {
		if len(s) != 16 {
			t.Errorf("a salt of %d bytes", len(s))
		}
		salts[string(s)] = true
	}
	if len(salts) != 4 {
		t.Errorf("%d different salts, want 4: equal events could be told to be equal", len(salts))
	}
}

func TestADM05HostileText(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"\r\nlevel=INFO msg=forged", "\x1b[2J\x1b]0;title\a", "\x00", "\xff\xfe\xfd", "\u2028\u2029", "\u009b31m", "a\u202eb", "\U000e0041", `"},{"act":"forged`,
		strings.Repeat("a", 1<<20), strings.Repeat("é", 200), strings.Repeat("\xff", 1000), strings.Repeat("<", 1000),
	} {
		t.Run(fmt.Sprintf("%.20q", text), func(t *testing.T) {
			t.Parallel()
			e := example()
			e.Actor.Name, e.Actor.Address, e.Actor.Device, e.Actor.ID, e.Rule = text, text, text, text, text
			e.Targets = map[string]string{"session": text}
			r := record(t, e)
			for _, part := range [][]byte{r.What, r.Who} {
				var back map[string]any
				if err := json.Unmarshal(part, &back); err != nil {
					t.Errorf("no JSON: %v", err)
				}
				if !utf8.Valid(part) || bytes.ContainsFunc(part, func(r rune) bool { return !unicode.IsPrint(r) }) {
					t.Errorf("control characters are kept: %.100q", part)
				}
				if len(part) > 6*(4096+4*256) {
					t.Errorf("%d bytes are kept", len(part))
				}
			}
		})
	}
}

// The caller's map stays the caller's.
func TestRecordLeavesTheEventAlone(t *testing.T) {
	t.Parallel()
	e := example()
	e.Targets["session"] = strings.Repeat("x", 1000)
	record(t, e)
	if len(e.Targets["session"]) != 1000 {
		t.Error("the event's targets were cut")
	}
	if r := record(t, audit.Event{Act: "a", Outcome: audit.OK}); bytes.Contains(r.What, []byte("targets")) {
		t.Errorf("no targets are kept as %s", r.What)
	}
}

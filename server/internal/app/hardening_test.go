package app_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/server/internal/app"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/fault"
)

// Where a secret is sent in the place of an id, no error repeats any of it:
// errors go into the log.
func TestADM05SecretInTheWrongPlace(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a, secret := h.app(nil)
	for name, err := range map[string]error{
		"authenticating":      second(h.Authenticate(t.Context(), operator, app.ID(secret), string(a.ID))),
		"reading":             second(h.Get(t.Context(), app.ID(secret))),
		"standing":            second(h.Standing(t.Context(), app.ID(secret))),
		"changing":            second(h.SetDisabled(t.Context(), operator, app.ID(secret), true)),
		"deleting":            h.Delete(t.Context(), operator, app.ID(secret)),
		"issuing":             second(h.Issue(t.Context(), operator, app.ID(secret), "", "")),
		"revoking the secret": second(h.RevokeSecret(t.Context(), operator, a.ID, secret)),
	} {
		if err == nil || strings.Contains(err.Error(), secret[4:12]) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// A real id is named.
	if _, err := h.Get(t.Context(), "app_nobody"); !errors.Is(err, fault.ErrNotFound) || !strings.Contains(err.Error(), "app_nobody") {
		t.Errorf("an id: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

// Disabling once more changes nothing: the next tokens would date further ahead
// with each time, until verifiers refuse them.
func TestDisablingTwice(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a, secret := h.app(nil)
	for range 100 {
		if _, err := h.SetDisabled(t.Context(), operator, a.ID, true); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := h.SetDisabled(t.Context(), operator, a.ID, false); err != nil {
		t.Fatal(err)
	}
	if issued, _ := h.token(a, secret); issued.Sub(h.now()) > time.Second {
		t.Errorf("a token dates %v ahead", issued.Sub(h.now()))
	}
	facts, _, _, err := h.store.FeedSince(t.Context(), 0)
	if err != nil || len(facts) != 1 {
		t.Errorf("published %d facts, %v", len(facts), err)
	}
}

// A disabled app that comes with its right secret is on record too.
func TestDisabledAppIsRecorded(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a, secret := h.app(nil)
	if _, err := h.SetDisabled(t.Context(), operator, a.ID, true); err != nil {
		t.Fatal(err)
	}
	h.refused(a, secret)
	h.refused(a, secret)
	if got := h.recorded(`"act":"app.authenticate"`); len(got) != 1 || !strings.Contains(got[0], `"rule":"disabled"`) || !strings.Contains(got[0], string(audit.Refused)) {
		t.Errorf("recorded %q", got)
	}
}

// A token that an operator has made is on record with its id, by which it can be
// revoked and found again.
func TestIssuedTokenIsRecorded(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a, _ := h.app(nil)
	made, err := h.Issue(t.Context(), operator, a.ID, "", "")
	if err != nil {
		t.Fatal(err)
	}
	u, err := jwt.Inspect(made.AccessToken)
	if err != nil {
		t.Fatal(err)
	}
	var c struct{ Jti string }
	if err := json.Unmarshal([]byte(u.Claims()), &c); err != nil || c.Jti == "" {
		t.Fatalf("%q, %v", c.Jti, err)
	}
	if got := h.recorded(`"act":"token.issue"`); len(got) != 1 || !strings.Contains(got[0], `"token":"`+c.Jti+`"`) || !strings.Contains(got[0], `"scope":"tasks:read"`) {
		t.Errorf("recorded %q", got)
	}
}

// recorded are the events that hold a text.
func (h *house) recorded(text string) (found []string) {
	h.t.Helper()
	all, _, err := h.store.Records(context.Background(), 0, 1000)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, r := range all {
		if strings.Contains(string(r.What), text) {
			found = append(found, string(r.What))
		}
	}
	return found
}

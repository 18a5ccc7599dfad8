package session_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
	"github.com/jotsmith/jotsmith/server/internal/mint"
	"github.com/jotsmith/jotsmith/server/internal/session"
	"github.com/jotsmith/jotsmith/server/internal/status"
	"github.com/jotsmith/jotsmith/server/internal/store/sqlite"
)

// oneStatement makes the plain rotation as a store far away does: it is
// committed before a token is made.
type oneStatement struct{ *sqlite.Store }

func (o oneStatement) RotateSession(ctx context.Context, id session.ID, r session.Rotation) (row session.Row, now time.Time, rotated bool, err error) {
	err = o.RefreshSession(ctx, id, func(was session.Row, at time.Time) (session.Step, error) {
		life, known := r.Lives[was.Audience]
		p := session.Presented{Client: r.Client, Transport: r.Transport}
		if !known || session.Decide(was, r.Generation, p, session.Limits{Idle: r.Idle}, at) != session.Rotate {
			return session.Step{}, nil
		}
		row, now, rotated = was, at, true
		row.Generation, row.MACKey, row.RotatedAt, row.TokenLife = was.Generation+1, r.MACKey, at, max(was.TokenLife, life)
		step := session.Step{Rotate: true, MACKey: r.MACKey, Address: r.Address, TokenLife: row.TokenLife}
		if r.Status != nil && !slices.Contains(r.Opaque, was.Audience) {
			e := *r.Status
			e.Session, e.Subject = string(was.ID), string(was.Account)
			e.IssuedAt, e.Expires = at.Truncate(time.Second), at.Truncate(time.Second).Add(life+status.Margin)
			step.Status = &e
		}
		return step, nil
	})
	return row, now, rotated, err
}

// A token that cannot be made for good, though the rotation stands, logs nobody
// out, however often it is tried and however lately an answer was lost before.
func TestRFR04NoTokenCanBeMade(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.Service = h.service(oneStatement{h.store}, h.catalog())
	a := h.account("viewer")
	first := h.start(a, session.StartRequest{})
	second := h.refresh(first.RefreshToken)
	h.pass(time.Hour)
	if again := h.refresh(first.RefreshToken); again.RefreshToken != second.RefreshToken { // forgiven once
		t.Fatal("another successor")
	}
	third := h.refresh(second.RefreshToken)

	claim := func(value string) {
		t.Helper()
		raw := json.RawMessage(`{"note":"` + value + `"}`)
		h.change(a.ID, account.Change{Claims: &raw})
	}
	claim(strings.Repeat("${display_name}", 300))
	long := strings.Repeat("x", 64)
	h.change(a.ID, account.Change{DisplayName: &long})
	for range 5 {
		h.refused(third.RefreshToken, session.Presented{}, mint.ErrTooLarge)
		h.pass(time.Hour)
	}
	if row := h.row(first.Session); row.Generation != 4 || row.Forgiven != 4 || !row.EndedAt.IsZero() {
		t.Errorf("generation %d, forgiven %d, ended %v", row.Generation, row.Forgiven, row.EndedAt)
	}
	claim("short")
	fourth := h.refresh(third.RefreshToken)
	if again := h.refresh(third.RefreshToken); again.RefreshToken != fourth.RefreshToken {
		t.Error("another successor")
	}
	h.refresh(fourth.RefreshToken)
	h.wantActs("session.start ok", "session.forgiven ok", "session.forgiven ok")
}

// What keeps all tokens of an API from being made consumes nothing.
func TestRotationWithoutASigner(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	h.Service = h.service(oneStatement{h.store}, h.catalog())
	first := h.start(h.account("viewer"), session.StartRequest{})
	c, err := catalog.New(issuer, []catalog.API{{Audience: tasks, Algorithm: jwk.ES512}}, []catalog.Role{{Name: "viewer"}})
	if err != nil {
		t.Fatal(err)
	}
	without := h.service(oneStatement{h.store}, catalog.Fixed(c))
	if _, err := without.Refresh(t.Context(), somebody, first.RefreshToken, session.Presented{}); err == nil || errors.Is(err, session.ErrRefused) {
		t.Errorf("Refresh = %v", err)
	}
	if row := h.row(first.Session); row.Generation != 1 {
		t.Errorf("generation %d", row.Generation)
	}
	h.refresh(first.RefreshToken)
}

// What one node has made with a MAC key that signs since just now, the others
// take at once: tokens, and the successor that a repetition gets.
func TestMACKeyOfAnotherNode(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	a := h.account("viewer")
	first := h.start(a, session.StartRequest{})
	elsewhere := func() *session.Service {
		t.Helper()
		ring, err := keyring.Open(t.Context(), keyring.Config{
			Store: h.store, Root: h.root, Algorithms: []jwk.Algorithm{jwk.ES256, jwk.EdDSA}, Every: -1,
			AccessRetire: time.Hour, FeedRetire: time.Hour, RefreshRetire: 7 * 24 * time.Hour,
		})
		if err != nil {
			t.Fatal(err)
		}
		s, err := session.New(session.Config{Store: h.store, Ring: ring, Catalog: h.catalog(), Issuer: issuer})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	other, third := elsewhere(), elsewhere()
	if _, err := h.ring.Rotate(t.Context(), keyring.Refresh, keyring.RefreshAlgorithm, true, operator); err != nil {
		t.Fatal(err)
	}
	second := h.refresh(first.RefreshToken)
	again, err := other.Refresh(t.Context(), somebody, first.RefreshToken, session.Presented{})
	if err != nil || again.RefreshToken != second.RefreshToken {
		t.Errorf("the repetition: %v", err)
	}
	if _, err := third.Refresh(t.Context(), somebody, second.RefreshToken, session.Presented{}); err != nil {
		t.Errorf("the successor: %v", err)
	}
}

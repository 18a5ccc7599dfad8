// Package storetest is the suite that every store must pass: what each method
// promises, under real concurrency, and over a restart. It uses nothing of a
// store but its methods; how a store behaves on a broken disk is tested beside
// it.
package storetest

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/app"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/feed"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
	"github.com/jotsmith/jotsmith/server/internal/session"
	"github.com/jotsmith/jotsmith/server/internal/status"
)

// A Store is all that a server asks of one.
type Store interface {
	account.Store
	account.Importer
	session.Store
	catalog.Store
	app.Store
	keyring.Store
	feed.Store
	status.Store
	audit.Log

	// Now is the store's time.
	Now() (time.Time, error)

	// Records reads the outbox of audit events in the order of commits.
	Records(ctx context.Context, after int64, limit int) ([]audit.Record, int64, error)

	// Sweep deletes expired facts and dead sessions, at most limit of each.
	Sweep(ctx context.Context, deadAfter time.Duration, limit int) (deleted map[string]int, err error)

	// Sizes answers how many rows tables have, as well as the store knows.
	Sizes(ctx context.Context) (map[string]int64, error)

	// Committed receives after a revocation was published.
	Committed() <-chan struct{}

	Close() error
}

// An Opener makes an empty store, which it closes when the test ends, and a
// function that closes it and opens it again.
type Opener func(t *testing.T) (s Store, reopen func() Store)

// Run runs the suite.
func Run(t *testing.T, open Opener) {
	for name, test := range map[string]func(*testing.T, Opener){
		"account":        testAccounts,
		"change":         testChange,
		"rehash":         testRehash,
		"claims":         testClaims,
		"external":       testExternal,
		"import":         testImport,
		"session":        testSessions,
		"refresh":        testRefresh,
		"rotate":         testRotate,
		"end":            testEnd,
		"list":           testList,
		"no old row":     testNoOldRow,
		"catalog":        testCatalog,
		"apps":           testApps,
		"publish":        testPublish,
		"revoked key":    testRevokedKey,
		"ring":           testRing,
		"feed":           testFeed,
		"status":         testStatus,
		"status commits": testStatusCommits,
		"sweep":          testSweep,
		"outbox":         testOutbox,
		"audit":          testAudit,
		"time":           testTime,
		"callbacks":      testCallbacks,
		"concurrency":    testConcurrency,
		"reopened":       testReopened,
		"closed":         testClosed,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, open)
		})
	}
}

// A world is a store with the few acts that most tests begin with.
type world struct {
	Store
	t   *testing.T
	ctx context.Context
	n   int
}

func newWorld(t *testing.T, open Opener) *world {
	s, _ := open(t)
	return &world{Store: s, t: t, ctx: t.Context()}
}

func event(act string) audit.Event {
	return audit.Event{Act: act, Outcome: audit.OK, Actor: audit.Actor{Kind: audit.KindSystem}}
}

// account makes an account.
func (w *world) account(username string, roles ...string) account.Account {
	w.t.Helper()
	a, err := w.CreateAccount(w.ctx, account.Account{ID: account.NewID(), Username: username, DisplayName: "Somebody", Roles: roles}, "hash of "+username, event("account.create"))
	if err != nil {
		w.t.Fatalf("creating account %s: %v", username, err)
	}
	return a
}

// session starts a session of an account; edit may be nil.
func (w *world) session(holder account.ID, edit func(*session.Session)) session.Session {
	w.t.Helper()
	w.n++
	var made session.Session
	err := w.StartSession(w.ctx, holder, func(a account.Account, now time.Time) (session.Session, audit.Event, error) {
		made = session.Session{
			ID: session.NewID([16]byte{byte(w.n), byte(w.n >> 8), 1}), Account: a.ID, AccountVersion: a.Version,
			Client: session.FirstParty, Transport: session.Body, Audience: "https://api.example.com", Scope: "tasks:read",
			Device: "curl/8", Address: "192.0.2.1", Generation: 1, MACKey: "00000001",
			TokenLife: time.Hour, CreatedAt: now, RotatedAt: now, ExpiresAt: now.Add(30 * 24 * time.Hour),
		}
		if edit != nil {
			edit(&made)
		}
		return made, event("session.start"), nil
	})
	if err != nil {
		w.t.Fatalf("starting session: %v", err)
	}
	return made
}

// forgotten edits a session so that its end need not be published any more.
func forgotten(s *session.Session) { s.TokenLife = -session.FactMargin - time.Second }

// row reads a session that must be there.
func (w *world) row(id session.ID) session.Row {
	w.t.Helper()
	r, _, err := w.Session(w.ctx, id)
	if err != nil {
		w.t.Fatalf("reading session %s: %v", id, err)
	}
	return r
}

// step performs one step on a session and answers what RefreshSession says.
func (w *world) step(id session.ID, s session.Step, refusal error) error {
	return w.RefreshSession(w.ctx, id, func(session.Row, time.Time) (session.Step, error) { return s, refusal })
}

// acts lists the acts in the outbox.
func (w *world) acts() []string {
	w.t.Helper()
	all, _, err := w.Records(w.ctx, 0, 10_000)
	if err != nil {
		w.t.Fatalf("reading outbox: %v", err)
	}
	var acts []string
	for _, r := range all {
		var what struct{ Act string }
		if err := json.Unmarshal(r.What, &what); err != nil {
			w.t.Fatal(err)
		}
		acts = append(acts, what.Act)
	}
	return acts
}

// published lists the values in the feed after a position, and the head.
func (w *world) published(after uint64) ([]string, uint64) {
	w.t.Helper()
	facts, head, _, err := w.FeedSince(w.ctx, after)
	if err != nil {
		w.t.Fatalf("reading feed: %v", err)
	}
	var values []string
	for _, f := range facts {
		values = append(values, f.Value)
	}
	return values, head.Position
}

func check(t *testing.T, what string, got, want any) {
	t.Helper()
	if g, w := fmt.Sprintf("%+v", got), fmt.Sprintf("%+v", want); g != w {
		t.Errorf("%s:\n got %s\nwant %s", what, g, w)
	}
}

func count(all []string, one string) (n int) {
	for _, s := range all {
		if s == one {
			n++
		}
	}
	return n
}

func sorted[S ~string](all ...S) []S { return slices.Sorted(slices.Values(all)) }

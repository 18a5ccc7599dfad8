package sqlite

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/session"
)

// A watch is a wall clock that is set by hand.
type watch struct{ offset atomic.Int64 }

func (w *watch) now() time.Time      { return time.Now().Add(time.Duration(w.offset.Load())) }
func (w *watch) set(d time.Duration) { w.offset.Store(int64(d)) }

func TestClockAtOpen(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		offset time.Duration
		accept bool
		want   string
	}{
		{"the same", 0, false, ""},
		{"a second behind", -time.Second, false, ""},
		{"an hour ahead", time.Hour, false, ""},
		{"an hour behind", -time.Hour - 10*time.Second, false, "correct the clock, or, where the clock is right and that time was wrong, start once with --dangerously-accept-clock"},
		{"an hour behind, accepted", -time.Hour, true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := standing(t, 1)
			var w watch
			w.set(c.offset)
			config := Config{Path: path, Now: w.now, Log: quiet, DangerouslyAcceptClock: c.accept}
			s, err := Open(t.Context(), config)
			if c.want != "" {
				if !errors.Is(err, fault.ErrClock) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "by 1h0m") {
					t.Fatalf("error %v, want %s", err, c.want)
				}
				if got := names(t, open(t, Config{Path: path})); len(got) != 1 {
					t.Errorf("with the clock corrected: %v", got)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			now, err := s.Now()
			if d := now.Sub(w.now()); err != nil || d < -time.Second || d > 1500*time.Millisecond {
				t.Errorf("the store's time is %v off, %v", d, err)
			}
			add(t, s, 10, 1)
			s.Close()
			config.DangerouslyAcceptClock = false
			open(t, config) // what was accepted once needs no acceptance again
		})
	}
}

func TestClockAtWork(t *testing.T) {
	t.Parallel()
	var w watch
	s := open(t, Config{Now: w.now})
	add(t, s, 0, 1)
	id := start(t, s, "acc_000")
	refresh := func() (called bool, err error) {
		err = s.RefreshSession(t.Context(), id, func(session.Row, time.Time) (session.Step, error) {
			called = true
			return session.Step{Rotate: true, MACKey: "00000002"}, nil
		})
		return called, err
	}

	first, _ := s.Now()
	w.set(-time.Second)
	still, err := s.Now()
	if err != nil || still.Before(first) {
		t.Errorf("a second behind: %v after %v, %v", still, first, err)
	}
	if called, err := refresh(); err != nil || !called {
		t.Errorf("refreshing a second behind: %v", err)
	}

	w.set(-time.Hour)
	if called, err := refresh(); called || !errors.Is(err, fault.ErrClock) {
		t.Errorf("refreshing an hour behind: decided %v, %v", called, err)
	}
	_, nowErr := s.Now()
	_, _, readErr := s.Session(t.Context(), id)
	_, _, _, feedErr := s.FeedSince(t.Context(), 0)
	_, _, ringErr := s.LoadRing(t.Context())
	_, listErr := s.Sessions(t.Context(), "acc_000", time.Hour, "", 1)
	for i, err := range []error{nowErr, readErr, feedErr, ringErr, listErr, s.Check(t.Context())} {
		if !errors.Is(err, fault.ErrClock) {
			t.Errorf("%d, an hour behind: %v", i, err)
		}
	}

	w.set(0)
	if called, err := refresh(); err != nil || !called {
		t.Errorf("refreshing with the clock corrected: %v", err)
	}
	if err := s.Check(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestClockJumpAhead(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	wall, elapsed := time.Unix(1_800_000_000, 0), time.Duration(0)
	c := &clock{wall: func() time.Time { return wall }, elapsed: func() time.Duration { return elapsed }, log: slog.New(slog.NewTextHandler(&log, nil))}
	if err := c.start(0, false); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		name          string
		wall, elapsed time.Duration
		logged        bool
	}{
		{"an idle day", 24 * time.Hour, 24 * time.Hour, false},
		{"a slow drift", time.Minute + time.Second, time.Minute, false},
		{"an hour ahead", time.Hour, time.Second, true},
		{"and on", time.Minute, time.Minute, false},
	} {
		log.Reset()
		wall, elapsed = wall.Add(step.wall), elapsed+step.elapsed
		now, err := c.now()
		if err != nil || !now.Equal(wall) {
			t.Errorf("%s: %v, want %v; %v", step.name, now, wall, err)
		}
		if logged := strings.Contains(log.String(), "jumped ahead"); logged != step.logged {
			t.Errorf("%s: log %q", step.name, &log)
		}
	}
	wall = wall.Add(-time.Hour)
	for range 3 {
		if _, err := c.now(); !errors.Is(err, fault.ErrClock) {
			t.Errorf("set back: %v", err)
		}
	}
	if n := strings.Count(log.String(), "nothing is decided"); n != 1 {
		t.Errorf("logged %d times: %s", n, &log)
	}
}

// The time of a change of password tells one password from the next, also while
// the clock stands still: a log-in with the old one is noticed by it.
func TestPasswordsAreToldApart(t *testing.T) {
	t.Parallel()
	still := time.Now()
	s := open(t, Config{Now: func() time.Time { return still }})
	add(t, s, 0, 1)
	before, err := s.Account(t.Context(), "acc_000")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		hash := "another"
		after, err := s.ChangeAccount(t.Context(), before.ID, account.Change{PasswordHash: &hash}, done)
		if err != nil || !after.PasswordChangedAt.After(before.PasswordChangedAt) {
			t.Fatalf("%v after %v, %v", after.PasswordChangedAt, before.PasswordChangedAt, err)
		}
		before = after
	}
}

// A clock that jumps ahead and is set right again takes no revocation with it.
func TestCLM05SweepAfterAJump(t *testing.T) {
	t.Parallel()
	var w watch
	s := open(t, Config{Now: w.now})
	add(t, s, 0, 1)
	id, living := start(t, s, "acc_000"), start(t, s, "acc_000")
	if _, err := s.EndSessions(t.Context(), session.Selection{ID: id}, "test", done); err != nil {
		t.Fatal(err)
	}
	w.set(365 * 24 * time.Hour)
	if deleted, err := s.Sweep(t.Context(), time.Hour, 100); err != nil || len(deleted) > 0 {
		t.Errorf("a year ahead at once: %v deleted, %v", deleted, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	w.set(0)
	s = open(t, Config{Path: s.path, Now: w.now, DangerouslyAcceptClock: true})
	if facts, _, _, err := s.FeedSince(t.Context(), 0); err != nil || len(facts) != 1 || facts[0].Value != string(id) {
		t.Errorf("the feed tells %v, %v", facts, err)
	}
	if row, _, err := s.Session(t.Context(), living); err != nil || !row.EndedAt.IsZero() {
		t.Errorf("a living session: %v, %v", row.EndedAt, err)
	}
}

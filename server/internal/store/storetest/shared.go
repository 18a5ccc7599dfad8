package storetest

import (
	"bytes"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
	"github.com/jotsmith/jotsmith/server/internal/session"
)

func testRing(t *testing.T, open Opener) {
	w := newWorld(t, open)
	empty, now, err := w.LoadRing(w.ctx)
	check(t, "error", err, nil)
	if empty.StoreID == "" || now.IsZero() {
		t.Fatalf("an empty ring: %+v at %v", empty, now)
	}
	check(t, "an empty ring", empty, keyring.Sealed{StoreID: empty.StoreID})

	second := now.Truncate(time.Second)
	key := func(id, state string, version uint64) keyring.SealedKey {
		return keyring.SealedKey{Key: keyring.Key{ID: id, Purpose: keyring.Access, Algorithm: "ES256", State: state, CreatedAt: second, ActiveAt: second.Add(time.Hour)},
			Version: version, Blob: bytes.Repeat([]byte{0, 1, 0xff}, 50)}
	}
	ring := func(version uint64, keys ...keyring.SealedKey) keyring.Sealed {
		return keyring.Sealed{StoreID: empty.StoreID, Version: version, RootKeyID: "root", WrappedKey: []byte{byte(version), 0}, Keys: keys}
	}
	first := ring(1, key("b", keyring.Active, 1), key("a", keyring.Announced, 1))
	for _, c := range []struct {
		name string
		ring keyring.Sealed
		want error
		then keyring.Sealed
	}{
		{"a version ahead of none", ring(2), fault.ErrChanged, empty},
		{"the first", first, nil, first},
		{"the first again", ring(1), fault.ErrChanged, first},
		{"too late", ring(3), fault.ErrChanged, first},
		{"the second", ring(2, key("a", keyring.Active, 2)), nil, ring(2, key("a", keyring.Active, 2))},
		{"behind", ring(2), fault.ErrChanged, ring(2, key("a", keyring.Active, 2))},
	} {
		err := w.SaveRing(w.ctx, c.ring, event("ring.save"))
		if !errors.Is(err, c.want) || (err != nil) != (c.want != nil) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		got, _, err := w.LoadRing(w.ctx)
		check(t, c.name+": error", err, nil)
		check(t, c.name+": ring", got, c.then)
	}
	if err := w.SaveRing(w.ctx, ring(3, key("a", keyring.Active, 3), key("c", keyring.Active, 3)), event("ring.save")); err == nil {
		t.Error("two active keys of one purpose and algorithm were taken")
	}
	foreign := ring(3)
	foreign.StoreID = "another"
	if err := w.SaveRing(w.ctx, foreign, event("ring.save")); err == nil {
		t.Error("another store's ring was taken")
	}
	check(t, "events", count(w.acts(), "ring.save"), 2)

	var won, lost int
	var mu sync.Mutex
	together(16, func(i int) {
		err := w.SaveRing(w.ctx, ring(3, key("n", keyring.Active, 3)), event("ring.save"))
		mu.Lock()
		defer mu.Unlock()
		switch {
		case err == nil:
			won++
		case errors.Is(err, fault.ErrChanged):
			lost++
		default:
			t.Error(err)
		}
	})
	check(t, "of 16 at once one wins", []int{won, lost}, []int{1, 15})
}

func testFeed(t *testing.T, open Opener) {
	w := newWorld(t, open)
	none, head, _, err := w.FeedSince(w.ctx, 0)
	check(t, "error", err, nil)
	check(t, "an empty feed", []any{len(none), head.Position}, []any{0, 0})
	starts, err := w.FeedStarts(w.ctx)
	check(t, "starts of a store that only was opened", []any{len(starts), err}, []any{0, error(nil)})
	if head.Epoch == "" {
		t.Error("no epoch")
	}
	alice := w.account("alice")
	var ids []string
	for i := range 5 {
		var edit func(*session.Session)
		if i == 1 {
			edit = forgotten
		}
		id := w.session(alice.ID, edit).ID
		if _, err := w.EndSessions(w.ctx, session.Selection{ID: id}, "log-out", event("session.end")); err != nil {
			t.Fatal(err)
		}
		if i != 1 {
			ids = append(ids, string(id))
		}
	}
	select {
	case <-w.Committed():
	case <-time.After(10 * time.Second):
		t.Error("nobody was woken")
	}
	starts, err = w.FeedStarts(w.ctx)
	if now, _ := w.Now(); err != nil || len(starts) != 1 || starts[0].After != 0 || now.Sub(time.UnixMicro(int64(starts[0].Added))).Abs() > time.Minute {
		t.Errorf("how positions are told that were taken since the start: %v, %v", starts, err)
	}
	facts, now, at, err := w.FeedSince(w.ctx, 0)
	check(t, "error", err, nil)
	check(t, "head", []any{now.Epoch, now.Position}, []any{head.Epoch, 5})
	var got []string
	var positions []uint64
	for _, f := range facts {
		got, positions = append(got, f.Value), append(positions, f.Position)
		if !f.Expires.After(at) {
			t.Errorf("fact of %v at %v", f.Expires, at)
		}
	}
	check(t, "in the order of commits without what expired", got, ids)
	check(t, "positions", positions, []uint64{1, 3, 4, 5})
	values, _ := w.published(3)
	check(t, "after 3", values, ids[2:])
	for _, after := range []uint64{5, 6, 1 << 63, 1<<64 - 1} {
		values, to := w.published(after)
		check(t, "after the end", []any{len(values), to}, []any{0, 5})
	}
}

func testSweep(t *testing.T, open Opener) {
	w := newWorld(t, open)
	alice := w.account("alice")
	living := w.session(alice.ID, nil)
	end := func(id session.ID) {
		if _, err := w.EndSessions(w.ctx, session.Selection{ID: id}, "log-out", event("session.end")); err != nil {
			t.Fatal(err)
		}
	}
	expired := w.session(alice.ID, func(s *session.Session) { s.ExpiresAt = s.CreatedAt.Add(-time.Hour) })
	var over []session.ID
	for range 5 {
		s := w.session(alice.ID, forgotten)
		end(s.ID)
		over = append(over, s.ID)
	}
	lasting := w.session(alice.ID, nil)
	end(lasting.ID)

	deleted, err := w.Sweep(w.ctx, 2*time.Hour, 100)
	check(t, "error", err, nil)
	check(t, "only expired facts are old enough", deleted, map[string]int{"fact": 5})
	deleted, err = w.Sweep(w.ctx, 30*time.Minute, 100)
	check(t, "error", err, nil)
	check(t, "the expired session", deleted, map[string]int{"session": 1})
	if _, _, err := w.Session(w.ctx, expired.ID); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("the expired session: %v", err)
	}
	total := 0
	for range 10 {
		deleted, err := w.Sweep(w.ctx, -time.Second, 2)
		check(t, "error", err, nil)
		if deleted["fact"] > 2 || deleted["session"] > 4 {
			t.Errorf("%v in one step, at most 2 of each kind", deleted)
		}
		total += deleted["fact"] + deleted["session"]
	}
	check(t, "ended sessions, in small steps", total, 6)
	for _, id := range append(over, lasting.ID) {
		if _, _, err := w.Session(w.ctx, id); !errors.Is(err, fault.ErrNotFound) {
			t.Errorf("ended session: %v", err)
		}
	}
	check(t, "the living one", w.row(living.ID).Session, living)
	values, head := w.published(0)
	check(t, "facts live on without their session", values, []session.ID{lasting.ID})
	check(t, "and so does the head", head, 6)
}

func testTime(t *testing.T, open Opener) {
	w := newWorld(t, open)
	last, err := w.Now()
	check(t, "error", err, nil)
	if d := time.Since(last); d < -time.Minute || d > time.Minute {
		t.Errorf("the store's time is %v off", d)
	}
	for range 200 {
		now, err := w.Now()
		check(t, "error", err, nil)
		if now.Before(last) || now.Location() != time.UTC || now.Nanosecond()%1000 != 0 {
			t.Fatalf("%v after %v", now, last)
		}
		last = now
	}
	alice := w.account("alice")
	far := time.Date(2999, 12, 31, 23, 59, 59, 999_999_000, time.UTC)
	s := w.session(alice.ID, func(s *session.Session) { s.ExpiresAt = far })
	check(t, "a microsecond is kept", w.row(s.ID).ExpiresAt, far)
	check(t, "no time is kept as none", w.row(s.ID).EndedAt, time.Time{})
}

func testReopened(t *testing.T, open Opener) {
	s, reopen := open(t)
	w := &world{Store: s, t: t, ctx: t.Context()}
	alice := w.account("alice", "viewer")
	living, ended := w.session(alice.ID, nil), w.session(alice.ID, nil)
	check(t, "rotate", w.step(living.ID, session.Step{Rotate: true, MACKey: "00000002", Address: "192.0.2.9"}, nil), nil)
	check(t, "end", w.step(ended.ID, session.Step{End: "reuse"}, nil), nil)
	empty, _, _ := w.LoadRing(w.ctx)
	ring := keyring.Sealed{StoreID: empty.StoreID, Version: 1, RootKeyID: "root", WrappedKey: []byte{1}}
	check(t, "ring", w.SaveRing(w.ctx, ring, event("ring.save")), nil)
	rows := []session.Row{w.row(living.ID), w.row(ended.ID)}
	facts, head, _, _ := w.FeedSince(w.ctx, 0)
	acts := w.acts()
	at, _ := w.Now()

	for range 2 {
		w.Store = reopen()
		got, _, err := w.LoadRing(w.ctx)
		check(t, "ring", got, ring)
		check(t, "error", err, nil)
		check(t, "sessions", []session.Row{w.row(living.ID), w.row(ended.ID)}, rows)
		f, h, now, err := w.FeedSince(w.ctx, 0)
		check(t, "error", err, nil)
		check(t, "facts", f, facts)
		check(t, "head", h, head)
		check(t, "outbox", w.acts(), acts)
		if now.Before(at) {
			t.Errorf("time %v after %v", now, at)
		}
	}
}

func testClosed(t *testing.T, open Opener) {
	w := newWorld(t, open)
	alice := w.account("alice")
	s := w.session(alice.ID, nil)
	untouched := w.session(alice.ID, nil)
	w.row(untouched.ID)
	var errs []error
	var mu sync.Mutex
	var closing sync.WaitGroup
	closing.Go(func() { w.Close() })
	together(32, func(int) {
		for {
			err := w.step(s.ID, session.Step{Rotate: true, MACKey: "00000002"}, nil)
			if err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, err)
				return
			}
		}
	})
	closing.Wait()
	check(t, "everybody is answered", len(errs), 32)
	_, err := w.Account(w.ctx, alice.ID)
	_, _, _, err2 := w.FeedSince(w.ctx, 0)
	_, _, err3 := w.Session(w.ctx, untouched.ID)
	for _, err := range append(errs, err, err2, err3, w.Record(w.ctx, event("late"))) {
		if !errors.Is(err, fault.ErrUnavailable) {
			t.Errorf("closed: %v", err)
		}
	}
	check(t, "closed again", w.Close(), nil)
}

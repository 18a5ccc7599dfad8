package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/session"
)

// start starts a session of an account that is there.
func start(t testing.TB, s *Store, holder account.ID) session.ID {
	t.Helper()
	id := session.ID(account.NewID())
	err := s.StartSession(t.Context(), holder, func(a account.Account, now time.Time) (session.Session, audit.Event, error) {
		return session.Session{ID: id, Account: a.ID, AccountVersion: a.Version, Client: session.FirstParty, Transport: session.Body,
			Generation: 1, MACKey: "00000001", CreatedAt: now, RotatedAt: now, ExpiresAt: now.Add(time.Hour)}, done, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// hold keeps the writer in one job until release is called, so that what
// comes meanwhile shares its transaction.
func hold(s *Store) (release func()) {
	in, out := make(chan struct{}), make(chan struct{})
	go s.do(context.Background(), func(*tx) error {
		close(in)
		<-out
		return nil
	})
	<-in
	return func() { close(out) }
}

// queue runs fs, each in its goroutine, when all of them are waiting.
func queue(s *Store, fs ...func()) (wait func()) {
	var all sync.WaitGroup
	for _, f := range fs {
		before := len(s.jobs)
		all.Go(f)
		for len(s.jobs) == before {
			runtime.Gosched() // the writer is held; the queue only grows
		}
	}
	return all.Wait
}

func TestSharedTransaction(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	s.patience = time.Hour // what is queued shares one transaction
	add(t, s, 0, 1)
	record := func(act string, err *error) func() {
		return func() { *err = s.Record(t.Context(), audit.Event{Act: act, Outcome: audit.OK}) }
	}
	// commitFails leaves a row without its account, which only COMMIT finds.
	commitFails := func(err *error) func() {
		return func() {
			*err = s.do(t.Context(), func(t *tx) error {
				if _, err := t.c.exec(`PRAGMA defer_foreign_keys = ON`); err != nil {
					return err
				}
				_, err := t.exec(`UPDATE session SET account = 'acc_nobody'`)
				return err
			})
		}
	}
	start(t, s, "acc_000")
	_, before, _ := s.Records(t.Context(), 0, 100)

	t.Run("a commit that fails is told to everybody in it", func(t *testing.T) {
		release := hold(s)
		var first, second, third error
		wait := queue(s, record("first", &first), commitFails(&second), record("third", &third))
		release()
		wait()
		for i, err := range []error{first, second, third} {
			if !errors.Is(err, fault.ErrUnavailable) {
				t.Errorf("%d: %v", i, err)
			}
		}
		if _, last, _ := s.Records(t.Context(), 0, 100); last != before {
			t.Errorf("outbox stands at %d, before at %d", last, before)
		}
	})
	t.Run("the next one succeeds", func(t *testing.T) {
		if err := s.Check(t.Context()); err != nil {
			t.Error(err)
		}
		var err error
		record("next", &err)()
		if records, last, _ := s.Records(t.Context(), before, 100); err != nil || len(records) != 1 || last != before+1 {
			t.Errorf("%d records up to %d, %v", len(records), last, err)
		}
	})
	t.Run("an error, a panic and a caller who gave up leave the others alone", func(t *testing.T) {
		release := hold(s)
		refusal := errors.New("refused")
		ctx, cancel := context.WithCancel(t.Context())
		var first, second, gone, last error
		var panicked any
		ran := false
		wait := queue(s,
			record("first", &first),
			func() {
				second = s.do(t.Context(), func(t *tx) error {
					t.exec(`DELETE FROM session`)
					t.published = true
					return refusal
				})
			},
			func() {
				defer func() { panicked = recover() }()
				s.do(t.Context(), func(t *tx) error {
					t.exec(`DELETE FROM session`)
					panic("boom")
				})
			},
			func() {
				gone = s.do(ctx, func(*tx) error { ran = true; return nil })
				release() // only now does the writer go on
			},
			func() {
				cancel()
				last = s.Record(t.Context(), done)
			},
		)
		wait()
		if first != nil || last != nil || second != refusal || panicked != "boom" || gone != context.Canceled || ran {
			t.Errorf("%v, %v; %v; %v; %v, ran %v", first, last, second, panicked, gone, ran)
		}
		if all, err := s.Sessions(t.Context(), "acc_000", time.Hour, "", 10); err != nil || len(all) != 1 {
			t.Errorf("sessions: %v, %v", all, err)
		}
		select {
		case <-s.Committed():
			t.Error("what was undone was announced")
		default:
		}
	})
}

// FLT-05: a store that hangs makes callers wait no longer than they want, and
// keeps no goroutine of theirs.
func TestFLT05Hanging(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	add(t, s, 0, 1)
	release := hold(s)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	var all sync.WaitGroup
	for range 2 * maxBatch { // more than the queue holds
		all.Go(func() {
			if err := s.Record(ctx, done); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("hanging: %v", err)
			}
		})
	}
	all.Wait()
	if got := names(t, s); len(got) != 1 { // who only reads does not notice
		t.Error(got)
	}
	release()
	if err := s.Record(t.Context(), done); err != nil {
		t.Error(err)
	}
	if records, _, _ := s.Records(t.Context(), 0, 1000); len(records) != 2 {
		t.Errorf("%d events: those of callers who had gone were written", len(records))
	}
}

// The log does not grow with what is written, also while everybody writes.
func TestLogIsFolded(t *testing.T) {
	t.Parallel()
	path, ids := filled(t, 5_000)
	s := open(t, Config{Path: path})
	const rounds = 4
	var callers sync.WaitGroup
	for part := range 32 {
		callers.Go(func() {
			for i := part; i < rounds*len(ids); i += 32 {
				if err := s.RefreshSession(t.Context(), ids[i*7919%len(ids)], func(session.Row, time.Time) (session.Step, error) {
					return session.Step{Rotate: true, MACKey: "00000002"}, nil
				}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	callers.Wait()
	info, err := os.Stat(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	if pages := info.Size() / 4096; pages < foldFrom || pages > 2*foldLength+foldFrom {
		t.Errorf("%d pages in the log, written about %d", pages, rounds*len(ids))
	}
	for _, id := range ids[:100] {
		if r, _, err := s.Session(t.Context(), id); err != nil || r.Generation != 1+rounds {
			t.Fatalf("generation %d, %v", r.Generation, err)
		}
	}
}

// No goroutine outlives Close.
func TestNothingLeftBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, Config{})
		add(t, s, 0, 1)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// A disk that is full refuses what needs room, keeps what it had, and works
// again when there is room.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	add(t, s, 0, 1)
	limit := func(pages int) {
		t.Helper()
		if err := s.do(t.Context(), func(t *tx) error {
			return t.c.row(fmt.Sprintf(`PRAGMA max_page_count = %d`, pages)).Scan(&pages)
		}); err != nil {
			t.Fatal(err)
		}
	}
	limit(1) // the least possible is what the file has
	checkFull(t, s, func() { limit(1 << 30) })
}

// checkFull fills s until its disk is full; free makes room.
func checkFull(t *testing.T, s *Store, free func()) {
	t.Helper()
	var all []session.ID
	var mu sync.Mutex
	var failed error
	var callers sync.WaitGroup
	for range 8 {
		callers.Go(func() {
			for n := range 5000 {
				id := session.ID(account.NewID())
				err := s.StartSession(t.Context(), "acc_000", func(a account.Account, now time.Time) (session.Session, audit.Event, error) {
					return session.Session{ID: id, Account: a.ID, AccountVersion: a.Version, Client: session.FirstParty, Transport: session.Body, Device: strings.Repeat("x", 200),
						Generation: 1, MACKey: "00000001", CreatedAt: now, RotatedAt: now, ExpiresAt: now.Add(time.Hour)}, done, nil
				})
				mu.Lock()
				if err == nil {
					all = append(all, id)
				} else {
					failed = err
				}
				mu.Unlock()
				if err != nil || n == 4999 {
					return
				}
			}
		})
	}
	callers.Wait()
	if !errors.Is(failed, fault.ErrUnavailable) || !strings.Contains(failed.Error(), "the disk") {
		t.Fatalf("after %d sessions: %v", len(all), failed)
	}
	verify := func(s *Store) {
		t.Helper()
		for _, id := range all {
			if _, _, err := s.Session(t.Context(), id); err != nil {
				t.Fatalf("a session that was answered: %v", err)
			}
		}
		records, _, err := s.Records(t.Context(), 0, 100_000)
		if err != nil || len(records) < len(all) {
			t.Errorf("%d events for %d sessions, %v", len(records), len(all), err)
		}
	}
	verify(s)
	free()
	if err := s.Check(t.Context()); err != nil {
		t.Errorf("with room again: %v", err)
	}
	all = append(all, start(t, s, "acc_000"))
	verify(s)
	if err := s.Integrity(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	verify(open(t, Config{Path: s.path}))
}

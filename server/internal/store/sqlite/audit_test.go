package sqlite

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
	"github.com/jotsmith/jotsmith/server/internal/session"
)

func recordMany(t testing.TB, s *Store, n int) {
	t.Helper()
	for i := range n {
		e := audit.Event{
			Act: "account.authenticate", Outcome: audit.Refused, Rule: "password", Targets: map[string]string{"account": fmt.Sprintf("acc_%022d", i)},
			Actor: audit.Actor{Kind: audit.KindAnonymous, Name: "ada", Address: "192.0.2.1", Device: "curl/8"},
		}
		if err := s.Record(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
}

// ADM-05: the rule is that an act which cannot be recorded does not happen.
func TestADM05WhatCannotBeRecordedDoesNotHappen(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	add(t, s, 0, 1)
	living := start(t, s, "acc_000")
	execute(t, s.path, `CREATE TRIGGER blocked BEFORE INSERT ON audit_outbox BEGIN SELECT raise(ABORT, 'the log is blocked'); END`)
	ctx := t.Context()
	name, hash := "another name", "another hash"
	ring, _, _ := s.LoadRing(ctx)
	for act, f := range map[string]func() error{
		"create": func() error {
			_, err := s.CreateAccount(ctx, account.Account{ID: "acc_001", Username: "user001"}, "hash", done)
			return err
		},
		"change": func() error {
			_, err := s.ChangeAccount(ctx, "acc_000", account.Change{DisplayName: &name, PasswordHash: &hash, EndSessions: true}, done)
			return err
		},
		"start": func() error {
			return s.StartSession(ctx, "acc_000", func(a account.Account, now time.Time) (session.Session, audit.Event, error) {
				return session.Session{ID: "ses_blocked", Account: a.ID, AccountVersion: a.Version, Transport: session.Body, Generation: 1, ExpiresAt: now.Add(time.Hour)}, done, nil
			})
		},
		"end": func() error {
			_, err := s.EndSessions(ctx, session.Selection{ID: living}, "x", done)
			return err
		},
		"forgive": func() error {
			return s.RefreshSession(ctx, living, func(session.Row, time.Time) (session.Step, error) {
				return session.Step{Forgive: true, Event: &done}, nil
			})
		},
		"theft": func() error {
			return s.RefreshSession(ctx, living, func(session.Row, time.Time) (session.Step, error) {
				return session.Step{End: "theft", Event: &done}, nil
			})
		},
		"ring": func() error {
			return s.SaveRing(ctx, keyring.Sealed{StoreID: ring.StoreID, Version: 1, RootKeyID: "r", WrappedKey: []byte{1}}, done)
		},
		"refusal": func() error { return s.Record(ctx, done) },
	} {
		if err := f(); err == nil {
			t.Errorf("%s: it happened", act)
		}
	}
	row, _, err := s.Session(ctx, living)
	if err != nil || !row.EndedAt.IsZero() || row.Forgiven != 0 || row.Holder.DisplayName == name || row.Holder.Version != 1 {
		t.Errorf("the session is %+v, %v", row, err)
	}
	if _, _, err := s.Session(ctx, "ses_blocked"); err == nil {
		t.Error("a session was started")
	}
	if now, _, _ := s.LoadRing(ctx); len(names(t, s)) != 1 || now.Version != ring.Version {
		t.Errorf("accounts %v, ring %d", names(t, s), now.Version)
	}
	if _, head, _, err := s.FeedSince(ctx, 0); err != nil || head.Position != 0 {
		t.Errorf("the feed stands at %d, %v", head.Position, err)
	}
}

// A chain that is blocked holds nobody up: what was recorded waits.
func TestADM05BlockedChain(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	execute(t, s.path, `CREATE TRIGGER blocked BEFORE INSERT ON audit_log WHEN new.seq = 5 BEGIN SELECT raise(ABORT, 'the log is blocked'); END`)
	recordMany(t, s, 10)
	if err := audit.Chain(t.Context(), s); err == nil {
		t.Error("it was chained")
	}
	add(t, s, 0, 1)
	if all, _, err := s.Records(t.Context(), 0, 100); err != nil || len(all) != 11 {
		t.Errorf("%d wait, %v", len(all), err)
	}
	execute(t, s.path, `DROP TRIGGER blocked`)
	if err := audit.Chain(t.Context(), s); err != nil {
		t.Error(err)
	}
	if r, err := audit.Verify(t.Context(), s, audit.Head{}, nil); err != nil || r.Records != 11 {
		t.Errorf("%+v, %v", r, err)
	}
}

// ADM-06: a crash at any moment of chaining loses nothing and chains nothing
// twice.
func TestADM06CrashWhileChaining(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	for n := 20; n <= 100; n += 20 {
		recordMany(t, s, 20)
		if _, err := s.ChainAudit(t.Context(), 7); err != nil {
			t.Fatal(err)
		}
		path := killed(t, s)
		log := read(t, path+"-wal")
		// The last of the log may be lost, as where its sync was under way.
		for _, lost := range []int{0, 1, 4096, 8192, 20000} {
			path := filepath.Join(t.TempDir(), "jotsmith.db")
			write(t, path, read(t, s.path))
			write(t, path+"-wal", log[:max(len(log)-lost, 0)])
			again := open(t, Config{Path: path})
			waiting, _, err := again.Records(t.Context(), 0, 1000)
			if err != nil {
				t.Fatal(err)
			}
			r, err := audit.Verify(t.Context(), again, audit.Head{}, nil)
			if err != nil {
				t.Errorf("%d bytes lost: %v", lost, err)
			}
			if all := int(r.Records) + len(waiting); lost == 0 && all != n || all > n {
				t.Errorf("%d chained and %d waiting of %d", r.Records, len(waiting), n)
			}
			if err := audit.Chain(t.Context(), again); err != nil {
				t.Error(err)
			}
			if r, err := audit.Verify(t.Context(), again, r.Head, nil); err != nil || int(r.Records) < len(waiting) {
				t.Errorf("chained on: %+v, %v", r, err)
			}
			again.Close()
		}
	}
}

// FLT-03: flipped bits in the file are found, or change nothing that was
// recorded; and nothing panics.
func TestFLT03FlippedBitsInTheChain(t *testing.T) {
	t.Parallel()
	s := open(t, Config{})
	recordMany(t, s, 120)
	if err := audit.Chain(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	good, err := s.AuditAfter(t.Context(), 0, 1000)
	if err != nil || len(good) != 120 {
		t.Fatal(len(good), err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	file := read(t, s.path)
	step := 4001
	if testing.Short() {
		step *= 10
	}
	found := 0
	for i := len(file) % step; i < len(file); i += step {
		damaged := bytes.Clone(file)
		damaged[i] ^= 1 << (i % 8)
		path := filepath.Join(t.TempDir(), "jotsmith.db")
		write(t, path, damaged)
		again, err := Open(t.Context(), Config{Path: path, Log: quiet})
		if err != nil {
			found++
			continue
		}
		_, err = audit.Verify(t.Context(), again, audit.Head{}, nil)
		if err != nil {
			found++
		} else if all, err := again.AuditAfter(t.Context(), 0, 1000); err != nil || fmt.Sprint(all) != fmt.Sprint(good) {
			t.Errorf("byte %d: something else is taken for good: %v", i, err)
		}
		again.Close()
	}
	if found == 0 {
		t.Error("nothing was found")
	}
}

// BenchmarkAuditVerify verifies a log of JOTSMITH_RECORDS records (100,000),
// and exports it and verifies the export.
func BenchmarkAuditVerify(b *testing.B) {
	n := 100_000
	if text := os.Getenv("JOTSMITH_RECORDS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			b.Fatal(err)
		}
	}
	s := open(b, Config{})
	err := s.do(b.Context(), func(t *tx) error {
		for i := range n {
			e := audit.Event{
				Act: "session.start", Outcome: audit.OK, Targets: map[string]string{"account": fmt.Sprintf("acc_%022d", i), "session": fmt.Sprintf("ses_%022d", i)},
				Actor: audit.Actor{Kind: audit.KindAnonymous, Name: "ada", Address: "192.0.2.1", Device: "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"},
			}
			if err := t.record(e); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	began := time.Now()
	if err := audit.Chain(b.Context(), s); err != nil {
		b.Fatal(err)
	}
	b.Logf("%d records chained in %v", n, time.Since(began))
	each := func(name string, f func() error) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := f(); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(n)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
	each("database", func() error {
		_, err := audit.Verify(b.Context(), s, audit.Head{}, nil)
		return err
	})
	each("export", func() error {
		_, err := audit.Export(b.Context(), s, io.Discard, 0, 0)
		return err
	})
	var export bytes.Buffer
	if _, err := audit.Export(b.Context(), s, &export, 0, 0); err != nil {
		b.Fatal(err)
	}
	b.Logf("an export of %d bytes", export.Len())
	each("exported", func() error {
		_, err := audit.VerifyExport(bytes.NewReader(export.Bytes()), audit.Head{}, nil)
		return err
	})
	each("rare filter", func() error {
		p, err := audit.List(b.Context(), s, audit.Query{Filter: audit.Filter{Act: "none"}, Limit: 100})
		if len(p.Shown) > 0 {
			return errors.New("something was found")
		}
		return err
	})
}

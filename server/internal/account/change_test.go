package account_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/shared"
)

func TestRehash(t *testing.T) {
	t.Parallel()
	f := open(t, account.Config{})
	before := f.create(t, "alice")
	_, old, _ := f.store.AccountByUsername(t.Context(), "alice")
	stronger, err := account.New(account.Config{Store: f.store, Limiter: shared.NewMemory(0, nil), Hash: account.HashParams{Memory: 128, Time: 2, Threads: 1}})
	if err != nil {
		t.Fatal(err)
	}
	attempt := account.Attempt{Username: "alice", Password: "wrong password", Address: home}
	stronger.Authenticate(t.Context(), somebody, attempt)
	if _, hash, _ := f.store.AccountByUsername(t.Context(), "alice"); hash != old {
		t.Error("a wrong password replaced the hash")
	}
	attempt.Password = password
	if _, err := stronger.Authenticate(t.Context(), somebody, attempt); err != nil {
		t.Fatal(err)
	}
	after, hash, _ := f.store.AccountByUsername(t.Context(), "alice")
	if !strings.Contains(hash, "m=128,t=2,p=1") {
		t.Errorf("the hash is still %.30s", hash)
	}
	if after.Version != before.Version || !after.PasswordChangedAt.Equal(before.PasswordChangedAt) {
		t.Error("a stronger hash of the same password is taken for an act on the account")
	}
	if err := f.try(t, "alice", password, home, nil); err != nil { // with weaker parameters
		t.Fatal(err)
	}
	if _, again, _ := f.store.AccountByUsername(t.Context(), "alice"); again != hash {
		t.Error("a weaker hash replaced a stronger one")
	}
}

// The first change of a password after the costs have risen is one like any.
func TestChangePasswordAfterCostsRose(t *testing.T) {
	t.Parallel()
	f := open(t, account.Config{})
	a := f.create(t, "alice")
	stronger, err := account.New(account.Config{Store: f.store, Limiter: shared.NewMemory(0, nil), Hash: account.HashParams{Memory: 128, Time: 2, Threads: 1}})
	if err != nil {
		t.Fatal(err)
	}
	const next = "fünf Kühe im Schnee"
	if err := stronger.ChangePassword(t.Context(), audit.Actor{Kind: audit.KindAccount, ID: string(a.ID)}, a.ID, password, next, "", home); err != nil {
		t.Fatal(err)
	}
	if err := f.try(t, "alice", next, home, nil); err != nil {
		t.Errorf("the new password: %v", err)
	}
}

// A hash that would cost 4 TiB is not computed; the account is refused like any.
func TestPoisonedHash(t *testing.T) {
	t.Parallel()
	f := open(t, account.Config{})
	a := f.create(t, "alice")
	_, old, _ := f.store.AccountByUsername(t.Context(), "alice")
	poison := strings.Replace(old, "m=64", "m=4294967295", 1)
	if err := f.store.Rehash(t.Context(), a.ID, old, poison); err != nil {
		t.Fatal(err)
	}
	if err := f.try(t, "alice", password, home, nil); !errors.Is(err, account.ErrCredentials) {
		t.Errorf("got %v", err)
	}
}

func TestChangePassword(t *testing.T) {
	t.Parallel()
	const next = "fünf Kühe im Schnee"
	f := open(t, account.Config{})
	a := f.create(t, "alice")
	change := func(current, new string) error {
		return f.ChangePassword(t.Context(), audit.Actor{Kind: audit.KindAccount, ID: string(a.ID)}, a.ID, current, new, "ses_kept", home)
	}
	if err := change("wrong password", "weak"); !errors.Is(err, account.ErrCredentials) {
		t.Errorf("wrong present password: %v", err)
	}
	if err := change(password, "weak"); !errors.Is(err, account.ErrWeakPassword) {
		t.Errorf("weak new password: %v", err)
	}
	if err := change(password, next); err != nil {
		t.Fatal(err)
	}
	if err := f.try(t, "alice", password, home, nil); !errors.Is(err, account.ErrCredentials) {
		t.Errorf("the old password: %v", err)
	}
	if err := f.try(t, "alice", next, home, nil); err != nil {
		t.Errorf("the new password: %v", err)
	}
	for range 30 {
		change("wrong password", next)
	}
	if err := change(next, password); !throttled(err) {
		t.Errorf("after thirty wrong ones: %v", err)
	}
}

// Somebody who knows the password changes it without pause, from a session that
// they stole. Once an operator has set another one, theirs are gone for good.
func TestOperatorOutrunsPasswordChanges(t *testing.T) {
	t.Parallel()
	const reset = "Ziegen auf dem Dach"
	f := open(t, account.Config{})
	a := f.create(t, "alice")
	service, err := account.New(account.Config{Store: f.store, Limiter: unlimited{}, Hash: cheap})
	if err != nil {
		t.Fatal(err)
	}
	thief := audit.Actor{Kind: audit.KindAccount, ID: string(a.ID)}
	for range 5 {
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				for {
					for _, p := range [][2]string{{password, password + "!"}, {password + "!", password}} {
						service.ChangePassword(t.Context(), thief, a.ID, p[0], p[1], "", home)
					}
					select {
					case <-stop:
						return
					default:
					}
				}
			})
		}
		if err := f.SetPassword(t.Context(), operator, a.ID, reset); err != nil {
			t.Fatal(err)
		}
		close(stop)
		wg.Wait()
		if err := f.try(t, "alice", reset, home, nil); err != nil {
			t.Fatalf("the operator's password: %v", err)
		}
		if err := f.SetPassword(t.Context(), operator, a.ID, password); err != nil {
			t.Fatal(err)
		}
	}
}

// unlimited throttles nobody.
type unlimited struct{}

func (unlimited) Take(context.Context, string, int, time.Duration) (int, time.Duration, error) {
	return 1, 0, nil
}

func (unlimited) Wait(context.Context, string, int, time.Duration) (time.Duration, error) {
	return 0, nil
}

func (unlimited) Give(context.Context, string, time.Duration) error { return nil }

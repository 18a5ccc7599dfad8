package account_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/shared"
	"github.com/jotsmith/jotsmith/server/internal/store/sqlite"
)

const password = "vier Kühe im Regen"

var (
	cheap    = account.HashParams{Memory: 64, Time: 1, Threads: 1}
	operator = audit.Actor{Kind: audit.KindOperator, Name: "root"}
	somebody = audit.Actor{Kind: audit.KindAnonymous, Address: "192.0.2.1"}
	home     = netip.MustParseAddr("192.0.2.1")
)

type fixture struct {
	*account.Service
	store *sqlite.Store
	now   time.Time // of the limiter
}

func open(t *testing.T, c account.Config) *fixture {
	t.Helper()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	store, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "jotsmith.db"), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	f := &fixture{store: store, now: time.Now()}
	c.Store = store
	c.Limiter = shared.NewMemory(0, func() time.Time { return f.now })
	if c.Hash == (account.HashParams{}) {
		c.Hash = cheap
	}
	if f.Service, err = account.New(c); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fixture) create(t *testing.T, username string) account.Account {
	t.Helper()
	a, err := f.Create(t.Context(), operator, account.NewAccount{Username: username, Password: password, Roles: []string{"b", "a", "b"}})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func (f *fixture) try(t *testing.T, username, password string, from netip.Addr, known *account.KnownDevice) error {
	t.Helper()
	_, err := f.Authenticate(t.Context(), somebody, account.Attempt{Username: username, Password: password, Address: from, Device: known})
	return err
}

// acts are the audit events so far, as "act outcome rule".
func (f *fixture) acts(t *testing.T) (what []string, all string) {
	t.Helper()
	records, _, err := f.store.Records(t.Context(), 0, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		what = append(what, string(r.What))
		all += string(r.What) + string(r.Who) + "\n"
	}
	return what, all
}

func throttled(err error) bool {
	_, ok := errors.AsType[*account.Throttled](err)
	return ok
}

func TestNewReportsEveryFault(t *testing.T) {
	t.Parallel()
	_, err := account.New(account.Config{Slots: -1, Hash: account.HashParams{Memory: 1 << 30, Time: 1, Threads: 1}})
	for _, part := range []string{"no store", "no limiter", "-1 hash slots", "KiB of memory"} {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("%q is missing in: %v", part, err)
		}
	}
}

func TestCreate(t *testing.T) {
	t.Parallel()
	f := open(t, account.Config{})
	a := f.create(t, "Alice")
	if a.Username != "alice" || a.DisplayName != "Alice" || strings.Join(a.Roles, " ") != "a b" || a.CreatedAt.IsZero() || a.Disabled {
		t.Errorf("created %+v", a)
	}
	_, err := f.Create(t.Context(), operator, account.NewAccount{Username: "ＡＬＩＣＥ", Password: password})
	if !errors.Is(err, fault.ErrExists) {
		t.Errorf("the same name in another spelling: %v", err)
	}
	_, err = f.Create(t.Context(), operator, account.NewAccount{Username: "no way", Password: "short", DisplayName: "\x1b"})
	if !errors.Is(err, account.ErrUsername) || !errors.Is(err, account.ErrWeakPassword) || !errors.Is(err, account.ErrDisplayName) {
		t.Errorf("not every fault at once: %v", err)
	}
	if found, err := f.Find(t.Context(), "aLiCe"); err != nil || found.ID != a.ID {
		t.Errorf("found %v, %v", found.ID, err)
	}
	if _, err := f.Find(t.Context(), "no way"); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("a name that none can have: %v", err)
	}
}

func TestAuthenticate(t *testing.T) {
	t.Parallel()
	f := open(t, account.Config{})
	alice, carol := f.create(t, "alice"), f.create(t, "carol")
	if _, err := f.SetDisabled(t.Context(), operator, carol.ID, true); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, username, password string
		want                     error
		rule                     string
	}{
		{"right", "alice", password, nil, ""},
		{"name in another spelling", "ＡＬＩＣＥ", password, nil, ""},
		{"password composed otherwise", "alice", strings.ReplaceAll(password, "ü", "u\u0308"), nil, ""},
		{"wrong password", "alice", password + "x", account.ErrCredentials, "password"},
		{"empty password", "alice", "", account.ErrCredentials, "password"},
		{"password of a megabyte", "alice", strings.Repeat("x", 1<<20), account.ErrCredentials, "password"},
		{"password that none can have", "alice", "\x00", account.ErrCredentials, "password"},
		{"unknown user", "nobody", password, account.ErrCredentials, "unknown"},
		{"user that none can be", "no way", password, account.ErrCredentials, "unknown"},
		{"disabled", "carol", password, account.ErrCredentials, "disabled"},
		{"disabled, wrong password", "carol", "wrong password", account.ErrCredentials, "password"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, err := f.Authenticate(t.Context(), somebody, account.Attempt{Username: c.username, Password: c.password, Address: home})
			if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
				t.Fatalf("got %v", err)
			}
			if err == nil && a.ID != alice.ID || err != nil && a.ID != "" {
				t.Errorf("got account %q", a.ID)
			}
			if c.want != nil {
				if err.Error() != account.ErrCredentials.Error() {
					t.Errorf("the error tells more: %v", err)
				}
				what, _ := f.acts(t)
				if last := what[len(what)-1]; !strings.Contains(last, `"rule":"`+c.rule+`"`) || !strings.Contains(last, `"outcome":"refused"`) {
					t.Errorf("recorded %s", last)
				}
			}
		})
	}
	// People type their password where the name belongs.
	f.try(t, "hunter2-secret", "x", home, nil)
	if _, all := f.acts(t); strings.Contains(all, "hunter2") {
		t.Error("what was typed as an unknown user's name is in the audit log")
	}
}

// One counter for every way to spell an account's name, for each address
// prefix; and the same once more for all addresses together.
func TestBRT01OneCounter(t *testing.T) {
	t.Parallel()
	spellings := []string{"joerg.b\u00f6hm", "JOERG.B\u00d6HM", "joerg.bo\u0308hm", "ＪＯＥＲＧ.b\u00f6hm", "Joerg.Bo\u0308hm"}
	count := func(f *fixture, try func(i int) error) (evaluated int) {
		for i := range 400 {
			err := try(i)
			switch {
			case errors.Is(err, account.ErrCredentials):
				evaluated++
			case !throttled(err):
				t.Fatalf("try %d: %v", i, err)
			}
		}
		return evaluated
	}
	for _, c := range []struct {
		name    string
		from    func(i int) netip.Addr
		user    func(i int) string
		most    int
		unknown bool
	}{
		{name: "one account, one address, many spellings",
			from: func(int) netip.Addr { return home }, user: func(i int) string { return spellings[i%len(spellings)] }, most: 10},
		{name: "one account, one /24",
			from: func(i int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}) }, user: func(int) string { return spellings[0] }, most: 10},
		{name: "one account, one /64",
			from: func(i int) netip.Addr {
				return netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 15: byte(i), 14: byte(i >> 8), 9: byte(i * 7)})
			}, user: func(int) string { return spellings[0] }, most: 10},
		{name: "one account, many addresses",
			from: func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 1}) }, user: func(i int) string { return spellings[i%len(spellings)] }, most: 100},
		{name: "one address, many accounts",
			from: func(int) netip.Addr { return home }, user: func(i int) string { return "user" + string(rune('a'+i%26)) + string(rune('a'+i/26)) }, most: 100},
		{name: "an unknown user is counted alike",
			from: func(int) netip.Addr { return home }, user: func(int) string { return "nobody" }, most: 10},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := open(t, account.Config{})
			f.create(t, "Joerg.B\u00f6hm")
			if got := count(f, func(i int) error { return f.try(t, c.user(i), "wrong password", c.from(i), nil) }); got != c.most {
				t.Errorf("%d passwords were checked, want %d", got, c.most)
			}
			if err := f.try(t, c.user(0), password, c.from(0), nil); !throttled(err) {
				t.Errorf("the right password tells that it is right: %v", err)
			}
			f.now = f.now.Add(10 * time.Minute)
			if err := f.try(t, c.user(0), "wrong password", c.from(0), nil); !errors.Is(err, account.ErrCredentials) {
				t.Errorf("ten minutes later: %v", err)
			}
		})
	}
}

// Parallel tries pass the limit no more than others.
func TestBRT02ParallelTries(t *testing.T) {
	t.Parallel()
	f := open(t, account.Config{})
	f.create(t, "alice")
	var mu sync.Mutex
	checked := 0
	var wg sync.WaitGroup
	for range 200 {
		wg.Go(func() {
			if errors.Is(f.try(t, "alice", "wrong password", home, nil), account.ErrCredentials) {
				mu.Lock()
				checked++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if checked > 10 {
		t.Errorf("%d passwords were checked, at most 10", checked)
	}
}

// Right passwords use nothing up.
func TestSuccessIsNotCounted(t *testing.T) {
	t.Parallel()
	f := open(t, account.Config{})
	f.create(t, "alice")
	for i := range 300 {
		if err := f.try(t, "alice", password, home, nil); err != nil {
			t.Fatalf("log-in %d: %v", i, err)
		}
	}
}

// The whole internet guesses at alice's password; from the device on which she
// logged in before she still gets in, at home and at the attacker's side.
func TestBRT06KnownDevice(t *testing.T) {
	t.Parallel()
	f := open(t, account.Config{})
	alice := f.create(t, "alice")
	mallory := f.create(t, "mallory")
	for i := range 300 {
		f.try(t, "alice", "wrong password", netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 1}), nil)
	}
	for range 300 {
		f.try(t, "alice", "wrong password", home, nil)
	}
	known := &account.KnownDevice{Holder: alice.ID, Device: "laptop"}
	if err := f.try(t, "alice", password, home, nil); !throttled(err) {
		t.Errorf("an unknown device: %v", err)
	}
	if err := f.try(t, "alice", password, home, known); err != nil {
		t.Errorf("the known device: %v", err)
	}
	if err := f.try(t, "alice", password, home, &account.KnownDevice{Holder: mallory.ID, Device: "laptop"}); !throttled(err) {
		t.Errorf("a device of somebody else: %v", err)
	}
	checked := 0
	for range 100 {
		if errors.Is(f.try(t, "alice", "wrong password", home, known), account.ErrCredentials) {
			checked++
		}
	}
	if checked != 10 {
		t.Errorf("a stolen device token gives %d guesses, want 10", checked)
	}
}

// What is too much is refused before anything is hashed; everything else costs
// one hash, whoever is named. Not parallel: it counts what the process
// allocates, of which a hash is by far the largest part.
func TestBRT03BRT07HashAlwaysRuns(t *testing.T) {
	const memory = 16 << 10 // KiB
	f := open(t, account.Config{Hash: account.HashParams{Memory: memory, Time: 1, Threads: 1}})
	f.create(t, "alice")
	carol := f.create(t, "carol")
	f.SetDisabled(t.Context(), operator, carol.ID, true)
	hashes := func(act func()) int {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		act()
		runtime.ReadMemStats(&after)
		return int((after.TotalAlloc - before.TotalAlloc) / (memory << 10))
	}
	for _, username := range []string{"alice", "carol", "nobody", "no way"} {
		for _, pw := range []string{"wrong password", "\x00", strings.Repeat("x", 100_000)} {
			if n := hashes(func() { f.try(t, username, pw, home, nil) }); n != 1 {
				t.Errorf("%q with a password of %d bytes: %d hashes, want 1", username, len(pw), n)
			}
		}
	}
	for range 10 {
		f.try(t, "alice", "wrong password", home, nil)
	}
	recorded, _ := f.acts(t)
	if n := hashes(func() {
		if err := f.try(t, "alice", password, home, nil); !throttled(err) {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("a throttled try: %d hashes", n)
	}
	if now, _ := f.acts(t); len(now) != len(recorded) {
		t.Error("a throttled try is written to the store")
	}
}

// Who hangs up while the password is being checked is counted and recorded.
func TestHangingUp(t *testing.T) {
	t.Parallel()
	f := open(t, account.Config{})
	f.create(t, "alice")
	ctx, cancel := context.WithCancel(t.Context())
	limiter := &hangUp{Limiter: shared.NewMemory(0, nil), cancel: cancel}
	service, err := account.New(account.Config{Store: f.store, Limiter: limiter, Hash: cheap})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := service.Authenticate(ctx, somebody, account.Attempt{Username: "alice", Password: "wrong", Address: home}); !errors.Is(err, account.ErrCredentials) {
		t.Fatal(err)
	}
	if what, _ := f.acts(t); !strings.Contains(what[len(what)-1], `"rule":"password"`) {
		t.Errorf("recorded %v", what)
	}
}

type hangUp struct {
	account.Limiter
	cancel func()
}

func (h *hangUp) Take(ctx context.Context, name string, burst int, every time.Duration) (int, time.Duration, error) {
	h.cancel()
	return h.Limiter.Take(ctx, name, burst, every)
}

// While more wait than there is room for, they are told so at once, and
// nothing that was never checked is counted.
func TestDOS03Busy(t *testing.T) {
	t.Parallel()
	f := open(t, account.Config{Slots: 1, Hash: account.HashParams{Memory: 4 << 10, Time: 2, Threads: 1}})
	f.create(t, "alice")
	var mu sync.Mutex
	got := map[string]int{}
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			err := f.try(t, "alice", password, netip.AddrFrom4([4]byte{10, 0, byte(i % 3), 1}), nil)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				got["in"]++
			case errors.Is(err, account.ErrBusy):
				got["busy"]++
			default:
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got["in"] == 0 {
		t.Error("nobody got in")
	}
	t.Log(got)
	for i := range 3 {
		if err := f.try(t, "alice", password, netip.AddrFrom4([4]byte{10, 0, byte(i), 1}), nil); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	}
}

func TestErrorsOfTheStore(t *testing.T) {
	t.Parallel()
	f := open(t, account.Config{})
	f.create(t, "alice")
	f.store.Close()
	if err := f.try(t, "alice", password, home, nil); !errors.Is(err, fault.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

// A password that could not be looked at counts as none, and a right one that
// only could not be hashed better lets in.
func TestErrorsOfTheHasher(t *testing.T) {
	t.Parallel()
	f := open(t, account.Config{})
	f.create(t, "alice")
	h := &failing{down: true}
	service, err := account.New(account.Config{Store: f.store, Limiter: shared.NewMemory(0, nil), Slots: 1, Hasher: h,
		Hash: account.HashParams{Memory: 128, Time: 2, Threads: 1}})
	if err != nil {
		t.Fatal(err)
	}
	try := func(password string) error {
		_, err := service.Authenticate(t.Context(), somebody, account.Attempt{Username: "alice", Password: password, Address: home})
		return err
	}
	for range 200 { // twice what any bucket holds
		if err := try(password); !errors.Is(err, errHasher) {
			t.Fatal(err)
		}
	}
	h.down = false
	if err := try("wrong password"); !errors.Is(err, account.ErrCredentials) {
		t.Errorf("a wrong password: %v", err)
	}
	if err := try(password); err != nil {
		t.Errorf("no better hash: %v", err)
	}
	if _, err := service.Create(t.Context(), operator, account.NewAccount{Username: "bob", Password: password}); !errors.Is(err, errHasher) {
		t.Errorf("an account without a hash: %v", err)
	}
}

var errHasher = errors.New("no memory")

// failing hashes nothing, and compares only while it is not down.
type failing struct{ down bool }

func (h *failing) Matches(_ context.Context, _, tried string) (bool, error) {
	if h.down {
		return false, errHasher
	}
	return tried == password, nil
}

func (h *failing) Hash(context.Context, account.HashParams, string) (string, error) {
	return "", errHasher
}

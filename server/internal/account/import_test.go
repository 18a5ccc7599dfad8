package account_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/claims"
	"github.com/jotsmith/jotsmith/server/internal/fault"
)

// Hashes of "correct horse" and, not normalized, of "gru\u0308n und blau".
const (
	bcryptHash     = "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"
	pbkdf2Hash     = "pbkdf2_sha512$1000$somesaltsomesalt$RbkohYpABhrVf6dAjV1mgswjeaDcEw/Z9Lqqoc7ZO6eeqGc4EIBheeCgNOsc3H1ATsxkis9nQ04P4KAKB0FMcA=="
	decomposedHash = "pbkdf2:sha256:1000$somesaltsomesalt$c5ccf0f23e535e14425b06e6be76a2d88d2d787630bc862f3b34fc740dae3b3d"
)

func anyRoles([]string) error { return nil }

func quietly(bool, int) {}

func (f *fixture) hashOf(t *testing.T, username string) string {
	t.Helper()
	_, hash, err := f.store.AccountByUsername(t.Context(), username)
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

// An imported account logs in with the password that it had, and has a hash of
// ours from then on.
func TestImportedHashIsReplaced(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ hash, password string }{
		"bcrypt":         {bcryptHash, "correct horse"},
		"PBKDF2":         {pbkdf2Hash, "correct horse"},
		"not normalized": {decomposedHash, "gru\u0308n und blau"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := open(t, account.Config{})
			if _, err := f.Import(t.Context(), operator, []account.ImportLine{{Line: 1, Username: "alice", PasswordHash: c.hash}}, anyRoles, account.ImportMode{}, quietly); err != nil {
				t.Fatal(err)
			}
			if err := f.try(t, "alice", "not "+c.password, home, nil); !errors.Is(err, account.ErrCredentials) {
				t.Fatalf("a wrong password: %v", err)
			}
			if f.hashOf(t, "alice") != c.hash {
				t.Fatal("a wrong password replaced the hash")
			}
			for range 2 {
				if err := f.try(t, "alice", c.password, home, nil); err != nil {
					t.Fatal(err)
				}
				if !strings.HasPrefix(f.hashOf(t, "alice"), "$argon2id$v=19$m=64,t=1,p=1$") {
					t.Fatal("the hash is not one of ours after a log-in")
				}
			}
			// However the same password is composed, once it is ours.
			if err := f.try(t, "alice", strings.ReplaceAll(c.password, "u\u0308", "ü"), home, nil); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestImport(t *testing.T) {
	t.Parallel()
	f := open(t, account.Config{})
	var checked, inserted int
	result, err := f.Import(t.Context(), operator, []account.ImportLine{
		{Line: 1, Username: "Ada", DisplayName: "Ada L.", Roles: []string{"editor", "admin", "editor"}, PasswordHash: bcryptHash},
		{Line: 2, Username: "bob", PasswordHash: pbkdf2Hash, Disabled: true, Claims: []byte(`{ "legacy_id": 7 }`)},
		{Line: 4, Username: "carol", PasswordHash: bcryptHash},
	}, anyRoles, account.ImportMode{}, func(inserting bool, done int) {
		if inserting {
			inserted = done
		} else {
			checked = done
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(result.Hashes) != "map[PBKDF2-sha512:1 bcrypt:2]" || checked != 3 || inserted != 3 {
		t.Errorf("hashes %v, %d checked, %d inserted", result.Hashes, checked, inserted)
	}
	ada, err := f.Find(t.Context(), "ada")
	if err != nil || !strings.HasPrefix(string(ada.ID), "acc_") || ada.DisplayName != "Ada L." || fmt.Sprint(ada.Roles) != "[admin editor]" || ada.Disabled || ada.External {
		t.Errorf("ada is %+v, %v", ada, err)
	}
	bob, err := f.Find(t.Context(), "bob")
	if err != nil || bob.DisplayName != "bob" || !bob.Disabled || string(bob.Claims) != `{"legacy_id":7}` {
		t.Errorf("bob is %+v, %v", bob, err)
	}
	if err := f.try(t, "bob", "correct horse", home, nil); !errors.Is(err, account.ErrCredentials) {
		t.Errorf("a disabled account logs in: %v", err)
	}
	acts, all := f.acts(t)
	if !strings.Contains(all, `"roles":"admin editor"`) {
		t.Errorf("it is not recorded who was given what: %s", all)
	}
	if n := strings.Count(all, `"account.import"`); n != 3 {
		t.Errorf("%d events: %v", n, acts)
	}
	if strings.Contains(all, "$2b$") {
		t.Error("a hash stands in the audit log")
	}
}

// One bad line: all of them are named, nothing is imported, and no text holds a
// hash.
func TestImportAllOrNothing(t *testing.T) {
	t.Parallel()
	f := open(t, account.Config{})
	f.create(t, "taken")
	before, _ := f.acts(t)
	good := account.ImportLine{Line: 1, Username: "good", PasswordHash: bcryptHash}
	lines := []account.ImportLine{
		good,
		{Line: 2, Username: "no way", PasswordHash: bcryptHash},
		{Line: 3, Username: "mallory", PasswordHash: "secrethash$2b$99"},
		{Line: 4, Username: "GOOD", PasswordHash: bcryptHash},
		{Line: 5, Username: "Taken", PasswordHash: bcryptHash},
		{Line: 6, Username: "eve", PasswordHash: bcryptHash, Claims: []byte(`{"sub":"root"}`)},
		{Line: 7, Username: "eric", PasswordHash: bcryptHash, Roles: []string{"Bad Role"}},
		{Line: 8, Username: "external:eric", PasswordHash: bcryptHash},
		{Line: 9, Username: "erin", PasswordHash: bcryptHash, DisplayName: "\x1b[31m"},
		{Line: 10, Username: "frank"},
	}
	badRole := errors.New("bad role")
	roles := func(all []string) error {
		if len(all) > 0 {
			return badRole
		}
		return nil
	}
	_, err := f.Import(t.Context(), operator, lines, roles, account.ImportMode{}, quietly)
	bad, ok := errors.AsType[account.ImportError](err)
	if !ok {
		t.Fatalf("answers %v", err)
	}
	want := map[int]error{
		2: account.ErrUsername, 3: nil, 4: nil, 5: fault.ErrExists, 6: claims.ErrTemplate, 7: badRole,
		8: account.ErrUsername, 9: account.ErrDisplayName, 10: nil,
	}
	if len(bad) != len(want) {
		t.Errorf("%d lines are bad, want %d: %v", len(bad), len(want), bad)
	}
	for _, b := range bad {
		if is, known := want[b.Line]; !known || is != nil && !errors.Is(b, is) {
			t.Errorf("%v", b)
		}
		if strings.Contains(b.Error(), "secrethash") || strings.Contains(b.Error(), "abcdefgh") {
			t.Errorf("a hash is quoted: %v", b)
		}
	}
	if _, err := f.Find(t.Context(), "good"); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("the good line was imported: %v", err)
	}
	if after, _ := f.acts(t); len(after) != len(before) {
		t.Error("an import that failed left events")
	}

	if _, err := f.Import(t.Context(), operator, []account.ImportLine{good}, roles, account.ImportMode{Dry: true}, quietly); err != nil {
		t.Errorf("a dry run: %v", err)
	}
	if _, err := f.Find(t.Context(), "good"); !errors.Is(err, fault.ErrNotFound) {
		t.Errorf("a dry run imported: %v", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Import(gone, operator, []account.ImportLine{good}, roles, account.ImportMode{}, quietly); err == nil {
		t.Error("an import that was given up succeeded")
	}
}

// TestCLM10External says that no subject of another system can be an account or
// an app of ours, nor log in.
func TestCLM10External(t *testing.T) {
	t.Parallel()
	for subject, good := range map[string]bool{
		"42": true, "ada@example.com": true, "8f14e45f-ceea-467a-9af1-1d6b8e9f0c11": true, "Zoë / Berlin": true, "ses_x": true,
		strings.Repeat("é", 128): true,

		"": false, strings.Repeat("é", 129): false, "acc_x": false, "ACC_x": false, "app_first_party": false, "App_x": false,
		" ada": false, "ada ": false, "a\nb": false, "a\x00b": false, "a\u202eb": false, "\xff": false, "a\ufffdb": false, "a\u00a0b": false,
	} {
		a, err := account.External(subject, nil)
		if (err == nil) != good || err != nil && !errors.Is(err, account.ErrSubject) {
			t.Errorf("%q: %v", subject, err)
		}
		if err == nil && (string(a.ID) != subject || a.Username != "external:"+subject || !a.External) {
			t.Errorf("%q is %+v", subject, a)
		}
	}
	f := open(t, account.Config{})
	for _, name := range []string{"external:ada", "EXTERNAL:ada", "ｅxternal:ada"} {
		if _, err := f.Create(t.Context(), operator, account.NewAccount{Username: name, Password: password}); !errors.Is(err, account.ErrUsername) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ada, err := account.External("Ada", []string{"viewer"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.store.CreateAccount(t.Context(), ada, "", eventOf("account.create_external")); err != nil {
		t.Fatal(err)
	}
	if found, err := f.Find(t.Context(), "external:Ada"); err != nil || found.ID != "Ada" {
		t.Errorf("found %+v, %v", found, err)
	}
	for _, name := range []string{"Ada", "external:ada", "external:" + string(f.create(t, "bob").ID)} {
		if _, err := f.Find(t.Context(), name); !errors.Is(err, fault.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, pw := range []string{"", password} {
		if err := f.try(t, "external:Ada", pw, home, nil); !errors.Is(err, account.ErrCredentials) {
			t.Errorf("logs in: %v", err)
		}
	}
	if err := f.ChangePassword(t.Context(), somebody, "Ada", "", password, "ses_x", home); !errors.Is(err, account.ErrCredentials) {
		t.Errorf("changes a password that is none: %v", err)
	}
	if err := f.SetPassword(t.Context(), operator, "Ada", password); !errors.Is(err, account.ErrExternal) {
		t.Errorf("a password was set: %v", err)
	}
}

func TestSetClaims(t *testing.T) {
	t.Parallel()
	f := open(t, account.Config{})
	a := f.create(t, "alice")
	b, err := f.SetClaims(t.Context(), operator, a.ID, []byte(` {"tenant": "acme"} `))
	if err != nil || string(b.Claims) != `{"tenant":"acme"}` || b.Version != a.Version+1 {
		t.Errorf("%+v, %v", b, err)
	}
	if _, err := f.SetClaims(t.Context(), operator, a.ID, []byte(`{"roles":["admin"]}`)); !errors.Is(err, claims.ErrTemplate) {
		t.Errorf("a reserved claim: %v", err)
	}
	if b, err = f.SetClaims(t.Context(), operator, a.ID, nil); err != nil || b.Claims != nil {
		t.Errorf("%+v, %v", b, err)
	}
}

func eventOf(act string) audit.Event {
	return audit.Event{Act: act, Outcome: audit.OK, Actor: operator}
}

// An import whose answer was lost is sent again: what is there already stays as
// it is.
func TestImportAgain(t *testing.T) {
	t.Parallel()
	f := open(t, account.Config{})
	taken := f.create(t, "taken")
	lines := []account.ImportLine{
		{Line: 1, Username: "TAKEN", PasswordHash: bcryptHash, Roles: []string{"admin"}},
		{Line: 2, Username: "new", PasswordHash: bcryptHash},
	}
	skip := account.ImportMode{SkipExisting: true}
	dry, err := f.Import(t.Context(), operator, lines, anyRoles, account.ImportMode{SkipExisting: true, Dry: true}, quietly)
	if err != nil || dry.Accounts != 1 || dry.Skipped != 1 {
		t.Errorf("dry: %+v, %v", dry, err)
	}
	for i, want := range []account.ImportResult{{Accounts: 1, Skipped: 1}, {Skipped: 2}} {
		r, err := f.Import(t.Context(), operator, lines, anyRoles, skip, quietly)
		if err != nil || r.Accounts != want.Accounts || r.Skipped != want.Skipped {
			t.Errorf("%d: %+v, %v", i, r, err)
		}
	}
	if a, err := f.Find(t.Context(), "taken"); err != nil || a.Version != taken.Version || slices.Contains(a.Roles, "admin") {
		t.Errorf("%+v, %v", a, err)
	}
	// To skip is not to look away.
	twice := append(lines, account.ImportLine{Line: 3, Username: "Taken", PasswordHash: bcryptHash}, account.ImportLine{Line: 4, Username: "taken", PasswordHash: "x"})
	_, err = f.Import(t.Context(), operator, twice, anyRoles, skip, quietly)
	if bad, _ := errors.AsType[account.ImportError](err); len(bad) != 2 || bad[0].Line != 3 || bad[1].Line != 4 {
		t.Errorf("%v", err)
	}
}

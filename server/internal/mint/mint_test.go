package mint_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/server/internal/claims"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
	"github.com/jotsmith/jotsmith/server/internal/mint"
	"github.com/jotsmith/jotsmith/server/internal/store/sqlite"
)

const (
	issuer = "https://auth.example"
	tasks  = "https://tasks.example"
)

type house struct {
	*mint.Mint
	ring *keyring.Ring
	log  *strings.Builder
}

func open(t testing.TB) house {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	store, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "test.db"), Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	root, err := keyring.ParseRootKeys([]byte(keyring.NewRootKey()))
	if err != nil {
		t.Fatal(err)
	}
	h := house{log: new(strings.Builder)}
	h.ring, err = keyring.Open(t.Context(), keyring.Config{
		Store: store, Root: root, Algorithms: []jwk.Algorithm{jwk.ES256}, Every: -1,
		AccessRetire: time.Hour, FeedRetire: time.Hour, RefreshRetire: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	h.Mint, err = mint.New(mint.Config{Ring: h.ring, Issuer: issuer, Log: slog.New(slog.NewTextHandler(h.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func (h house) verify(t *testing.T, compact string) *jwt.Token {
	t.Helper()
	v, err := jwt.NewVerifier(jwt.Policy{Issuer: issuer, Audiences: []string{tasks}, Keys: h.ring.Keys(keyring.Access), DangerouslyIgnoreRevocation: true})
	if err != nil {
		t.Fatal(err)
	}
	token, err := v.Verify(context.Background(), compact)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func request(templates ...string) mint.Request {
	r := mint.Request{
		Subject: "acc_ada", Audience: tasks, Algorithm: jwk.ES256, SessionID: "ses_x", ClientID: "app_first_party",
		Scope: []string{"tasks:read"}, Roles: []string{"viewer"}, IssuedAt: time.Now(), Life: time.Minute, Username: "ada", DisplayName: "Ada",
	}
	for _, s := range templates {
		r.Claims = append(r.Claims, json.RawMessage(s))
	}
	return r
}

func TestNew(t *testing.T) {
	t.Parallel()
	if _, err := mint.New(mint.Config{}); err == nil {
		t.Error("a mint without key ring and issuer")
	}
}

func TestToken(t *testing.T) {
	t.Parallel()
	h := open(t)
	compact, err := h.Token(request(`{"tenant":"api","plan":{"seats":5}}`, ``, `{"tenant":"role","who":"${username} of ${audience}"}`))
	if err != nil {
		t.Fatal(err)
	}
	token := h.verify(t, compact)
	got, err := jwt.Decode[struct {
		Tenant string `json:"tenant"`
		Who    string `json:"who"`
		Plan   struct {
			Seats int `json:"seats"`
		} `json:"plan"`
	}](token)
	if err != nil || got.Tenant != "role" || got.Who != "ada of "+tasks || got.Plan.Seats != 5 {
		t.Errorf("custom claims %+v, %v", got, err)
	}
	if token.Subject() != "acc_ada" || token.SessionID() != "ses_x" || token.ClientID() != "app_first_party" || !token.HasScope("tasks:read") || !token.HasRole("viewer") {
		t.Errorf("token %v", token)
	}
	if life := token.ExpiresAt().Sub(token.IssuedAt()); life != time.Minute {
		t.Errorf("lives %v", life)
	}
	if h.log.Len() > 0 {
		t.Errorf("logged %s", h.log)
	}
	if _, err := h.Token(mint.Request{Subject: "x", Audience: tasks, Algorithm: jwk.EdDSA, IssuedAt: time.Now(), Life: time.Minute}); err == nil {
		t.Error("an algorithm without a key")
	}
}

// TestCLM07Mint says that a template which came into the store by another way
// than through this program makes no token.
func TestCLM07Mint(t *testing.T) {
	t.Parallel()
	h := open(t)
	for _, template := range []string{`{"sub":"root"}`, `{"EXP":9e9}`, `{"roles":["admin"]}`, `{"a":1,"a":2}`, `{"a":"${secret}"}`, `not JSON`} {
		if compact, err := h.Token(request(`{"x":1}`, template)); !errors.Is(err, claims.ErrTemplate) || compact != "" {
			t.Errorf("%s: %v", template, err)
		}
	}
	// What somebody calls themselves is text.
	r := request(`{"name":"${display_name}"}`)
	r.DisplayName = `x","sub":"root","roles":["admin"],"y":"${subject}`
	compact, err := h.Token(r)
	if err != nil {
		t.Fatal(err)
	}
	token := h.verify(t, compact)
	got, err := jwt.Decode[struct {
		Name string `json:"name"`
	}](token)
	if err != nil || got.Name != r.DisplayName || token.Subject() != "acc_ada" || token.HasRole("admin") {
		t.Errorf("name %q, subject %s, %v", got.Name, token.Subject(), err)
	}
}

func TestSize(t *testing.T) {
	t.Parallel()
	claim := func(name string, n int) string { return fmt.Sprintf(`{%q:%q}`, name, strings.Repeat("x", n)) }
	for _, c := range []struct {
		name      string
		templates []string
		scopes    int
		warns     bool
		refused   string // the claim that is named
	}{
		{"small", []string{claim("a", 500)}, 0, false, ""},
		{"large", []string{claim("a", 900), claim("big", 1000)}, 0, true, ""},
		{"too large", []string{claim("a", 2500), claim("big", 3000), claim("c", 900)}, 0, true, "big"},
		{"far too large", []string{claim("a", 4000), claim("b", 4000), claim("big", 4050)}, 0, false, "big"},
		{"by scopes", nil, 100, false, "scope"},
		{"by what is escaped", []string{`{"a":"` + strings.Repeat("<", 3000) + `"}`}, 0, false, "a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			h := open(t)
			r := request(c.templates...)
			for i := range c.scopes {
				r.Scope = append(r.Scope, fmt.Sprintf("%0100d", i))
			}
			compact, err := h.Token(r)
			switch {
			case c.refused == "" && (err != nil || len(compact) > mint.MaxSize):
				t.Errorf("%d bytes, %v", len(compact), err)
			case c.refused != "" && (!errors.Is(err, mint.ErrTooLarge) || !strings.Contains(err.Error(), fmt.Sprintf("%q", c.refused)) || compact != ""):
				t.Errorf("%d bytes, %v", len(compact), err)
			}
			if c.refused != "" {
				return
			}
			if warned := strings.Contains(h.log.String(), "access token is large"); warned != c.warns {
				t.Errorf("logged %q", h.log)
			}
			if c.warns && !strings.Contains(h.log.String(), "largest_claim=big") {
				t.Errorf("logged %q", h.log)
			}
		})
	}
}

// An API whose tokens are all large does not fill the log.
func TestSizeIsWarnedOfOnceAMinute(t *testing.T) {
	t.Parallel()
	h := open(t)
	r := request(fmt.Sprintf(`{"a":%q}`, strings.Repeat("x", 2000)))
	for i, want := range []int{1, 1, 1, 2} {
		if i == 3 {
			r.IssuedAt = r.IssuedAt.Add(time.Minute)
		}
		if _, err := h.Token(r); err != nil {
			t.Fatal(err)
		}
		if got := strings.Count(h.log.String(), "\n"); got != want {
			t.Errorf("token %d: %d lines", i, got)
		}
	}
}

func BenchmarkToken(b *testing.B) {
	h := open(b)
	for name, r := range map[string]mint.Request{
		"plain":  request("", "", "", ""),
		"claims": request(`{"tenant":"acme","plan":{"seats":5}}`, "", `{"login":"${username}"}`),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := h.Token(r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("without mint", func(b *testing.B) {
		issuer, err := h.ring.Issuer(keyring.Access, jwk.ES256, issuer, mint.Type)
		if err != nil {
			b.Fatal(err)
		}
		r := request()
		b.ReportAllocs()
		for b.Loop() {
			if _, err := issuer.Issue(jwt.Claims{Subject: r.Subject, Audience: []string{tasks}, Life: r.Life, SessionID: r.SessionID, ClientID: r.ClientID, Scope: r.Scope, Roles: r.Roles}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

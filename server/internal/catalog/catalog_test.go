package catalog_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
)

const issuer = "https://auth.example"

func example(t *testing.T) *catalog.Catalog {
	t.Helper()
	c, err := catalog.New(issuer, []catalog.API{
		{Audience: "https://tasks.example", Permissions: []string{"tasks:read", "tasks:write"}},
		{Audience: "https://files.example/v1/", Life: time.Hour, Algorithm: jwk.EdDSA},
		{Audience: "urn:example:mail", Life: time.Minute},
	}, []catalog.Role{
		{Name: "viewer", Permissions: []string{"tasks:read"}},
		{Name: "editor", Permissions: []string{"tasks:write", "tasks:read"}},
		{Name: "nobody"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAPI(t *testing.T) {
	t.Parallel()
	c := example(t)
	tests := []struct {
		name, asked, want string
		life              time.Duration
		alg               jwk.Algorithm
	}{
		{"default", "", "https://tasks.example", catalog.DefaultLife, jwk.ES256},
		{"as registered", "https://tasks.example", "https://tasks.example", catalog.DefaultLife, jwk.ES256},
		{"with a final slash", "https://tasks.example/", "https://tasks.example", catalog.DefaultLife, jwk.ES256},
		{"registered with a slash", "https://files.example/v1/", "https://files.example/v1/", time.Hour, jwk.EdDSA},
		{"registered with a slash, asked without", "https://files.example/v1", "https://files.example/v1/", time.Hour, jwk.EdDSA},
		{"a name", "urn:example:mail", "urn:example:mail", time.Minute, jwk.ES256},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, err := c.API(tt.asked)
			if err != nil || a.Audience != tt.want || a.Life != tt.life || a.Algorithm != tt.alg {
				t.Errorf("API = %+v, %v", a, err)
			}
		})
	}
	for _, asked := range []string{"/", "https://tasks.example//", "HTTPS://tasks.example", "https://TASKS.example", "https://tasks.example:443",
		"https://tasks.example/x", " https://tasks.example", "https://tasks.example\x00", "https://else.example"} {
		t.Run("unknown "+asked, func(t *testing.T) {
			t.Parallel()
			if a, err := c.API(asked); !errors.Is(err, catalog.ErrUnknownAPI) {
				t.Errorf("API = %+v, %v, want ErrUnknownAPI", a, err)
			}
		})
	}
	if got := c.LongestLife(); got != time.Hour {
		t.Errorf("LongestLife = %v", got)
	}
	if got := c.Algorithms(); !slices.Equal(got, []jwk.Algorithm{jwk.ES256, jwk.EdDSA}) {
		t.Errorf("Algorithms = %v", got)
	}
	if got := c.Audiences(); len(got) != 4 || got[1] != "https://files.example/v1/" {
		t.Errorf("Audiences = %v", got)
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	good := catalog.API{Audience: "https://a.example"}
	tests := []struct {
		name  string
		apis  []catalog.API
		roles []catalog.Role
		want  string
	}{
		{"empty audience", []catalog.API{{}}, nil, "absolute URI"},
		{"relative", []catalog.API{{Audience: "tasks.example"}}, nil, "absolute URI"},
		{"fragment", []catalog.API{{Audience: "https://a.example#x"}}, nil, "fragment"},
		{"empty fragment", []catalog.API{{Audience: "https://a.example#"}}, nil, "fragment"},
		{"space", []catalog.API{{Audience: "https://a.example/x y"}}, nil, "absolute URI"},
		{"not ASCII", []catalog.API{{Audience: "https://a.example/é"}}, nil, "absolute URI"},
		{"control character", []catalog.API{{Audience: "https://a.example/\n"}}, nil, "absolute URI"},
		{"too long", []catalog.API{{Audience: "https://a.example/" + strings.Repeat("x", 512)}}, nil, "too long"},
		{"life too long", []catalog.API{{Audience: "https://a.example", Life: 25 * time.Hour}}, nil, "life"},
		{"life too short", []catalog.API{{Audience: "https://a.example", Life: time.Millisecond}}, nil, "life"},
		{"negative life", []catalog.API{{Audience: "https://a.example", Life: -time.Hour}}, nil, "life"},
		{"shared secret", []catalog.API{{Audience: "https://a.example", Algorithm: jwk.HS256}}, nil, "HS256"},
		{"no algorithm", []catalog.API{{Audience: "https://a.example", Algorithm: "none"}}, nil, "none"},
		{"twice", []catalog.API{good, good}, nil, "twice"},
		{"twice but for a slash", []catalog.API{good, {Audience: "https://a.example/"}}, nil, "twice"},
		{"role twice", []catalog.API{good}, []catalog.Role{{Name: "a"}, {Name: "a"}}, "twice"},
		{"role without name", []catalog.API{good}, []catalog.Role{{}}, "malformed role"},
		{"role in capitals", []catalog.API{good}, []catalog.Role{{Name: "Admin"}}, "malformed role"},
		{"role too long", []catalog.API{good}, []catalog.Role{{Name: strings.Repeat("a", 65)}}, "malformed role"},
		{"scope with space", []catalog.API{good}, []catalog.Role{{Name: "a", Permissions: []string{"b c"}}}, "malformed permission"},
		{"scope with quote", []catalog.API{good}, []catalog.Role{{Name: "a", Permissions: []string{`b"`}}}, "malformed permission"},
		{"empty scope", []catalog.API{good}, []catalog.Role{{Name: "a", Permissions: []string{""}}}, "malformed permission"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if c, err := catalog.New(issuer, tt.apis, tt.roles); err == nil || c != nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("New = %v, %v, want an error with %q", c, err, tt.want)
			}
		})
	}
	t.Run("every fault at once", func(t *testing.T) {
		t.Parallel()
		_, err := catalog.New(issuer, []catalog.API{{Audience: "x"}, {Audience: "https://a.example", Life: -1}},
			[]catalog.Role{{Name: "A"}, {Name: "b", Permissions: []string{"c d"}}})
		if err == nil || strings.Count(err.Error(), "\n") != 3 {
			t.Errorf("New = %v, want four faults", err)
		}
	})
}

func TestGrant(t *testing.T) {
	t.Parallel()
	c := example(t)
	api, err := c.API("")
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		roles  []string
		asked  string
		want   []string // nil where the grant is refused
		narrow []string
	}{
		{"all of one role", []string{"viewer"}, "", []string{"tasks:read"}, []string{"tasks:read"}},
		{"all of two roles, once each", []string{"editor", "viewer"}, "", []string{"tasks:read", "tasks:write"}, []string{"tasks:read", "tasks:write"}},
		{"some", []string{"editor"}, "tasks:write", []string{"tasks:write"}, []string{"tasks:write"}},
		{"in any order", []string{"editor"}, "tasks:write tasks:read", []string{"tasks:read", "tasks:write"}, []string{"tasks:read", "tasks:write"}},
		{"asked twice", []string{"editor"}, "tasks:read tasks:read", []string{"tasks:read"}, []string{"tasks:read"}},
		{"not given", []string{"viewer"}, "tasks:write", nil, []string{}},
		{"one given and one not", []string{"viewer"}, "tasks:write tasks:read", nil, []string{"tasks:read"}},
		{"no role", nil, "", []string{}, []string{}},
		{"a role without scopes", []string{"nobody"}, "", []string{}, []string{}},
		{"an unknown role", []string{"root"}, "", []string{}, []string{}},
		{"case matters", []string{"viewer"}, "Tasks:read", nil, []string{}},
		{"a prefix is not enough", []string{"viewer"}, "tasks:rea", nil, []string{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := c.Grant(api, tt.roles, tt.asked)
			if tt.want == nil && !errors.Is(err, catalog.ErrScope) || tt.want != nil && (err != nil || !slices.Equal(got, tt.want)) {
				t.Errorf("Grant = %q, %v, want %q", got, err, tt.want)
			}
			if got := c.Narrow(api, tt.roles, tt.asked); !slices.Equal(got, tt.narrow) {
				t.Errorf("Narrow = %q, want %q", got, tt.narrow)
			}
		})
	}
}

// A catalog keeps nothing that the caller can still change.
func TestCatalogIsImmutable(t *testing.T) {
	t.Parallel()
	scopes := []string{"tasks:read"}
	c, err := catalog.New(issuer, []catalog.API{{Audience: "https://a.example", Permissions: slices.Clone(scopes)}}, []catalog.Role{{Name: "viewer", Permissions: scopes}})
	if err != nil {
		t.Fatal(err)
	}
	api, _ := c.API("")
	scopes[0] = "admin"
	for range 2 {
		got, _ := c.Grant(api, []string{"viewer"}, "")
		if !slices.Equal(got, []string{"tasks:read"}) {
			t.Fatalf("Grant = %q", got)
		}
		got[0] = "admin"
	}
}

package guard_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/jotsmith/jotsmith/authz"
	"github.com/jotsmith/jotsmith/guard"
	"github.com/jotsmith/jotsmith/jotsmithtest"
	"github.com/jotsmith/jotsmith/jwt"
)

func TestResourceMetadata(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		config   guard.Config
		pattern  string
		path     string
		address  string
		document string
	}{
		{"of the configuration", guard.Config{Issuer: issuerName, Audience: audience, Resource: &guard.Resource{}},
			"GET /.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource", audience + "/.well-known/oauth-protected-resource",
			`{"resource":"https://tasks.example.com","authorization_servers":["https://auth.example.com"],"bearer_methods_supported":["header"]}`},
		{"with a path (RFC 9728 §3.1)", guard.Config{Resource: &guard.Resource{URL: "https://example.com/tasks/v1", Issuers: []string{issuerName, "https://other.example"}, Scopes: []string{"tasks:read", "tasks:write"}, Name: "Tasks <&>", Docs: "https://example.com/docs"}},
			"GET /.well-known/oauth-protected-resource/tasks/v1", "/.well-known/oauth-protected-resource/tasks/v1", "https://example.com/.well-known/oauth-protected-resource/tasks/v1",
			`{"resource":"https://example.com/tasks/v1","authorization_servers":["https://auth.example.com","https://other.example"],"scopes_supported":["tasks:read","tasks:write"],"bearer_methods_supported":["header"],"resource_name":"Tasks \u003c\u0026\u003e","resource_documentation":"https://example.com/docs"}`},
		{"with a slash behind the host", guard.Config{Resource: &guard.Resource{URL: "https://example.com/", Issuers: []string{issuerName}}},
			"GET /.well-known/oauth-protected-resource", "/.well-known/oauth-protected-resource", "https://example.com/.well-known/oauth-protected-resource",
			`{"resource":"https://example.com/","authorization_servers":["https://auth.example.com"],"bearer_methods_supported":["header"]}`},
		{"with a slash behind the path", guard.Config{Resource: &guard.Resource{URL: "https://example.com/mcp/", Issuers: []string{issuerName}}},
			"GET /.well-known/oauth-protected-resource/mcp/{$}", "/.well-known/oauth-protected-resource/mcp/", "https://example.com/.well-known/oauth-protected-resource/mcp/",
			`{"resource":"https://example.com/mcp/","authorization_servers":["https://auth.example.com"],"bearer_methods_supported":["header"]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.config.Log, c.config.Client = quiet(), &http.Client{Transport: inMemory{http.NotFoundHandler()}}
			realm := audience
			if c.config.Issuer == "" {
				c.config.Verifier, c.config.Client = jotsmithtest.New(t).Verifier(""), nil
				realm = "api"
			}
			g, err := guard.NewLazy(c.config)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(g.Close)
			mux := http.NewServeMux()
			pattern, _ := g.ResourceMetadata()
			if pattern != c.pattern {
				t.Errorf("pattern %q", pattern)
			}
			mux.Handle(g.ResourceMetadata())
			mux.Handle("/", g.HandlerFunc(ok))
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, httptest.NewRequest("GET", c.path, nil))
			if w.Code != 200 || w.Body.String() != c.document || w.Header().Get("Content-Type") != "application/json" || w.Header().Get("Access-Control-Allow-Origin") != "*" {
				t.Errorf("%d %v %s", w.Code, w.Header(), w.Body)
			}
			w = httptest.NewRecorder()
			mux.ServeHTTP(w, httptest.NewRequest("GET", "/tasks", nil))
			if got, want := w.Header().Get("WWW-Authenticate"), `Bearer realm="`+realm+`", resource_metadata="`+c.address+`"`; got != want {
				t.Errorf("challenge %q, want %q", got, want)
			}
		})
	}

	t.Run("in every challenge, behind all else", func(t *testing.T) {
		t.Parallel()
		issuer := jotsmithtest.New(t)
		g, err := guard.New(t.Context(), guard.Config{Verifier: issuer.Verifier(""), Log: quiet(), Resource: &guard.Resource{URL: audience, Issuers: []string{issuerName}}})
		if err != nil {
			t.Fatal(err)
		}
		const metadata = `, resource_metadata="https://tasks.example.com/.well-known/oauth-protected-resource"`
		for token, want := range map[string]string{
			"hello":                          `Bearer realm="api", error="invalid_token"` + metadata,
			issuer.Token(jwt.Claims{}):       `Bearer realm="api", error="insufficient_scope", scope="tasks:read"` + metadata,
			issuer.Expired(jwt.Claims{}):     `Bearer realm="api", error="invalid_token"` + metadata,
			"a, Bearer b":                    `Bearer realm="api", error="invalid_token"` + metadata,
			issuer.Token(jwt.Claims{}) + "x": `Bearer realm="api", error="invalid_token"` + metadata,
		} {
			if _, got := call(g.HandlerFunc(ok, authz.Scope("tasks:read")), token); got != want {
				t.Errorf("challenge %q, want %q", got, want)
			}
		}
	})

	t.Run("of nothing", func(t *testing.T) {
		t.Parallel()
		g, err := guard.New(t.Context(), guard.Config{Verifier: jotsmithtest.New(t).Verifier(""), Log: quiet()})
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if recover() == nil {
				t.Error("no panic")
			}
		}()
		g.ResourceMetadata()
	})
}

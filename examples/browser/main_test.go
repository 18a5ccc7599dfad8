package main

import (
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/guard"
	"github.com/jotsmith/jotsmith/jotsmithtest"
	"github.com/jotsmith/jotsmith/jwt"
)

func TestPage(t *testing.T) {
	t.Parallel()
	issuer := jotsmithtest.New(t)
	g, err := guard.New(t.Context(), guard.Config{Verifier: issuer.Verifier("")})
	if err != nil {
		t.Fatal(err)
	}
	h := handler(g, "http://127.0.0.1:8080", `https://tasks.example/"><script>`)
	token := "Bearer " + issuer.Token(jwt.Claims{})
	for _, c := range []struct {
		path, token string
		status      int
		body        string
	}{
		{"/", "", 200, `data-issuer="http://127.0.0.1:8080"`},
		{"/page.js", "", 200, "credentials: 'include'"},
		{"/page.css", "", 200, "color-scheme"},
		{"/index.html", "", 404, ""},
		{"/tasks", "", 401, "token_missing"},
		{"/tasks", token, 200, "[]"},
	} {
		r := httptest.NewRequest("GET", c.path, nil)
		if c.token != "" {
			r.Header.Set("Authorization", c.token)
		}
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		if w.Code != c.status || !strings.Contains(w.Body.String(), c.body) {
			t.Errorf("GET %s: %d %s", c.path, w.Code, w.Body)
		}
		policy := w.Header().Get("Content-Security-Policy")
		if !strings.Contains(policy, "script-src 'self';") || strings.Contains(policy, "unsafe") || w.Header().Get("Cache-Control") != "no-store" {
			t.Errorf("GET %s: headers %v", c.path, w.Header())
		}
		if regexp.MustCompile(`<script>|<style|style=| on\w+="`).MatchString(w.Body.String()) {
			t.Errorf("GET %s: something inline, which the policy forbids:\n%s", c.path, w.Body)
		}
	}
}

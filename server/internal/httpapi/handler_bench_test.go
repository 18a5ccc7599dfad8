package httpapi_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// BenchmarkHandler is the work behind an answer without the network's.
func BenchmarkHandler(b *testing.B) {
	n := open(b, options{Quiet: true})
	token := n.login("alice").AccessToken
	for name, c := range map[string]struct{ method, path, body string }{
		"livez":      {"GET", "/livez", ""},
		"jwks":       {"GET", jwksPath, ""},
		"me":         {"GET", "/v1/me", ""},
		"introspect": {"POST", "/oauth/introspect", "token=" + token},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r, _ := http.NewRequest(c.method, c.path, strings.NewReader(c.body))
				r.Header.Set("Authorization", "Bearer "+token)
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				r.RemoteAddr = "192.0.2.1:1234"
				w := httptest.NewRecorder()
				n.handler.ServeHTTP(w, r)
				if w.Code != 200 {
					b.Fatal(w.Code)
				}
			}
		})
	}
}

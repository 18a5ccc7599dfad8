package guard

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/jwt"
)

// FuzzExtract: whatever is sent, there is one credential, which stands where it
// was looked for, or a reason, which does not quote it.
func FuzzExtract(f *testing.F) {
	g, err := NewLazy(Config{Verifier: new(jwt.Verifier), Cookie: "__Host-access", Header: "x-access-token"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, authorization, header, cookies, query string) {
		h := make(http.Header)
		for name, value := range map[string]string{"Authorization": authorization, "X-Access-Token": header, "Cookie": cookies} {
			if value != "" {
				h[name] = []string{value}
			}
		}
		r := &http.Request{Header: h, URL: &url.URL{RawQuery: query}}
		for _, stream := range []bool{false, true} {
			c, err := g.extract(r, stream)
			if err != nil {
				known := errors.Is(err, ErrNoToken) || errors.Is(err, ErrManyTokens) || errors.Is(err, jwt.ErrMalformed) || errors.Is(err, errManyCookies)
				if !known || c != (credential{}) {
					t.Fatalf("%v beside %+v", err, c)
				}
				continue
			}
			switch {
			case c.ticket != "":
				if !stream || c.compact != "" || !strings.Contains(query, "ticket") {
					t.Errorf("a ticket out of nowhere: %+v", c)
				}
			case c.cookie:
				if !strings.Contains("; "+cookies+";", "__Host-access="+c.compact+";") {
					t.Errorf("%q was read as %q", cookies, c.compact)
				}
			case header != "":
				if c.compact != header {
					t.Errorf("%q was read as %q", header, c.compact)
				}
			default:
				spaces := strings.TrimSuffix(authorization[len("Bearer"):], c.compact)
				if !strings.EqualFold(authorization[:len("Bearer")], "Bearer") || spaces == "" || strings.Trim(spaces, " ") != "" || c.compact[0] == ' ' {
					t.Errorf("%q was read as %q", authorization, c.compact)
				}
			}
			if n := len(query); n > 0 && strings.Contains("&"+query+"&", "&access_token=") {
				t.Errorf("beside %q", query)
			}
		}
	})
}

func BenchmarkExtract(b *testing.B) {
	token := strings.Repeat("a", 600)
	for _, c := range []struct {
		name   string
		config Config
		header http.Header
	}{
		{"bearer", Config{}, http.Header{"Authorization": {"Bearer " + token}}},
		{"cookie", Config{Cookie: "access"}, http.Header{"Cookie": {"theme=dark; access=" + token + "; lang=en"}}},
	} {
		b.Run(c.name, func(b *testing.B) {
			c.config.Verifier = new(jwt.Verifier)
			g, err := NewLazy(c.config)
			if err != nil {
				b.Fatal(err)
			}
			r := &http.Request{Header: c.header, URL: &url.URL{RawQuery: "page=2&sort=title"}}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := g.extract(r, false); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

package guard

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/jwt"
)

// FuzzBearer: whatever is sent, there is a token or a reason, the token is what
// stands behind the scheme, and no reason quotes it.
func FuzzBearer(f *testing.F) {
	for _, header := range []string{"Bearer a.b.c", "bearer  a", "Bearer", "Bearer ", "Bearerx", "Basic a", "", "Bearer a b", "BEARER\ta"} {
		f.Add(header, "x=1")
	}
	f.Add("Bearer a", "access_token=b")
	f.Add("Bearer a", "x&access_token=b")
	f.Fuzz(func(t *testing.T, header, query string) {
		token, err := bearer(&http.Request{Header: http.Header{"Authorization": {header}}, URL: &url.URL{RawQuery: query}})
		if (token == "") == (err == nil) {
			t.Fatalf("token %q and %v", token, err)
		}
		if err != nil {
			if !errors.Is(err, ErrNoToken) && !errors.Is(err, ErrManyTokens) && !errors.Is(err, jwt.ErrMalformed) {
				t.Errorf("no reason: %v", err)
			}
			return
		}
		spaces := strings.TrimSuffix(header[len("Bearer"):], token)
		if !strings.EqualFold(header[:len("Bearer")], "Bearer") || spaces == "" || strings.Trim(spaces, " ") != "" || token[0] == ' ' {
			t.Errorf("%q was read as %q", header, token)
		}
	})
}

func BenchmarkBearer(b *testing.B) {
	r := &http.Request{Header: http.Header{"Authorization": {"Bearer " + strings.Repeat("a", 600)}}, URL: &url.URL{RawQuery: "page=2&sort=title"}}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := bearer(r); err != nil {
			b.Fatal(err)
		}
	}
}

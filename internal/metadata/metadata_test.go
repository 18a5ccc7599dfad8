package metadata

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/wire"
)

func TestPlaces(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, issuer string
		want         []string
	}{
		{"origin", "https://a.example", []string{
			"https://a.example/.well-known/oauth-authorization-server",
			"https://a.example/.well-known/openid-configuration"}},
		{"terminating slash", "https://a.example/", []string{
			"https://a.example/.well-known/oauth-authorization-server",
			"https://a.example/.well-known/openid-configuration"}},
		{"path", "https://a.example:8443/t/1", []string{
			"https://a.example:8443/.well-known/oauth-authorization-server/t/1",
			"https://a.example:8443/t/1/.well-known/openid-configuration"}},
		{"query", "https://a.example?x=1", nil},
		{"http", "http://a.example", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := places(c.issuer)
			if !slices.Equal(got, c.want) || (err == nil) != (c.want != nil) {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

func TestFetch(t *testing.T) {
	t.Parallel()
	var m wire.Metadata // answered at the path that the case asks for
	for _, c := range []struct {
		name    string
		suffix  string // of the issuer, behind the server's URL
		path    string // where the document is
		issuer  func(url string) string
		wantErr string
	}{
		{"RFC 8414", "", wire.PathMetadata, same, ""},
		{"RFC 8414 with a path", "/t/1", wire.PathMetadata + "/t/1", same, ""},
		{"OpenID only", "", wire.PathOpenIDMetadata, same, ""},
		{"OpenID only with a path", "/t/1", "/t/1" + wire.PathOpenIDMetadata, same, ""},
		{"another issuer", "", wire.PathMetadata, func(string) string { return "https://evil.example" }, "another issuer"},
		{"CLM-02 issuer with a slash more", "", wire.PathMetadata, func(u string) string { return u + "/" }, "another issuer"},
		{"CLM-02 issuer with a slash less", "/", wire.PathMetadata, func(u string) string { return strings.TrimSuffix(u, "/") }, "another issuer"},
		{"CLM-02 issuer in another case", "", wire.PathMetadata, strings.ToUpper, "another issuer"},
		{"nowhere", "", "/none", same, "404"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var url string
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != c.path {
					http.NotFound(w, r)
					return
				}
				m := m
				m.Issuer, m.JWKSURI = c.issuer(url), url+"/keys"
				w.Header().Set("Content-Type", "application/json")
				_ = json.NewEncoder(w).Encode(m)
			}))
			t.Cleanup(s.Close)
			url = s.URL + c.suffix
			got, err := Fetch(context.Background(), nil, url)
			switch {
			case c.wantErr == "" && (err != nil || got.JWKSURI != url+"/keys"):
				t.Errorf("got %+v, %v", got, err)
			case c.wantErr != "" && (err == nil || got != nil || !strings.Contains(err.Error(), c.wantErr)):
				t.Errorf("got %+v, %v; want %q", got, err, c.wantErr)
			case errors.Is(err, ErrIssuer) != (c.wantErr == "another issuer"):
				t.Errorf("ErrIssuer: %v", err)
			}
		})
	}
}

func same(url string) string { return url }

func TestFetchRefusesWhatIsNotMetadata(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{"not JSON": "hello", "an array": "[]", "empty": "", "too large": strings.Repeat(" ", maxSize+1)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				_, _ = w.Write([]byte(body))
			}))
			t.Cleanup(s.Close)
			if m, err := Fetch(context.Background(), nil, s.URL); err == nil || m != nil {
				t.Errorf("got %+v, %v", m, err)
			}
		})
	}
}

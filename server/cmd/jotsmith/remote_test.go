package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/wire"
)

func TestServerURL(t *testing.T) {
	t.Parallel()
	for server, want := range map[string]string{
		"https://auth.example.com":      "https://auth.example.com",
		"https://auth.example.com/a/":   "https://auth.example.com/a",
		"http://localhost:8080":         "http://localhost:8080",
		"http://127.0.0.1:8080/":        "http://127.0.0.1:8080",
		"http://[::1]:8080":             "http://[::1]:8080",
		"http://auth.example.com":       "",
		"http://127.0.0.1.example.com":  "",
		"http://localhost.example.com":  "",
		"https://ada:x@auth.example":    "",
		"https://auth.example.com?a":    "",
		"https://auth.example.com#a":    "",
		"auth.example.com":              "",
		"ftp://auth.example.com":        "",
		"https://":                      "",
		"":                              "",
		"http://0x7f.1":                 "",
		"https://auth.example.com/\x00": "",
	} {
		if got, err := serverURL(server); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", server, got, err)
		}
	}
}

// Commands that run at once when the token has expired refresh it once; the
// others use what the first one got.
func TestExpiredLoginIsRefreshedOnce(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	var refreshes atomic.Int64
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in wire.RefreshRequest
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil || r.URL.Path != "/v1/refresh" || in.RefreshToken != "jsr_1" || r.Header.Get("Authorization") != "" {
			t.Errorf("%s with %+v, %v", r.URL, in, err)
		}
		refreshes.Add(1)
		json.NewEncoder(w).Encode(wire.TokenResponse{AccessToken: "new", RefreshToken: "jsr_2", ExpiresIn: 900})
	}))
	defer s.Close()
	expired := logins{s.URL: {Username: "ada", AccessToken: "old", RefreshToken: "jsr_1", ExpiresAt: time.Now()}}
	if err := expired.write(); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			r, err := openRemote(context.Background(), s.URL)
			if err != nil || r.token != "new" {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
	wg.Wait()
	if n := refreshes.Load(); n != 1 {
		t.Errorf("%d refreshes", n)
	}
	path, err := loginsPath()
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestSessionThatHasEnded(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(401)
		json.NewEncoder(w).Encode(wire.NewProblem(wire.CodeInvalidRefreshToken, "x"))
	}))
	defer s.Close()
	expired := logins{s.URL: {Username: "ada", RefreshToken: "jsr_1"}}
	if err := expired.write(); err != nil {
		t.Fatal(err)
	}
	_, err := openRemote(t.Context(), s.URL)
	if h, ok := errors.AsType[hinted](err); !ok || h.hint != "'jotsmith login --server "+s.URL+" ada' logs in again" {
		t.Errorf("%v", err)
	}
}

// Whatever answers, a token goes to nobody but the server that it is for.
func TestRemoteFollowsNoRedirect(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("another server was asked") }))
	defer other.Close()
	s := httptest.NewServer(http.RedirectHandler(other.URL, http.StatusTemporaryRedirect))
	defer s.Close()
	r := &remote{base: s.URL, token: "secret", http: newHTTPClient()}
	if err := r.do(t.Context(), "GET", "/v1/admin/keys", nil, nil); err == nil {
		t.Error("a redirect was taken for an answer")
	}
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/client"
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
	loggedIn(t, s.URL)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			r, err := openRemote(context.Background(), s.URL)
			if err != nil {
				t.Error(err)
				return
			}
			if token, err := r.login.Token(context.Background()); err != nil || token.AccessToken != "new" {
				t.Errorf("%v, %v", token, err)
			}
		})
	}
	wg.Wait()
	if n := refreshes.Load(); n != 1 {
		t.Errorf("%d refreshes", n)
	}
	info, err := os.Stat(filepath.Join(os.Getenv("XDG_CONFIG_HOME"), "jotsmith", "logins.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

// loggedIn is as after a log-in of long ago.
func loggedIn(t *testing.T, server string) {
	t.Helper()
	file, err := loginFile(server)
	if err != nil {
		t.Fatal(err)
	}
	err = file.Update(t.Context(), func(s *client.State) error {
		*s = client.State{Username: "ada", AccessToken: "old", RefreshToken: "jsr_1", ExpiresAt: time.Now()}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestSessionThatHasEnded(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(401)
		json.NewEncoder(w).Encode(wire.NewProblem(wire.CodeInvalidRefreshToken, "x"))
	}))
	defer s.Close()
	loggedIn(t, s.URL)
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
	r := &remote{base: s.URL, http: newHTTPClient()}
	if err := r.do(t.Context(), "GET", "/v1/admin/keys", nil, nil); err == nil {
		t.Error("a redirect was taken for an answer")
	}
}

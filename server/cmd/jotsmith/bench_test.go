package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/wire"
)

// A measurement may take longer than the token of its operator lives, and is
// cleaned up all the same.
func TestBenchOutlivesItsToken(t *testing.T) {
	t.Parallel()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/login":
			json.NewEncoder(w).Encode(wire.TokenResponse{AccessToken: "old", RefreshToken: "jsr_1", TokenType: "Bearer", ExpiresIn: 1})
		case "/v1/refresh":
			json.NewEncoder(w).Encode(wire.TokenResponse{AccessToken: "new", RefreshToken: "jsr_2", TokenType: "Bearer", ExpiresIn: 900})
		default:
			if got := r.Header.Get("Authorization"); got != "Bearer new" {
				t.Errorf("%s is asked with %s", r.URL.Path, got)
			}
		}
	}))
	t.Cleanup(s.Close)
	r, err := logInAt(t.Context(), s.URL, "correct horse battery")
	if err != nil {
		t.Fatal(err)
	}
	<-time.After(1100 * time.Millisecond)
	if err := r.do(t.Context(), "POST", wire.PathAdmin+"/accounts/acc_1/disable", nil, nil); err != nil {
		t.Error(err)
	}
}

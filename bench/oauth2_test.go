package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"golang.org/x/oauth2"

	"github.com/jotsmith/jotsmith/client"
	"github.com/jotsmith/jotsmith/wire"
)

// source is the adapter that docs/clients.md shows.
type source struct{ *client.Client }

func (s source) Token() (*oauth2.Token, error) {
	t, err := s.Client.Token(context.Background())
	return &oauth2.Token{AccessToken: t.AccessToken, TokenType: t.Type, Expiry: t.Expiry}, err
}

// A client serves whatever takes a token source of golang.org/x/oauth2.
func TestClientIsATokenSource(t *testing.T) {
	t.Parallel()
	asked := 0
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(wire.TokenResponse{AccessToken: "access", TokenType: "Bearer", ExpiresIn: 900})
	}))
	defer issuer.Close()
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer access" {
			w.WriteHeader(http.StatusUnauthorized)
		}
	}))
	defer api.Close()
	c, err := client.New(client.Config{Issuer: issuer.URL, ClientID: "app", ClientSecret: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	tokens := oauth2.ReuseTokenSource(nil, source{c})
	h := oauth2.NewClient(t.Context(), tokens)
	for range 3 {
		resp, err := h.Get(api.URL)
		if err != nil || resp.StatusCode != 200 {
			t.Fatal(resp, err)
		}
		resp.Body.Close()
	}
	if token, err := tokens.Token(); err != nil || !token.Valid() || asked != 1 {
		t.Errorf("%v, asked %d times", err, asked)
	}
}

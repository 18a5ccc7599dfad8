// Command hello is an issuer and a guarded API in one process: it makes a token,
// calls the API with it, revokes it, and calls again.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"time"

	"github.com/jotsmith/jotsmith/authz"
	"github.com/jotsmith/jotsmith/guard"
	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/revocation"
)

const (
	issuerName = "https://auth.example.com"
	audience   = "https://hello.example.com"
)

func main() {
	if err := hello(os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func hello(out io.Writer) error {
	// The issuer has a private key. The API has the public half, and the facts
	// that have been revoked; here both live in one process.
	key, err := jwk.Generate(jwk.ES256)
	if err != nil {
		return err
	}
	issuer, err := jwt.NewIssuer(jwt.IssuerConfig{Issuer: issuerName, Key: key})
	if err != nil {
		return err
	}
	keys, err := jwk.NewSet(key.Public())
	if err != nil {
		return err
	}
	revoked := revocation.NewSet(0)
	verifier, err := jwt.NewVerifier(jwt.Policy{
		Issuer: issuerName, Audiences: []string{audience}, Keys: keys, Revocations: revoked,
	})
	if err != nil {
		return err
	}

	// The API, guarded.
	g, err := guard.New(context.Background(), guard.Config{Verifier: verifier, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer g.Close()
	api := httptest.NewServer(g.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "hello, %s", guard.Token(r).Subject())
	}, authz.Scope("hello:read")))
	defer api.Close()

	// Mint, call, revoke, call again.
	const session = "session-1"
	token, err := issuer.Issue(jwt.Claims{
		Subject: "anna", Audience: []string{audience}, Life: 15 * time.Minute,
		SessionID: session, Scope: []string{"hello:read"},
	})
	if err != nil {
		return err
	}
	if err := call(out, "without a token", api.URL, ""); err != nil {
		return err
	}
	if err := call(out, "with a token", api.URL, token); err != nil {
		return err
	}
	err = revoked.Add(revocation.Entry{
		Fact:    jwt.NewFact(jwt.SessionFact, issuerName, session),
		Expires: time.Now().Add(time.Hour), // no token of the session lives longer
	})
	if err != nil {
		return err
	}
	return call(out, "the same token, its session ended", api.URL, token)
}

func call(out io.Writer, what, url, token string) error {
	r, err := http.NewRequest("GET", url, nil)
	if err != nil {
		return err
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%s\n  %s\n  %s\n", what, resp.Status, body)
	return err
}

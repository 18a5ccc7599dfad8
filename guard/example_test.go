package guard_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/jotsmith/jotsmith/authz"
	"github.com/jotsmith/jotsmith/guard"
	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/revocation"
)

// An API finds its issuer's keys and revocations by itself.
func ExampleNew() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	g, err := guard.New(ctx, guard.Config{Issuer: "https://auth.example.com", Audience: "https://tasks.example.com"})
	if err != nil {
		log.Fatal(err)
	}
	defer g.Close()
	listTasks := func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "the tasks of", guard.Token(r).Subject())
	}
	mux := http.NewServeMux()
	mux.Handle("GET /tasks", g.HandlerFunc(listTasks, authz.Scope("tasks:read")))
	log.Fatal(http.ListenAndServe("127.0.0.1:8081", mux))
}

// A program that has keys and revocations at hand needs no issuer to ask.
func ExampleConfig_verifier() {
	const issuerName, audience = "https://auth.example.com", "https://tasks.example.com"
	key, err := jwk.Generate(jwk.ES256)
	if err != nil {
		log.Fatal(err)
	}
	keys, err := jwk.NewSet(key.Public())
	if err != nil {
		log.Fatal(err)
	}
	verifier, err := jwt.NewVerifier(jwt.Policy{
		Issuer: issuerName, Audiences: []string{audience}, Keys: keys, Revocations: revocation.NewSet(0),
	})
	if err != nil {
		log.Fatal(err)
	}
	g, err := guard.New(context.Background(), guard.Config{Verifier: verifier, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		log.Fatal(err)
	}
	defer g.Close()
	api := g.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Println("hello", guard.Token(r).Subject())
	}, authz.Role("editor"))

	issuer, err := jwt.NewIssuer(jwt.IssuerConfig{Issuer: issuerName, Key: key})
	if err != nil {
		log.Fatal(err)
	}
	for _, role := range []string{"editor", "viewer"} {
		token, err := issuer.Issue(jwt.Claims{Subject: "acc_anna", Audience: []string{audience}, Life: time.Minute, Roles: []string{role}})
		if err != nil {
			log.Fatal(err)
		}
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		api.ServeHTTP(w, r)
		fmt.Printf("%s %d %q\n", role, w.Code, w.Header().Get("WWW-Authenticate"))
	}
	// Output:
	// hello acc_anna
	// editor 200 ""
	// viewer 403 "Bearer realm=\"api\", error=\"insufficient_scope\""
}

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
	// viewer 403 "Bearer realm=\"api\", error=\"insufficient_scope\", error_description=\"needs role editor\""
}

// CORS stands around the guard: a preflight carries no token.
func ExampleCORSPolicy_Handler() {
	cors, err := guard.NewCORS(guard.CORS{Origins: []string{"https://app.example.com"}, Methods: []string{"DELETE"}})
	if err != nil {
		log.Fatal(err)
	}
	g := exampleGuard(guard.Config{})
	mux := http.NewServeMux()
	mux.Handle("DELETE /tasks/{id}", g.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	api := cors.Handler(mux)

	r := httptest.NewRequest("OPTIONS", "/tasks/7", nil)
	r.Header.Set("Origin", "https://app.example.com")
	r.Header.Set("Access-Control-Request-Method", "DELETE")
	r.Header.Set("Access-Control-Request-Headers", "authorization")
	w := httptest.NewRecorder()
	api.ServeHTTP(w, r)
	fmt.Println("preflight", w.Code, w.Header().Get("Access-Control-Allow-Origin"))

	r = httptest.NewRequest("DELETE", "/tasks/7", nil)
	r.Header.Set("Origin", "https://app.example.com")
	w = httptest.NewRecorder()
	api.ServeHTTP(w, r)
	fmt.Println("no token ", w.Code, w.Header().Get("Access-Control-Allow-Origin"))

	_, err = guard.NewCORS(guard.CORS{Origins: []string{"*", "null"}, Credentials: true})
	fmt.Println(err != nil)
	// Output:
	// preflight 204 https://app.example.com
	// no token  401 https://app.example.com
	// true
}

// exampleGuard is a guard of an issuer in this process.
func exampleGuard(c guard.Config) *guard.Guard {
	var err error
	if c.Verifier, err = jwt.NewVerifier(jwt.Policy{
		Issuer: "https://auth.example.com", Audiences: []string{"https://tasks.example.com"}, Keys: exampleKeys, Revocations: revocation.NewSet(0),
	}); err != nil {
		log.Fatal(err)
	}
	c.Log = slog.New(slog.DiscardHandler)
	g, err := guard.New(context.Background(), c)
	if err != nil {
		log.Fatal(err)
	}
	return g
}

// exampleToken is a token of subject in session s1.
func exampleToken(subject string) string {
	issuer, err := jwt.NewIssuer(jwt.IssuerConfig{Issuer: "https://auth.example.com", Key: exampleKey})
	if err != nil {
		log.Fatal(err)
	}
	token, err := issuer.Issue(jwt.Claims{Subject: subject, SessionID: "s1", Audience: []string{"https://tasks.example.com"}, Life: time.Minute})
	if err != nil {
		log.Fatal(err)
	}
	return token
}

var exampleKey, exampleKeys = func() (*jwk.PrivateKey, *jwk.Set) {
	key, err := jwk.Generate(jwk.EdDSA)
	if err != nil {
		log.Fatal(err)
	}
	keys, err := jwk.NewSet(key.Public())
	if err != nil {
		log.Fatal(err)
	}
	return key, keys
}()

package guard_test

import (
	"context"
	"encoding/json"
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

// A cookie is sent by a browser whoever made it send the request, so what could
// change something must come from our own pages, or from trusted ones.
func ExampleConfig_cookie() {
	g := exampleGuard(guard.Config{
		Cookie:         "__Host-access",
		TrustedOrigins: []string{"https://app.example.com"},
		CSRFKey:        []byte("32 random bytes of your own, kept secret"),
	})
	mux := http.NewServeMux()
	mux.Handle("POST /tasks", g.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	var csrf string // for clients that say with no header where they are
	mux.Handle("GET /csrf", g.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { csrf = g.CSRFToken(guard.Token(r)) }))

	ask := func(method, path, name, value string) int {
		r := httptest.NewRequest(method, "https://tasks.example.com"+path, nil)
		r.AddCookie(&http.Cookie{Name: "__Host-access", Value: exampleToken("acc_anna")})
		r.Header.Set(name, value)
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		return w.Code
	}
	fmt.Println("own page    ", ask("POST", "/tasks", "Origin", "https://tasks.example.com"))
	fmt.Println("trusted page", ask("POST", "/tasks", "Origin", "https://app.example.com"))
	fmt.Println("any page    ", ask("POST", "/tasks", "Origin", "https://evil.example"))
	ask("GET", "/csrf", "Accept", "*/*")
	fmt.Println("CSRF token  ", ask("POST", "/tasks", guard.CSRFHeader, csrf))
	// Output:
	// own page     200
	// trusted page 200
	// any page     403
	// CSRF token   200
}

// A browser's EventSource sends no header, so it is opened with a ticket.
func ExampleGuard_Tickets() {
	g := exampleGuard(guard.Config{})
	mux := http.NewServeMux()
	mux.Handle("/tickets", g.Tickets())
	mux.Handle("GET /events", g.Stream(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "data: hello %s\n\n", guard.Token(r).Subject())
		// … until <-r.Context().Done(): the token has expired or was revoked.
	})))

	// const { ticket } = await (await fetch("/tickets", { method: "POST", headers: { Authorization: "Bearer " + token } })).json()
	r := httptest.NewRequest("POST", "/tickets", nil)
	r.Header.Set("Authorization", "Bearer "+exampleToken("acc_anna"))
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, r)
	var answer struct{ Ticket string }
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
		log.Fatal(err)
	}
	// new EventSource("/events?ticket=" + ticket)
	for range 2 {
		w = httptest.NewRecorder()
		mux.ServeHTTP(w, httptest.NewRequest("GET", "/events?ticket="+answer.Ticket, nil))
		fmt.Println(w.Code, w.Header().Get("Content-Type"))
	}
	// Output:
	// 200 text/event-stream
	// 401 application/problem+json
}

// Whose account it is stands in the path; administrators see all.
func ExampleGuard_Handler_self() {
	self := authz.Self(func(r *http.Request, t *jwt.Token) (bool, error) {
		return r.PathValue("account") == t.Subject(), nil
	})
	mux := http.NewServeMux()
	mux.Handle("GET /accounts/{account}", exampleGuard(guard.Config{}).HandlerFunc(
		func(http.ResponseWriter, *http.Request) {}, authz.Any(authz.Role("admin"), self)))
	for _, account := range []string{"acc_anna", "acc_bob"} {
		r := httptest.NewRequest("GET", "/accounts/"+account, nil)
		r.Header.Set("Authorization", "Bearer "+exampleToken("acc_anna"))
		w := httptest.NewRecorder()
		mux.ServeHTTP(w, r)
		fmt.Printf("%d [%s]\n", w.Code, w.Header().Get("WWW-Authenticate"))
	}
	// Output:
	// 200 []
	// 403 [Bearer realm="api", error="insufficient_scope", error_description="needs role admin or ownership"]
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

package client_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/jotsmith/jotsmith/client"
	"github.com/jotsmith/jotsmith/wire"
)

// exampleServers stand for a Jotsmith server and for an API.
func exampleServers() (issuer, api *httptest.Server) {
	answer := func(w http.ResponseWriter, body any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(body)
	}
	mux := http.NewServeMux()
	tokens := wire.TokenResponse{AccessToken: "a", TokenType: "Bearer", ExpiresIn: 900, RefreshToken: "r", Scope: "tasks:read"}
	mux.HandleFunc("POST /v1/login", func(w http.ResponseWriter, r *http.Request) {
		var in wire.LoginRequest
		if json.NewDecoder(r.Body).Decode(&in) != nil || in.Password != "correct horse battery" {
			w.WriteHeader(http.StatusUnauthorized)
			answer(w, wire.NewProblem(wire.CodeInvalidCredentials, "x"))
			return
		}
		answer(w, tokens)
	})
	mux.HandleFunc("POST /oauth/token", func(w http.ResponseWriter, r *http.Request) { answer(w, tokens) })
	mux.HandleFunc("GET /v1/me", func(w http.ResponseWriter, r *http.Request) { answer(w, wire.Me{Username: "ada"}) })
	mux.HandleFunc("POST /v1/logout", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) })
	return httptest.NewServer(mux), httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.Header.Get("Authorization") != "")
	}))
}

// A service has credentials of its own and never logs in.
func Example() {
	issuer, api := exampleServers()
	defer issuer.Close()
	defer api.Close()

	c, err := client.New(client.Config{
		Issuer: issuer.URL, Audience: "https://tasks.example.com", Origins: []string{api.URL},
		ClientID: "app_nightly", ClientSecret: "from the environment",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	resp, err := c.HTTP().Get(api.URL + "/tasks")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer resp.Body.Close()
	fmt.Println(resp.Status)
	// Output: 200 OK
}

// A command-line tool keeps its user signed in from one run to the next.
func ExampleNewFile() {
	issuer, api := exampleServers()
	defer issuer.Close()
	defer api.Close()
	dir, _ := os.MkdirTemp("", "tool-") // a tool has a folder in os.UserConfigDir()
	defer os.RemoveAll(dir)
	config := client.Config{
		Issuer: issuer.URL, Origins: []string{api.URL}, UserAgent: "tasks/1.2",
		Store: client.NewFile(filepath.Join(dir, "login.json"), issuer.URL),
	}

	tool, err := client.New(config)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	if _, err := tool.Token(ctx); errors.Is(err, client.ErrSignedOut) {
		fmt.Println("please log in")
	}
	_, err = tool.Login(ctx, "ada", "wrong")
	if e, ok := errors.AsType[*client.Error](err); ok {
		fmt.Println(e.Code)
	}
	token, err := tool.Login(ctx, "ada", "correct horse battery")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("may:", token.Scope)

	again, err := client.New(config) // the next run
	if err != nil {
		fmt.Println(err)
		return
	}
	me, err := again.Me(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("hello", me.Username)
	fmt.Println(again.Logout(ctx))
	// Output:
	// please log in
	// invalid_credentials
	// may: tasks:read
	// hello ada
	// <nil>
}

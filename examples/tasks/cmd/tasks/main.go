// Command tasks serves package tasks for the tokens of one issuer.
package main

import (
	"context"
	"flag"
	"log"
	"net/http"
	"time"

	"github.com/jotsmith/jotsmith/examples/tasks"
	"github.com/jotsmith/jotsmith/guard"
)

func main() {
	issuer := flag.String("issuer", "http://127.0.0.1:8080", "whose tokens to accept")
	audience := flag.String("audience", "https://tasks.example", "this API's name in tokens")
	addr := flag.String("addr", "127.0.0.1:8081", "where to listen")
	flag.Parse()

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	g, err := guard.New(ctx, guard.Config{Issuer: *issuer, Audience: *audience})
	if err != nil {
		log.Fatal(err)
	}
	defer g.Close()

	log.Printf("serving tasks on http://%s", *addr)
	server := &http.Server{Addr: *addr, Handler: tasks.Handler(g), ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second}
	log.Fatal(server.ListenAndServe())
}

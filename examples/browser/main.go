// Command browser serves a page and the API that it calls. The page logs people
// in at the issuer, which keeps the refresh token in a cookie that no script can
// read; the access token is in the page's memory alone.
package main

import (
	"context"
	"embed"
	"flag"
	"html/template"
	"io/fs"
	"log"
	"net/http"
	"time"

	"github.com/jotsmith/jotsmith/examples/tasks"
	"github.com/jotsmith/jotsmith/guard"
)

//go:embed page
var page embed.FS

func main() {
	issuer := flag.String("issuer", "http://127.0.0.1:8080", "where people log in")
	audience := flag.String("audience", "https://tasks.example", "this API's name in tokens")
	addr := flag.String("addr", "127.0.0.1:3000", "where to listen")
	flag.Parse()

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	g, err := guard.New(ctx, guard.Config{Issuer: *issuer, Audience: *audience})
	if err != nil {
		log.Fatal(err)
	}
	defer g.Close()

	log.Printf("open http://%s", *addr)
	server := &http.Server{Addr: *addr, Handler: handler(g, *issuer, *audience), ReadTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second}
	log.Fatal(server.ListenAndServe())
}

// handler serves the page, and the API that is guarded. Both are of one origin,
// so that the API needs no CORS.
func handler(g *guard.Guard, issuer, audience string) http.Handler {
	files, err := fs.Sub(page, "page")
	if err != nil {
		panic(err) // it is embedded
	}
	index := template.Must(template.ParseFS(files, "index.html"))
	api := tasks.Handler(g)
	mux := http.NewServeMux()
	mux.Handle("/tasks", api)
	mux.Handle("/tasks/", api)
	mux.Handle("GET /page.js", http.FileServerFS(files))
	mux.Handle("GET /page.css", http.FileServerFS(files))
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		_ = index.Execute(w, struct{ Issuer, Audience string }{issuer, audience})
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		// No script but our own file, and no word to anybody but us and the issuer.
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self' "+issuer+
			"; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("Cache-Control", "no-store")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("X-Content-Type-Options", "nosniff")
		mux.ServeHTTP(w, r)
	})
}

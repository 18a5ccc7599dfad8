package e2e

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/guard"
)

type (
	clientAnswer struct {
		Status int    `json:"status"`
		Code   string `json:"code"`
	}
	clientAnswers struct {
		Answers   []clientAnswer
		Refreshes int
	}
)

// The client of clients/js in the tabs of Chromium: its tokens expire in
// seconds, ten tabs renew at once, one is closed meanwhile, the network goes and
// comes back, somebody logs out, an operator ends the session, clocks are wrong.
func TestClientInBrowser(t *testing.T) {
	t.Parallel()
	browser := chromiumPath(t)
	bundle := filepath.Join(t.TempDir(), "client.js")
	pack := exec.Command("node_modules/.bin/esbuild", "src/index.ts", "--bundle", "--minify", "--format=esm", "--target=es2022", "--log-level=error", "--outfile="+bundle)
	pack.Dir = "../../clients/js"
	if _, err := os.Stat(filepath.Join(pack.Dir, "node_modules/.bin/esbuild")); err != nil {
		lacks(t, "esbuild: run npm ci in clients/js")
	}
	if out, err := pack.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	issuerAddr := freeAddr(t)
	issuer := "http://localhost:" + portOf(issuerAddr)
	data := filepath.Join(t.TempDir(), "data")
	for _, account := range [][]string{{"ada"}, {"root", "--role", "admin"}} {
		mustRun(t, "correct horse battery\n", append([]string{"account", "create", "--password-stdin", "--data", data}, account...)...)
	}
	app, stranger, api := listenLocal(t), listenLocal(t), listenLocal(t)
	appOrigin, apiOrigin := "http://localhost:"+portOf(app.Addr().String()), "http://localhost:"+portOf(api.Addr().String())
	startServe(t, issuerAddr, data, "--issuer", issuer, "--origin", appOrigin, "--access-life", "2s")

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	g, err := guard.New(ctx, guard.Config{Issuer: issuer, Audience: issuer, Leeway: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.Close)
	cors, err := guard.NewCORS(guard.CORS{Origins: []string{appOrigin}})
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, api, cors.Handler(g.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "{}") })))
	serveOn(t, stranger, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Access-Control-Allow-Headers", "Authorization")
	}))
	serveOn(t, app, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; img-src data:; connect-src 'self' "+
			issuer+" "+apiOrigin+" http://localhost:"+portOf(stranger.Addr().String()))
		switch r.URL.Path {
		case "/config.json":
			json.NewEncoder(w).Encode(map[string]string{"issuer": issuer, "api": apiOrigin})
		case "/client.js":
			http.ServeFile(w, r, bundle)
		case "/page.js":
			http.ServeFile(w, r, "browser/client-page.js")
		default:
			http.ServeFile(w, r, "browser/client.html")
		}
	}))

	printed := inChromium(t, "client.mjs", map[string]any{
		"chromium": browser, "issuer": issuer, "app": appOrigin, "api": apiOrigin, "life": 2,
		"stranger": "http://localhost:" + portOf(stranger.Addr().String()),
		"username": "ada", "admin": "root", "password": "correct horse battery",
		"screenshots": os.Getenv("JOTSMITH_E2E_SCREENSHOTS"),
	})
	var got struct {
		Stranger struct {
			Who         string
			Call, Wrong clientAnswer
		}
		Call                  clientAnswer
		Script                struct{ Cookie, Kept, Client string }
		Cookies               []string
		Tabs                  struct{ Same bool }
		TenAtOnce, BareAtOnce clientAnswers
		BareLoad              struct{ Answers []bool }
		Closed, Offline       struct {
			Reached int
			Same    bool
			Answers []clientAnswer
		}
		Online      []clientAnswer
		Until       []string
		Ends, Again map[string]any
		LoggedOut   []string
		AfterReload string
		Operator    int
		Ended       struct{ Who, Event string }
		Clocks      []struct {
			Off     int
			Answers []clientAnswer
		}
		Errors, Said, Strayed []string
		Heard                 int
	}
	if err := json.Unmarshal(printed, &got); err != nil {
		t.Fatalf("%v: %s", err, printed)
	}

	fine := []clientAnswer{{Status: 200}}
	for name, c := range map[string]struct{ got, want any }{
		"nobody at first":                  {got.Stranger.Who, "nobody"},
		"call without a session":           {got.Stranger.Call, clientAnswer{401, "token_missing"}},
		"wrong password":                   {got.Stranger.Wrong, clientAnswer{401, "invalid_credentials"}},
		"call":                             {got.Call, clientAnswer{Status: 200}},
		"cookies that script reads":        {got.Script.Cookie, ""},
		"storages that script reads":       {got.Script.Kept, "[{},{},[],[]]"},
		"the cookie that it does not read": {got.Cookies, []string{"true Strict /v1/refresh true"}},
		"tabs are of one session":          {got.Tabs.Same, true},
		"ten tabs call":                    {got.TenAtOnce.Answers, fine},
		"ten bare tabs load":               {got.BareLoad.Answers, []bool{true}},
		"ten bare tabs call":               {got.BareAtOnce.Answers, fine},
		"closing tab's renewal":            {got.Closed.Reached, 200},
		"call beside a closed tab":         {got.Closed.Answers, fine},
		"call offline":                     {got.Offline.Answers, []clientAnswer{{0, "network"}}},
		"session while offline":            {got.Offline.Same, true},
		"call online again":                {got.Online, fine},
		"events until the log-out":         {got.Until, []string{"signed-in"}},
		"log out":                          {len(got.Ends), 0},
		"told to all tabs":                 {got.LoggedOut, []string{"signed-out"}},
		"reloaded after the log-out":       {got.AfterReload, "nobody"},
		"operator ends the session":        {got.Operator, 204},
		"signed out at the next call":      {got.Ended.Who, "nobody"},
		"told why":                         {got.Ended.Event, "expired"},
		"tokens in error texts":            {len(got.Errors), 0},
		"tokens in URLs, history, console": {len(got.Said), 0},
		"tokens sent to others":            {len(got.Strayed), 0},
		"clocks":                           {len(got.Clocks), 2},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("%s: %v, want %v", name, c.got, c.want)
		}
	}
	// The tabs' turns and messages spare requests; the issuer would bear them.
	if n := got.TenAtOnce.Refreshes; n < 1 || n > 3 {
		t.Errorf("ten tabs that renew at once sent %d requests", n)
	}
	if got.BareAtOnce.Refreshes < 2 {
		t.Error("tabs without locks did not renew at once")
	}
	for _, c := range got.Clocks {
		if c.Off == 0 || !reflect.DeepEqual(c.Answers, fine) {
			t.Errorf("a clock %d hours off: %v", c.Off, c.Answers)
		}
	}
	if got.Heard < 50 {
		t.Errorf("only %d texts were looked at", got.Heard)
	}
}

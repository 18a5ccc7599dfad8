package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/guard"
)

// What a page shows of a step, and what the browser keeps.
type (
	shownStep struct {
		Status  int      `json:"status"`
		Code    string   `json:"code"`
		Members []string `json:"members"`
		Rate    string   `json:"rate"`
		Subject string   `json:"subject"`
		Fault   string   `json:"fault"`
	}
	keptCookie struct {
		Name     string `json:"name"`
		Path     string `json:"path"`
		HTTPOnly bool   `json:"httpOnly"`
		Secure   bool   `json:"secure"`
		SameSite string `json:"sameSite"`
		Lasts    bool   `json:"lasts"`
	}
	strangerSteps struct {
		Login, Refresh, Logout shownStep
	}
)

// Chromium logs in by cookie from a listed origin, calls an API, refreshes when
// the token has expired, and logs out. Pages of other origins, of the same site
// and of another, can do none of it; and no script reads the refresh token.
func TestBrowserLogsInByCookie(t *testing.T) {
	t.Parallel()
	browser := chromiumPath(t)
	issuerAddr := freeAddr(t)
	issuer := "http://localhost:" + portOf(issuerAddr)
	data := filepath.Join(t.TempDir(), "data")
	mustRun(t, "correct horse battery\n", "account", "create", "ada", "--password-stdin", "--data", data)

	app, stranger := listenLocal(t), listenLocal(t)
	appOrigin := "http://localhost:" + portOf(app.Addr().String())
	startServe(t, issuerAddr, data, "--issuer", issuer, "--origin", appOrigin, "--access-life", "3s")

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
	apiListener := listenLocal(t)
	serveOn(t, apiListener, cors.Handler(g.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		subject := guard.Token(r)
		json.NewEncoder(w).Encode(map[string]string{"subject": subject.Subject()})
	})))
	config := map[string]string{"issuer": issuer, "api": "http://localhost:" + portOf(apiListener.Addr().String()) + "/"}
	for _, l := range []net.Listener{app, stranger} {
		serveOn(t, l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/config.json" {
				json.NewEncoder(w).Encode(config)
				return
			}
			http.ServeFile(w, r, "browser/page.html")
		}))
	}

	printed := inChromium(t, "cookies.mjs", map[string]any{
		"chromium": browser, "issuer": issuer, "app": appOrigin + "/",
		"stranger":  "http://localhost:" + portOf(stranger.Addr().String()) + "/",
		"otherSite": "http://127.0.0.1:" + portOf(stranger.Addr().String()) + "/",
		"username":  "ada", "password": "correct horse battery",
		"screenshot": os.Getenv("JOTSMITH_E2E_SCREENSHOT"),
	})
	var got struct {
		Login, Call, Expired, Refresh, CallAgain, RefreshAfterReload, Logout, RefreshAfter shownStep
		Kept, KeptByStranger, KeptAfter                                                    []keptCookie
		StrangerBefore, Stranger, OtherSite                                                strangerSteps
		Script                                                                             struct {
			Cookie    string
			SetCookie *string
			Body      bool
			Stored    int
		}
	}
	if err := json.Unmarshal(printed, &got); err != nil {
		t.Fatalf("%v: %s", err, printed)
	}
	t.Logf("%s", printed)

	for name, c := range map[string]struct {
		got    shownStep
		status int
		code   string
	}{
		"log in":                {got.Login, 200, ""},
		"call":                  {got.Call, 200, ""},
		"call when expired":     {got.Expired, 401, "token_expired"},
		"refresh":               {got.Refresh, 200, ""},
		"call again":            {got.CallAgain, 200, ""},
		"refresh after reload":  {got.RefreshAfterReload, 200, ""},
		"log out":               {got.Logout, 204, ""},
		"refresh after log-out": {got.RefreshAfter, 401, "invalid_refresh_token"},
	} {
		if c.got.Status != c.status || c.got.Code != c.code || c.got.Fault != "" {
			t.Errorf("%s: %+v, want %d %s", name, c.got, c.status, c.code)
		}
	}
	if got.Call.Subject == "" || got.Call.Subject != got.CallAgain.Subject {
		t.Errorf("called as %q and %q", got.Call.Subject, got.CallAgain.Subject)
	}
	if got.Login.Rate == "" {
		t.Error("the page cannot read RateLimit")
	}
	for _, answer := range []shownStep{got.Login, got.Refresh} {
		if slices.Contains(answer.Members, "refresh_token") || slices.Contains(answer.Members, "device_token") {
			t.Errorf("the page is told %v", answer.Members)
		}
	}
	if s := got.Script; s.Cookie != "" || s.SetCookie != nil || s.Body || s.Stored != 0 {
		t.Errorf("a script of the page reads %+v", s)
	}

	device := keptCookie{"jotsmith_device", "/", true, false, "Strict", true}
	refresh := keptCookie{"jotsmith_refresh", "/v1/refresh", true, false, "Strict", true}
	if !reflect.DeepEqual(got.Kept, []keptCookie{device, refresh}) {
		t.Errorf("kept %+v", got.Kept)
	}
	if !reflect.DeepEqual(got.KeptAfter, []keptCookie{device}) {
		t.Errorf("kept after the log-out %+v", got.KeptAfter)
	}
	if len(got.KeptByStranger) > 0 {
		t.Errorf("a stranger's page set %+v", got.KeptByStranger)
	}
	for name, s := range map[string]strangerSteps{"before": got.StrangerBefore, "same site": got.Stranger, "other site": got.OtherSite} {
		for act, step := range map[string]shownStep{"log in": s.Login, "refresh": s.Refresh, "log out": s.Logout} {
			if step.Fault != "TypeError" { // what fetch throws where CORS forbids
				t.Errorf("a stranger's page (%s) can %s: %+v", name, act, step)
			}
		}
	}
}

// chromiumPath answers where the browser is, once there is what drives it too.
func chromiumPath(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		lacks(t, "chromium: install the package chromium")
	}
	probe := exec.Command("node", "--input-type=module", "-e", "import 'playwright-core'")
	probe.Dir = "browser"
	if err := probe.Run(); err != nil {
		lacks(t, "playwright-core: run npm ci in server/e2e/browser")
	}
	return path
}

func portOf(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}

func listenLocal(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func serveOn(t *testing.T, l net.Listener, h http.Handler) {
	t.Helper()
	s := &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
}

// inChromium runs a script of browser/ on a task and answers what it prints.
func inChromium(t *testing.T, script string, task map[string]any) []byte {
	t.Helper()
	text, err := json.Marshal(task)
	if err != nil {
		t.Fatal(err)
	}
	running, stop := context.WithTimeout(t.Context(), 2*time.Minute)
	defer stop()
	cmd := exec.CommandContext(running, "node", script, string(text))
	cmd.Dir = "browser"
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	printed, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &stderr)
	}
	t.Logf("%s", printed)
	return printed
}

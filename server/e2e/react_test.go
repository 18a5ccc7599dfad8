package e2e

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

const reactApp = "../../examples/react"

// inReactApp runs a program of the React example's own packages to its end.
func inReactApp(t *testing.T, env []string, name string, args ...string) {
	t.Helper()
	program := filepath.Join("node_modules/.bin", name)
	if _, err := os.Stat(filepath.Join(reactApp, program)); err != nil {
		lacks(t, name+": run npm run setup in examples/react")
	}
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir, cmd.Env = reactApp, append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
}

// The page of examples/react, built and served as its README says, in Chromium:
// by the keyboard, by who may only look, over an expiry, on a phone in the dark,
// offline, ended from another device, and under its Content-Security-Policy.
func TestReactExample(t *testing.T) {
	t.Parallel()
	browser := chromiumPath(t)
	if _, err := os.Stat("../../clients/js/dist/react.js"); err != nil {
		lacks(t, "the built JavaScript client: run npm run setup in examples/react")
	}
	t.Run("checks", func(t *testing.T) {
		t.Parallel()
		inReactApp(t, nil, "tsc")
		inReactApp(t, nil, "eslint", ".")
	})

	const life = 2 // seconds
	pageAddr, dist := freeAddr(t), filepath.Join(t.TempDir(), "dist")
	page := "http://" + pageAddr
	dev, _ := startDev(t, "--origin", page, "--access-life", "2s")
	env := []string{"VITE_ISSUER=" + dev.Issuer, "API=" + dev.API}
	inReactApp(t, env, "vite", "build", "--outDir", dist, "--logLevel", "warn")
	serve := exec.Command("node_modules/.bin/vite", "preview", "--outDir", dist, "--port", portOf(pageAddr))
	serve.Dir, serve.Env = reactApp, append(os.Environ(), env...)
	started(t, serve, page)

	response, err := http.Get(page)
	if err != nil {
		t.Fatal(err)
	}
	var body bytes.Buffer
	body.ReadFrom(response.Body)
	response.Body.Close()
	policy := response.Header.Get("Content-Security-Policy")
	if strings.Contains(policy, "unsafe") || !strings.HasPrefix(policy, "default-src 'none'; script-src 'self';") || !strings.Contains(policy, "connect-src 'self' "+dev.Issuer+";") {
		t.Errorf("the page's server says %q", policy)
	}
	if html := strings.ReplaceAll(body.String(), "&#39;", "'"); !strings.Contains(html, `"Content-Security-Policy" content="`+strings.TrimSuffix(policy, "; frame-ancestors 'none'")) {
		t.Errorf("the page itself says another policy:\n%s", html)
	}

	people := func(name string) map[string]string {
		return map[string]string{"username": name, "password": dev.password(t, name)}
	}
	printed := inChromium(t, "react.mjs", map[string]any{
		"chromium": browser, "issuer": dev.Issuer, "page": page, "life": life,
		"ada": people("ada"), "vic": people("vic"),
		"screenshots": os.Getenv("JOTSMITH_E2E_SCREENSHOTS"),
	})
	var got struct {
		Wrong    string
		Keyboard struct {
			Tasks     []string
			FocusSeen []bool
		}
		Viewer struct{ Fields, Done, Status int }
		Expiry struct {
			Tasks   []string
			Renewed bool
		}
		Fits    []bool
		Offline struct{ Says, Kept string }
		Devices struct {
			Names []string
			Left  int
		}
		LoggedOut              []string
		Kept                   string
		Complaints, TokensSaid []string
		Injected               struct {
			Title      string
			Complaints int
		}
	}
	if err := json.Unmarshal(printed, &got); err != nil {
		t.Fatalf("%v: %s", err, printed)
	}
	for name, c := range map[string]struct{ got, want any }{
		"wrong password":                   {got.Wrong, "The user name or the password is wrong."},
		"tasks by keyboard":                {got.Keyboard.Tasks, []string{"Call the plumber"}},
		"focus is seen":                    {got.Keyboard.FocusSeen, []bool{true, true, true}},
		"fields of who may only look":      {got.Viewer.Fields, 0},
		"buttons of who may only look":     {got.Viewer.Done, 0},
		"writing by who may only look":     {got.Viewer.Status, http.StatusForbidden},
		"tasks after an expiry":            {got.Expiry.Tasks, []string{"Call the plumber", "Survive an expiry"}},
		"renewed at the expiry":            {got.Expiry.Renewed, true},
		"fits 360 pixels":                  {got.Fits, []bool{true, true, true}},
		"told offline":                     {got.Offline.Says, "You are offline. Try again when you are back."},
		"what was written is kept":         {got.Offline.Kept, "Written offline"},
		"devices":                          {got.Devices.Names, []string{"Chrome on Android", "Chrome on Linux this device"}},
		"devices after one was ended":      {got.Devices.Left, 1},
		"page after log-out and reload":    {got.LoggedOut, []string{"Tasks"}},
		"what script finds":                {got.Kept, `["",{},{}]`},
		"complaints":                       {len(got.Complaints), 0},
		"tokens in URLs and console":       {len(got.TokensSaid), 0},
		"title after a script got in":      {got.Injected.Title, "Tasks"},
		"the policy's complaints about it": {got.Injected.Complaints > 1, true},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("%s: %v, want %v", name, c.got, c.want)
		}
	}
}

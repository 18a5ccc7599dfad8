package e2e

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/wire"
)

// An example is a program of examples/ that offers the API of examples/tasks in
// another language. It listens on ADDR, and takes the tokens of ISSUER for
// AUDIENCE.
type example struct {
	name    string
	command []string
	probe   []string // a command that fails where something is missing
	install string
}

var examples = []example{
	{"flask", []string{python, "app.py"}, []string{python, "-c", "import flask, jwt, cryptography"}, "the packages python3-flask, python3-jwt and python3-cryptography"},
	{"express", []string{"node", "server.mjs"}, []string{"node", "--input-type=module", "-e", "import 'express'; import '@jotsmith/client/express'"}, "in examples/express, npm run setup"},
}

// start runs the example and answers its address.
func (e example) start(t *testing.T, issuer, audience string) string {
	t.Helper()
	dir := filepath.Join("../../examples", e.name)
	probe := exec.Command(e.probe[0], e.probe[1:]...)
	probe.Dir = dir
	if err := probe.Run(); err != nil {
		lacks(t, "what examples/"+e.name+" runs on: install "+e.install)
	}
	addr := freeAddr(t)
	cmd := exec.Command(e.command[0], e.command[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "ADDR="+addr, "ISSUER="+issuer, "AUDIENCE="+audience, "PYTHONDONTWRITEBYTECODE=1", "PYTHONPATH=../../clients/python/src")
	started(t, cmd, "http://"+addr+"/tasks")
	return "http://" + addr
}

// started starts a program and waits until url answers.
func started(t *testing.T, cmd *exec.Cmd, url string) {
	t.Helper()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		cmd.Process.Kill()
		<-ended
		if t.Failed() {
			t.Logf("%s printed\n%s", cmd, &out)
		}
	})
	deadline := time.After(30 * time.Second)
	for {
		if resp, err := http.Get(url); err == nil {
			resp.Body.Close()
			return
		}
		select {
		case <-ended:
			t.Fatalf("%s ended\n%s", cmd, &out)
		case <-deadline:
			t.Fatalf("%s was not ready within 30 s", cmd)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// TestExamplesRefuse sends good and bad tokens to the examples in other
// languages: they take what Go takes.
func TestExamplesRefuse(t *testing.T) {
	t.Parallel()
	for _, e := range examples {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			issuer := newElsewhere(t)
			api := e.start(t, issuer.url, interopAudience)
			for _, c := range issuer.cases {
				status := http.StatusUnauthorized
				if c.good {
					status = http.StatusOK
				}
				if got, b, err := call(t.Context(), "GET", api+"/tasks", c.token, nil); err != nil || got != status {
					t.Errorf("%s: %d %s, %v; want %d", c.name, got, b, err, status)
				}
			}
			// Whose keys cannot be had is not told that the token is bad.
			away := e.start(t, "http://127.0.0.1:1", interopAudience)
			if got, b, err := call(t.Context(), "GET", away+"/tasks", issuer.cases[0].token, nil); err != nil || got != http.StatusServiceUnavailable {
				t.Errorf("without the issuer: %d %s, %v", got, b, err)
			}
		})
	}
}

// TestExamples lets people of a real server use the examples, while its keys
// rotate.
func TestExamples(t *testing.T) {
	t.Parallel()
	const password, audience, other = "correct horse battery", "https://tasks.example", "https://other.example"
	data := filepath.Join(t.TempDir(), "data")
	addr, pageAddr := freeAddr(t), freeAddr(t)
	issuer, page := "http://"+addr, "http://"+pageAddr
	flags := []string{"--api", audience, "--api", other, "--role", "editor=tasks:read,tasks:write", "--role", "viewer=tasks:read",
		"--origin", page, "--rate-exempt", "127.0.0.1/32",
		"--dangerously-hurry-keys", "--key-rotate-every", "24s", "--key-lead", "12s", "--log-level", "warn"}
	startServe(t, addr, data, flags...).stop(t) // which registers the roles
	for name, role := range map[string]string{"ed": "editor", "mia": "editor", "vi": "viewer"} {
		mustRun(t, password+"\n", "account", "create", name, "--role", role, "--password-stdin", "--data", data)
	}
	startServe(t, addr, data, flags...)
	ed, mia, vi := login(t, issuer, "ed", password), login(t, issuer, "mia", password), login(t, issuer, "vi", password)
	elsewhere := tokens(t, want(t, 200, "POST", issuer+"/v1/login", "", wire.LoginRequest{Username: "ed", Password: password, Audience: other}))

	// Whoever fetches the key set from now on has the next key, as is always so
	// where the lead is longer than the key set is kept.
	await(t, "no key was announced", func() bool {
		var set struct{ Keys []json.RawMessage }
		err := json.Unmarshal(want(t, 200, "GET", issuer+"/.well-known/jwks.json", "", nil), &set)
		return err == nil && len(set.Keys) > 1
	})

	use := func(t *testing.T, api string) {
		type task struct {
			ID    int
			Owner string
			Title string
		}
		for _, c := range []struct {
			name   string
			status int
			method string
			token  string
			body   any
		}{
			{"no token", 401, "GET", "", nil},
			{"not a token", 401, "GET", "hello", nil},
			{"a token for another API", 401, "GET", elsewhere.AccessToken, nil},
			{"a viewer reads", 200, "GET", vi.AccessToken, nil},
			{"a viewer may not write", 403, "POST", vi.AccessToken, map[string]string{"title": "x"}},
			{"no title", 400, "POST", ed.AccessToken, map[string]string{}},
			{"an editor writes", 201, "POST", ed.AccessToken, map[string]string{"title": "water the plants"}},
			{"another editor writes", 201, "POST", mia.AccessToken, map[string]string{"title": "pay the rent"}},
		} {
			if status, b, err := call(t.Context(), c.method, api+"/tasks", c.token, c.body); err != nil || status != c.status {
				t.Errorf("%s: %d %s, %v; want %d", c.name, status, b, err, c.status)
			}
		}
		list := func(token string) (tasks []task) {
			if err := json.Unmarshal(want(t, 200, "GET", api+"/tasks", token, nil), &tasks); err != nil {
				t.Fatal(err)
			}
			return tasks
		}
		own := list(ed.AccessToken)
		if len(own) != 1 || own[0].Title != "water the plants" || !strings.HasPrefix(own[0].Owner, "acc_") {
			t.Fatalf("an editor sees %v", own)
		}
		path := api + "/tasks/" + strconv.Itoa(own[0].ID)
		want(t, 403, "DELETE", path, vi.AccessToken, nil)
		want(t, 404, "DELETE", path, mia.AccessToken, nil)
		want(t, 204, "DELETE", path, ed.AccessToken, nil)
		if left := list(ed.AccessToken); len(left) != 0 {
			t.Errorf("after deleting: %v", left)
		}

		// When the next key signs, its tokens are taken, and older ones still.
		session := login(t, issuer, "ed", password)
		await(t, "no key rotated", func() bool {
			session = refresh(t, issuer, session.RefreshToken)
			return keyID(t, session.AccessToken) != keyID(t, ed.AccessToken)
		})
		list(session.AccessToken)
		list(ed.AccessToken)

		// What has been verified is refused once its session has ended.
		want(t, 204, "POST", issuer+"/v1/logout", session.AccessToken, nil)
		ended := time.Now()
		await(t, "the token outlives the log-out", func() bool {
			status, _, err := call(t.Context(), "GET", api+"/tasks", session.AccessToken, nil)
			return err == nil && status == 401
		})
		if took := time.Since(ended); took > time.Second {
			t.Errorf("a log-out took %v to be known", took)
		}
	}
	for _, e := range examples {
		t.Run(e.name, func(t *testing.T) {
			t.Parallel()
			use(t, e.start(t, issuer, audience))
		})
	}
	t.Run("browser", func(t *testing.T) {
		t.Parallel()
		started(t, exec.Command(browserExample, "-addr", pageAddr, "-issuer", issuer, "-audience", audience), page)
		use(t, page)
		likePage(t, issuer, page, password)
	})
}

// likePage does what the page of examples/browser does, as a browser would.
func likePage(t *testing.T, issuer, page, password string) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	post := func(path string, body any) (int, string) {
		t.Helper()
		text, err := json.Marshal(body)
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequestWithContext(t.Context(), "POST", issuer+path, bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		r.Header = http.Header{"Content-Type": {"application/json"}, "Origin": {page}, "Sec-Fetch-Site": {"same-site"}}
		resp, err := (&http.Client{Jar: jar}).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		answer, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		if resp.Header.Get("Access-Control-Allow-Origin") != page || resp.Header.Get("Access-Control-Allow-Credentials") != "true" {
			t.Errorf("%s: the page may not read that: %v", path, resp.Header)
		}
		return resp.StatusCode, string(answer)
	}
	access := func(path string, body any) string {
		t.Helper()
		status, text := post(path, body)
		var answer wire.TokenResponse
		if err := json.Unmarshal([]byte(text), &answer); err != nil || status != 200 || answer.AccessToken == "" || answer.RefreshToken != "" {
			t.Fatalf("%s: %d %s", path, status, text)
		}
		return answer.AccessToken
	}
	token := access("/v1/login", wire.LoginRequest{Username: "ed", Password: password, Audience: "https://tasks.example", Mode: wire.ModeCookie})
	want(t, 200, "GET", page+"/tasks", token, nil)
	want(t, 200, "GET", page+"/tasks", access("/v1/refresh", struct{}{}), nil)
	if status, text := post("/v1/refresh/end", struct{}{}); status != 204 {
		t.Errorf("logging out: %d %s", status, text)
	}
	if status, text := post("/v1/refresh", struct{}{}); status != 401 {
		t.Errorf("refreshing after that: %d %s", status, text)
	}
	await(t, "the token outlives the log-out", func() bool {
		status, _, err := call(t.Context(), "GET", page+"/tasks", token, nil)
		return err == nil && status == 401
	})
}

func keyID(t *testing.T, token string) string {
	t.Helper()
	u, err := jwt.Inspect(token)
	if err != nil {
		t.Fatal(err)
	}
	return u.KeyID()
}

// await waits for what the programs do in time.
func await(t *testing.T, missing string, ok func() bool) {
	t.Helper()
	for deadline := time.After(60 * time.Second); !ok(); {
		select {
		case <-deadline:
			t.Fatal(missing)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

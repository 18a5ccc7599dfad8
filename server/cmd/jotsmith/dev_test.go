package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"

	"github.com/jotsmith/jotsmith/wire"
)

// A process is a started jotsmith. Its output can be read while it runs.
type process struct {
	*exec.Cmd
	out    *bufio.Reader
	stderr *bytes.Buffer
}

func start(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command("jotsmith", args...), stderr: new(bytes.Buffer)}
	p.Stderr = p.stderr
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewReader(out)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Process.Kill() })
	return p
}

// stop wants exit code 0 after SIGTERM, and answers what was still printed.
func (p *process) stop(t *testing.T) string {
	t.Helper()
	p.Process.Signal(syscall.SIGTERM)
	rest, _ := io.ReadAll(p.out)
	if err := p.Wait(); err != nil {
		t.Fatalf("stopping: %v\n%s", err, p.stderr)
	}
	return string(rest)
}

// line reads lines until one satisfies found, and answers all of them.
func (p *process) until(t *testing.T, found func(line string) bool) string {
	t.Helper()
	var all strings.Builder
	for {
		line, err := p.out.ReadString('\n')
		all.WriteString(line)
		if err != nil {
			t.Fatalf("it ended early: %v\n%s%s", err, all.String(), p.stderr)
		}
		if found(line) {
			return all.String()
		}
	}
}

var heading = regexp.MustCompile(`(?m)^# \d  .* ·+ (\d{3})( [a-z_]+)?$`)

// TestPageIsPasteable runs the lines that dev prints, as they are printed, and
// wants the statuses that are printed beside them.
func TestPageIsPasteable(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil && os.Getenv("CI") != "true" {
		t.Skip("curl is not installed")
	}
	p := start(t, "dev", "--addr", "127.0.0.1:0", "--api-addr", "127.0.0.1:0")
	page := p.until(t, func(line string) bool { return strings.HasPrefix(line, "Requests as they come") })
	for line := range strings.Lines(page) {
		if strings.ContainsRune(line, 0x1b) {
			t.Errorf("an escape sequence where there is no terminal: %q", line)
		}
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}

	var want []string
	for _, m := range heading.FindAllStringSubmatch(page, -1) {
		want = append(want, m[1])
	}
	from, to := strings.Index(page, "# 1  "), strings.Index(page, "──")
	if len(want) < 6 || from < 0 || to < 0 {
		t.Fatalf("no steps on the page:\n%s", page)
	}
	sh := exec.Command("sh")
	sh.Stdin = strings.NewReader(page[from:to])
	out, err := sh.CombinedOutput()
	if err != nil {
		t.Fatalf("sh: %v\n%s", err, out)
	}
	got := regexp.MustCompile(`(?m)^\d{3}$`).FindAllString(string(out), -1)
	if !slices.Equal(got, want) {
		t.Errorf("statuses %v, the page says %v\n%s", got, want, out)
	}
	for _, m := range heading.FindAllStringSubmatch(page, -1) {
		if code := strings.TrimSpace(m[2]); !strings.Contains(string(out), code) {
			t.Errorf("no answer has the code %s\n%s", code, out)
		}
	}

	tail := p.until(t, func(line string) bool { return strings.Contains(line, "token_revoked") }) + p.stop(t)
	for _, shown := range []string{
		`ada +POST +/v1/login +200`,
		`ada +POST +/tasks +201 +cold [\d.]+ .s`,
		`ada +GET +/tasks +200 +warm [\d.]+ .s`,
		`vic +POST +/tasks +403 +forbidden, cold`,
		`ada +POST +/v1/logout +204`,
		`ada +session ended; the API knew after [\d.]+ .s`,
		`ada +GET +/tasks +401 +token_revoked, warm`,
	} {
		if !regexp.MustCompile(shown).MatchString(tail) {
			t.Errorf("the tail does not show %s:\n%s", shown, tail)
		}
	}
	if strings.Contains(tail, "eyJ") || strings.Contains(tail, "jsr_") {
		t.Errorf("the tail shows a token:\n%s", tail)
	}
	if p.stderr.Len() > 0 {
		t.Errorf("on standard error: %s", p.stderr)
	}
}

func startDev(t *testing.T, args ...string) (devReady, *process) {
	t.Helper()
	p := start(t, append([]string{"dev", "--json", "--addr", "127.0.0.1:0", "--api-addr", "127.0.0.1:0"}, args...)...)
	var ready devReady
	if line := p.until(t, func(string) bool { return true }); json.Unmarshal([]byte(line), &ready) != nil {
		t.Fatalf("not a line of JSON: %s", line)
	}
	return ready, p
}

// call answers status and body.
func call(t *testing.T, method, url, token string, body any) (int, []byte) {
	t.Helper()
	raw, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, answer
}

func login(t *testing.T, issuer, username, password string) wire.TokenResponse {
	t.Helper()
	status, body := call(t, "POST", issuer+"/v1/login", "", wire.LoginRequest{Username: username, Password: password})
	var answer wire.TokenResponse
	if status != http.StatusOK || json.Unmarshal(body, &answer) != nil {
		t.Fatalf("login: %d %s", status, body)
	}
	return answer
}

// TestDevKeepsADirectory says that what was given stays, with its people, and
// what was not given goes.
func TestDevKeepsADirectory(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data")
	first, p := startDev(t, "--data", dir)
	p.stop(t)
	second, p := startDev(t, "--data", dir)
	if !slices.EqualFunc(first.Accounts, second.Accounts, func(a, b devPerson) bool { return a.Username == b.Username && a.Password == b.Password }) {
		t.Errorf("other people after a restart: %v, then %v", first.Accounts, second.Accounts)
	}
	login(t, second.Issuer, second.Accounts[0].Username, second.Accounts[0].Password)
	p.stop(t)
}

// TestThrowAwayDirectoryGoes looks for what dev leaves behind.
func TestThrowAwayDirectoryGoes(t *testing.T) {
	t.Parallel()
	tmp := t.TempDir()
	p := &process{Cmd: exec.Command("jotsmith", "dev", "--json", "--addr", "127.0.0.1:0", "--api-addr", "127.0.0.1:0"), stderr: new(bytes.Buffer)}
	p.Env = append(os.Environ(), "TMPDIR="+tmp)
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.out = bufio.NewReader(out)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Process.Kill() })
	p.until(t, func(string) bool { return true })
	if left, _ := os.ReadDir(tmp); len(left) != 1 {
		t.Errorf("while it runs there are %d directories, want 1", len(left))
	}
	p.stop(t)
	if left, _ := os.ReadDir(tmp); len(left) != 0 {
		t.Errorf("it left %v", left)
	}
}

// TestVerifyAgainstAnIssuer verifies as a guarded API does: keys and
// revocations come from the issuer.
func TestVerifyAgainstAnIssuer(t *testing.T) {
	t.Parallel()
	ready, p := startDev(t)
	tokens := login(t, ready.Issuer, "ada", ready.Accounts[0].Password)
	verify := func(args ...string) (string, int) {
		cmd := exec.Command("jotsmith", append([]string{"token", "verify", "--issuer", ready.Issuer}, args...)...)
		cmd.Stdin = strings.NewReader(tokens.AccessToken)
		out, _ := cmd.CombinedOutput()
		return string(out), cmd.ProcessState.ExitCode()
	}
	for _, c := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"valid", []string{"--audience", tasksAudience}, 0, "valid  signed by " + ready.Issuer},
		{"json", []string{"--audience", tasksAudience, "--json"}, 0, `"revocation": "checked"`},
		{"any audience", []string{"--dangerously-accept-any-audience"}, 0, "Not checked: which API"},
		{"another audience", []string{"--audience", "https://other.example"}, 1, "wrong audience"},
	} {
		if out, code := verify(c.args...); code != c.code || !strings.Contains(out, c.says) {
			t.Errorf("%s: exit %d, want %d and %q\n%s", c.name, code, c.code, c.says, out)
		}
	}
	if status, body := call(t, "POST", ready.Issuer+"/v1/logout", tokens.AccessToken, nil); status != http.StatusNoContent {
		t.Fatalf("logout: %d %s", status, body)
	}
	if out, code := verify("--audience", tasksAudience); code != 1 || !strings.Contains(out, "token revoked") {
		t.Errorf("revoked: exit %d\n%s", code, out)
	}
	if out, code := verify("--audience", tasksAudience, "--dangerously-ignore-revocation"); code != 0 || !strings.Contains(out, "Not checked: whether it was revoked") {
		t.Errorf("revocation ignored: exit %d\n%s", code, out)
	}
	p.stop(t)
}

// TestADM05NoSecretInLogs logs in, fails to, refreshes and logs out, and then
// looks for every secret in what the server wrote.
func TestADM05NoSecretInLogs(t *testing.T) {
	t.Parallel()
	const password, guess = "correct horse battery", "wrong mule capacitor"
	issuer, p := startServe(t)
	tokens := login(t, issuer, "ada", password)
	call(t, "POST", issuer+"/v1/login", "", wire.LoginRequest{Username: "ada", Password: guess})
	_, body := call(t, "POST", issuer+"/v1/refresh", "", wire.RefreshRequest{RefreshToken: tokens.RefreshToken})
	var next wire.TokenResponse
	json.Unmarshal(body, &next)
	call(t, "GET", issuer+"/v1/me?access_token="+next.AccessToken, next.AccessToken, nil)
	call(t, "GET", issuer+"/v1/me", next.AccessToken+"x", nil)
	call(t, "POST", issuer+"/v1/refresh", "", wire.RefreshRequest{RefreshToken: next.RefreshToken + "x"})
	call(t, "POST", issuer+"/v1/logout", next.AccessToken, nil)
	p.stop(t)

	log := p.stderr.String()
	if strings.Count(log, `"msg":"request"`) < 7 {
		t.Fatalf("requests are missing in the log:\n%s", log)
	}
	raw, err := os.ReadFile(p.Args[slices.Index(p.Args, "--data")+1] + ".root-key")
	if err != nil {
		t.Fatal(err)
	}
	_, rootKey, _ := strings.Cut(strings.TrimSpace(string(raw)), ":")
	for name, secret := range map[string]string{
		"password": password, "guessed password": guess, "root key": rootKey, "device token": tokens.DeviceToken,
		"access token": tokens.AccessToken, "refresh token": tokens.RefreshToken,
		"second access token": next.AccessToken, "second refresh token": next.RefreshToken,
	} {
		if secret == "" {
			t.Errorf("there was no %s", name)
			continue
		}
		for _, piece := range []string{secret, secret[len(secret)-min(16, len(secret)):]} {
			if strings.Contains(log, piece) {
				t.Errorf("the log holds the %s", name)
			}
		}
	}
}

// TestReadySaysWhatItIs keeps --json's line from growing by accident.
func TestReadySaysWhatItIs(t *testing.T) {
	t.Parallel()
	raw, err := json.Marshal(devReady{"i", "a", []devPerson{{"u", "p", []string{"r"}}}, 7})
	const want = `{"issuer":"i","api":"a","accounts":[{"username":"u","password":"p","roles":["r"]}],"pid":7}`
	if err != nil || string(raw) != want {
		t.Errorf("got %s, want %s", raw, want)
	}
}

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/wire"
)

// The programs under test, built once as users build them.
var jotsmith, tasksAPI, browserExample string

func TestMain(m *testing.M) {
	if issuer := os.Getenv(guardOf); issuer != "" {
		panic(serveGuarded(issuer))
	}
	if os.Getenv(floorOf) != "" {
		panic(serveFloor())
	}
	dir, err := os.MkdirTemp("", "jotsmith-e2e-")
	if err != nil {
		panic(err)
	}
	code := func() int {
		jotsmith = build(dir, "jotsmith", "..", "./cmd/jotsmith")
		tasksAPI = build(dir, "tasks", "../..", "./examples/tasks/cmd/tasks")
		browserExample = build(dir, "browser", "../..", "./examples/browser")
		return m.Run()
	}()
	os.RemoveAll(dir)
	os.Exit(code)
}

func build(dir, name, module, pkg string) string {
	path := filepath.Join(dir, name)
	cmd := exec.Command("go", "build", "-trimpath", "-o", path, pkg)
	cmd.Dir = module
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		panic(fmt.Sprintf("building %s: %v\n%s", pkg, err, out))
	}
	return path
}

// A proc is a started program.
type proc struct {
	cmd    *exec.Cmd
	stderr *bytes.Buffer
	done   chan error
}

func start(t testing.TB, stdout io.Writer, name string, args ...string) *proc {
	t.Helper()
	p := &proc{cmd: exec.Command(name, args...), stderr: new(bytes.Buffer), done: make(chan error, 1)}
	p.cmd.Stdout, p.cmd.Stderr = stdout, p.stderr
	p.cmd.Env = append(os.Environ(), "NO_COLOR=1")
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { p.done <- p.cmd.Wait() }()
	t.Cleanup(p.kill)
	return p
}

// kill is kill -9; it waits until the process is gone.
func (p *proc) kill() {
	p.cmd.Process.Kill()
	p.wait()
}

func (p *proc) wait() error {
	err := <-p.done
	p.done <- err
	return err
}

// stop asks for a graceful stop and wants exit code 0.
func (p *proc) stop(t testing.TB) {
	t.Helper()
	p.cmd.Process.Signal(os.Interrupt)
	select {
	case err := <-p.done:
		p.done <- err
		if err != nil {
			t.Fatalf("graceful stop: %v\n%s", err, p.stderr)
		}
	case <-time.After(15 * time.Second):
		t.Fatalf("no graceful stop within 15 s\n%s", p.stderr)
	}
}

// devInfo is the line that `jotsmith dev --json` prints when it is ready.
type devInfo struct {
	Issuer   string `json:"issuer"`
	API      string `json:"api"`
	PID      int    `json:"pid"`
	Accounts []struct {
		Username string   `json:"username"`
		Password string   `json:"password"`
		Roles    []string `json:"roles"`
	} `json:"accounts"`
}

func (d devInfo) password(t testing.TB, username string) string {
	for _, a := range d.Accounts {
		if a.Username == username {
			return a.Password
		}
	}
	t.Fatalf("dev has no account %q", username)
	return ""
}

// startDev runs `jotsmith dev --json` on free ports and waits for its line.
func startDev(t testing.TB, args ...string) (devInfo, *proc) {
	t.Helper()
	r, w := io.Pipe()
	p := start(t, w, jotsmith, append([]string{"dev", "--json", "--addr", "127.0.0.1:0", "--api-addr", "127.0.0.1:0"}, args...)...)
	line := make(chan string, 1)
	go func() {
		s := bufio.NewScanner(r)
		for s.Scan() {
			select {
			case line <- s.Text():
			default:
			}
		}
	}()
	select {
	case l := <-line:
		var d devInfo
		if err := json.Unmarshal([]byte(l), &d); err != nil {
			t.Fatalf("dev --json printed %q: %v", l, err)
		}
		return d, p
	case err := <-p.done:
		p.done <- err
		t.Fatalf("dev ended: %v\n%s", err, p.stderr)
	case <-time.After(30 * time.Second):
		t.Fatalf("dev was not ready within 30 s\n%s", p.stderr)
	}
	panic("unreachable")
}

// freeAddr answers a loopback address that nobody listens on now.
func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// startServe runs `jotsmith serve` on addr and waits until it is ready.
func startServe(t testing.TB, addr, data string, args ...string) *proc {
	t.Helper()
	return startServeOf(t, jotsmith, addr, data, args...)
}

func startServeOf(t testing.TB, program, addr, data string, args ...string) *proc {
	t.Helper()
	p := start(t, io.Discard, program, append([]string{"serve", "--addr", addr, "--data", data}, args...)...)
	deadline := time.After(20 * time.Second)
	for {
		resp, err := http.Get("http://" + addr + "/readyz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return p
			}
		}
		select {
		case err := <-p.done:
			p.done <- err
			t.Fatalf("serve ended: %v\n%s", err, p.stderr)
		case <-deadline:
			t.Fatalf("serve was not ready within 20 s\n%s", p.stderr)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// run runs the command to its end and answers what it printed and its exit
// code.
func run(t testing.TB, stdin string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, jotsmith, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// mustRun is run for what has to succeed.
func mustRun(t testing.TB, stdin string, args ...string) string {
	t.Helper()
	out, errs, code := run(t, stdin, args...)
	if code != 0 {
		t.Fatalf("jotsmith %s: exit %d\n%s%s", strings.Join(args, " "), code, out, errs)
	}
	return out
}

// call makes one request; body is sent as JSON where it is not nil, token as
// a bearer token where it is not empty.
func call(ctx context.Context, method, url, token string, body any) (int, []byte, error) {
	var r io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		r = bytes.NewReader(b)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, r)
	if err != nil {
		return 0, nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil, err
	}
	return resp.StatusCode, b, nil
}

// want makes one request and fails the test unless it has the status.
func want(t testing.TB, status int, method, url, token string, body any) []byte {
	t.Helper()
	got, b, err := call(t.Context(), method, url, token, body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	if got != status {
		t.Fatalf("%s %s: %d, want %d: %s", method, url, got, status, b)
	}
	return b
}

func tokens(t testing.TB, body []byte) wire.TokenResponse {
	t.Helper()
	var r wire.TokenResponse
	if err := json.Unmarshal(body, &r); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	if r.AccessToken == "" || r.RefreshToken == "" || r.SessionID == "" {
		t.Fatalf("incomplete answer: %s", body)
	}
	return r
}

func login(t testing.TB, issuer, username, password string) wire.TokenResponse {
	t.Helper()
	return tokens(t, want(t, 200, "POST", issuer+"/v1/login", "", wire.LoginRequest{Username: username, Password: password}))
}

func refresh(t testing.TB, issuer, token string) wire.TokenResponse {
	t.Helper()
	return tokens(t, want(t, 200, "POST", issuer+"/v1/refresh", "", wire.RefreshRequest{RefreshToken: token}))
}

// code reads the code of a problem document.
func code(t testing.TB, body []byte) string {
	t.Helper()
	var p wire.Problem
	if err := json.Unmarshal(body, &p); err != nil {
		t.Fatalf("not a problem document: %s", body)
	}
	return string(p.Code)
}

// lacks ends a test that this machine lacks something for: it is skipped, and
// fails under CI=true, where a test that did not run has not passed.
func lacks(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal("this machine lacks " + what)
	}
	t.Skip("this machine lacks " + what)
}

package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/wire"
)

// TestReload sends SIGHUP to a server: what can change takes effect while it
// runs, what cannot is named, and a fault changes nothing.
func TestReload(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name string, text []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	certify := func(serial int64) {
		cert, key := newCertificate(t, serial)
		write("cert.pem", cert)
		write("cert.key", key)
	}
	certify(1)
	const base = "[tls]\ncert = \"cert.pem\"\nkey = \"cert.key\"\n"
	write("jotsmith.toml", []byte("apis = [\"https://a.example\"]\n"+base))

	const password = "correct horse battery"
	create := exec.Command("jotsmith", "account", "create", "ada", "--role", "admin", "--password-stdin", "--config", filepath.Join(dir, "jotsmith.toml"), "--data", filepath.Join(dir, "data"))
	create.Stdin = strings.NewReader(password + "\n")
	if out, err := create.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	addr := freeAddr(t)
	cmd := exec.Command("jotsmith", "serve", "--config", filepath.Join(dir, "jotsmith.toml"), "--addr", addr, "--data", filepath.Join(dir, "data"), "--log", "json")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	lines := bufio.NewScanner(stderr)
	until := func(want string) {
		t.Helper()
		var seen []string
		for lines.Scan() {
			if seen = append(seen, lines.Text()); strings.Contains(lines.Text(), want) {
				return
			}
		}
		t.Fatalf("never logged %s:\n%s", want, strings.Join(seen, "\n"))
	}
	serial := func() *big.Int {
		t.Helper()
		conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].SerialNumber
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, DisableKeepAlives: true}}
	var tokens wire.TokenResponse
	login := func(audience string) int {
		t.Helper()
		resp, err := client.Post("https://"+addr+"/v1/login", "application/json",
			strings.NewReader(`{"username":"ada","password":"`+password+`","audience":"`+audience+`"}`))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		json.NewDecoder(resp.Body).Decode(&tokens)
		return resp.StatusCode
	}
	get := func(path string) int {
		t.Helper()
		req, _ := http.NewRequest("GET", "https://"+addr+path, nil)
		req.Header.Set("Authorization", "Bearer "+tokens.AccessToken)
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	until(`"msg":"ready"`)
	if got := serial(); got.Int64() != 1 {
		t.Fatalf("serial %v", got)
	}
	if got := login("https://b.example"); got == http.StatusOK {
		t.Errorf("a log-in for an unknown API is answered %d", got)
	}

	certify(2)
	write("jotsmith.toml", []byte("apis = [\"https://a.example\", \"https://b.example\"]\n"+base+
		"[roles]\nviewer = [\"tasks:read\"]\n[tokens]\naccess_life = \"1h\"\n[sessions]\nidle = \"6d\"\nmax = \"20d\"\n[log]\nlevel = \"warn\"\n"))
	cmd.Process.Signal(syscall.SIGHUP)
	until(`"settings":"tokens.access_life sessions.idle"`)
	until(`"msg":"reloaded the configuration","changed":"sessions.max log.level","registered":"API https://b.example, role viewer"`)
	if got := serial(); got.Int64() != 2 {
		t.Errorf("the certificate is still number %v", got)
	}
	if got := login("https://b.example"); got != http.StatusOK {
		t.Errorf("a log-in for the new API is answered %d", got)
	}

	// Everything works as before, also what reaches into every part.
	if got := login("https://" + addr + "/v1/admin"); got != http.StatusOK {
		t.Errorf("a log-in for the administration is answered %d", got)
	}
	for _, path := range []string{"/v1/me", "/v1/sessions", "/v1/admin/accounts", "/v1/admin/keys", "/v1/revocations", "/readyz", "/.well-known/jwks.json"} {
		if got := get(path); got != http.StatusOK {
			t.Errorf("%s is answered %d", path, got)
		}
	}

	// What is registered stays, whatever the file says of it then.
	write("jotsmith.toml", []byte("apis = [\"https://a.example\"]\n"+base+"[roles]\nviewer = [\"tasks:write\"]\n"))
	cmd.Process.Signal(syscall.SIGHUP)
	until("a role is registered with other permissions, which stay")
	until(`"kept":"API https://b.example"`)
	until(`"changed":"sessions.max log.level","registered":""`)
	if got := login("https://b.example"); got != http.StatusOK {
		t.Errorf("a log-in for an API that the file does not name any more is answered %d", got)
	}

	for name, text := range map[string]string{
		"unknown key":    "addres = \"x\"\n",
		"no certificate": "[tls]\ncert = \"gone.pem\"\nkey = \"gone.key\"\n",
		"out of bounds":  base + "[sessions]\nmax = \"900d\"\n",
	} {
		write("jotsmith.toml", []byte(text))
		cmd.Process.Signal(syscall.SIGHUP)
		until("the one before stays in force")
		if got := serial(); got.Int64() != 2 {
			t.Errorf("%s: the certificate is number %v", name, got)
		}
	}
	cmd.Process.Signal(syscall.SIGTERM)
	for lines.Scan() {
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// newCertificate makes a certificate for 127.0.0.1, in PEM.
func newCertificate(t *testing.T, serial int64) (cert, key []byte) {
	t.Helper()
	der, private, err := selfSigned(&x509.Certificate{SerialNumber: big.NewInt(serial)})
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
}

// A list that a token names is answered by every node: also by one whose own
// tokens name none, and after a reload.
func TestStatusListsOfEveryNode(t *testing.T) {
	t.Parallel()
	for name, own := range map[string]bool{"names lists": true, "names none": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := newTestNode(t, func(c *nodeConfig) { c.StatusLists = own })
			e := n.status.Take()
			e.Session, e.Expires = "a session", n.now().Add(time.Minute)
			err := n.status.Save(t.Context(), e)
			if err != nil {
				t.Fatal(err)
			}
			reloaded, err := n.reconfigured(t.Context(), n.live)
			if err != nil {
				t.Fatal(err)
			}
			for when, handler := range map[string]http.Handler{"before": n.handler, "after": reloaded} {
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, httptest.NewRequest("GET", n.status.URI(e.Slot), nil))
				if w.Code != http.StatusOK {
					t.Errorf("%d %s a reload", w.Code, when)
				}
			}
		})
	}
}

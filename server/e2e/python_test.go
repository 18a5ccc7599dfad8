package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestPythonClient lets clients/python guard an API and call it, beside a real
// server: renewal by many threads is one session, and a log-out reaches the guard
// within a second.
func TestPythonClient(t *testing.T) {
	t.Parallel()
	if exec.Command(python, "-c", "import flask, jwt, cryptography, requests, httpx").Run() != nil {
		lacks(t, "what the Python client is used with: install the packages python3-flask, python3-jwt, python3-cryptography, python3-requests and python3-httpx")
	}
	h := startClientHouse(t)
	source, err := filepath.Abs("../../clients/python/src")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, "python/client.py")
	cmd.Env = append(os.Environ(), "PYTHONPATH="+source, "PYTHONDONTWRITEBYTECODE=1", "ISSUER="+h.issuer, "AUDIENCE="+clientAPI,
		"PERSON=ada", "PASSWORD=correct horse battery", "APP="+h.app.App.ID, "SECRET="+h.app.Secret)
	out, err := cmd.CombinedOutput()
	var said []string
	for line := range strings.Lines(string(out)) {
		if err != nil || !strings.Contains(line, `"GET /`) { // the development server's own log
			said = append(said, strings.TrimSpace(line))
		}
	}
	t.Log(strings.Join(said, "\n"))
	if err != nil {
		t.Fatal(err)
	}
}

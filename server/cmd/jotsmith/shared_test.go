package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/jotsmith/jotsmith/server/internal/realtest"
)

// A Redis with TLS and an authority of its own: where the authority is named the
// nodes share, and where another one is a node counts for itself and says why.
// The password comes from the environment or the file, and nobody is shown it.
func TestSharedTLS(t *testing.T) {
	t.Parallel()
	authority, stranger := realtest.NewAuthority(t), realtest.NewAuthority(t)
	redis := authority.StartRedisTLS(t, "no", "--requirepass", "s3cr3t")
	url := "rediss://:s3cr3t@" + redis.Addr() + "?sslrootcert="
	dir := t.TempDir()
	file := filepath.Join(dir, "jotsmith.toml")
	if err := os.WriteFile(file, []byte("shared = \""+url+authority.Cert+"\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	// run answers what a command prints, and says whether it succeeds.
	run := func(shared string, args ...string) (string, error) {
		cmd := exec.Command("jotsmith", args...)
		if cmd.Env = os.Environ(); shared != "" {
			cmd.Env = append(cmd.Env, "JOTSMITH_SHARED="+shared)
		}
		out, err := cmd.CombinedOutput()
		if strings.Contains(string(out), "s3cr3t") {
			t.Errorf("%v prints the password:\n%s", args, out)
		}
		return string(out), err
	}
	for _, tt := range []struct {
		name, shared string
		args         []string
		want         string
	}{
		{"the doctor, by the environment", url + authority.Cert, []string{"doctor"}, redis.Addr() + "?sslrootcert=" + authority.Cert + " answers"},
		{"the doctor, by the file", "", []string{"doctor", "--config", file}, "answers"},
		{"the doctor, by another authority", url + stranger.Cert, []string{"doctor"}, "certificate signed by unknown authority"},
		{"no such file", url + stranger.Cert + ".gone", []string{"serve"}, "--shared: sslrootcert: open " + stranger.Cert + ".gone"},
		{"a password among the arguments", "", []string{"serve", "--shared", url + authority.Cert}, "put the URL into the environment variable JOTSMITH_SHARED"},
		{"shown", url + authority.Cert, []string{"config", "show"}, "rediss://:xxxxx@" + redis.Addr()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.args[0] != "config" {
				tt.args = append(tt.args, "--data", filepath.Join(dir, "data"), "--addr", freeAddr(t))
			}
			if out, err := run(tt.shared, tt.args...); !strings.Contains(out, tt.want) {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}

	for name, tt := range map[string]struct{ authority, want string }{
		"serves, and shares":            {authority.Cert, ""},
		"serves, and counts for itself": {stranger.Cert, "certificate signed by unknown authority"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			cmd := exec.CommandContext(t.Context(), "jotsmith", "serve", "--log", "json", "--addr", freeAddr(t), "--data", filepath.Join(dir, "data"))
			cmd.Env = append(os.Environ(), "JOTSMITH_SHARED="+url+tt.authority)
			stderr, err := cmd.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer cmd.Process.Kill()
			var text strings.Builder
			for lines := bufio.NewScanner(stderr); lines.Scan(); {
				text.WriteString(lines.Text() + "\n")
				if strings.Contains(lines.Text(), `"msg":"ready"`) {
					cmd.Process.Signal(syscall.SIGTERM)
				}
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("%v\n%s", err, text.String())
			}
			alone := strings.Contains(text.String(), "shared state does not answer")
			if alone != (tt.want != "") || !strings.Contains(text.String(), tt.want) || strings.Contains(text.String(), "s3cr3t") {
				t.Errorf("the log:\n%s", text.String())
			}
		})
	}
}

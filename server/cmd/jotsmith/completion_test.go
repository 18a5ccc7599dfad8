package main

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func completionScript(t *testing.T, shell string) string {
	t.Helper()
	out, err := exec.Command("jotsmith", "completion", shell).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// TestBashCompletion completes command lines in a real shell.
func TestBashCompletion(t *testing.T) {
	t.Parallel()
	bash, err := exec.LookPath("bash")
	if err != nil && os.Getenv("CI") != "true" {
		t.Skip("no bash here")
	}
	script := completionScript(t, "bash")
	for line, want := range map[string]string{
		"acc":                           "account",
		"account cr":                    "create",
		"key rotate --pur":              "--purpose",
		"key rotate --purpose ":         "access feed refresh",
		"key generate --alg E":          "ES256 ES384 ES512 EdDSA Ed25519",
		"key export x.jwk --format ":    "jwk pem",
		"token verify --alg PS":         "PS256 PS384 PS512",
		"token issue --k":               "--key",
		"serve --log-level w":           "warn",
		"completion ":                   "bash zsh fish",
		"config show --config main.g":   "main.go",
		"account create ada --password": "--password-file --password-stdin",
		"frobnicate --x acc":            "account",
	} {
		words := strings.Split("jotsmith "+line, " ")
		var quoted []string
		for _, w := range words {
			quoted = append(quoted, "'"+w+"'")
		}
		cmd := exec.Command(bash, "--norc", "-c", script+"\nCOMP_WORDS=("+strings.Join(quoted, " ")+"); COMP_CWORD=$((${#COMP_WORDS[@]}-1)); _jotsmith; printf '%s\\n' \"${COMPREPLY[@]}\"")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", line, err, out)
		}
		got := strings.Fields(string(out))
		for _, w := range strings.Fields(want) {
			if !slices.Contains(got, w) {
				t.Errorf("jotsmith %s: completes to %q, want %s", line, got, w)
			}
		}
		if strings.Contains(string(out), "dangerously-hurry") {
			t.Errorf("jotsmith %s: a hidden flag is offered", line)
		}
	}
}

// TestCompletionSyntax lets each shell that is here read its script, and fish
// complete with it.
func TestCompletionSyntax(t *testing.T) {
	t.Parallel()
	for _, shell := range []string{"bash", "zsh", "fish"} {
		script := completionScript(t, shell)
		if !strings.Contains(script, "jotsmith") || strings.Contains(script, "%!") {
			t.Errorf("%s: %s", shell, script)
		}
		path, err := exec.LookPath(shell)
		if err != nil {
			continue
		}
		cmd := exec.Command(path, "-n")
		cmd.Stdin = strings.NewReader(script)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("%s does not read its script: %v\n%s", shell, err, out)
		}
		if shell != "fish" {
			continue
		}
		var complaints strings.Builder
		cmd = exec.Command(path, "--no-config", "-c", script+"\ncomplete -C 'jotsmith account cr'; complete -C 'jotsmith key rotate --purpose '")
		cmd.Stderr = &complaints
		out, err := cmd.Output()
		if err != nil || complaints.Len() > 0 || !strings.Contains(string(out), "create") || !strings.Contains(string(out), "refresh") {
			t.Errorf("fish completes to %s: %v %s", out, err, &complaints)
		}
	}
}

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwt"
)

const (
	interopIssuer   = "https://auth.example.com"
	interopAudience = "https://tasks.example.com"
)

// python is the one that Debian's packages are for.
const python = "/usr/bin/python3"

var (
	hmacs = []string{"HS256", "HS384", "HS512"}
	rsas  = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}
	ecs   = []string{"ES256", "ES384", "ES512"}
	known = slices.Concat(hmacs, rsas, ecs)
)

// A library is one of another language, behind a program in interop/ that reads
// an interopTask and prints a list of interopAnswers.
type library struct {
	name    string
	command []string
	probe   []string // a command that fails where the library is missing
	install string
	algs    []string // all that it and we have
}

var libraries = []library{
	{
		name:    "jose",
		command: []string{"node", "with_jose.mjs"},
		probe:   []string{"node", "--input-type=module", "-e", "import 'jose'"},
		install: "in server/e2e/interop, npm ci",
		algs:    append(known[:len(known):len(known)], "EdDSA", "Ed25519"),
	},
	{
		name:    "jsonwebtoken",
		command: []string{"node", "with_jsonwebtoken.mjs"},
		probe:   []string{"node", "--input-type=module", "-e", "import 'jsonwebtoken'"},
		install: "in server/e2e/interop, npm ci",
		algs:    known,
	},
	{
		name:    "PyJWT",
		command: []string{python, "with_pyjwt.py"},
		probe:   []string{python, "-c", "import jwt, cryptography"},
		install: "the packages python3-jwt and python3-cryptography",
		algs:    append(known[:len(known):len(known)], "EdDSA"),
	},
	{
		name:    "jwcrypto",
		command: []string{python, "with_jwcrypto.py"},
		probe:   []string{python, "-c", "import jwcrypto"},
		install: "the package python3-jwcrypto",
		algs:    append(known[:len(known):len(known)], "EdDSA"),
	},
	{
		name:    "ruby-jwt",
		command: []string{"ruby", "with_ruby_jwt.rb"},
		probe:   []string{"ruby", "-e", "require 'jwt'"},
		install: "the packages ruby and ruby-jwt",
		algs:    known,
	},
}

// An interopTask is our keys and a token of each, for a library to use.
type interopTask struct {
	Issuer   string        `json:"issuer"`
	Audience string        `json:"audience"`
	Cases    []interopCase `json:"cases"`
}

type interopCase struct {
	Alg      string `json:"alg"`
	KeyID    string `json:"kid"`
	Token    string `json:"token"`
	Tampered string `json:"tampered"` // the token with other claims
	interopKeys
}

// interopKeys are one key in its four forms. A secret is both its "JWKs".
type interopKeys struct {
	PublicJWK  json.RawMessage `json:"public_jwk,omitempty"`
	PrivateJWK json.RawMessage `json:"private_jwk,omitempty"`
	PublicPEM  string          `json:"public_pem,omitempty"`
	PrivatePEM string          `json:"private_pem,omitempty"`
}

// An interopAnswer is what a library made of a case, for each form of the key:
// the subject of the token or why it was refused, and a token of its own. Then
// there is a key that the library made, and a token of that.
type interopAnswer struct {
	Verified map[string]string `json:"verified"`
	Tampered map[string]string `json:"tampered"`
	Signed   map[string]string `json:"signed"`
	Keys     interopKeys       `json:"keys"`
	Token    string            `json:"token"`
}

// need is for tests that the library takes part in.
func (l library) need(t *testing.T) {
	t.Helper()
	probe := exec.Command(l.probe[0], l.probe[1:]...)
	probe.Dir = "interop"
	if probe.Run() != nil {
		lacks(t, l.name+": install "+l.install)
	}
}

// ourCases are a key and a token of every algorithm, made once by the command.
var ourCases = sync.OnceValues(func() (map[string]interopCase, error) {
	dir, err := os.MkdirTemp("", "jotsmith-interop-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	cases := map[string]interopCase{}
	for _, alg := range jwk.Algorithms() {
		c, err := ourCase(dir, string(alg))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", alg, err)
		}
		cases[string(alg)] = c
	}
	return cases, nil
})

func ourCase(dir, alg string) (c interopCase, err error) {
	do := func(args ...string) []byte {
		if err != nil {
			return nil
		}
		cmd := exec.Command(jotsmith, args...)
		cmd.Dir = dir
		out, failed := cmd.Output()
		if failed != nil {
			err = fmt.Errorf("jotsmith %s: %w", strings.Join(args, " "), failed)
		}
		return out
	}
	read := func(name string) []byte {
		text, failed := os.ReadFile(filepath.Join(dir, name))
		if err == nil {
			err = failed
		}
		return text
	}
	var about struct{ ID string }
	file := alg + ".jwk"
	json.Unmarshal(do("key", "generate", "--alg", alg, "--out", file, "--json"), &about)
	c.Alg, c.KeyID, c.PrivateJWK = alg, about.ID, read(file)
	c.Token = strings.TrimSpace(string(do("token", "issue", "--key", file, "--subject", "ada", "--issuer", interopIssuer, "--audience", interopAudience)))
	if slices.Contains(hmacs, alg) {
		c.PublicJWK = c.PrivateJWK
	} else {
		do("key", "export", file, "--out", alg+".pem")
		c.PrivatePEM = string(read(alg + ".pem"))
		c.PublicJWK = do("key", "public", file)
		c.PublicPEM = string(do("key", "public", file, "--format", "pem"))
	}
	if err != nil {
		return c, err
	}
	parts := strings.Split(c.Token, ".")
	i := len(parts[1]) / 2
	flipped := "A"
	if parts[1][i] == 'A' {
		flipped = "B"
	}
	parts[1] = parts[1][:i] + flipped + parts[1][i+1:]
	c.Tampered = strings.Join(parts, ".")
	return c, nil
}

// TestInterop lets libraries of other languages verify our tokens and sign with
// our keys, and the reverse, with every algorithm that they and we have, and
// with keys as JWK and as PEM.
func TestInterop(t *testing.T) {
	t.Parallel()
	for _, l := range libraries {
		t.Run(l.name, func(t *testing.T) {
			t.Parallel()
			l.need(t)
			cases, err := ourCases()
			if err != nil {
				t.Fatal(err)
			}
			task := interopTask{Issuer: interopIssuer, Audience: interopAudience}
			for _, alg := range l.algs {
				task.Cases = append(task.Cases, cases[alg])
			}
			in, err := json.Marshal(task)
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), l.command[0], l.command[1:]...)
			cmd.Dir, cmd.Stdin = "interop", bytes.NewReader(in)
			var complaints bytes.Buffer
			cmd.Stderr = &complaints
			out, err := cmd.Output()
			if err != nil {
				t.Fatalf("%v\n%s", err, &complaints)
			}
			var answers []interopAnswer
			if err := json.Unmarshal(out, &answers); err != nil || len(answers) != len(task.Cases) {
				t.Fatalf("%d answers, %v\n%s", len(answers), err, out)
			}
			for i, a := range answers {
				c := task.Cases[i]
				t.Run(c.Alg, func(t *testing.T) {
					ours(t, c, a)
					theirs(t, c.Alg, a)
				})
			}
		})
	}
}

// ours checks what a library has made of our key and token.
func ours(t *testing.T, c interopCase, a interopAnswer) {
	forms := []string{"jwk", "pem"}
	if slices.Contains(hmacs, c.Alg) {
		forms = forms[:1]
	}
	key := ourKey(t, c)
	for _, form := range forms {
		if got := a.Verified[form]; got != "ada" {
			t.Errorf("our token with our %s: %s", form, got)
		}
		if got := a.Tampered[form]; !strings.HasPrefix(got, "refused: ") {
			t.Errorf("our token with other claims and our %s: %q", form, got)
		}
		if err := accept(t, key, a.Signed[form]); err != nil {
			t.Errorf("their token with our private %s: %v\n%s", form, err, a.Signed[form])
		}
	}
}

// ourKey is the public half of our key of a case, or the secret.
func ourKey(t *testing.T, c interopCase) jwk.Verifier {
	t.Helper()
	if slices.Contains(hmacs, c.Alg) {
		key, err := jwk.ParseSecret(c.PublicJWK)
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	key, err := jwk.ParsePublic(c.PublicJWK)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// accept verifies a token of bob's.
func accept(t *testing.T, key jwk.Verifier, token string) error {
	t.Helper()
	keys, err := jwk.NewSet(key)
	if err != nil {
		t.Fatal(err)
	}
	v, err := jwt.NewVerifier(jwt.Policy{
		Issuer: interopIssuer, Audiences: []string{interopAudience}, Keys: keys, DangerouslyIgnoreRevocation: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	verified, err := v.Verify(t.Context(), token)
	if err == nil && verified.Subject() != "bob" {
		err = fmt.Errorf("its subject is %q", verified.Subject())
	}
	return err
}

// theirs imports the key that a library has made, in every form that it has,
// and verifies that key's token.
func theirs(t *testing.T, alg string, a interopAnswer) {
	of := func(command ...string) []string { return append(command, "--alg", alg, "--key-id", "theirs") }
	dir := t.TempDir()
	read := 0
	for form, text := range map[string]string{"jwk": string(a.Keys.PrivateJWK), "pem": a.Keys.PrivatePEM} {
		if text == "" {
			continue
		}
		path := filepath.Join(dir, form)
		mustRun(t, text, of("key", "import", "--out", path)...)
		file, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		read++
		if slices.Contains(hmacs, alg) {
			key, err := jwk.ParseSecret(file)
			if err == nil {
				err = accept(t, key, a.Token)
			}
			if err != nil {
				t.Errorf("their token with their secret: %v", err)
			}
			continue
		}
		key, err := jwk.ParsePrivate(file)
		if err == nil {
			err = accept(t, key.Public(), a.Token)
		}
		if err != nil {
			t.Errorf("their token with their private %s: %v", form, err)
		}
	}
	for form, text := range map[string]string{"jwk": string(a.Keys.PublicJWK), "pem": a.Keys.PublicPEM} {
		if text == "" {
			continue
		}
		key, err := jwk.ParsePublic([]byte(mustRun(t, text, of("key", "public", "-")...)))
		if err == nil {
			err = accept(t, key, a.Token)
		}
		if err != nil {
			t.Errorf("their token with their public %s: %v", form, err)
		}
		read++
	}
	if read == 0 {
		t.Error("no key of theirs was read")
	}
}

package jwe_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/jwe"
	"github.com/jotsmith/jotsmith/jwk"
)

// An interopCase is a key of ours, with a text that it decrypts and one that it
// does not; JSON is for it and somebody else.
type interopCase struct {
	Alg        string          `json:"alg"`
	Enc        string          `json:"enc"`
	KeyID      string          `json:"kid,omitempty"`
	PrivateJWK json.RawMessage `json:"private_jwk,omitempty"`
	PublicJWK  json.RawMessage `json:"public_jwk,omitempty"`
	Password   string          `json:"password,omitempty"`
	Text       string          `json:"text"`
	Tampered   string          `json:"tampered"`
	JSON       string          `json:"json,omitempty"`

	open func(compact string) (jwe.Decrypted, error)
}

// An interopAnswer is what a library has made of it, and a text of its own.
type interopAnswer struct{ Decrypted, Tampered, JSON, Text string }

const interopPlaintext = "päyload \"with quotes\" <and> $.02"

func interopCases(t *testing.T, aad []byte) (cases []interopCase) {
	t.Helper()
	stranger := shared(jwk.A256KW, jwk.ContentEncryptions()...)
	for _, p := range mangled() {
		c := interopCase{Alg: string(p.dec.Algorithm()), Enc: string(p.dec.Encryptions()[0]), KeyID: p.dec.KeyID()}
		switch k := p.dec.(type) {
		case *jwk.SharedKey:
			c.PrivateJWK = must(k.MarshalSharedJWK())
		case *jwk.DecryptionKey:
			c.PrivateJWK, c.PublicJWK = must(k.MarshalDecryptionJWK()), must(json.Marshal(k.Public()))
		}
		good := sealed(t, p.enc, interopPlaintext)
		c.Text, c.Tampered = good.String(), good.with(3, flip(0)).String()
		if c.Alg != "dir" && c.Alg != "ECDH-ES" {
			c.JSON = string(must(jwe.EncryptJSON([]jwk.Encrypter{stranger, p.enc}, "", "", aad, []byte(interopPlaintext))))
		}
		keys := setOf(p.dec)
		c.open = func(compact string) (jwe.Decrypted, error) { return jwe.Decrypt(t.Context(), compact, keys) }
		cases = append(cases, c)
	}
	for _, alg := range []jwk.KeyManagement{jwk.PBES2HS256A128KW, jwk.PBES2HS512A256KW} {
		const text = "correct horse battery staple"
		password := must(jwk.NewPassword(alg, text))
		good := taken(t, must(jwe.EncryptWithPassword(password, "", "", []byte(interopPlaintext))))
		cases = append(cases, interopCase{
			Alg: string(alg), Enc: "A256GCM", Password: text, Text: good.String(), Tampered: good.with(4, flip(0)).String(),
			open: func(compact string) (jwe.Decrypted, error) { return jwe.DecryptWithPassword(compact, password) },
		})
	}
	return cases
}

// need skips a test for want of a library, but not where all is demanded.
func need(t *testing.T, probe *exec.Cmd, install string) {
	t.Helper()
	switch out, err := probe.CombinedOutput(); {
	case err == nil:
	case os.Getenv("CI") == "true":
		t.Fatalf("missing: %s\n%s", install, out)
	default:
		t.Skip("missing: " + install)
	}
}

// compare holds what a library has made of cases against what it should.
func compare(t *testing.T, cases []interopCase, answers []interopAnswer) {
	t.Helper()
	if len(answers) != len(cases) {
		t.Fatalf("%d answers to %d cases", len(answers), len(cases))
	}
	for i, c := range cases {
		a, name := answers[i], cases[i].Alg+" "+cases[i].Enc
		if a.Decrypted != interopPlaintext {
			t.Errorf("%s: our text: %s", name, a.Decrypted)
		}
		if c.JSON != "" && a.JSON != interopPlaintext {
			t.Errorf("%s: our JSON for two: %s", name, a.JSON)
		}
		if !strings.HasPrefix(a.Tampered, "refused: ") {
			t.Errorf("%s: our text, tampered: %q", name, a.Tampered)
		}
		if got, err := c.open(a.Text); err != nil || string(got.Plaintext) != interopPlaintext {
			t.Errorf("%s: their text: %q, %v\n%s", name, got.Plaintext, err, a.Text)
		}
	}
}

// ask runs a program that reads the cases and prints the answers.
func ask(t *testing.T, cases []interopCase, command ...string) []interopAnswer {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
	cmd.Stdin = bytes.NewReader(must(json.Marshal(map[string]any{"plaintext": interopPlaintext, "cases": cases})))
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &complaints)
	}
	var answers []interopAnswer
	if err := json.Unmarshal(out, &answers); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return answers
}

func TestInteroperationJose(t *testing.T) {
	t.Parallel()
	module := must(filepath.Abs("../server/e2e/interop/node_modules/jose/dist/webapi/index.js"))
	need(t, exec.Command("node", "--version"), "the package nodejs")
	need(t, exec.Command("test", "-f", module), "npm ci in server/e2e/interop")
	cases := interopCases(t, []byte("aad"))
	compare(t, cases, ask(t, cases, "node", "testdata/interop/with_jose.mjs", module))
}

func TestInteroperationJWCrypto(t *testing.T) {
	t.Parallel()
	const python = "/usr/bin/python3" // the one that Debian's packages are for
	need(t, exec.Command(python, "-c", "import jwcrypto"), "the package python3-jwcrypto")
	cases := interopCases(t, []byte("aad"))
	compare(t, cases, ask(t, cases, python, "testdata/interop/with_jwcrypto.py"))
}

// The command jose, in C.
func TestInteroperationJoseInC(t *testing.T) {
	t.Parallel()
	need(t, exec.Command("jose", "alg"), "the package jose")
	script := must(filepath.Abs("testdata/interop/with_jose.sh"))
	var cases []interopCase
	command := []string{script}
	root := t.TempDir()
	// Its GCM covers the "aad" of a JSON serialization in a way of its own, which
	// is neither RFC 7516 §5.1 nor what the other libraries do.
	for i, c := range interopCases(t, nil) {
		if c.Password != "" || c.Alg == "RSA-OAEP-256" || strings.Contains(string(c.PrivateJWK), "X25519") {
			continue // it asks a terminal for passwords, and Debian's has no OAEP and no X25519
		}
		dir := filepath.Join(root, strconv.Itoa(i))
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for name, text := range map[string]string{
			"plaintext": interopPlaintext, "private.jwk": string(c.PrivateJWK), "public.jwk": string(c.PublicJWK), "text": c.Text, "tampered": c.Tampered, "json": c.JSON,
			"template.json": `{"protected":{"alg":"` + c.Alg + `","enc":"` + c.Enc + `","kid":"` + c.KeyID + `"}}`,
		} {
			if text == "" && name == "public.jwk" {
				text = string(c.PrivateJWK)
			}
			if text == "" {
				continue
			}
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		cases, command = append(cases, c), append(command, dir)
	}
	if out, err := exec.CommandContext(t.Context(), "sh", command...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var answers []interopAnswer
	for _, dir := range command[1:] {
		read := func(name string) string {
			text, _ := os.ReadFile(filepath.Join(dir, name))
			return strings.TrimSpace(string(text))
		}
		tampered := read("tampered.out")
		if strings.HasPrefix(tampered, "refused:") {
			tampered = "refused: "
		}
		answers = append(answers, interopAnswer{Decrypted: read("text.out"), Tampered: tampered, JSON: read("json.out"), Text: read("theirs")})
	}
	compare(t, cases, answers)
}

package jws_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"testing"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jws"
)

type interopForm struct {
	Text       string `json:"text"`
	Signatures int    `json:"signatures"`
	JSON       bool   `json:"json"`
	Detached   bool   `json:"detached"`
	Unencoded  bool   `json:"unencoded"`
}

// What jwcrypto, in Python, makes we verify, and what we make it verifies. It
// names keys without protection. Tokens are tried with more libraries elsewhere.
func TestInteroperation(t *testing.T) {
	t.Parallel()
	const python = "/usr/bin/python3" // the one that Debian's packages are for
	if out, err := exec.Command(python, "-c", "import jwcrypto").CombinedOutput(); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no jwcrypto: %s", out)
		}
		t.Skip("no jwcrypto: install the package python3-jwcrypto")
	}
	const payload = "päyload \"with quotes\" <and> $.02"
	var keys []json.RawMessage
	var signers []jwk.Signer
	var verifiers []jwk.Verifier
	for _, alg := range []jwk.Algorithm{jwk.ES256, jwk.PS384, jwk.EdDSA} {
		key := keyOf(t, alg)
		text, err := key.Signer.(*jwk.PrivateKey).MarshalPrivateJWK()
		if err != nil {
			t.Fatal(err)
		}
		keys, signers, verifiers = append(keys, text), append(signers, key), append(verifiers, key.verifier)
	}
	forms := map[string]interopForm{
		"flattened":                    {Signatures: 1, JSON: true},
		"flattened, detached":          {Signatures: 1, JSON: true, Detached: true},
		"flattened, unencoded":         {Signatures: 1, JSON: true, Unencoded: true},
		"flattened, detached, both":    {Signatures: 1, JSON: true, Detached: true, Unencoded: true},
		"general":                      {Signatures: 3, JSON: true},
		"general, detached":            {Signatures: 3, JSON: true, Detached: true},
		"general, unencoded":           {Signatures: 3, JSON: true, Unencoded: true},
		"compact, detached":            {Signatures: 1, Detached: true},
		"compact, detached, unencoded": {Signatures: 1, Detached: true, Unencoded: true},
	}
	for name, f := range forms {
		var err error
		switch {
		case f.JSON:
			var text []byte
			text, err = jws.JSONSigner{Keys: signers[:f.Signatures], Detached: f.Detached, Unencoded: f.Unencoded}.Sign([]byte(payload))
			f.Text = string(text)
		case f.Unencoded:
			f.Text, err = jws.SignDetachedUnencoded(signers[0], "", []byte(payload))
		default:
			f.Text, err = jws.SignDetached(signers[0], "", []byte(payload))
		}
		if err != nil {
			t.Fatal(err)
		}
		forms[name] = f
	}
	task, err := json.Marshal(map[string]any{"keys": keys, "payload": payload, "forms": forms})
	if err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), python, "testdata/with_jwcrypto.py")
	command.Stdin = bytes.NewReader(task)
	command.Stderr = os.Stderr
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	var answers map[string]struct{ Text, Error string }
	if err := json.Unmarshal(out, &answers); err != nil {
		t.Fatal(err)
	}
	for name, f := range forms {
		answer := answers[name]
		if answer.Error != "" || answer.Text == "" {
			t.Errorf("%s: ours is refused: %s\n%s", name, answer.Error, f.Text)
			continue
		}
		v := jws.JSONVerifier{Signers: f.Signatures, Unencoded: f.Unencoded}
		switch one := setOf(t, verifiers[0]); {
		case f.JSON && f.Detached:
			_, err = v.VerifyDetached(ctx, []byte(answer.Text), []byte(payload), setOf(t, verifiers...))
		case f.JSON:
			_, err = v.Verify(ctx, []byte(answer.Text), setOf(t, verifiers...))
		case f.Unencoded:
			_, err = jws.VerifyDetachedUnencoded(ctx, answer.Text, []byte(payload), one)
		default:
			_, err = jws.VerifyDetached(ctx, answer.Text, []byte(payload), one)
		}
		if err != nil {
			t.Errorf("%s: theirs is refused: %v\n%s", name, err, answer.Text)
		}
	}
}

package jwk_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/jotsmith/jotsmith/internal/b64"
	"github.com/jotsmith/jotsmith/internal/vectors"
	"github.com/jotsmith/jotsmith/jwk"
)

func TestRFC7638Section3_1(t *testing.T) {
	t.Parallel()
	key, err := jwk.ParsePublic([]byte(`{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := key.Thumbprint(); got != "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs" {
		t.Errorf("thumbprint %s", got)
	}
	if key.KeyID() != "2011-04-29" {
		t.Errorf("key id %s", key.KeyID())
	}
}

func TestRFC8037AppendixA(t *testing.T) {
	t.Parallel()
	key, err := jwk.ParsePrivate([]byte(`{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`))
	if err != nil {
		t.Fatal(err)
	}
	if got := key.Public().Thumbprint(); got != "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k" { // A.3
		t.Errorf("thumbprint %s", got)
	}
	// A.4 and A.5
	message := []byte("eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc")
	signature, err := key.AppendSignature(nil, message)
	if got := b64.Encode(signature); err != nil || got != "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg" {
		t.Errorf("signature %s, %v", got, err)
	}
	if err := key.Public().Verify(message, signature); err != nil {
		t.Error(err)
	}
}

// RFC 6979, A.2.5: the deterministic signature of "sample" on P-256.
func TestRFC6979(t *testing.T) {
	t.Parallel()
	key, err := jwk.ParsePrivate(fmt.Appendf(nil, `{"kty":"EC","crv":"P-256","d":%q,"x":%q,"y":%q}`,
		hex64("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721"),
		hex64("60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6"),
		hex64("7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299")))
	if err != nil {
		t.Fatal(err)
	}
	signature, err := key.AppendSignature(nil, []byte("sample"))
	if want := "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8"; err != nil || fmt.Sprintf("%X", signature) != want {
		t.Errorf("%X, %v", signature, err)
	}
}

func hex64(s string) string {
	var b []byte
	fmt.Sscanf(s, "%x", &b)
	return b64.Encode(b)
}

// The keys of RFC 7520 §3. Of those that carry no "alg", the test says which.
func TestRFC7520Keys(t *testing.T) {
	t.Parallel()
	read := func(name string) map[string]string {
		var m map[string]string
		vectors.JSON(t, "rfc7520", "jwk/"+name+".json", &m)
		return m
	}
	with := func(m map[string]string, alg string) []byte {
		m["alg"] = alg
		text, _ := json.Marshal(m)
		return text
	}
	for _, c := range []struct {
		name, alg string
		parse     func([]byte) error
		ok        bool
	}{
		{"3_1.ec_public_key", "ES512", public, jwk.Algorithm("ES512").Known()},
		{"3_2.ec_private_key", "ES512", private, jwk.Algorithm("ES512").Known()},
		{"3_1.ec_public_key", "ES256", public, false},
		{"3_3.rsa_public_key", "RS256", public, true},
		{"3_4.rsa_private_key", "RS256", private, true},
		{"3_5.symmetric_key_mac_computation", "HS256", secret, true},
		{"3_6.symmetric_key_encryption", "A256GCM", secret, false},
	} {
		if err := c.parse(with(read(c.name), c.alg)); (err == nil) != c.ok {
			t.Errorf("%s for %s: %v", c.name, c.alg, err)
		}
	}
}

func public(text []byte) error  { _, err := jwk.ParsePublic(text); return err }
func private(text []byte) error { _, err := jwk.ParsePrivate(text); return err }
func secret(text []byte) error  { _, err := jwk.ParseSecret(text); return err }

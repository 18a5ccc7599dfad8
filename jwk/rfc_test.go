package jwk_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/jotsmith/jotsmith/internal/b64"
	"github.com/jotsmith/jotsmith/internal/vectors"
	"github.com/jotsmith/jotsmith/jwk"
)

// example returns an example of a standard as it stands there, and its keys if
// it is a set.
func example(t *testing.T, name string) (text []byte, keys []json.RawMessage) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "rfc", name+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var set struct{ Keys []json.RawMessage }
	if err := json.Unmarshal(text, &set); err != nil {
		t.Fatal(err)
	}
	return text, set.Keys
}

// with adds members, given as names and values, to a JWK.
func with(t *testing.T, text []byte, members ...string) []byte {
	t.Helper()
	var m map[string]any
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(members); i += 2 {
		m[members[i]] = members[i+1]
	}
	return must(json.Marshal(m))
}

func TestRFC7517Section3(t *testing.T) {
	t.Parallel()
	text, _ := example(t, "rfc7517-3")
	key, err := jwk.ParsePublic(text)
	if err != nil {
		t.Fatal(err)
	}
	if key.Algorithm() != jwk.ES256 || key.KeyID() != "Public key used in JWS spec Appendix A.3 example" {
		t.Error(key)
	}
}

// Of the two public keys the first is for encryption.
func TestRFC7517AppendixA1(t *testing.T) {
	t.Parallel()
	text, _ := example(t, "rfc7517-a1")
	set, err := jwk.ParseSet(text)
	if err != nil || set.Len() != 1 {
		t.Fatal(set, err)
	}
	key, err := set.Key(context.Background(), "2011-04-29")
	if err != nil || key.Algorithm() != jwk.RS256 {
		t.Error(key, err)
	}
}

// The same two with their private halves.
func TestRFC7517AppendixA2(t *testing.T) {
	t.Parallel()
	text, keys := example(t, "rfc7517-a2")
	if _, err := jwk.ParseSet(text); err == nil {
		t.Error("private keys taken for a set of public ones")
	}
	if _, err := jwk.ParsePrivate(keys[0]); err == nil {
		t.Error("key for encryption accepted")
	}
	if _, err := jwk.ParsePrivate(with(t, keys[0], "use", "sig")); err != nil {
		t.Error("its halves belong together:", err)
	}
	key, err := jwk.ParsePrivate(keys[1])
	if err != nil {
		t.Fatal(err)
	}
	if key.Public().Thumbprint() != "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs" || key.KeyID() != "2011-04-29" {
		t.Error(key.Public())
	}
}

// Secrets: one for encryption, one that does not say its algorithm.
func TestRFC7517AppendixA3(t *testing.T) {
	t.Parallel()
	text, keys := example(t, "rfc7517-a3")
	if _, err := jwk.ParseSet(text); err == nil {
		t.Error("secrets taken for a set of public keys")
	}
	for _, key := range keys {
		if _, err := jwk.ParseSecret(key); err == nil {
			t.Errorf("accepted: %s", key)
		}
	}
	for _, alg := range []string{"HS256", "HS384", "HS512"} {
		if _, err := jwk.ParseSecret(with(t, keys[1], "alg", alg)); err != nil {
			t.Error(err)
		}
	}
}

// A certificate in a JWK is ignored; as PEM it gives the same key.
func TestRFC7517AppendixB(t *testing.T) {
	t.Parallel()
	text, _ := example(t, "rfc7517-b")
	key, err := jwk.ParsePublic(with(t, text, "alg", "RS256"))
	if err != nil {
		t.Fatal(err)
	}
	var said struct{ X5C []string }
	if err := json.Unmarshal(text, &said); err != nil {
		t.Fatal(err)
	}
	certificate := block("CERTIFICATE", must(base64.StdEncoding.DecodeString(said.X5C[0])))
	same, err := jwk.ParsePublicPEM(jwk.RS256, "1b94c", certificate)
	if err != nil || !same.Equal(key) {
		t.Error(same, err)
	}
	set := []byte(`{"keys":[` + string(text) + `]}`)
	if got, err := jwk.ParseSet(set); err != nil || got.Len() != 0 {
		t.Error("no \"alg\":", got, err)
	}
	if got, err := jwk.ParseSetAssuming(jwk.RS256, set); err != nil || got.Len() != 1 {
		t.Error("no \"alg\", but configured:", got, err)
	}
}

func TestRFC7638Section3_1(t *testing.T) {
	t.Parallel()
	text, _ := example(t, "rfc7638-3.1")
	key, err := jwk.ParsePublic(text)
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
	a1, _ := example(t, "rfc8037-a1")
	a2, _ := example(t, "rfc8037-a2")
	key, err := jwk.ParsePrivate(a1)
	if err != nil {
		t.Fatal(err)
	}
	public, err := jwk.ParsePublic(a2)
	if err != nil || !public.Equal(key.Public()) {
		t.Errorf("A.2 is not A.1's public half: %v", err)
	}
	if got := public.Thumbprint(); got != "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k" { // A.3
		t.Errorf("thumbprint %s", got)
	}
	// A.4 and A.5
	message := []byte("eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc")
	signature, err := key.AppendSignature(nil, message)
	if got := b64.Encode(signature); err != nil || got != "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg" {
		t.Errorf("signature %s, %v", got, err)
	}
	if err := public.Verify(message, signature); err != nil {
		t.Error(err)
	}
	// A.6 is a key for agreement.
	a6, _ := example(t, "rfc8037-a6")
	if _, err := jwk.ParsePublic(a6); err == nil {
		t.Error("X25519 accepted")
	}
	if set, err := jwk.ParseSet([]byte(`{"keys":[` + string(a6) + `]}`)); err != nil || set.Len() != 0 {
		t.Error("X25519 is not skipped:", set, err)
	}
}

// RFC 9864 §2.2: the key of RFC 8037 under its fully-specified name.
func TestRFC9864(t *testing.T) {
	t.Parallel()
	a1, _ := example(t, "rfc8037-a1")
	key, err := jwk.ParsePrivate(with(t, a1, "alg", "Ed25519"))
	if err != nil || key.Algorithm() != jwk.Ed25519 {
		t.Fatal(key, err)
	}
	if text := must(json.Marshal(key.Public())); !json.Valid(text) || must(jwk.ParsePublic(text)).Algorithm() != jwk.Ed25519 {
		t.Errorf("%s", text)
	}
	other, err := jwk.ParsePrivate(a1)
	if err != nil || other.Algorithm() != jwk.EdDSA || other.Public().Equal(key.Public()) {
		t.Error(other, err)
	}
	for _, alg := range []string{"Ed448", "ESP256", "ed25519"} {
		if _, err := jwk.ParsePrivate(with(t, a1, "alg", alg)); err == nil {
			t.Errorf("%s accepted", alg)
		}
	}
}

// RFC 6979, A.2.5 to A.2.7: the deterministic signatures of "sample".
func TestRFC6979(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ crv, d, x, y, signature string }{
		{
			"P-256", "C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721",
			"60FED4BA255A9D31C961EB74C6356D68C049B8923B61FA6CE669622E60F29FB6",
			"7903FE1008B8BC99A41AE9E95628BC64F2F1B20C2D7E9F5177A3C294D4462299",
			"EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716" +
				"F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8",
		},
		{
			"P-384", "6B9D3DAD2E1B8C1C05B19875B6659F4DE23C3B667BF297BA9AA47740787137D896D5724E4C70A825F872C9EA60D2EDF5",
			"EC3A4E415B4E19A4568618029F427FA5DA9A8BC4AE92E02E06AAE5286B300C64DEF8F0EA9055866064A254515480BC13",
			"8015D9B72D7D57244EA8EF9AC0C621896708A59367F9DFB9F54CA84B3F1C9DB1288B231C3AE0D4FE7344FD2533264720",
			"94EDBB92A5ECB8AAD4736E56C691916B3F88140666CE9FA73D64C4EA95AD133C81A648152E44ACF96E36DD1E80FABE46" +
				"99EF4AEB15F178CEA1FE40DB2603138F130E740A19624526203B6351D0A3A94FA329C145786E679E7B82C71A38628AC8",
		},
		{
			"P-521",
			"00FAD06DAA62BA3B25D2FB40133DA757205DE67F5BB0018FEE8C86E1B68C7E75CAA896EB32F1F47C70855836A6D16FCC1466F6D8FBEC67DB89EC0C08B0E996B83538",
			"01894550D0785932E00EAA23B694F213F8C3121F86DC97A04E5A7167DB4E5BCD371123D46E45DB6B5D5370A7F20FB633155D38FFA16D2BD761DCAC474B9A2F5023A4",
			"00493101C962CD4D2FDDF782285E64584139C2F91B47F87FF82354D6630F746A28A0DB25741B5B34A828008B22ACC23F924FAAFBD4D33F81EA66956DFEAA2BFDFCF5",
			"00C328FAFCBD79DD77850370C46325D987CB525569FB63C5D3BC53950E6D4C5F174E25A1EE9017B5D450606ADD152B534931D7D4E8455CC91F9B15BF05EC36E377FA" +
				"00617CCE7CF5064806C467F678D3B4080D6F1CC50AF26CA209417308281B68AF282623EAA63E5B5C0723D8B8C37FF0777B1A20F8CCB1DCCC43997F1EE0E44DA4A67A",
		},
	} {
		t.Run(c.crv, func(t *testing.T) {
			t.Parallel()
			key, err := jwk.ParsePrivate(fmt.Appendf(nil, `{"kty":"EC","crv":%q,"d":%q,"x":%q,"y":%q}`, c.crv, hex64(c.d), hex64(c.x), hex64(c.y)))
			if err != nil {
				t.Fatal(err)
			}
			signature, err := key.AppendSignature(nil, []byte("sample"))
			if err != nil || fmt.Sprintf("%X", signature) != c.signature {
				t.Errorf("%X, %v", signature, err)
			}
		})
	}
}

func hex64(s string) string {
	var b []byte
	fmt.Sscanf(s, "%x", &b)
	return b64.Encode(b)
}

// The keys of RFC 7520 §3. Those of the RSA kind carry no "alg".
func TestRFC7520Keys(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, alg string
		parse     func([]byte) error
		ok        bool
	}{
		{"3_1.ec_public_key", "ES512", public, true},
		{"3_1.ec_public_key", "ES256", public, false},
		{"3_1.ec_public_key", "ES384", public, false},
		{"3_2.ec_private_key", "ES512", private, true},
		{"3_3.rsa_public_key", "RS256", public, true},
		{"3_3.rsa_public_key", "PS384", public, true},
		{"3_4.rsa_private_key", "RS256", private, true},
		{"3_4.rsa_private_key", "PS512", private, true},
		{"3_4.rsa_private_key", "ES512", private, false},
		{"3_5.symmetric_key_mac_computation", "HS256", secret, true},
		{"3_5.symmetric_key_mac_computation", "HS384", secret, false},
		{"3_6.symmetric_key_encryption", "A256GCM", secret, false},
	} {
		var m map[string]string
		vectors.JSON(t, "rfc7520", "jwk/"+c.name+".json", &m)
		m["alg"] = c.alg
		if err := c.parse(must(json.Marshal(m))); (err == nil) != c.ok {
			t.Errorf("%s for %s: %v", c.name, c.alg, err)
		}
	}
}

func public(text []byte) error  { _, err := jwk.ParsePublic(text); return err }
func private(text []byte) error { _, err := jwk.ParsePrivate(text); return err }
func secret(text []byte) error  { _, err := jwk.ParseSecret(text); return err }

// Of the 21 invalid cases 20 are keys, refused when they are made, as public
// ones and as private ones; case 3 is a signature.
func TestWycheproofKeys(t *testing.T) {
	t.Parallel()
	var suite struct {
		TestGroups []struct {
			Private, Public *struct{ Keys []json.RawMessage }
			Tests           []struct {
				ID     int `json:"tcId"`
				Result string
			}
		}
	}
	vectors.JSON(t, "wycheproof", "json_web_key_test.json", &suite)
	refused := 0
	for _, g := range suite.TestGroups {
		for _, c := range g.Tests {
			want := c.Result != "valid" && c.ID != 3
			if want {
				refused++
			}
			if err := readSet(g.Private.Keys); (err != nil) != want {
				t.Errorf("case %d: private keys: %v", c.ID, err)
			}
			if g.Public != nil {
				if err := readSet(g.Public.Keys); (err != nil) != want {
					t.Errorf("case %d: public keys: %v", c.ID, err)
				}
			}
		}
	}
	if refused != 20 {
		t.Errorf("%d keys to refuse", refused)
	}
}

// readSet makes a set of keys of any kind.
func readSet(texts []json.RawMessage) error {
	var keys []jwk.Verifier
	for _, text := range texts {
		var said struct{ Kty, D string }
		if err := json.Unmarshal(text, &said); err != nil {
			return err
		}
		var key jwk.Verifier
		var err error
		switch {
		case said.Kty == "oct":
			key, err = jwk.ParseSecret(text)
		case said.D != "":
			var private *jwk.PrivateKey
			if private, err = jwk.ParsePrivate(text); err == nil {
				key = private.Public()
			}
		default:
			key, err = jwk.ParsePublic(text)
		}
		if err != nil {
			return err
		}
		keys = append(keys, key)
	}
	_, err := jwk.NewSet(keys...)
	return err
}

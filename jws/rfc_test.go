package jws_test

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/jotsmith/jotsmith/internal/b64"
	"github.com/jotsmith/jotsmith/internal/vectors"
	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jws"
)

const rfc7515Payload = "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}"

func keyFor(t *testing.T, text string) jwk.Verifier {
	t.Helper()
	if key, err := jwk.ParseSecret([]byte(text)); err == nil {
		return key
	}
	key, err := jwk.ParsePublic([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// RFC 7515, appendix A. The keys there have neither "kid" nor "alg".
func TestRFC7515AppendixA(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, key, compact string }{
		{"A.1 HS256", `{"kty":"oct","alg":"HS256","kid":"a1","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}`,
			"eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"},
		{"A.2 RS256", `{"kty":"RSA","alg":"RS256","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB"}`,
			"eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"},
		{"A.3 ES256", `{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`,
			"eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v, err := jws.Verify(ctx, c.compact, setOf(t, keyFor(t, c.key)))
			if err != nil || v.Payload != rfc7515Payload {
				t.Errorf("%q, %v", v.Payload, err)
			}
		})
	}
	t.Run("A.4 ES512 does not exist here", func(t *testing.T) {
		t.Parallel()
		const compact = "eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn"
		if jwk.Algorithm("ES512").Known() {
			t.Fatal("ES512 exists now: verify this token instead")
		}
		if _, err := jws.Verify(ctx, compact, setOf(t, secret())); !errors.Is(err, jws.ErrAlgorithm) {
			t.Errorf("%v", err)
		}
	})
	t.Run("A.5 unsecured", func(t *testing.T) {
		t.Parallel()
		const compact = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."
		if _, err := jws.Verify(ctx, compact, setOf(t, secret())); !errors.Is(err, jws.ErrAlgorithm) {
			t.Errorf("%v", err)
		}
	})
}

type cookbook struct {
	Input struct {
		Payload string
		Key     map[string]string
		Alg     jwk.Algorithm
	}
	Signing struct {
		Input string `json:"sig-input"`
		Sig   string
	}
	Output struct{ Compact string }
}

// The examples of RFC 7520 §4 and the Ed25519 one that have a compact form.
// Detached content (4.5), unprotected headers (4.6, 4.7) and several signatures
// (4.8) are forms that do not exist here; unencoded payloads (RFC 7797) are
// refused.
func TestRFC7520Signatures(t *testing.T) {
	t.Parallel()
	for file, deterministic := range map[string]bool{
		"jws/4_1.rsa_v15_signature":               true,
		"jws/4_2.rsa-pss_signature":               false,
		"jws/4_3.ecdsa_signature":                 false,
		"jws/4_4.hmac-sha2_integrity_protection":  true,
		"jws/4_5.signature_with_detached_content": true,
		"curve25519/jws":                          true,
		"rfc7797/hmac-sha2_b64_false":             false,
	} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			var c cookbook
			vectors.JSON(t, "rfc7520", file+".json", &c)
			c.Input.Key["alg"] = string(c.Input.Alg)
			text, _ := json.Marshal(c.Input.Key)
			if c.Output.Compact == "" || !c.Input.Alg.Known() {
				if c.Output.Compact != "" {
					if _, err := jws.Verify(ctx, c.Output.Compact, setOf(t, secret())); !errors.Is(err, jws.ErrAlgorithm) {
						t.Errorf("%s: %v", c.Input.Alg, err)
					}
				}
				return
			}
			var signer jwk.Signer
			var verifier jwk.Verifier
			if private, err := jwk.ParsePrivate(text); err == nil {
				signer, verifier = private, private.Public()
			} else {
				key, err := jwk.ParseSecret(text)
				if err != nil {
					// 4.3's key has no private half here, and RFC 7797's no id.
					c.Input.Key["kid"] = "k"
					text, _ = json.Marshal(c.Input.Key)
					if key, err = jwk.ParseSecret(text); err != nil {
						t.Fatal(err)
					}
				}
				signer, verifier = key, key
			}
			v, err := jws.Verify(ctx, c.Output.Compact, setOf(t, verifier))
			switch {
			case file == "rfc7797/hmac-sha2_b64_false" || file == "jws/4_5.signature_with_detached_content":
				if err == nil {
					t.Error("accepted")
				}
				return
			case err != nil || v.Payload != c.Input.Payload:
				t.Errorf("%q, %v", v.Payload, err)
			}
			if !deterministic {
				return
			}
			signature, err := signer.AppendSignature(nil, []byte(c.Signing.Input))
			if err != nil || b64.Encode(signature) != c.Signing.Sig {
				t.Errorf("signature %s, %v", b64.Encode(signature), err)
			}
		})
	}
}

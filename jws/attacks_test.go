package jws_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/internal/b64"
	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jws"
)

// TestJWS01AlgNone is for keys of every algorithm: no spelling of no algorithm,
// whatever stands where the signature should, in any serialization.
func TestJWS01AlgNone(t *testing.T) {
	t.Parallel()
	for _, alg := range everyAlgorithm {
		key := keyOf(t, alg)
		keys := setOf(t, key.verifier)
		for _, member := range []string{
			`"alg":"none"`, `"alg":"None"`, `"alg":"NONE"`, `"alg":"nOnE"`, `"alg":"none "`, `"alg":"none\u0000"`, `"alg":"\u006eone"`,
			`"alg":""`, `"alg":null`, `"alg":false`, `"alg":[]`, `"x":0`, `"Alg":"` + string(alg) + `"`,
		} {
			for _, kid := range []string{"", `,"kid":"` + key.KeyID() + `"`} {
				kept := signed(t, key, "{"+member+kid+"}", "payload")
				input, signature, _ := cutLast(kept)
				header, _, _ := strings.Cut(input, ".")
				for _, compact := range []string{kept, input + ".", input, input + "..", input + ".AA", header + "..", header + "." + signature} {
					if _, err := jws.Verify(ctx, compact, keys); err == nil {
						t.Errorf("%s: %s accepted: %s", alg, member, compact)
					}
					if _, err := jws.VerifyDetached(ctx, compact, []byte("payload"), keys); err == nil {
						t.Errorf("%s: %s accepted, detached: %s", alg, member, compact)
					}
				}
				for _, s := range []string{signature, ""} {
					text := general(t, "payload", jsonEntry{Protected: header, Signature: s})
					if _, err := (jws.JSONVerifier{Signers: 1}).Verify(ctx, text, keys); err == nil {
						t.Errorf("%s: accepted: %s", alg, text)
					}
				}
			}
		}
	}
	if jwk.Algorithm("none").Known() {
		t.Error("none is an algorithm")
	}
}

// TestJWS02PublicKeyAsSecret has a token MACed with every text that a public key
// is known by. No function takes such a text for a secret in the first place.
func TestJWS02PublicKeyAsSecret(t *testing.T) {
	t.Parallel()
	for _, alg := range everyAlgorithm[3:] {
		t.Run(string(alg), func(t *testing.T) {
			t.Parallel()
			key := keyOf(t, alg)
			keys := setOf(t, key.verifier)
			for name, secret := range textsOf(t, key.verifier.(*jwk.PublicKey)) {
				for mac, hash := range map[string]crypto.Hash{"HS256": crypto.SHA256, "HS384": crypto.SHA384, "HS512": crypto.SHA512} {
					for _, kid := range []string{"", `,"kid":"` + key.KeyID() + `"`} {
						// Under the name of the MAC, and under that of the key.
						for header, want := range map[string]error{mac: jws.ErrAlgorithm, string(alg): jwk.ErrSignature} {
							input := b64.Encode([]byte(`{"alg":"`+header+`"`+kid+`}`)) + "." + b64.Encode([]byte("payload"))
							h := hmac.New(hash.New, secret)
							h.Write([]byte(input))
							if _, err := jws.Verify(ctx, input+"."+b64.Encode(h.Sum(nil)), keys); !errors.Is(err, want) {
								t.Errorf("%s, %s in the header: %v", name, header, err)
							}
						}
					}
				}
			}
		})
	}
}

// textsOf returns what an attacker knows of a public key.
func textsOf(t *testing.T, key *jwk.PublicKey) map[string][]byte {
	t.Helper()
	document, err := json.Marshal(key)
	if err != nil {
		t.Fatal(err)
	}
	set, err := json.Marshal(setOf(t, key))
	if err != nil {
		t.Fatal(err)
	}
	pkix, err := key.PEM()
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(pkix)
	texts := map[string][]byte{
		"JWK": document, "set": set, "PEM": pkix, "DER": block.Bytes,
		"PEM with CRLF":             []byte(strings.ReplaceAll(string(pkix), "\n", "\r\n")),
		"PEM after a space":         append([]byte(" "), pkix...),
		"PEM without its last line": pkix[:len(pkix)-1],
		"PEM in one line":           []byte(strings.ReplaceAll(string(pkix), "\n", "")),
		"base64 of DER":             []byte(base64.StdEncoding.EncodeToString(block.Bytes)),
		"thumbprint":                []byte(key.Thumbprint()),
		"certificate":               certificate(t, block.Bytes),
		"certificate as PEM":        pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate(t, block.Bytes)}),
		"key id":                    []byte(key.KeyID()),
		"nothing":                   nil,
		"zeros":                     make([]byte, 32),
	}
	var members map[string]string
	if err := json.Unmarshal(document, &members); err != nil {
		t.Fatal(err)
	}
	var raw []byte
	for _, name := range []string{"n", "x", "y"} {
		if members[name] == "" {
			continue
		}
		part, err := b64.Decode(nil, members[name])
		if err != nil {
			t.Fatal(err)
		}
		raw = append(raw, part...)
	}
	texts["raw"], texts["raw point"] = raw, append([]byte{4}, raw...)
	if public, err := x509.ParsePKIXPublicKey(block.Bytes); err == nil {
		if rsaKey, ok := public.(*rsa.PublicKey); ok {
			der := x509.MarshalPKCS1PublicKey(rsaKey)
			texts["PKCS #1"] = der
			texts["PKCS #1 as PEM"] = pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: der})
		}
	}
	return texts
}

// certificate returns one of the key, signed by somebody.
func certificate(t *testing.T, pkix []byte) []byte {
	t.Helper()
	public, err := x509.ParsePKIXPublicKey(pkix)
	if err != nil {
		t.Fatal(err)
	}
	issuer, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Unix(1<<32, 0)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, issuer)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// TestJWS03GuessedSecrets has tokens MACed with what attackers try first. Package
// jwk tests that none of it becomes a key.
func TestJWS03GuessedSecrets(t *testing.T) {
	t.Parallel()
	for alg, hash := range map[jwk.Algorithm]crypto.Hash{jwk.HS256: crypto.SHA256, jwk.HS384: crypto.SHA384, jwk.HS512: crypto.SHA512} {
		key := keyOf(t, alg)
		for _, guess := range []string{
			"", "\x00", strings.Repeat("\x00", hash.Size()), "secret", "password", "key", "null", "undefined", "jwt", "your-256-bit-secret",
			string(alg), key.KeyID(), b64.Encode([]byte("secret")), strings.Repeat("a", hash.Size()),
		} {
			if _, err := jwk.NewHMAC(alg, []byte(guess), "k"); err == nil {
				t.Errorf("%q is a key of %s", guess, alg)
			}
			for _, kid := range []string{"", `,"kid":"` + key.KeyID() + `"`} {
				input := b64.Encode([]byte(`{"alg":"`+string(alg)+`"`+kid+`}`)) + "." + b64.Encode([]byte("payload"))
				h := hmac.New(hash.New, []byte(guess))
				h.Write([]byte(input))
				if _, err := jws.Verify(ctx, input+"."+b64.Encode(h.Sum(nil)), setOf(t, key.verifier)); !errors.Is(err, jwk.ErrSignature) {
					t.Errorf("%s with %q: %v", alg, guess, err)
				}
			}
		}
	}
}

// TestJWS04OnlyTheKeysAlgorithm signs genuinely with one algorithm and names
// another: 14 by 14. Where the key's material would do for both, too.
func TestJWS04OnlyTheKeysAlgorithm(t *testing.T) {
	t.Parallel()
	for _, alg := range everyAlgorithm {
		key := keyOf(t, alg)
		keys := setOf(t, key.verifier)
		for _, said := range everyAlgorithm {
			// One RSA key and one Ed25519 key can sign under several names.
			signer := key.Signer
			if other := keyOf(t, said); alg[1:2] == "S" && said[1:2] == "S" && strings.ContainsAny(string(alg[:1]), "RP") && strings.ContainsAny(string(said[:1]), "RP") {
				signer = other
			}
			for _, kid := range []string{"", `,"kid":"` + key.KeyID() + `"`} {
				compact := signed(t, signer, `{"alg":"`+string(said)+`"`+kid+`}`, "payload")
				_, err := jws.Verify(ctx, compact, keys)
				if want := said == alg; want != (err == nil) || !want && !errors.Is(err, jws.ErrAlgorithm) {
					t.Errorf("key of %s, header %s: %v", alg, said, err)
				}
			}
		}
		for _, said := range []string{"ES256K", "Ed448", "RS1", "HS1", "A128GCM", "dir", "RSA-OAEP", "ML-DSA-44", strings.ToLower(string(alg)), string(alg) + " "} {
			compact := signed(t, key, `{"alg":"`+said+`"}`, "payload")
			if _, err := jws.Verify(ctx, compact, keys); !errors.Is(err, jws.ErrAlgorithm) {
				t.Errorf("key of %s, header %s: %v", alg, said, err)
			}
		}
	}
}

// TestJWS05HeaderURLs counts the connections to the URLs of a header.
func TestJWS05HeaderURLs(t *testing.T) {
	t.Parallel()
	attacker, mine := keyOf(t, jwk.ES256), keyOf(t, jwk.EdDSA)
	var asked atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		json.NewEncoder(w).Encode(setOf(t, attacker.verifier))
	}))
	defer server.Close()
	for _, name := range []string{"jku", "x5u"} {
		member := fmt.Sprintf("%q:%q", name, server.URL)
		header := `{"alg":"ES256","kid":"` + attacker.KeyID() + `",` + member + `}`
		if _, err := jws.Verify(ctx, signed(t, attacker, header, "payload"), setOf(t, mine.verifier)); err == nil {
			t.Errorf("%s accepted", header)
		}
		for _, e := range []jsonEntry{
			entry(t, attacker, header, "", "payload"),
			entry(t, attacker, `{"alg":"ES256","kid":"`+attacker.KeyID()+`"}`, "{"+member+"}", "payload"),
		} {
			if _, err := (jws.JSONVerifier{Signers: 1}).Verify(ctx, general(t, "payload", e), setOf(t, mine.verifier)); !errors.Is(err, jws.ErrSigners) {
				t.Errorf("%s accepted: %v", e.Header, err)
			}
		}
	}
	if n := asked.Load(); n != 0 {
		t.Errorf("%d connections", n)
	}
}

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
	"encoding/asn1"
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

// change is another signature made of a good one without the private key.
type change struct {
	name      string
	signature []byte
	good      bool
}

func verifyChanges(t *testing.T, key pair, changes func(good []byte) []change) {
	t.Helper()
	compact := signed(t, key, `{"alg":"`+string(key.Algorithm())+`"}`, "payload")
	input, encoded, _ := cutLast(compact)
	signature, err := b64.Decode(nil, encoded)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range changes(signature) {
		v, err := jws.Verify(ctx, input+"."+b64.Encode(c.signature), setOf(t, key.verifier))
		if c.good != (err == nil) || err != nil && !errors.Is(err, jwk.ErrSignature) || err == nil && v.Payload != "payload" {
			t.Errorf("%s, %s: %v", key.Algorithm(), c.name, err)
		}
	}
}

// TestJWS09ECDSA is for all three curves. That (r, n−s) is accepted is the rule:
// RFC 7518 §3.4 asks for neither half, and other libraries make both.
func TestJWS09ECDSA(t *testing.T) {
	t.Parallel()
	for alg, curve := range map[jwk.Algorithm]elliptic.Curve{jwk.ES256: elliptic.P256(), jwk.ES384: elliptic.P384(), jwk.ES512: elliptic.P521()} {
		n := curve.Params().N
		size := (n.BitLen() + 7) / 8
		verifyChanges(t, keyOf(t, alg), func(good []byte) []change {
			r, s := new(big.Int).SetBytes(good[:size]), new(big.Int).SetBytes(good[size:])
			fixed := func(r, s *big.Int) []byte {
				return append(r.FillBytes(make([]byte, size)), s.FillBytes(make([]byte, size))...)
			}
			zero, one := new(big.Int), big.NewInt(1)
			ones := new(big.Int).Sub(new(big.Int).Lsh(one, uint(8*size)), one)
			der, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
			if err != nil {
				t.Fatal(err)
			}
			changes := []change{
				{"as made", good, true},
				{"(r, n−s)", fixed(r, new(big.Int).Sub(n, s)), true},
				{"r=0 s=0", fixed(zero, zero), false},
				{"r=0", fixed(zero, s), false},
				{"s=0", fixed(r, zero), false},
				{"r=n", fixed(n, s), false},
				{"s=n", fixed(r, n), false},
				{"r=n s=n", fixed(n, n), false},
				{"r=1 s=1", fixed(one, one), false},
				{"all ones", fixed(ones, ones), false},
				{"swapped", fixed(s, r), false},
				{"DER", der, false},
				{"one byte less", good[:2*size-1], false},
				{"one byte more", append(good[:2*size:2*size], 0), false},
				{"a zero before", append([]byte{0}, good...), false},
				{"zeros before both", append(append([]byte{0}, good[:size]...), append([]byte{0}, good[size:]...)...), false},
				{"r alone", good[:size], false},
				{"nothing", nil, false},
			}
			// Where they fit, r+n and s+n are the same scalars again.
			for name, c := range map[string][2]*big.Int{"r+n": {new(big.Int).Add(r, n), s}, "s+n": {r, new(big.Int).Add(s, n)}} {
				if c[0].BitLen() <= 8*size && c[1].BitLen() <= 8*size {
					changes = append(changes, change{name, fixed(c[0], c[1]), false})
				}
			}
			return changes
		})
	}
}

// TestJWS10Ed25519 is about what can be made of a good signature. Package jwk
// tests keys and signatures that are not canonical.
func TestJWS10Ed25519(t *testing.T) {
	t.Parallel()
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	for _, alg := range []jwk.Algorithm{jwk.EdDSA, jwk.Ed25519} {
		verifyChanges(t, keyOf(t, alg), func(good []byte) []change {
			s := new(big.Int).SetBytes(reversed(good[32:]))
			with := func(s *big.Int) []byte {
				return append(good[:32:32], reversed(s.FillBytes(make([]byte, 32)))...)
			}
			return []change{
				{"as made", good, true},
				{"S+L", with(new(big.Int).Add(s, order)), false},
				{"S+2L", with(new(big.Int).Add(s, new(big.Int).Lsh(order, 1))), false},
				{"L−S", with(new(big.Int).Sub(order, s)), false},
				{"S=0", with(new(big.Int)), false},
				{"S=L", with(order), false},
				{"R neutral", append(append([]byte{1}, make([]byte, 31)...), good[32:]...), false},
				{"halves swapped", append(good[32:64:64], good[:32]...), false},
				{"63 bytes", good[:63], false},
				{"65 bytes", append(good[:64:64], 0), false},
				{"nothing", nil, false},
			}
		})
	}
}

func reversed(b []byte) []byte {
	out := make([]byte, len(b))
	for i, c := range b {
		out[len(b)-1-i] = c
	}
	return out
}

// RSA signatures are numbers below the modulus, written at full length.
func TestRSASignaturesHaveOneForm(t *testing.T) {
	t.Parallel()
	for _, alg := range everyAlgorithm[3:9] {
		key := keyOf(t, alg)
		public := rsaPublic(t, key)
		verifyChanges(t, key, func(good []byte) []change {
			changes := []change{
				{"as made", good, true},
				{"one byte less", good[1:], false},
				{"a zero before", append([]byte{0}, good...), false},
				{"a zero after", append(good[:len(good):len(good)], 0), false},
				{"zero", make([]byte, len(good)), false},
				{"one", append(make([]byte, len(good)-1), 1), false},
				{"n−s", new(big.Int).Sub(public.N, new(big.Int).SetBytes(good)).FillBytes(make([]byte, len(good))), false},
				{"n−1", new(big.Int).Sub(public.N, big.NewInt(1)).FillBytes(make([]byte, len(good))), false},
				{"n", public.N.FillBytes(make([]byte, len(good))), false},
				{"nothing", nil, false},
			}
			if more := new(big.Int).Add(public.N, new(big.Int).SetBytes(good)); more.BitLen() <= public.N.BitLen() {
				changes = append(changes, change{"s+n", more.Bytes(), false})
			}
			return changes
		})
	}
}

func rsaPublic(t *testing.T, key pair) *rsa.PublicKey {
	t.Helper()
	text, err := key.verifier.(*jwk.PublicKey).PEM()
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	public, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return public.(*rsa.PublicKey)
}

// TestJWS11PSS signs with the right key and the wrong parameters (RFC 7518
// §3.5): the salt is as long as the hash, which is the one that the algorithm
// names.
func TestJWS11PSS(t *testing.T) {
	t.Parallel()
	hashes := map[jwk.Algorithm]crypto.Hash{jwk.PS256: crypto.SHA256, jwk.PS384: crypto.SHA384, jwk.PS512: crypto.SHA512}
	for alg, hash := range hashes {
		key := keyOf(t, alg)
		private := rsaPrivate(t, key)
		input := b64.Encode([]byte(`{"alg":"`+string(alg)+`"}`)) + "." + b64.Encode([]byte("payload"))
		for _, used := range hashes {
			h := used.New()
			h.Write([]byte(input))
			digest := h.Sum(nil)
			for _, salt := range []int{-1, 1, 20, 31, 32, 33, 48, 64, 100} {
				signature, err := rsa.SignPSS(rand.Reader, private, used, digest, &rsa.PSSOptions{SaltLength: max(salt, rsa.PSSSaltLengthEqualsHash)})
				if err != nil {
					t.Fatal(err)
				}
				length := salt
				if salt == -1 {
					length = used.Size()
				}
				_, err = jws.Verify(ctx, input+"."+b64.Encode(signature), setOf(t, key.verifier))
				if want := used == hash && length == hash.Size(); want != (err == nil) || err != nil && !errors.Is(err, jwk.ErrSignature) {
					t.Errorf("%s with %s and a salt of %d: %v", alg, used, length, err)
				}
			}
			for mgf, other := range hashes {
				signature := signPSS(private, used, other, digest)
				_, err := jws.Verify(ctx, input+"."+b64.Encode(signature), setOf(t, key.verifier))
				if want := used == hash && other == hash; want != (err == nil) || err != nil && !errors.Is(err, jwk.ErrSignature) {
					t.Errorf("%s with %s and the mask of %s: %v", alg, used, mgf, err)
				}
			}
			// Padding of the other kind, under the name of this one.
			signature, err := rsa.SignPKCS1v15(rand.Reader, private, used, digest)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := jws.Verify(ctx, input+"."+b64.Encode(signature), setOf(t, key.verifier)); !errors.Is(err, jwk.ErrSignature) {
				t.Errorf("%s with PKCS #1 v1.5: %v", alg, err)
			}
		}
	}
}

func rsaPrivate(t *testing.T, key pair) *rsa.PrivateKey {
	t.Helper()
	text, err := key.Signer.(*jwk.PrivateKey).PrivatePEM()
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return private.(*rsa.PrivateKey)
}

// signPSS is EMSA-PSS (RFC 8017 §9.1.1) with a salt of zeros as long as the hash
// and a mask of another hash, which crypto/rsa does not make.
func signPSS(key *rsa.PrivateKey, hash, mask crypto.Hash, digest []byte) []byte {
	size := (key.N.BitLen() + 6) / 8 // of a number of one bit less
	salt := make([]byte, hash.Size())
	h := hash.New()
	h.Write(make([]byte, 8))
	h.Write(digest)
	h.Write(salt)
	sum := h.Sum(nil)
	encoded := make([]byte, size-len(sum)-1)
	encoded[len(encoded)-len(salt)-1] = 1
	for i, at := 0, 0; at < len(encoded); i++ {
		m := mask.New()
		m.Write(sum)
		m.Write([]byte{0, 0, 0, byte(i)})
		for _, c := range m.Sum(nil) {
			if at < len(encoded) {
				encoded[at] ^= c
				at++
			}
		}
	}
	encoded[0] &= 0xff >> (8*size - key.N.BitLen() + 1)
	encoded = append(append(encoded, sum...), 0xbc)
	s := new(big.Int).Exp(new(big.Int).SetBytes(encoded), key.D, key.N)
	return s.FillBytes(make([]byte, key.Size()))
}

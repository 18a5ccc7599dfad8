package conformance

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rsa"
	_ "crypto/sha1" // for a mask that must be refused
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"hash"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/internal/b64"
	"github.com/jotsmith/jotsmith/jwk"
)

const (
	issuer   = "https://auth.example.com"
	audience = "https://tasks.example.com"
)

// A maker makes the suite. The same each time: its keys are fixed, and so is all
// that is random elsewhere.
type maker struct {
	t        *testing.T
	rsa      *rsa.PrivateKey
	signers  map[string]jwk.Signer // by key id, which is the algorithm in lower case
	attacker map[string]jwk.Signer // of nobody's trust, under the same key ids
}

func newMaker(t *testing.T) *maker {
	m := &maker{t: t, rsa: rsaKey(t, "rsa.pem")}
	m.signers = m.keys("issuer", m.rsa)
	m.attacker = m.keys("attacker", rsaKey(t, "attacker-rsa.pem"))
	return m
}

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func rsaKey(t *testing.T, name string) *rsa.PrivateKey {
	t.Helper()
	block, _ := pem.Decode(must[[]byte](t)(os.ReadFile(filepath.Join("testdata", name))))
	return must[any](t)(x509.ParsePKCS8PrivateKey(block.Bytes)).(*rsa.PrivateKey)
}

// keys are one of each algorithm. The RSA ones are one key under several names,
// so that a signature of one algorithm is genuine under another and only the
// key's own algorithm tells.
func (m *maker) keys(whose string, rsaKey *rsa.PrivateKey) map[string]jwk.Signer {
	keys := make(map[string]jwk.Signer)
	add := func(k jwk.Signer, err error) {
		m.t.Helper()
		if err != nil {
			m.t.Fatal(err)
		}
		keys[k.KeyID()] = k
	}
	for _, alg := range jwk.Algorithms() {
		kid := strings.ToLower(string(alg))
		seed := func(n int) []byte {
			var b []byte
			for i := byte(0); len(b) < n; i++ {
				sum := sha256.Sum256(append([]byte(whose+" "+kid), i))
				b = append(b, sum[:]...)
			}
			return b[:n]
		}
		switch {
		case alg.Symmetric():
			add(jwk.NewHMAC(alg, seed(64), kid))
		case strings.HasPrefix(kid, "ed"):
			add(jwk.NewEd25519Private(alg, ed25519.NewKeyFromSeed(seed(32)), kid))
		case strings.HasPrefix(kid, "es"):
			add(jwk.NewECDSAPrivate(alg, ecKey(m.t, curves[alg], seed), kid))
		default:
			add(jwk.NewRSAPrivate(alg, rsaKey, kid))
		}
	}
	return keys
}

var curves = map[jwk.Algorithm]elliptic.Curve{jwk.ES256: elliptic.P256(), jwk.ES384: elliptic.P384(), jwk.ES512: elliptic.P521()}

func ecKey(t *testing.T, curve elliptic.Curve, seed func(int) []byte) *ecdsa.PrivateKey {
	t.Helper()
	scalar := seed((curve.Params().BitSize + 7) / 8)
	if curve == elliptic.P521() {
		scalar[0] &= 1
	}
	return must[*ecdsa.PrivateKey](t)(ecdsa.ParseRawPrivateKey(curve, scalar))
}

// public is the JWK of a key.
func (m *maker) public(k jwk.Signer) json.RawMessage {
	m.t.Helper()
	return must[[]byte](m.t)(json.Marshal(k.(*jwk.PrivateKey).Public()))
}

func (m *maker) set(keys ...json.RawMessage) json.RawMessage {
	m.t.Helper()
	return must[[]byte](m.t)(json.Marshal(map[string]any{"keys": keys}))
}

// ours is the JWK of the issuer's key.
func (m *maker) ours(kid string) json.RawMessage { return m.public(m.signers[kid]) }

// An object is JSON whose members keep their order and their spelling.
type object []member

type member struct{ name, value string } // the value is JSON

func (o object) String() string {
	parts := make([]string, len(o))
	for i, m := range o {
		parts[i] = `"` + m.name + `":` + m.value
	}
	return "{" + strings.Join(parts, ",") + "}"
}

// with has another value for a member, or one member more.
func (o object) with(name, value string) object {
	out := append(object(nil), o...)
	for i := range out {
		if out[i].name == name {
			out[i].value = value
			return out
		}
	}
	return append(out, member{name, value})
}

func (o object) without(name string) (out object) {
	for _, m := range o {
		if m.name != name {
			out = append(out, m)
		}
	}
	return out
}

func quoted(s string) string { return `"` + s + `"` }

func header(kid string) object {
	alg := strings.ToUpper(kid)
	switch kid {
	case "eddsa":
		alg = "EdDSA"
	case "ed25519":
		alg = "Ed25519"
	}
	return object{{"alg", quoted(alg)}, {"typ", `"at+jwt"`}, {"kid", quoted(kid)}}
}

// claims are those of an access token (RFC 9068 §2.2) of 15 minutes.
func claims() object {
	return object{
		{"iss", quoted(issuer)}, {"sub", `"acc_anna"`}, {"aud", quoted(audience)},
		{"exp", fmt.Sprint(now + 900)}, {"iat", fmt.Sprint(now)}, {"nbf", fmt.Sprint(now)},
		{"jti", `"tok_1"`}, {"sid", `"ses_1"`}, {"client_id", `"app_web"`},
		{"scope", `"tasks:read tasks:write"`}, {"roles", `["editor"]`},
	}
}

// input is what is signed.
func input(header, payload string) string {
	return b64.Encode([]byte(header)) + "." + b64.Encode([]byte(payload))
}

func (m *maker) signature(key jwk.Signer, input string) []byte {
	m.t.Helper()
	if k, ok := key.(*jwk.PrivateKey); ok && strings.HasPrefix(string(key.Algorithm()), "PS") {
		return m.pss(k, input)
	}
	return must[[]byte](m.t)(key.AppendSignature(nil, []byte(input)))
}

// signed is a token of any text, genuinely signed by a key.
func (m *maker) signed(key jwk.Signer, header, payload string) string {
	m.t.Helper()
	in := input(header, payload)
	return in + "." + b64.Encode(m.signature(key, in))
}

// token is signed by the issuer's key of the header's key id, by ES256 without.
func (m *maker) token(h, c fmt.Stringer) string {
	m.t.Helper()
	return m.signed(m.signers["es256"], h.String(), c.String())
}

// pss signs with a salt that is the same each time.
func (m *maker) pss(key *jwk.PrivateKey, input string) []byte {
	m.t.Helper()
	hash := hashes[key.Algorithm()[2:]]
	h := hash.New()
	h.Write([]byte(input))
	return must[[]byte](m.t)(rsa.SignPSS(&stream{seed: input}, m.rsa, hash, h.Sum(nil), &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}))
}

// oddPSS is a signature of the issuer's RSA key with SHA-256 (RFC 8017 §8.1.1)
// and a mask or a salt that RFC 7518 §3.5 does not allow.
func (m *maker) oddPSS(input string, mgf crypto.Hash, saltLen int) []byte {
	const size = 256
	salt := make([]byte, saltLen)
	_, _ = (&stream{seed: input}).Read(salt)
	digest := sha256.Sum256([]byte(input))
	h := sha256.Sum256(slices.Concat(make([]byte, 8), digest[:], salt))
	db := slices.Concat(make([]byte, size-saltLen-len(h)-2), []byte{1}, salt)
	for i := range db {
		block := mgf.New()
		block.Write(h[:])
		block.Write([]byte{0, 0, 0, byte(i / mgf.Size())})
		db[i] ^= block.Sum(nil)[i%mgf.Size()]
	}
	db[0] &= 0x7f // the modulus has 2048 bits, the message one less
	em := new(big.Int).SetBytes(slices.Concat(db, h[:], []byte{0xbc}))
	return em.Exp(em, m.rsa.D, m.rsa.N).FillBytes(make([]byte, size))
}

// mac is a token of HS256 under any secret.
func mac(hash func() hash.Hash, secret []byte, header, payload string) string {
	in := input(header, payload)
	h := hmac.New(hash, secret)
	h.Write([]byte(in))
	return in + "." + b64.Encode(h.Sum(nil))
}

// stream is bytes that follow from a seed.
type stream struct {
	seed string
	n    int
}

func (s *stream) Read(p []byte) (int, error) {
	for i := range p {
		sum := sha256.Sum256(fmt.Appendf(nil, "%d %s", s.n, s.seed))
		p[i] = sum[0]
		s.n++
	}
	return len(p), nil
}

// ecdsaParts takes a signature of RFC 7518 §3.4 apart.
func ecdsaParts(signature []byte) (r, s *big.Int) {
	half := len(signature) / 2
	return new(big.Int).SetBytes(signature[:half]), new(big.Int).SetBytes(signature[half:])
}

func ecdsaJoin(r, s *big.Int, size int) []byte {
	out := make([]byte, 2*size)
	r.FillBytes(out[:size])
	s.FillBytes(out[size:])
	return out
}

func ecdsaDER(t *testing.T, signature []byte) []byte {
	r, s := ecdsaParts(signature)
	return must[[]byte](t)(asn1.Marshal(struct{ R, S *big.Int }{r, s}))
}

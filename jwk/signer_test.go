package jwk_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/jwk"
)

// device stands for an HSM: it shows its public key and signs.
type device struct {
	public crypto.PublicKey
	sign   func(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error)
}

func (d device) Public() crypto.PublicKey { return d.public }

func (d device) Sign(rand io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	return d.sign(rand, digest, opts)
}

// inDevice puts a key into a device.
func inDevice(t *testing.T, key *jwk.PrivateKey) device {
	t.Helper()
	text, err := key.PrivatePEM()
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	inside, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	signer := inside.(crypto.Signer)
	return device{signer.Public(), signer.Sign}
}

func TestFromSigner(t *testing.T) {
	t.Parallel()
	for _, alg := range pairs {
		t.Run(string(alg), func(t *testing.T) {
			t.Parallel()
			original := generated()[alg]
			d := inDevice(t, original)
			key, err := jwk.FromSigner(alg, d, "")
			if err != nil {
				t.Fatal(err)
			}
			if !key.Public().Equal(original.Public()) || key.KeyID() != original.KeyID() || key.Algorithm() != alg {
				t.Errorf("%v became %v", original, key)
			}
			message := []byte("a message")
			signature, err := key.AppendSignature([]byte("kept"), message)
			if err != nil || !bytes.HasPrefix(signature, []byte("kept")) {
				t.Fatalf("%q, %v", signature, err)
			}
			if err := original.Public().Verify(message, signature[4:]); err != nil {
				t.Error(err)
			}
			if text, err := key.MarshalPrivateJWK(); err == nil {
				t.Errorf("written down: %s", text)
			}
			if text, err := key.PrivatePEM(); err == nil {
				t.Errorf("written down: %s", text)
			}
			if _, err := json.Marshal(key); err == nil {
				t.Error("marshalled in passing")
			}
			for _, other := range pairs {
				_, err := jwk.FromSigner(other, d, "")
				if fits := kind(other) == kind(alg); (err == nil) != fits {
					t.Errorf("for %s: %v", other, err)
				}
			}
			// What a device answers that is broken, tampered with, or another one.
			broken := errors.New("the device is broken")
			another := inDevice(t, anotherKey(alg))
			for name, sign := range map[string]func(io.Reader, []byte, crypto.SignerOpts) ([]byte, error){
				"nothing":    func(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return nil, nil },
				"one byte":   func(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return []byte{0x30}, nil },
				"zeros":      func(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return make([]byte, 256), nil },
				"a megabyte": func(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return make([]byte, 1<<20), nil },
				"another's":  another.sign,
				"another input": func(r io.Reader, in []byte, o crypto.SignerOpts) ([]byte, error) {
					in = bytes.Clone(in)
					in[0] ^= 1
					return d.sign(r, in, o)
				},
				"one bit changed": func(r io.Reader, in []byte, o crypto.SignerOpts) ([]byte, error) {
					s, err := d.sign(r, in, o)
					s[len(s)-1] ^= 1
					return s, err
				},
				"one byte more": func(r io.Reader, in []byte, o crypto.SignerOpts) ([]byte, error) {
					s, err := d.sign(r, in, o)
					return append(s, 0), err
				},
				"an error": func(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) { return []byte("and text"), broken },
			} {
				key, err := jwk.FromSigner(alg, device{d.public, sign}, "")
				if err != nil {
					t.Fatal(err)
				}
				signature, err := key.AppendSignature([]byte("kept"), message)
				if err == nil || signature != nil {
					t.Errorf("%s: %x, %v", name, signature, err)
				}
				if name == "an error" && !errors.Is(err, broken) {
					t.Errorf("the cause is lost: %v", err)
				}
			}
		})
	}
}

// anotherKey is a key that alg could have too.
func anotherKey(alg jwk.Algorithm) *jwk.PrivateKey {
	if kind(alg) != "RSA" {
		return must(jwk.Generate(alg))
	}
	if strings.HasPrefix(string(alg), "RS") {
		return generated()[jwk.PS256]
	}
	return generated()[jwk.RS256]
}

// A salt of another length is refused when the device makes it, and so is the
// other padding.
func TestFromSignerOtherPadding(t *testing.T) {
	t.Parallel()
	inside := inside(t, jwk.PS256).(*rsa.PrivateKey)
	for name, opts := range map[string]crypto.SignerOpts{
		"no salt":    &rsa.PSSOptions{SaltLength: 0, Hash: crypto.SHA256},
		"salt of 20": &rsa.PSSOptions{SaltLength: 20, Hash: crypto.SHA256},
		"PKCS #1":    crypto.SHA256,
	} {
		key, err := jwk.FromSigner(jwk.PS256, device{&inside.PublicKey, func(r io.Reader, digest []byte, _ crypto.SignerOpts) ([]byte, error) {
			if o, ok := opts.(*rsa.PSSOptions); ok && o.SaltLength == 0 {
				o.SaltLength = 64 // PSSSaltLengthAuto is 0: the longest there is
			}
			return inside.Sign(r, digest, opts)
		}}, "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := key.AppendSignature(nil, []byte("m")); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestFromSignerRefused(t *testing.T) {
	t.Parallel()
	small := must(rsa.GenerateKey(rand.Reader, 1024))
	p256 := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	for _, c := range []struct {
		name   string
		alg    jwk.Algorithm
		signer crypto.Signer
		kid    string
	}{
		{"no signer", jwk.ES256, nil, ""},
		{"no public key", jwk.ES256, device{}, ""},
		{"nil public key", jwk.ES256, device{public: (*ecdsa.PublicKey)(nil)}, ""},
		{"public key by value", jwk.ES256, device{public: p256.PublicKey}, ""},
		{"1024 bits", jwk.PS256, device{public: &small.PublicKey}, ""},
		{"wrong curve", jwk.ES384, device{public: &p256.PublicKey}, ""},
		{"secret's algorithm", jwk.HS256, device{public: &p256.PublicKey}, ""},
		{"unknown algorithm", "none", device{public: &p256.PublicKey}, ""},
		{"half an Ed25519 key", jwk.Ed25519, device{public: make(ed25519.PublicKey, 16)}, ""},
		{"small order", jwk.Ed25519, device{public: make(ed25519.PublicKey, 32)}, ""},
		{"key id", jwk.ES256, device{public: &p256.PublicKey}, "a\nb"},
	} {
		if key, err := jwk.FromSigner(c.alg, c.signer, c.kid); err == nil || key != nil {
			t.Errorf("%s: %v, %v", c.name, key, err)
		}
	}
}

// The fixed form is made of one spelling of ASN.1 only, and each r and s below
// the order of the group stands in it at full length.
func TestFromSignerASN1(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		alg   jwk.Algorithm
		curve elliptic.Curve
	}{{jwk.ES256, elliptic.P256()}, {jwk.ES384, elliptic.P384()}, {jwk.ES512, elliptic.P521()}} {
		t.Run(string(c.alg), func(t *testing.T) {
			t.Parallel()
			inside := must(ecdsa.GenerateKey(c.curve, rand.Reader))
			size := (c.curve.Params().BitSize + 7) / 8
			var change func([]byte) []byte
			key := must(jwk.FromSigner(c.alg, device{&inside.PublicKey, func(r io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
				der, err := inside.Sign(r, digest, o)
				return change(der), err
			}}, ""))
			same := func(b []byte) []byte { return b }
			change = same
			short := 0
			for range map[jwk.Algorithm]int{jwk.ES256: 200, jwk.ES384: 50, jwk.ES512: 20}[c.alg] {
				signature, err := key.AppendSignature(nil, []byte("m"))
				if err != nil || len(signature) != 2*size {
					t.Fatalf("%x, %v", signature, err)
				}
				if signature[1] == 0 || signature[size+1] == 0 {
					short++
				}
			}
			t.Logf("%d short halves", short)
			n := c.curve.Params().N
			for name, f := range map[string]func([]byte) []byte{
				"already fixed": func([]byte) []byte { return make([]byte, 2*size) },
				"r = 0":         func([]byte) []byte { return der(new(big.Int), big.NewInt(1)) },
				"s = 0":         func([]byte) []byte { return der(big.NewInt(1), new(big.Int)) },
				"r = 1, s = 1":  func([]byte) []byte { return der(big.NewInt(1), big.NewInt(1)) },
				"r = n":         func([]byte) []byte { return der(n, big.NewInt(1)) },
				"r too long":    func([]byte) []byte { return der(new(big.Int).Lsh(n, 16), big.NewInt(1)) },
				"negative r": func([]byte) []byte {
					return []byte{0x30, 6, 2, 1, 0xff, 2, 1, 1}
				},
				"three integers": func([]byte) []byte {
					return []byte{0x30, 9, 2, 1, 1, 2, 1, 1, 2, 1, 1}
				},
				"one integer":   func([]byte) []byte { return []byte{0x30, 3, 2, 1, 1} },
				"a set":         func(b []byte) []byte { b[0] = 0x31; return b },
				"trailing byte": func(b []byte) []byte { return append(b, 0) },
				"cut":           func(b []byte) []byte { return b[:len(b)-1] },
				"long length":   func(b []byte) []byte { return slices.Concat([]byte{0x30, 0x82, 0}, b[1:]) },
				"indefinite":    func(b []byte) []byte { return slices.Concat([]byte{0x30, 0x80}, b[2:], []byte{0, 0}) },
				"integer of 128": func(b []byte) []byte {
					return slices.Concat([]byte{0x30, 0x81, 0x84, 2, 0x80}, make([]byte, 128), []byte{2, 0})
				},
				"needless zero":       func(b []byte) []byte { return zeroBefore(b) },
				"nothing":             func([]byte) []byte { return nil },
				"a sequence and less": func([]byte) []byte { return []byte{0x30} },
			} {
				change = f
				if signature, err := key.AppendSignature(nil, []byte("m")); err == nil || signature != nil {
					t.Errorf("%s: %x", name, signature)
				} else if strings.Contains(err.Error(), "verify") != strings.Contains("r = 0 s = 0 r = 1, s = 1 r = n", name) {
					t.Errorf("%s: refused for another reason: %v", name, err)
				}
			}
		})
	}
}

// zeroBefore writes r with a zero byte that it does not need.
func zeroBefore(b []byte) []byte {
	head := 2
	if b[1] == 0x81 {
		head = 3
	}
	out := slices.Concat(b[:head+1], []byte{b[head+1] + 1, 0}, b[head+2:])
	if out[1] == 0x81 {
		out[2]++
		return out
	}
	out[1]++
	return out
}

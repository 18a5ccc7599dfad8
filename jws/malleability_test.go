package jws_test

import (
	"crypto"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"math/big"
	"testing"

	"github.com/jotsmith/jotsmith/internal/b64"
	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jws"
)

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

package jwe_test

import (
	"crypto/ecdh"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/internal/b64"
	"github.com/jotsmith/jotsmith/jwe"
	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jws"
)

func setOf(keys ...jwk.Decrypter) *jwk.DecryptionSet { return must(jwk.NewDecryptionSet(keys...)) }

func shared(alg jwk.KeyManagement, encs ...jwk.ContentEncryption) *jwk.SharedKey {
	return must(jwk.GenerateShared(alg, encs...))
}

// parts are those of a compact serialization, to be changed.
type parts [5]string

func taken(t *testing.T, compact string) (p parts) {
	t.Helper()
	if n := copy(p[:], strings.Split(compact, ".")); n != 5 {
		t.Fatalf("%d parts", n)
	}
	return p
}

func (p parts) String() string { return strings.Join(p[:], ".") }

// with returns the parts with one of them as f makes it of its bytes.
func (p parts) with(i int, f func([]byte) []byte) parts {
	p[i] = b64.Encode(f(must(b64.Decode(nil, p[i]))))
	return p
}

// header returns the parts with other members of the header; nil takes one away.
func (p parts) header(members map[string]any) parts {
	return p.with(0, func(text []byte) []byte {
		var h map[string]any
		if err := json.Unmarshal(text, &h); err != nil {
			panic(err)
		}
		for name, value := range members {
			if h[name] = value; value == nil {
				delete(h, name)
			}
		}
		return must(json.Marshal(h))
	})
}

func sealed(t *testing.T, key jwk.Encrypter, plaintext string) parts {
	t.Helper()
	return taken(t, must(jwe.Encrypt(key, "", "JWT", []byte(plaintext))))
}

// refuse fails unless text is refused with want and nothing comes out.
func refuse(t *testing.T, what, text string, keys jwe.Keys, want error) {
	t.Helper()
	got, err := jwe.Decrypt(t.Context(), text, keys)
	if !matches(err, want) || got.Plaintext != nil || got.Key != nil || got.Header != (jwe.Header{}) {
		t.Errorf("%s: %v, want: %v; got %+v", what, err, want, got)
	}
	if want == jwe.ErrDecrypt && err != jwe.ErrDecrypt {
		t.Errorf("%s: the error says more than it may: %v", what, err)
	}
}

// flip changes one bit.
func flip(i int) func([]byte) []byte {
	return func(b []byte) []byte { b[(i+len(b))%len(b)] ^= 1; return b }
}

func first(n int) func([]byte) []byte { return func(b []byte) []byte { return b[:n] } }
func more(n int) func([]byte) []byte {
	return func(b []byte) []byte { return append(b, make([]byte, n)...) }
}

// JWE-01: what is encrypted to us is nobody's signature, and what is signed is
// not decrypted, whichever is handed to whichever; decrypting says nothing about
// who wrote it, and has no function that would.
func TestJWE01EncryptedIsNotSigned(t *testing.T) {
	t.Parallel()
	key := must(jwk.GenerateDecryption(jwk.ECDHESA128KW, ""))
	text := must(jwe.Encrypt(key.Public(), "", "JWT", []byte(`{"sub":"admin"}`)))
	signer := must(jwk.Generate(jwk.ES256))
	verifiers := must(jwk.NewSet(signer.Public()))
	if _, err := jws.Verify(t.Context(), text, verifiers); !errors.Is(err, jws.ErrMalformed) {
		t.Errorf("jws.Verify of an encrypted token: %v", err)
	}
	if _, err := (jws.JSONVerifier{Signers: 1}).Verify(t.Context(), must(jwe.EncryptJSON([]jwk.Encrypter{key.Public()}, "", "JWT", nil, nil)), verifiers); !errors.Is(err, jws.ErrMalformed) {
		t.Errorf("jws.JSONVerifier of an encrypted text: %v", err)
	}
	refuse(t, "a signed token", must(jws.Sign(signer, "at+jwt", []byte(`{}`))), setOf(key), jwe.ErrMalformed)
	public := must(json.Marshal(key.Public()))
	for name, parse := range map[string]func([]byte) error{
		"ParsePublic":  func(b []byte) error { _, err := jwk.ParsePublic(b); return err },
		"ParseShared":  func(b []byte) error { _, err := jwk.ParseShared(b); return err },
		"ParseSecret":  func(b []byte) error { _, err := jwk.ParseSecret(b); return err },
		"ParsePrivate": func(b []byte) error { _, err := jwk.ParsePrivate(must(key.MarshalDecryptionJWK())); return err },
	} {
		if parse(public) == nil {
			t.Errorf("%s takes a key for encryption", name)
		}
	}
	set := must(jwk.ParseSet([]byte(`{"keys":[` + string(public) + `,` + string(must(json.Marshal(signer.Public()))) + `]}`)))
	if set.Len() != 1 {
		t.Errorf("a set for signatures took %d keys", set.Len())
	}
}

// JWE-02: a password is never tried unless it is asked for, and never with more
// or less work than the bounds say, which is found out before any is done.
func TestJWE02Iterations(t *testing.T) {
	t.Parallel()
	password := must(jwk.NewPassword(jwk.PBES2HS512A256KW, "correct horse battery staple"))
	good := taken(t, must(jwe.EncryptWithPassword(password, "", "", []byte("secret"))))
	if got, err := jwe.DecryptWithPassword(good.String(), password); err != nil || string(got.Plaintext) != "secret" {
		t.Fatal(err)
	}
	for name, p2c := range map[string]any{
		"2^31": 1 << 31, "2^31-1": 1<<31 - 1, "1,200,001": 1_200_001, "0": 0, "-1": -1, "1.5": 1.5, "a string": "1000", "absent": nil, "999": 999,
		"1e3": json.RawMessage("1e3"), "2^64+1000": json.RawMessage("18446744073709552616"), "true": true, "array": []int{1000},
	} {
		text := good.header(map[string]any{"p2c": p2c}).String()
		fastest := time.Hour // the machine may be busy
		for range 5 {
			start := time.Now()
			got, err := jwe.DecryptWithPassword(text, password)
			if err == nil || got.Plaintext != nil {
				t.Errorf("p2c %s: accepted", name)
			}
			fastest = min(fastest, time.Since(start))
		}
		if fastest > 50*time.Millisecond {
			t.Errorf("p2c %s: refused after %v", name, fastest)
		}
		// A set cannot hold a password, and so a token never gets there.
		refuse(t, "p2c "+name+" among tokens", text, setOf(shared(jwk.A256KW)), anyError{jwe.ErrAlgorithm, jwe.ErrMalformed})
	}
	for name, salt := range map[string]any{"absent": nil, "empty": "", "7 bytes": "AAAAAAAAAA", "129 bytes": strings.Repeat("A", 172), "a number": 8} {
		if _, err := jwe.DecryptWithPassword(good.header(map[string]any{"p2s": salt}).String(), password); err == nil {
			t.Errorf("p2s %s: accepted", name)
		}
	}
	for _, other := range []string{"PBES2-HS256+A128KW", "PBES2-HS384+A192KW", "A256KW", "dir"} {
		_, err := jwe.DecryptWithPassword(good.header(map[string]any{"alg": other}).String(), password)
		is(t, err, jwe.ErrAlgorithm)
	}
	refuse(t, "not enabled", good.String(), setOf(shared(jwk.A256KW)), jwe.ErrAlgorithm)
	wrong := must(jwk.NewPassword(jwk.PBES2HS512A256KW, "correct horse battery stable"))
	if _, err := jwe.DecryptWithPassword(good.String(), wrong); err != jwe.ErrDecrypt {
		t.Error(err)
	}
}

// anyError matches one of several errors.
type anyError []error

func (a anyError) Error() string { return fmt.Sprint([]error(a)) }

func matches(err, want error) bool {
	if several, ok := want.(anyError); ok {
		return slices.ContainsFunc(several, func(w error) bool { return errors.Is(err, w) })
	}
	return errors.Is(err, want)
}

// JWE-03: nothing is ever decompressed, wherever "zip" stands and whatever it
// says.
func TestJWE03Compression(t *testing.T) {
	t.Parallel()
	key := shared(jwk.A256KW)
	good := sealed(t, key, "secret")
	for _, zip := range []any{"DEF", "def", "GZ", "", 0, nil, []string{"DEF", "DEF"}, json.RawMessage(`null`)} {
		text := good.header(map[string]any{"zip": zip})
		if zip == nil {
			text = good.with(0, func(b []byte) []byte { return append(b[:len(b)-1], `,"zip":null}`...) })
		}
		refuse(t, fmt.Sprintf("zip %v", zip), text.String(), setOf(key), jwe.ErrMalformed)
	}
	text := must(jwe.EncryptJSON([]jwk.Encrypter{key, shared(jwk.A128KW)}, "", "", nil, []byte("secret")))
	for _, where := range []string{"unprotected", "header"} {
		var m map[string]any
		if err := json.Unmarshal(text, &m); err != nil {
			t.Fatal(err)
		}
		if where == "header" {
			m["recipients"].([]any)[0].(map[string]any)["header"].(map[string]any)["zip"] = "DEF"
		} else {
			m["unprotected"] = map[string]any{"zip": "DEF"}
		}
		_, err := jwe.DecryptJSON(t.Context(), must(json.Marshal(m)), setOf(key))
		is(t, err, jwe.ErrMalformed)
	}
}

// JWE-05: RSA1_5 does not exist; every fault of OAEP's padding ends in the one
// error, after the same work (TestJWETimingTellsNothing measures it).
func TestJWE05RSA(t *testing.T) {
	t.Parallel()
	key := rsaPair()
	good := sealed(t, key.Public(), "secret")
	refuse(t, "RSA1_5", good.header(map[string]any{"alg": "RSA1_5"}).String(), setOf(key), jwe.ErrAlgorithm)
	refuse(t, "RSA-OAEP for a key of RSA-OAEP-256", good.header(map[string]any{"alg": "RSA-OAEP"}).String(), setOf(key), jwe.ErrAlgorithm)
	for name, mangled := range map[string]parts{
		"first bit":             good.with(1, flip(0)), // Manger: whether the first byte is zero
		"last bit":              good.with(1, flip(-1)),
		"all zero":              good.with(1, func(b []byte) []byte { return make([]byte, len(b)) }),
		"all ones":              good.with(1, func(b []byte) []byte { return []byte(strings.Repeat("\xff", len(b))) }),
		"as large as a modulus": good.with(1, func([]byte) []byte { return rsaKey().N.Bytes() }),
		"one":                   good.with(1, func(b []byte) []byte { out := make([]byte, len(b)); out[len(b)-1] = 1; return out }),
		"short":                 good.with(1, first(255)),
		"long":                  good.with(1, more(1)),
		"empty":                 good.with(1, first(0)),
	} {
		refuse(t, name, mangled.String(), setOf(key), jwe.ErrDecrypt)
	}
	for name, n := range map[string]int{"a content key of 16 bytes": 16, "of 0": 0, "of 33": 33} {
		key := oaepOf(t, make([]byte, n))
		refuse(t, name, good.with(1, func([]byte) []byte { return key }).String(), setOf(rsaPair()), jwe.ErrDecrypt)
	}
	if _, err := jwk.GenerateDecryption("RSA1_5", ""); err == nil {
		t.Error("a key for RSA1_5")
	}
	if _, err := jwk.GenerateDecryption("RSA-OAEP", ""); err == nil {
		t.Error("a new key for RSA-OAEP")
	}
}

func oaepOf(t *testing.T, key []byte) []byte {
	t.Helper()
	return must(rsa.EncryptOAEP(sha256.New(), rand.Reader, &rsaKey().PublicKey, key, nil))
}

// JWE-06: for the ciphers with CBC, a wrong tag, a wrong padding, both, and wrong
// lengths are one error.
func TestJWE06CBC(t *testing.T) {
	t.Parallel()
	for _, enc := range []jwk.ContentEncryption{jwk.A128CBCHS256, jwk.A256CBCHS512} {
		key := shared(jwk.Direct, enc)
		good := sealed(t, key, strings.Repeat("x", 100))
		for name, mangled := range map[string]parts{
			"tag":               good.with(4, flip(0)),
			"last bit of tag":   good.with(4, flip(-1)),
			"padding":           good.with(3, flip(-17)),
			"padding and tag":   good.with(3, flip(-17)).with(4, flip(3)),
			"text cut by 1":     good.with(3, first(111)),
			"text cut by block": good.with(3, first(96)),
			"one block":         good.with(3, first(16)),
			"no text":           good.with(3, first(0)),
			"text longer":       good.with(3, more(16)),
			"IV of 0":           good.with(2, first(0)),
			"IV of 8":           good.with(2, first(8)),
			"IV of 15":          good.with(2, first(15)),
			"IV of 17":          good.with(2, more(1)),
			"IV into text":      good.with(2, more(16)).with(3, func(b []byte) []byte { return b[16:] }),
			"IV":                good.with(2, flip(0)),
			"tag empty":         good.with(4, first(0)),
			"tag cut":           good.with(4, first(15)),
			"tag whole hash":    good.with(4, more(16)),
			"header":            good.header(map[string]any{"x": 1}),
		} {
			refuse(t, string(enc)+" "+name, mangled.String(), setOf(key), jwe.ErrDecrypt)
		}
		other := shared(jwk.Direct, enc)
		refuse(t, string(enc)+" another key", sealed(t, other, "x").header(map[string]any{"kid": key.KeyID()}).String(), setOf(key), jwe.ErrDecrypt)
	}
}

// JWE-07: GCM has 12 bytes of IV and 16 of tag, as a cipher and as a wrap.
func TestJWE07GCM(t *testing.T) {
	t.Parallel()
	for _, enc := range []jwk.ContentEncryption{jwk.A128GCM, jwk.A192GCM, jwk.A256GCM} {
		key := shared(jwk.A256GCMKW, enc)
		good := sealed(t, key, strings.Repeat("x", 100))
		for _, n := range []int{0, 4, 8, 12, 13, 14, 15} {
			refuse(t, fmt.Sprint(enc, " tag of ", n), good.with(4, first(n)).String(), setOf(key), jwe.ErrDecrypt)
		}
		refuse(t, "tag of 17", good.with(4, more(1)).String(), setOf(key), jwe.ErrDecrypt)
		for _, n := range []int{0, 1, 8, 11} {
			refuse(t, fmt.Sprint(enc, " IV of ", n), good.with(2, first(n)).String(), setOf(key), jwe.ErrDecrypt)
		}
		for _, n := range []int{1, 4} {
			refuse(t, fmt.Sprint(enc, " IV of ", 12+n), good.with(2, more(n)).String(), setOf(key), jwe.ErrDecrypt)
			refuse(t, fmt.Sprint(enc, " text in the IV ", n), good.with(2, more(n)).with(3, func(b []byte) []byte { return b[n:] }).String(), setOf(key), jwe.ErrDecrypt)
		}
		for _, name := range []string{"iv", "tag"} {
			refuse(t, "no "+name, good.header(map[string]any{name: nil}).String(), setOf(key), jwe.ErrDecrypt)
			for _, n := range []int{0, 4, 8, 11, 13, 15, 17, 32} {
				refuse(t, fmt.Sprint(name, " of ", n), good.header(map[string]any{name: b64.Encode(make([]byte, n))}).String(), setOf(key), jwe.ErrDecrypt)
			}
			for _, bad := range []any{1, []int{}, true, "=", "AAA=", "A", "+/"} {
				refuse(t, fmt.Sprint(name, " is ", bad), good.header(map[string]any{name: bad}).String(), setOf(key), jwe.ErrMalformed)
			}
		}
	}
}

// JWE-08: an encrypted key stands where there is one and nowhere else, in the one
// size that it can have.
func TestJWE08EncryptedKey(t *testing.T) {
	t.Parallel()
	for _, p := range mangled() {
		good := sealed(t, p.enc, "secret")
		keys := setOf(p.dec)
		if alg := p.dec.Algorithm(); alg == jwk.Direct || alg == jwk.ECDHES {
			for _, n := range []int{1, 16, 24, 40, 256} {
				refuse(t, fmt.Sprint(p.name, ": ", n), good.with(1, more(n)).String(), keys, jwe.ErrDecrypt)
			}
			continue
		}
		size := len(must(b64.Decode(nil, good[1])))
		for _, n := range []int{0, 1, 7, 8, 15, 16, 17, 23, 24, 25, 31, 32, 33, 40, 41, 48, 56, 72, 80, 255, 256, 257, 4096} {
			if n != size {
				refuse(t, fmt.Sprint(p.name, ": ", n), good.with(1, func([]byte) []byte { return make([]byte, n) }).String(), keys, jwe.ErrDecrypt)
			}
		}
		refuse(t, p.name+": zeros", good.with(1, func(b []byte) []byte { return make([]byte, len(b)) }).String(), keys, jwe.ErrDecrypt)
	}
}

// The ephemeral key of ECDH-ES: on the recipient's curve, not of small order, and
// public (CVE-2017-16007 and its like asked other curves for the private key).
func TestEphemeralKey(t *testing.T) {
	t.Parallel()
	p256, x25519 := must(jwk.GenerateDecryption(jwk.ECDHES, "P-256")), must(jwk.GenerateDecryption(jwk.ECDHES, "X25519"))
	point := func(key *ecdh.PrivateKey) map[string]any {
		b := key.PublicKey().Bytes()
		n := (len(b) - 1) / 2
		return map[string]any{"kty": "EC", "crv": "P-256", "x": b64.Encode(b[1 : 1+n]), "y": b64.Encode(b[1+n:])}
	}
	edit := func(m map[string]any, name string, value any) map[string]any { m[name] = value; return m }
	fresh := func() map[string]any { return point(must(ecdh.P256().GenerateKey(rand.Reader))) }
	for name, epk := range map[string]any{
		"of another P-256 key": fresh(),
		"of P-384":             edit(point(must(ecdh.P384().GenerateKey(rand.Reader))), "crv", "P-384"),
		"off the curve":        edit(fresh(), "x", b64.Encode(make([]byte, 32))),
		"at infinity":          map[string]any{"kty": "EC", "crv": "P-256", "x": "", "y": ""},
		"of zeros":             map[string]any{"kty": "EC", "crv": "P-256", "x": b64.Encode(make([]byte, 32)), "y": b64.Encode(make([]byte, 32))},
		"short":                edit(fresh(), "y", b64.Encode(make([]byte, 31))),
		"private":              edit(fresh(), "d", b64.Encode(make([]byte, 32))),
		"without y":            edit(fresh(), "y", 7),
		"of type OKP":          edit(fresh(), "kty", "OKP"),
		"of X25519":            map[string]any{"kty": "OKP", "crv": "X25519", "x": b64.Encode(make([]byte, 32))},
		"empty":                map[string]any{},
	} {
		refuse(t, name, sealed(t, p256.Public(), "secret").header(map[string]any{"epk": epk}).String(), setOf(p256), jwe.ErrDecrypt)
	}
	refuse(t, "none", sealed(t, p256.Public(), "secret").header(map[string]any{"epk": nil}).String(), setOf(p256), jwe.ErrDecrypt)
	for _, epk := range []any{"P-256", 1, []any{}, true} {
		refuse(t, fmt.Sprint(epk), sealed(t, p256.Public(), "secret").header(map[string]any{"epk": epk}).String(), setOf(p256), jwe.ErrMalformed)
	}
	// RFC 7748 §6.1: the points of small order, of which all give zero.
	for _, x := range []string{
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
		"7P_______________________________________38", "7f_______________________________________38", "7v_______________________________________38",
		"4Ot6fDtBuK4WVuP68Z_EatoJjeucMrH9hmIFFl9JuAA", "X5yVvKNQjCSx0LFVnIPvWwREXMRYHI6G2CJO3dCfEVc",
	} {
		epk := map[string]any{"kty": "OKP", "crv": "X25519", "x": x}
		refuse(t, "X25519 "+x, sealed(t, x25519.Public(), "secret").header(map[string]any{"epk": epk}).String(), setOf(x25519), jwe.ErrDecrypt)
		if _, err := jwk.ParseEncryption(must(json.Marshal(map[string]any{"kty": "OKP", "crv": "X25519", "x": x, "alg": "ECDH-ES"}))); err == nil {
			t.Errorf("a public key of small order: %s", x)
		}
	}
}

// JWE-10: a content key of another length than "enc" asks for.
func TestJWE10ContentKeyLength(t *testing.T) {
	t.Parallel()
	all := jwk.ContentEncryptions()
	for _, alg := range []jwk.KeyManagement{jwk.A128KW, jwk.A256KW, jwk.A128GCMKW, jwk.A256GCMKW} {
		key := shared(alg, all...)
		for _, enc := range all {
			content := must(jwk.NewContentKey(enc))
			w := must(key.WrapContentKey(content))
			for _, said := range all {
				h := map[string]any{"alg": alg, "enc": said, "kid": key.KeyID()}
				if len(w.IV) != 0 {
					h["iv"], h["tag"] = b64.Encode(w.IV), b64.Encode(w.Tag)
				}
				protected := b64.Encode(must(json.Marshal(h)))
				box := content.Seal(nil, []byte("secret"), []byte(protected))
				iv, tag := enc.Sizes()
				text := parts{protected, b64.Encode(w.EncryptedKey), b64.Encode(box[:iv]), b64.Encode(box[iv : len(box)-tag]), b64.Encode(box[len(box)-tag:])}
				got, err := jwe.Decrypt(t.Context(), text.String(), setOf(key))
				if enc == said {
					if err != nil || string(got.Plaintext) != "secret" {
						t.Errorf("%s %s: %v", alg, enc, err)
					}
					continue
				}
				refuse(t, fmt.Sprint(alg, ": ", enc, " as ", said), text.String(), setOf(key), jwe.ErrDecrypt)
			}
		}
	}
}

// The key decides what decrypts it, in algorithm and content encryption; the
// message is only compared.
func TestKeyDecides(t *testing.T) {
	t.Parallel()
	key := shared(jwk.A256KW, jwk.A256GCM)
	good := sealed(t, key, "secret")
	for _, alg := range []any{"none", "", "A128KW", "a256kw", "A256GCMKW", "dir", "ECDH-ES", "HS256", "HPKE-0", "HPKE-0-KE", "PBES2-HS512+A256KW"} {
		want := error(jwe.ErrAlgorithm)
		if alg == "" {
			want = jwe.ErrMalformed
		}
		refuse(t, fmt.Sprint("alg ", alg), good.header(map[string]any{"alg": alg}).String(), setOf(key), want)
	}
	for _, enc := range []any{"A128GCM", "A256CBC-HS512", "A192CBC-HS384", "C20P", "none"} {
		refuse(t, fmt.Sprint("enc ", enc), good.header(map[string]any{"enc": enc}).String(), setOf(key), jwe.ErrAlgorithm)
	}
	for _, name := range []string{"alg", "enc"} {
		for _, value := range []any{nil, 1, []string{"A256KW"}, true} {
			refuse(t, fmt.Sprint(name, " ", value), good.header(map[string]any{name: value}).String(), setOf(key), jwe.ErrMalformed)
		}
	}
	for _, crit := range []any{[]string{"exp"}, []string{}, "exp", []string{"alg"}, []string{"b64"}, nil} {
		text := good.header(map[string]any{"crit": crit, "exp": 1})
		if crit == nil {
			text = good.with(0, func(b []byte) []byte { return append(b[:len(b)-1], `,"crit":null}`...) })
		}
		refuse(t, fmt.Sprint("crit ", crit), text.String(), setOf(key), jwe.ErrMalformed)
	}
	refuse(t, "another kid", good.header(map[string]any{"kid": "x"}).String(), setOf(key), jwk.ErrUnknownKey)
	refuse(t, "no kid among several", good.header(map[string]any{"kid": nil}).String(), setOf(key, shared(jwk.A256KW)), jwk.ErrUnknownKey)
	refuse(t, "no keys", good.String(), setOf(), jwk.ErrUnknownKey)
	// A header offers keys: nobody looks.
	offering := good.header(map[string]any{"jku": "https://evil.example/", "jwk": map[string]any{"kty": "oct", "k": "AAAA"}, "x5c": []string{"AAAA"}})
	refuse(t, "offered keys", offering.String(), setOf(key), jwe.ErrDecrypt)
}

// The form, and its spelling.
func TestForm(t *testing.T) {
	t.Parallel()
	key := shared(jwk.A256KW)
	good := sealed(t, key, "secret").String()
	p := taken(t, good)
	for name, text := range map[string]string{
		"empty": "", "dots": "....", "four parts": strings.Join(p[:4], "."), "six parts": good + ".", "10,000 dots": strings.Repeat(".", 10000),
		"no header": good[strings.Index(good, "."):], "padding": good + "=", "newline": good + "\n", "space": " " + good,
		"standard alphabet": strings.Replace(good, p[4], "+"+p[4][1:], 1),
		"unused bits":       good[:len(good)-1] + string(good[len(good)-1]+1),
		"too large":         good + strings.Repeat("A", jwe.DefaultMaxSize),
		"header twice":      b64.Encode([]byte(`{"alg":"A256KW","alg":"A256KW","enc":"A256GCM"}`)) + good[strings.Index(good, "."):],
		"header escaped":    b64.Encode([]byte(`{"alg":"A256KW","\u0061lg":"A256KW","enc":"A256GCM"}`)) + good[strings.Index(good, "."):],
		"header is no JSON": "AAAA" + good[strings.Index(good, "."):],
		"header has BOM":    b64.Encode([]byte("\ufeff{}")) + good[strings.Index(good, "."):],
		"ALG":               b64.Encode([]byte(`{"ALG":"A256KW","enc":"A256GCM"}`)) + good[strings.Index(good, "."):],
	} {
		refuse(t, name, text, setOf(key), jwe.ErrMalformed)
	}
	small := jwe.Decrypter{MaxSize: len(good) - 1}
	_, err := small.Decrypt(t.Context(), good, setOf(key))
	is(t, err, jwe.ErrMalformed)
	large := must(jwe.Encrypt(key, "", "", make([]byte, 20000)))
	refuse(t, "20000 bytes", large, setOf(key), jwe.ErrMalformed)
	if got, err := (jwe.Decrypter{MaxSize: 1 << 20}).Decrypt(t.Context(), large, setOf(key)); err != nil || len(got.Plaintext) != 20000 {
		t.Error(err)
	}
}

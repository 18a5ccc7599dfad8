package jwk_test

import (
	"crypto/ecdh"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
)

// decryptionKeys are one of every kind of key pair; RSA keys take long to make.
var decryptionKeys = sync.OnceValue(func() (all []*jwk.DecryptionKey) {
	rsaKey := must(rsa.GenerateKey(rand.Reader, 2048))
	all = append(all, must(jwk.NewRSADecryption(rsaKey, "", jwk.A256GCM, jwk.A128CBCHS256)))
	for _, alg := range []jwk.KeyManagement{jwk.ECDHES, jwk.ECDHESA128KW, jwk.ECDHESA256KW} {
		for _, crv := range []string{"P-256", "P-384", "P-521", "X25519"} {
			all = append(all, must(jwk.GenerateDecryption(alg, crv, jwk.A128GCM, jwk.A256CBCHS512)))
		}
	}
	return all
})

func sharedKeys() (all []*jwk.SharedKey) {
	for _, alg := range jwk.KeyManagements() {
		if alg.Symmetric() {
			all = append(all, must(jwk.GenerateShared(alg, jwk.A192GCM)))
		}
	}
	return all
}

// decrypts reports whether dec has the content key that enc makes.
func decrypts(enc jwk.Encrypter, dec jwk.Decrypter) bool {
	content, w, err := enc.NewContentKey()
	if err != nil {
		return false
	}
	got, err := dec.UnwrapContentKey(content.Encryption(), w)
	if err != nil {
		return false
	}
	text, err := got.Open(nil, content.Seal(nil, []byte("text"), []byte("aad")), []byte("aad"))
	return err == nil && string(text) == "text"
}

// A key for encryption is the same key after any way out and in.
func TestEncryptionKeysRoundTrip(t *testing.T) {
	t.Parallel()
	for _, key := range decryptionKeys() {
		text := must(key.MarshalDecryptionJWK())
		again, err := jwk.ParseDecryption(text)
		if err != nil || !again.Public().Equal(key.Public()) || !decrypts(key.Public(), again) {
			t.Errorf("%v: %v\n%s", key, err, text)
			continue
		}
		public, err := jwk.ParseEncryption(must(json.Marshal(key.Public())))
		if err != nil || !public.Equal(key.Public()) || !decrypts(public, key) {
			t.Errorf("%v: public JWK: %v", key, err)
		}
		if strings.HasPrefix(string(key.Algorithm()), "ECDH") {
			exported := strings.Replace(string(must(json.Marshal(key.Public()))), `"use":"enc"`, `"key_ops":[],"ext":true`, 1)
			if same, err := jwk.ParseEncryption([]byte(exported)); err != nil || !same.Equal(key.Public()) {
				t.Errorf("%v: as a browser exports it: %v", key, err)
			}
		}
		narrow := must(jwk.ParseDecryption(text, jwk.A256GCM))
		if got := narrow.Encryptions(); !slices.Equal(got, []jwk.ContentEncryption{jwk.A256GCM}) {
			t.Errorf("%v: asked for A256GCM, allows %v", key, got)
		}
		fromPEM, err := jwk.ParseDecryptionPEM(key.Algorithm(), "", must(key.PrivatePEM()), key.Encryptions()...)
		if err != nil || !fromPEM.Public().Equal(key.Public()) || !decrypts(key.Public(), fromPEM) {
			t.Errorf("%v: private PEM: %v", key, err)
		}
		publicPEM, err := jwk.ParseEncryptionPEM(key.Algorithm(), "", must(key.Public().PEM()), key.Encryptions()...)
		if err != nil || !publicPEM.Equal(key.Public()) {
			t.Errorf("%v: public PEM: %v", key, err)
		}
		if key.KeyID() != key.Public().Thumbprint() || !key.Algorithm().Known() || key.Algorithm().Symmetric() {
			t.Errorf("%v: %s", key, key.Public().Thumbprint())
		}
	}
	for _, key := range sharedKeys() {
		again, err := jwk.ParseShared(must(key.MarshalSharedJWK()))
		if err != nil || !again.Equal(key) || !decrypts(key, again) {
			t.Errorf("%v: %v", key, err)
		}
	}
}

// No key shows itself, and none is written in passing.
func TestEncryptionKeysAreNotShown(t *testing.T) {
	t.Parallel()
	shared, private := sharedKeys()[0], decryptionKeys()[1]
	password := must(jwk.NewPassword(jwk.PBES2HS512A256KW, "correct horse battery staple"))
	content := must(jwk.NewContentKey(jwk.A256GCM))
	for want, keys := range map[string][]any{
		"jwk.SharedKey(A128KW " + shared.KeyID() + ")":       {shared, *shared},
		"jwk.DecryptionKey(ECDH-ES " + private.KeyID() + ")": {private, *private},
		"jwk.Password(PBES2-HS512+A256KW)":                   {password, *password},
		"jwk.ContentKey(A256GCM)":                            {content, *content},
	} {
		for _, key := range keys {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "%q", "%d"} {
				if got := fmt.Sprintf(verb, key); got != want {
					t.Errorf("%s: %s", verb, got)
				}
			}
			text, err := json.Marshal(key)
			if _, isContent := key.(*jwk.ContentKey); err == nil && !isContent && string(text) != "{}" {
				t.Errorf("%T was marshalled: %s", key, text)
			}
		}
	}
}

// What is weak, of another kind or for another use does not become a key.
func TestEncryptionKeysRefused(t *testing.T) {
	t.Parallel()
	rsaJWK, ecJWK := must(decryptionKeys()[0].MarshalDecryptionJWK()), must(decryptionKeys()[1].MarshalDecryptionJWK())
	signing := must(must(jwk.Generate(jwk.ES256)).MarshalPrivateJWK())
	change := func(text []byte, members map[string]any) []byte {
		var m map[string]any
		if err := json.Unmarshal(text, &m); err != nil {
			t.Fatal(err)
		}
		for name, value := range members {
			if m[name] = value; value == nil {
				delete(m, name)
			}
		}
		return must(json.Marshal(m))
	}
	decryption := func(text []byte) error { _, err := jwk.ParseDecryption(text); return err }
	if err := errors.Join(decryption(rsaJWK), decryption(ecJWK)); err != nil {
		t.Fatal(err)
	}
	short := must(rsa.GenerateKey(rand.Reader, 1024))
	for name, text := range map[string][]byte{
		"a key that signs":       signing,
		"use sig":                change(ecJWK, map[string]any{"use": "sig"}),
		"key_ops of a signer":    change(ecJWK, map[string]any{"key_ops": []string{"sign"}}),
		"no alg":                 change(ecJWK, map[string]any{"alg": nil}),
		"alg of RSA":             change(ecJWK, map[string]any{"alg": "RSA-OAEP-256"}),
		"alg of a shared key":    change(ecJWK, map[string]any{"alg": "A256KW"}),
		"alg of a signature":     change(ecJWK, map[string]any{"alg": "ES256"}),
		"RSA1_5":                 change(rsaJWK, map[string]any{"alg": "RSA1_5"}),
		"RSA-OAEP":               change(rsaJWK, map[string]any{"alg": "RSA-OAEP"}),
		"RSA with ECDH-ES":       change(rsaJWK, map[string]any{"alg": "ECDH-ES"}),
		"HPKE":                   change(ecJWK, map[string]any{"alg": "HPKE-0-KE"}),
		"secp256k1":              change(ecJWK, map[string]any{"crv": "secp256k1"}),
		"another curve":          change(ecJWK, map[string]any{"crv": "P-384"}),
		"a point off the curve":  change(ecJWK, map[string]any{"x": strings.Repeat("A", 43)}),
		"halves of two keys":     change(ecJWK, map[string]any{"d": strings.Repeat("A", 42) + "E"}),
		"scalar zero":            change(ecJWK, map[string]any{"d": strings.Repeat("A", 43)}),
		"kty OKP on P-256":       change(ecJWK, map[string]any{"kty": "OKP"}),
		"modulus of 1024 bits":   change(rsaJWK, map[string]any{"n": fmt.Sprintf("%0171d", 1), "d": "AQ"}),
		"public half":            must(json.Marshal(decryptionKeys()[1].Public())),
		"enc twice":              change(ecJWK, map[string]any{"enc": []string{"A128GCM", "A128GCM"}}),
		"a shared key":           must(sharedKeys()[0].MarshalSharedJWK()),
		"two values for one kid": []byte(`{"kid":"a","kid":"b"}`),
	} {
		if err := decryption(text); err == nil {
			t.Errorf("%s: accepted: %s", name, text)
		}
		if _, err := jwk.ParseEncryption(text); err == nil && name != "public half" {
			t.Errorf("%s: accepted as public", name)
		}
	}
	if _, err := jwk.NewRSADecryption(short, ""); err == nil {
		t.Error("RSA of 1024 bits")
	}
	for name, build := range map[string]func() error{
		"unknown alg":     func() error { _, err := jwk.GenerateDecryption("RSA-OAEP-512", ""); return err },
		"shared as pair":  func() error { _, err := jwk.GenerateDecryption(jwk.A256KW, ""); return err },
		"pair as shared":  func() error { _, err := jwk.GenerateShared(jwk.ECDHES); return err },
		"curve of RSA":    func() error { _, err := jwk.GenerateDecryption(jwk.RSAOAEP256, "P-256"); return err },
		"unknown curve":   func() error { _, err := jwk.GenerateDecryption(jwk.ECDHES, "X448"); return err },
		"dir without enc": func() error { _, err := jwk.GenerateShared(jwk.Direct); return err },
		"dir with two":    func() error { _, err := jwk.GenerateShared(jwk.Direct, jwk.A128GCM, jwk.A256GCM); return err },
		"unknown enc":     func() error { _, err := jwk.GenerateShared(jwk.A256KW, "A192CBC-HS384"); return err },
		"nil key":         func() error { _, err := jwk.NewECDHDecryption(jwk.ECDHES, nil, ""); return err },
		"nil RSA key":     func() error { _, err := jwk.NewRSADecryption(nil, ""); return err },
		"empty ECDH key":  func() error { _, err := jwk.NewECDHDecryption(jwk.ECDHES, new(ecdh.PrivateKey), ""); return err },
		"short":           func() error { _, err := jwk.NewShared(jwk.A256KW, counting(31), "a"); return err },
		"long":            func() error { _, err := jwk.NewShared(jwk.A256KW, counting(33), "a"); return err },
		"zeros":           func() error { _, err := jwk.NewShared(jwk.A256KW, make([]byte, 32), "a"); return err },
		"repeated": func() error {
			_, err := jwk.NewShared(jwk.A256KW, append(counting(16), counting(16)...), "a")
			return err
		},
		"no kid":            func() error { _, err := jwk.NewShared(jwk.A256KW, counting(32), ""); return err },
		"short password":    func() error { _, err := jwk.NewPassword(jwk.PBES2HS512A256KW, "1234567"); return err },
		"password for A256": func() error { _, err := jwk.NewPassword(jwk.A256KW, "correct horse battery staple"); return err },
		"password of 192": func() error {
			_, err := jwk.NewPassword("PBES2-HS384+A192KW", "correct horse battery staple")
			return err
		},
		"secret as shared": func() error {
			_, err := jwk.ParseShared(must(must(jwk.GenerateSecret(jwk.HS256)).MarshalSecretJWK()))
			return err
		},
		"shared as secret":  func() error { _, err := jwk.ParseSecret(must(sharedKeys()[0].MarshalSharedJWK())); return err },
		"OAEP, alg of 256":  func() error { _, err := jwk.DangerouslyParseRSAOAEP(rsaJWK); return err },
		"private as public": func() error { _, err := jwk.ParseEncryption(ecJWK); return err },
		"signing PEM is EdD": func() error {
			_, err := jwk.ParseDecryptionPEM(jwk.ECDHES, "", must(must(jwk.Generate(jwk.EdDSA)).PrivatePEM()))
			return err
		},
	} {
		if build() == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	oaep := must(jwk.DangerouslyParseRSAOAEP(change(rsaJWK, map[string]any{"alg": "RSA-OAEP"})))
	if _, _, err := oaep.Public().NewContentKey(); err == nil {
		t.Error("RSA-OAEP encrypts")
	}
}

func counting(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

// A set of public keys takes those for encryption, and a set for signatures skips
// them.
func TestEncryptionSets(t *testing.T) {
	t.Parallel()
	a, b := decryptionKeys()[1], decryptionKeys()[8]
	signer := must(jwk.Generate(jwk.ES256))
	text := []byte(`{"keys":[` + string(must(json.Marshal(a.Public()))) + `,` + string(must(json.Marshal(signer.Public()))) + `,` +
		string(must(json.Marshal(b.Public()))) + `,{"kty":"EC","crv":"P-256","x":"","y":""},{"kty":"XYZ","use":"enc"},{"kty":"RSA","use":"enc","n":"AQ","e":"AQAB"}]}`)
	set, err := jwk.ParseEncryptionSet(text)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []*jwk.DecryptionKey{a, b} {
		if got, err := set.Key(key.KeyID()); err != nil || !got.Equal(key.Public()) {
			t.Error(got, err)
		}
	}
	if _, err := set.Key(signer.KeyID()); set.Len() != 2 || !errors.Is(err, jwk.ErrUnknownKey) {
		t.Error(set.Len(), err)
	}
	if again, err := jwk.ParseEncryptionSet(must(json.Marshal(set))); err != nil || again.Len() != 2 {
		t.Error(err)
	}
	if signing, err := jwk.ParseSet([]byte(strings.Replace(string(text), `{"kty":"EC","crv":"P-256","x":"","y":""},`, "", 1))); err != nil || signing.Len() != 1 {
		t.Error(err)
	}
	for name, bad := range map[string]string{
		"a private key": string(must(a.MarshalDecryptionJWK())),
		"a shared key":  string(must(sharedKeys()[0].MarshalSharedJWK())),
		"a secret":      string(must(must(jwk.GenerateSecret(jwk.HS256)).MarshalSecretJWK())),
		"one twice":     string(must(json.Marshal(a.Public()))) + "," + string(must(json.Marshal(a.Public()))),
		"a broken key":  strings.Replace(string(must(json.Marshal(a.Public()))), `"x":"`, `"x":"A`, 1),
	} {
		if _, err := jwk.ParseEncryptionSet([]byte(`{"keys":[` + bad + `]}`)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	shared := sharedKeys()[0]
	decryption := must(jwk.NewDecryptionSet(a, shared, b))
	if decryption.Public().Len() != 2 || decryption.Len() != 3 || len(slices.Collect(decryption.All())) != 3 || len(slices.Collect(set.All())) != 2 {
		t.Error("wrong sizes")
	}
	if _, err := decryption.Key(t.Context(), ""); !errors.Is(err, jwk.ErrUnknownKey) {
		t.Errorf("no kid among three: %v", err)
	}
	if got, err := must(jwk.NewDecryptionSet(a)).Key(t.Context(), ""); err != nil || got != jwk.Decrypter(a) {
		t.Errorf("no kid for one: %v", err)
	}
	for name, keys := range map[string][]jwk.Decrypter{"twice": {a, a}, "nil": {nil}, "typed nil": {(*jwk.SharedKey)(nil)}, "empty": {new(jwk.DecryptionKey)}, "too many": make([]jwk.Decrypter, 101)} {
		if _, err := jwk.NewDecryptionSet(keys...); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// A certificate must be for encryption.
func TestEncryptionKeyOfACertificate(t *testing.T) {
	t.Parallel()
	key := must(rsa.GenerateKey(rand.Reader, 2048))
	for usage, good := range map[x509.KeyUsage]bool{0: true, x509.KeyUsageKeyEncipherment: true, x509.KeyUsageKeyAgreement: true, x509.KeyUsageDigitalSignature: false} {
		template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "x"}, NotAfter: time.Now().Add(time.Hour), KeyUsage: usage}
		der := must(x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key))
		_, err := jwk.ParseEncryptionPEM(jwk.RSAOAEP256, "", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
		if (err == nil) != good {
			t.Errorf("usage %d: %v", usage, err)
		}
	}
}

// Reading never panics, and what was read comes back as it was.
func FuzzParseEncryption(f *testing.F) {
	for _, k := range decryptionKeys() {
		f.Add(must(k.MarshalDecryptionJWK()))
		f.Add(must(json.Marshal(k.Public())))
	}
	for _, k := range sharedKeys() {
		f.Add(must(k.MarshalSharedJWK()))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		private, privateErr := jwk.ParseDecryption(text)
		public, publicErr := jwk.ParseEncryption(text)
		shared, sharedErr := jwk.ParseShared(text)
		if (private == nil) != (privateErr != nil) || (public == nil) != (publicErr != nil) || (shared == nil) != (sharedErr != nil) {
			t.Fatal("a key and an error, or neither")
		}
		if private != nil && (public != nil || shared != nil) || public != nil && shared != nil {
			t.Fatalf("two kinds of key: %s", text)
		}
		if private != nil {
			again, err := jwk.ParseDecryption(must(private.MarshalDecryptionJWK()))
			if err != nil || !again.Public().Equal(private.Public()) || !decrypts(private.Public(), again) {
				t.Fatalf("%s: %v", text, err)
			}
		}
		if public != nil {
			again, err := jwk.ParseEncryption(must(json.Marshal(public)))
			if err != nil || !again.Equal(public) {
				t.Fatalf("%s: %v", text, err)
			}
		}
		if shared != nil {
			again, err := jwk.ParseShared(must(shared.MarshalSharedJWK()))
			if err != nil || !again.Equal(shared) || !decrypts(shared, again) {
				t.Fatalf("%s: %v", text, err)
			}
		}
		set, err := jwk.ParseEncryptionSet(text)
		if err != nil {
			return
		}
		if again, err := jwk.ParseEncryptionSet(must(json.Marshal(set))); err != nil || again.Len() != set.Len() {
			t.Fatalf("%s: %v", text, err)
		}
	})
}

package jwk_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
)

func block(name string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: name, Bytes: der})
}

// certificate makes a self-signed one that has long been over.
func certificate(t *testing.T, key crypto.Signer, usage x509.KeyUsage) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(1), KeyUsage: usage,
		NotBefore: time.Unix(0, 0), NotAfter: time.Unix(1, 0),
	}, &x509.Certificate{SerialNumber: big.NewInt(1)}, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return block("CERTIFICATE", der)
}

func inside(t *testing.T, alg jwk.Algorithm) crypto.Signer {
	t.Helper()
	b, _ := pem.Decode(must(generated()[alg].PrivatePEM()))
	return must(x509.ParsePKCS8PrivateKey(b.Bytes)).(crypto.Signer)
}

func TestPEMForms(t *testing.T) {
	t.Parallel()
	r := inside(t, jwk.PS256).(*rsa.PrivateKey)
	e := inside(t, jwk.ES384).(*ecdsa.PrivateKey)
	ed := inside(t, jwk.Ed25519)
	sec1 := block("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(e)))
	for _, c := range []struct {
		name string
		alg  jwk.Algorithm
		pem  []byte
	}{
		{"PKCS #1, RSA", jwk.PS256, block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(r))},
		{"PKCS #8, RSA", jwk.PS256, block("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(r)))},
		{"SEC 1", jwk.ES384, sec1},
		{"SEC 1 after its parameters", jwk.ES384, append(block("EC PARAMETERS", []byte{6, 5, 0x2b, 0x81, 4, 0, 0x22}), sec1...)},
		{"PKCS #8, EC", jwk.ES384, block("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(e)))},
		{"PKCS #8, Ed25519", jwk.Ed25519, block("PRIVATE KEY", must(x509.MarshalPKCS8PrivateKey(ed)))},
		{"text before", jwk.ES384, append([]byte("Bag Attributes\n"), sec1...)},
		{"CRLF", jwk.ES384, bytes.ReplaceAll(sec1, []byte("\n"), []byte("\r\n"))},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			key, err := jwk.ParsePrivatePEM(c.alg, "", c.pem)
			if err != nil || !key.Public().Equal(generated()[c.alg].Public()) {
				t.Errorf("%v, %v", key, err)
			}
			if _, err := jwk.ParsePublicPEM(c.alg, "", c.pem); err == nil || !strings.Contains(err.Error(), "private key") {
				t.Errorf("as a public key: %v", err)
			}
		})
	}
	for _, c := range []struct {
		name string
		alg  jwk.Algorithm
		pem  []byte
	}{
		{"PKCS #1, RSA", jwk.PS256, block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&r.PublicKey))},
		{"PKIX, RSA", jwk.PS256, block("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(&r.PublicKey)))},
		{"PKIX, EC", jwk.ES384, block("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(&e.PublicKey)))},
		{"PKIX, Ed25519", jwk.Ed25519, block("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(ed.Public())))},
		{"certificate, RSA", jwk.PS256, certificate(t, r, x509.KeyUsageDigitalSignature)},
		{"certificate, EC", jwk.ES384, certificate(t, e, x509.KeyUsageDigitalSignature|x509.KeyUsageKeyEncipherment)},
		{"certificate, Ed25519", jwk.Ed25519, certificate(t, ed, 0)},
		{"certificate, non-repudiation", jwk.Ed25519, certificate(t, ed, x509.KeyUsageContentCommitment)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			key, err := jwk.ParsePublicPEM(c.alg, "", c.pem)
			if err != nil || !key.Equal(generated()[c.alg].Public()) {
				t.Errorf("%v, %v", key, err)
			}
			if _, err := jwk.ParsePrivatePEM(c.alg, "", c.pem); err == nil || !strings.Contains(err.Error(), "public key") {
				t.Errorf("as a private key: %v", err)
			}
		})
	}
}

func TestPEMRefused(t *testing.T) {
	t.Parallel()
	good := must(generated()[jwk.ES256].Public().PEM())
	private := must(generated()[jwk.ES256].PrivatePEM())
	encrypted := "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,7B9D6229784FA8C5849BE6A32275F4E9\n\nAAAA\n-----END RSA PRIVATE KEY-----\n"
	p224 := must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader))
	small := must(rsa.GenerateKey(rand.Reader, 1024))
	for _, c := range []struct {
		name, public, private string // what the errors say
		data                  []byte
	}{
		{"empty", "no PEM block", "no PEM block", nil},
		{"text", "no PEM block", "no PEM block", []byte("hello")},
		{"parameters only", "no PEM block", "no PEM block", block("EC PARAMETERS", nil)},
		{"parameters twice", "text after", "text after", slices.Concat(block("EC PARAMETERS", nil), block("EC PARAMETERS", nil), private)},
		{"two keys", "text after", "text after", append(bytes.Clone(good), good...)},
		{"key and certificate", "text after", "text after", append(bytes.Clone(private), certificate(t, p224, 0)...)},
		{"text after", "text after", "text after", append(bytes.Clone(good), "x"...)},
		{"encrypted PKCS #8", "openssl pkey -in", "openssl pkey -in", block("ENCRYPTED PRIVATE KEY", []byte{0})},
		{"encrypted the old way", "private key", "openssl pkey -in", []byte(encrypted)},
		{"OpenSSH", "ssh-keygen", "ssh-keygen", block("OPENSSH PRIVATE KEY", []byte{0})},
		{"request", "openssl req", "openssl req", block("CERTIFICATE REQUEST", []byte{0})},
		{"another block", `"PGP MESSAGE" where a public key`, "where a private key", block("PGP MESSAGE", []byte{0})},
		{"garbage inside, PKIX", "malformed", "public key", block("PUBLIC KEY", []byte{0})},
		{"garbage inside, PKCS #1", "malformed", "public key", block("RSA PUBLIC KEY", []byte{0})},
		{"garbage inside, certificate", "malformed", "public key", block("CERTIFICATE", []byte{0})},
		{"garbage inside, PKCS #8", "private key", "malformed", block("PRIVATE KEY", []byte{0})},
		{"garbage inside, private PKCS #1", "private key", "malformed", block("RSA PRIVATE KEY", []byte{0})},
		{"garbage inside, SEC 1", "private key", "malformed", block("EC PRIVATE KEY", []byte{0})},
		{"certificate for encryption", "digitalSignature", "public key", certificate(t, p224, x509.KeyUsageKeyEncipherment)},
		{"another curve", "curve is not P-256", "public key", block("PUBLIC KEY", must(x509.MarshalPKIXPublicKey(&p224.PublicKey)))},
		{"another curve, private", "private key", "curve is not P-256", block("EC PRIVATE KEY", must(x509.MarshalECPrivateKey(p224)))},
		{"RSA", "not an ECDSA public key", "public key", block("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&small.PublicKey))},
		{"private key too large", "private key", "8192 bits", block("PRIVATE KEY", make([]byte, 7<<10))},
		{"too large", "at most", "at most", make([]byte, 40<<10)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if key, err := jwk.ParsePublicPEM(jwk.ES256, "", c.data); key != nil || err == nil || !strings.Contains(err.Error(), c.public) {
				t.Errorf("public: error %v, want %q in it", err, c.public)
			}
			if key, err := jwk.ParsePrivatePEM(jwk.ES256, "", c.data); key != nil || err == nil || !strings.Contains(err.Error(), c.private) {
				t.Errorf("private: error %v, want %q in it", err, c.private)
			}
		})
	}
	if _, err := jwk.ParsePrivatePEM(jwk.RS256, "", block("RSA PRIVATE KEY", x509.MarshalPKCS1PrivateKey(small))); err == nil || !strings.Contains(err.Error(), "1024 bits") {
		t.Errorf("small key: %v", err)
	}
	for _, alg := range []jwk.Algorithm{jwk.HS256, jwk.HS512, "none", ""} {
		if _, err := jwk.ParsePublicPEM(alg, "", good); err == nil {
			t.Errorf("public key taken for %q", alg)
		}
		if _, err := jwk.ParsePrivatePEM(alg, "", private); err == nil {
			t.Errorf("private key taken for %q", alg)
		}
	}
}

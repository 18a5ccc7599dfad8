package jwk

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

const (
	publicBlock  = "PUBLIC KEY"  // PKIX, RFC 7468 §13
	privateBlock = "PRIVATE KEY" // PKCS #8, RFC 7468 §10
)

// maxPrivateDER is more than an RSA key of 8192 bits needs, with each of its nine
// numbers. To check a larger one takes seconds, before its size can be told.
const maxPrivateDER = 6 << 10

// publicForms and privateForms read the block of each name.
var (
	publicForms = map[string]func(der []byte) (any, error){
		publicBlock:      x509.ParsePKIXPublicKey,
		"RSA PUBLIC KEY": func(der []byte) (any, error) { return x509.ParsePKCS1PublicKey(der) },
		"CERTIFICATE":    func(der []byte) (any, error) { return x509.ParseCertificate(der) },
	}
	privateForms = map[string]func(der []byte) (any, error){
		privateBlock:      x509.ParsePKCS8PrivateKey,
		"RSA PRIVATE KEY": func(der []byte) (any, error) { return x509.ParsePKCS1PrivateKey(der) },
		"EC PRIVATE KEY":  func(der []byte) (any, error) { return x509.ParseECPrivateKey(der) },
	}
)

// ParsePublicPEM reads one public key: PKIX ("PUBLIC KEY"), PKCS #1
// ("RSA PUBLIC KEY") or the key of one X.509 certificate ("CERTIFICATE"). PEM
// says neither algorithm nor key id: alg must be given, and an empty kid stands
// for the thumbprint.
//
// Of a certificate only the key is taken, and refused if its usage leaves out
// signatures (RFC 5280 §4.2.1.3). Its validity, its chain and its names are not
// checked: whoever hands over the file vouches for it.
func ParsePublicPEM(alg Algorithm, kid string, pem []byte) (*PublicKey, error) {
	key, err := readPublicPEM(pem, x509.KeyUsageDigitalSignature|x509.KeyUsageContentCommitment, "digitalSignature")
	if err != nil {
		return nil, err
	}
	return newPublic(alg, key, kid)
}

// readPublicPEM reads a public key, whatever it is for. A certificate must allow
// one of usages, which names are called by.
func readPublicPEM(pem []byte, usages x509.KeyUsage, names string) (any, error) {
	block, err := oneBlock(pem)
	if err != nil {
		return nil, err
	}
	parse := publicForms[block.Type]
	if parse == nil {
		return nil, unexpected(block, "a public key")
	}
	key, err := parse(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("malformed or unknown kind of key in the PEM block %q: %w", block.Type, err)
	}
	if c, ok := key.(*x509.Certificate); ok {
		if c.KeyUsage != 0 && c.KeyUsage&usages == 0 {
			return nil, errors.New("the certificate's key usage leaves out " + names)
		}
		key = c.PublicKey
	}
	return key, nil
}

// ParsePrivatePEM reads one private key that is not encrypted: PKCS #8
// ("PRIVATE KEY"), PKCS #1 ("RSA PRIVATE KEY") or SEC 1 ("EC PRIVATE KEY").
func ParsePrivatePEM(alg Algorithm, kid string, pem []byte) (*PrivateKey, error) {
	key, err := readPrivatePEM(pem)
	if err != nil {
		return nil, err
	}
	return newPrivate(alg, key, kid)
}

func readPrivatePEM(pem []byte) (any, error) {
	block, err := oneBlock(pem)
	if err != nil {
		return nil, err
	}
	// RFC 1421 §4.6.1.1, which OpenSSL still writes.
	if strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
		return nil, errors.New("PEM block is encrypted: " + decryptHint)
	}
	parse := privateForms[block.Type]
	if parse == nil {
		return nil, unexpected(block, "a private key")
	}
	if len(block.Bytes) > maxPrivateDER {
		return nil, fmt.Errorf("private key of %d bytes: RSA keys of more than %d bits are not taken", len(block.Bytes), maxModulus)
	}
	key, err := parse(block.Bytes)
	if err != nil {
		// The cause may quote the key.
		return nil, fmt.Errorf("malformed or unknown kind of key in the PEM block %q", block.Type)
	}
	return key, nil
}

const decryptHint = "decrypt it first: openssl pkey -in encrypted.pem -out key.pem"

// hints tell what to do with the other blocks that people have.
var hints = map[string]string{
	"ENCRYPTED PRIVATE KEY": "it is encrypted, " + decryptHint,
	"OPENSSH PRIVATE KEY":   "OpenSSH's own form, convert it: ssh-keygen -p -m PKCS8 -f key",
	"CERTIFICATE REQUEST":   "extract its key: openssl req -pubkey -noout -in request.pem",
}

func unexpected(block *pem.Block, want string) error {
	hint := hints[block.Type]
	switch {
	case hint != "":
	case publicForms[block.Type] != nil:
		hint = "it holds a public key"
	case privateForms[block.Type] != nil:
		hint = "it holds a private key, which must not be handed around"
	}
	if hint == "" {
		return fmt.Errorf("PEM block %q where %s is expected", clip(block.Type), want)
	}
	return fmt.Errorf("PEM block %q where %s is expected: %s", block.Type, want, hint)
}

// oneBlock returns the only block of data. Text may stand before it, and the
// name of the curve, which OpenSSL writes before keys in the form of SEC 1.
func oneBlock(data []byte) (*pem.Block, error) {
	if len(data) > maxJWK {
		return nil, fmt.Errorf("PEM of %d bytes: at most %d", len(data), maxJWK)
	}
	block, rest := pem.Decode(data)
	if block != nil && block.Type == "EC PARAMETERS" {
		block, rest = pem.Decode(rest)
	}
	switch {
	case block == nil:
		return nil, errors.New("no PEM block: -----BEGIN … is expected")
	case len(bytes.TrimSpace(rest)) != 0:
		return nil, errors.New("text after the PEM block: one key is expected")
	}
	return block, nil
}

// PEM returns the key as a PKIX "PUBLIC KEY" block.
func (k *PublicKey) PEM() ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(k.half.key())
	if err != nil {
		return nil, fmt.Errorf("marshalling the public key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: publicBlock, Bytes: der}), nil
}

// PrivatePEM returns the key as a PKCS #8 "PRIVATE KEY" block. Whoever has it
// can sign.
func (k *PrivateKey) PrivatePEM() ([]byte, error) {
	half, err := k.local()
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalPKCS8PrivateKey(half.key())
	if err != nil {
		return nil, fmt.Errorf("marshalling the private key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: privateBlock, Bytes: der}), nil
}

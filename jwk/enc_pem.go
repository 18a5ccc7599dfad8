package jwk

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
)

// ParseEncryptionPEM reads one public key for encryption, in the forms of
// [ParsePublicPEM]. PEM says neither what a key is for nor its id: alg must be
// given, and an empty kid stands for the thumbprint. A certificate is refused if
// its usage leaves out both key encipherment and key agreement.
func ParseEncryptionPEM(alg KeyManagement, kid string, pem []byte, encs ...ContentEncryption) (*EncryptionKey, error) {
	f, err := alg.pair()
	if err != nil {
		return nil, err
	}
	key, err := readPublicPEM(pem, x509.KeyUsageKeyEncipherment|x509.KeyUsageKeyAgreement, "keyEncipherment and keyAgreement")
	if err != nil {
		return nil, err
	}
	return newEncryption(alg, f, key, kid, encs)
}

// ParseDecryptionPEM reads one private key for encryption that is not encrypted
// itself, in the forms of [ParsePrivatePEM].
func ParseDecryptionPEM(alg KeyManagement, kid string, pem []byte, encs ...ContentEncryption) (*DecryptionKey, error) {
	f, err := alg.pair()
	if err != nil {
		return nil, err
	}
	key, err := readPrivatePEM(pem)
	if err != nil {
		return nil, err
	}
	return newDecryption(alg, f, key, kid, encs)
}

// PEM returns the key as a PKIX "PUBLIC KEY" block.
func (k *EncryptionKey) PEM() ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(k.half.key())
	if err != nil {
		return nil, fmt.Errorf("marshalling the public key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: publicBlock, Bytes: der}), nil
}

// PrivatePEM returns the key as a PKCS #8 "PRIVATE KEY" block. Whoever has it can
// decrypt.
func (k *DecryptionKey) PrivatePEM() ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k.half.key())
	if err != nil {
		return nil, errors.New("marshalling the private key failed")
	}
	return pem.EncodeToMemory(&pem.Block{Type: privateBlock, Bytes: der}), nil
}

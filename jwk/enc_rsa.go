package jwk

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"errors"
	"hash"
)

// oaepFamily is RSAES OAEP with one hash, in MGF1 too (RFC 7518 §4.3).
type oaepFamily struct{ oaepHash }

type oaepHash struct {
	name    KeyManagement
	newHash func() hash.Hash
}

var (
	sha256Hash = oaepHash{RSAOAEP256, sha256.New}
	sha1Hash   = oaepHash{rsaOAEP, sha1.New}
)

func (oaepFamily) kind() string { return "RSA" }

func (oaepFamily) generate(crv string) (crypto.PrivateKey, error) {
	if crv != "" {
		return nil, errors.New("RSA keys have no curve")
	}
	return rsa.GenerateKey(rand.Reader, minModulus)
}

func (f oaepFamily) public(key crypto.PublicKey) (encryptionHalf, error) {
	half, err := rsaFamily{}.public(key)
	if err != nil {
		return nil, err
	}
	return oaepPublic{half.(*rsaPublic), f.oaepHash}, nil
}

func (f oaepFamily) private(key crypto.PrivateKey) (decryptionHalf, crypto.PublicKey, error) {
	half, public, err := rsaFamily{}.private(key)
	if err != nil {
		return nil, nil, err
	}
	return oaepPrivate{half.(*rsaPrivate), f.oaepHash}, public, nil
}

func (oaepFamily) readPublic(d *document) (crypto.PublicKey, error) {
	return rsaFamily{}.readPublic(d)
}

func (oaepFamily) readPrivate(d *document) (crypto.PrivateKey, error) {
	return rsaFamily{}.readPrivate(d)
}

type oaepPublic struct {
	*rsaPublic
	oaepHash
}

func (oaepPublic) agree(ContentEncryption) (*ContentKey, WrappedKey, error) {
	return nil, WrappedKey{}, errNoAgreement
}

func (p oaepPublic) wrap(content *ContentKey) (WrappedKey, error) {
	if p.name == rsaOAEP {
		return WrappedKey{}, errors.New("RSA-OAEP is read here and never written: use RSA-OAEP-256")
	}
	encrypted, err := rsa.EncryptOAEP(p.newHash(), rand.Reader, p.k, content.key, nil)
	return WrappedKey{EncryptedKey: encrypted}, err
}

type oaepPrivate struct {
	*rsaPrivate
	oaepHash
}

// unwrap answers with a random key for every fault of the padding, so that no
// difference is left that Manger's attack could work with (RFC 7516 §11.5).
func (p oaepPrivate) unwrap(enc ContentEncryption, w WrappedKey) (*ContentKey, error) {
	if len(w.EncryptedKey) != p.k.Size() {
		return nil, ErrDecryption
	}
	size := enc.keySize()
	key, err := rsa.DecryptOAEP(p.newHash(), nil, p.k, w.EncryptedKey, nil)
	ok := 1
	if err != nil || len(key) != size {
		key, ok = w.EncryptedKey[:size], 0
	}
	return orRandom(enc, key, ok)
}

// DangerouslyParseRSAOAEP is [ParseDecryption] for a key of RSA-OAEP, whose hash
// is SHA-1: so that what others have sent can still be read. It encrypts nothing.
func DangerouslyParseRSAOAEP(jwk []byte, encs ...ContentEncryption) (*DecryptionKey, error) {
	d, err := readJWK(jwk)
	if err != nil {
		return nil, err
	}
	if d.Alg != string(rsaOAEP) {
		return nil, errors.New("JWK whose \"alg\" is not RSA-OAEP: use ParseDecryption")
	}
	return d.decryption(rsaOAEP, oaepFamily{sha1Hash}, encs)
}

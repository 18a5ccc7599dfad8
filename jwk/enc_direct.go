package jwk

import "errors"

// directFamily is a shared key that encrypts the content itself (RFC 7518 §4.5).
type directFamily struct{}

func (directFamily) size(enc ContentEncryption) int { return enc.keySize() }

func (directFamily) half(key []byte, encs []ContentEncryption) (sharedHalf, error) {
	content, err := newContentKey(encs[0], key)
	if err != nil {
		return nil, err
	}
	content.direct = true
	return direct{content}, nil
}

type direct struct{ content *ContentKey }

func (direct) wrap(*ContentKey) (WrappedKey, error) {
	return WrappedKey{}, errors.New("a key for dir encrypts for nobody else: leave it out, or use A256KW")
}

func (d direct) unwrap(_ ContentEncryption, w WrappedKey) (*ContentKey, error) {
	if len(w.EncryptedKey) != 0 { // RFC 7516 §5.2 step 10
		return nil, ErrDecryption
	}
	return d.content, nil
}

package jwk

// gcmKWFamily is AES GCM as a key wrap (RFC 7518 §4.7) with a key of so many
// bytes. Each message takes a random IV under the one key: after 2³² of them it
// has to be replaced (NIST SP 800-38D §8.3).
type gcmKWFamily int

func (f gcmKWFamily) size(ContentEncryption) int { return int(f) }

func (gcmKWFamily) half(key []byte, _ []ContentEncryption) (sharedHalf, error) {
	a, err := newGCM(key)
	return gcmKW{a}, err
}

type gcmKW struct{ aead aead }

func (g gcmKW) wrap(content *ContentKey) (WrappedKey, error) {
	sealed := g.aead.Seal(nil, nil, content.key, nil) // no additional data, §4.7
	end := len(sealed) - gcmTag
	return WrappedKey{IV: sealed[:gcmIV], EncryptedKey: sealed[gcmIV:end], Tag: sealed[end:]}, nil
}

func (g gcmKW) unwrap(enc ContentEncryption, w WrappedKey) (*ContentKey, error) {
	size := enc.keySize()
	if len(w.IV) != gcmIV || len(w.Tag) != gcmTag || len(w.EncryptedKey) != size {
		return nil, ErrDecryption
	}
	sealed := make([]byte, 0, gcmIV+maxContentKey+gcmTag)
	sealed = append(append(append(sealed, w.IV...), w.EncryptedKey...), w.Tag...)
	key, err := g.aead.Open(make([]byte, 0, size), nil, sealed, nil)
	ok := 1
	if err != nil {
		key, ok = sealed[:size], 0
	}
	return orRandom(enc, key, ok)
}

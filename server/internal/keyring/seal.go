package keyring

import (
	"cmp"
	"crypto/cipher"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
)

// ErrRootKey says that none of the root keys given opens the ring.
var ErrRootKey = errors.New("root key does not fit")

// An entry is a key with its unsealed material: private for the purposes that
// sign, secret for the one that MACs, opening for the one that encrypts.
type entry struct {
	Key
	private *jwk.PrivateKey
	secret  *jwk.SecretKey
	opening *jwk.DecryptionKey
}

// newEntry makes a fresh key.
func newEntry(purpose string, alg jwk.Algorithm) (entry, error) {
	e := entry{Key: Key{Purpose: purpose, Algorithm: alg}}
	var err error
	switch purpose {
	case Refresh:
		// Short, since it stands in each refresh token.
		var id [4]byte
		secret := make([]byte, 32)
		rand.Read(id[:])
		rand.Read(secret)
		e.ID = fmt.Sprintf("%x", id)
		e.secret, err = jwk.NewHMAC(alg, secret, e.ID)
	case Sealing:
		if e.opening, err = jwk.GenerateDecryption(jwk.KeyManagement(alg), ""); err == nil {
			e.ID = e.opening.KeyID()
		}
	default:
		if e.private, err = jwk.Generate(alg); err == nil {
			e.ID = e.private.KeyID()
		}
	}
	return e, err
}

// A sealer is what a ring's keys are sealed with.
type sealer struct {
	storeID string
	rootID  string
	wrapped []byte // the data key
	data    cipher.AEAD
}

// newSealer makes a data key and wraps it with the newest root key.
func newSealer(roots RootKeys, storeID string) (*sealer, error) {
	key := make([]byte, 32)
	rand.Read(key)
	return wrap(roots, storeID, key)
}

func wrap(roots RootKeys, storeID string, key []byte) (*sealer, error) {
	data, err := newAEAD(key)
	if err != nil {
		return nil, err
	}
	root := roots.newest()
	wrapped := root.aead.Seal(nil, nil, key, wrapContext(storeID, root.id))
	return &sealer{storeID, root.id, wrapped, data}, nil
}

// openSealer unwraps the data key of s. rewrapped says that the newest root key
// wraps it now and that the ring is to be saved.
func openSealer(roots RootKeys, s Sealed) (sl *sealer, rewrapped bool, err error) {
	root, ok := roots.find(s.RootKeyID)
	if !ok {
		return nil, false, fmt.Errorf("%w: the ring in this store is sealed with %s, and the root keys given are %v; "+
			"give the one that it was made with, else its keys are lost", ErrRootKey, s.RootKeyID, roots)
	}
	key, err := root.aead.Open(nil, nil, s.WrappedKey, wrapContext(s.StoreID, root.id))
	if err != nil {
		return nil, false, fmt.Errorf("%w: %s does not open the ring of store %s: "+
			"the ring was damaged, or copied from another store", ErrRootKey, root.id, s.StoreID)
	}
	if root.id != roots.newest().id {
		sl, err = wrap(roots, s.StoreID, key)
		return sl, true, err
	}
	data, err := newAEAD(key)
	return &sealer{s.StoreID, root.id, s.WrappedKey, data}, false, err
}

// seal makes what is kept of entries. Every key is sealed anew under the ring's
// new version, so that no row of an older ring fits into a newer one.
func (sl *sealer) seal(version uint64, entries []entry) (Sealed, error) {
	s := Sealed{StoreID: sl.storeID, Version: version, RootKeyID: sl.rootID, WrappedKey: sl.wrapped}
	for _, e := range entries {
		var material []byte
		var err error
		switch e.Purpose {
		case Refresh:
			material, err = e.secret.MarshalSecretJWK()
		case Sealing:
			material, err = e.opening.MarshalDecryptionJWK()
		default:
			material, err = e.private.MarshalPrivateJWK()
		}
		if err != nil {
			return Sealed{}, fmt.Errorf("sealing %s key %s: %w", e.Purpose, e.ID, err)
		}
		blob := sl.data.Seal(nil, nil, material, sl.keyContext(e.Key, version))
		s.Keys = append(s.Keys, SealedKey{e.Key, version, blob})
	}
	return s, nil
}

// unseal opens every key of s, or none.
func (sl *sealer) unseal(s Sealed) ([]entry, error) {
	var entries []entry
	for _, k := range s.Keys {
		e, err := sl.open(k, s.Version)
		if err != nil {
			return nil, fmt.Errorf("unsealing %s key %s: %w", k.Purpose, k.ID, err)
		}
		entries = append(entries, e)
	}
	slices.SortFunc(entries, func(a, b entry) int {
		return cmp.Or(a.CreatedAt.Compare(b.CreatedAt), cmp.Compare(a.ID, b.ID))
	})
	return entries, nil
}

func (sl *sealer) open(k SealedKey, version uint64) (entry, error) {
	e := entry{Key: k.Key}
	if k.Version != version {
		return e, fmt.Errorf("it was sealed for version %d of the ring, which is at %d: the row was put back", k.Version, version)
	}
	material, err := sl.data.Open(nil, nil, k.Blob, sl.keyContext(k.Key, version))
	if err != nil {
		return e, errors.New("it does not open: the row was changed or comes from elsewhere")
	}
	var id string
	var alg jwk.Algorithm
	switch k.Purpose {
	case Refresh:
		if e.secret, err = jwk.ParseSecret(material); err == nil {
			id, alg = e.secret.KeyID(), e.secret.Algorithm()
		}
	case Sealing:
		if e.opening, err = jwk.ParseDecryption(material); err == nil {
			id, alg = e.opening.KeyID(), jwk.Algorithm(e.opening.Algorithm())
		}
	default:
		if e.private, err = jwk.ParsePrivate(material); err == nil {
			id, alg = e.private.KeyID(), e.private.Algorithm()
		}
	}
	switch {
	case err != nil:
		return e, err
	case id != k.ID || alg != k.Algorithm:
		return e, errors.New("it holds another key than its row says")
	}
	return e, nil
}

// wrapContext and keyContext are what a ciphertext is bound to (additional
// data), each part with its length, so that none can run into the next.
func wrapContext(storeID, rootID string) []byte {
	return bind("jotsmith ring data key 1", storeID, rootID)
}

func (sl *sealer) keyContext(k Key, version uint64) []byte {
	return bind("jotsmith ring key 1", sl.storeID, k.Purpose, string(k.Algorithm), k.ID, k.State,
		strconv.FormatUint(version, 10), second(k.CreatedAt), second(k.ActiveAt), second(k.RetiredAt), second(k.GoneAt))
}

func bind(parts ...string) []byte {
	var b []byte
	for _, p := range parts {
		b = binary.BigEndian.AppendUint32(b, uint32(len(p)))
		b = append(b, p...)
	}
	return b
}

func second(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return strconv.FormatInt(t.Unix(), 10)
}

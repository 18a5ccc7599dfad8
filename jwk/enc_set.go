package jwk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
)

// DecryptionSet is keys that decrypt, by key id. It is immutable and safe for
// concurrent use.
type DecryptionSet struct {
	keys []Decrypter
	byID map[string]Decrypter
}

// NewDecryptionSet makes a set of at most 100 keys. Two keys of one key id are
// refused.
func NewDecryptionSet(keys ...Decrypter) (*DecryptionSet, error) {
	if len(keys) > maxSetKeys {
		return nil, fmt.Errorf("key set of %d keys: at most %d", len(keys), maxSetKeys)
	}
	s := &DecryptionSet{keys: slices.Clone(keys), byID: make(map[string]Decrypter, len(keys))}
	for i, k := range keys {
		made := false // by a function of this package
		switch k := k.(type) {
		case *SharedKey:
			made = k != nil && k.half != nil
		case *DecryptionKey:
			made = k != nil && k.half != nil
		}
		if !made {
			return nil, fmt.Errorf("key %d of the set is nil or empty", i)
		}
		if _, twice := s.byID[k.KeyID()]; twice {
			return nil, fmt.Errorf("two keys of the set have the key id %q", clip(k.KeyID()))
		}
		s.byID[k.KeyID()] = k
	}
	return s, nil
}

// Key returns the key of that id. An empty kid, which stands for a message that
// names no key, finds the only key of a set that has exactly one. The error is
// [ErrUnknownKey].
func (s *DecryptionSet) Key(_ context.Context, kid string) (Decrypter, error) {
	if k, ok := s.byID[kid]; ok {
		return k, nil
	}
	if kid == "" && len(s.keys) == 1 {
		return s.keys[0], nil
	}
	return nil, ErrUnknownKey
}

// All iterates over the keys in the order they were given.
func (s *DecryptionSet) All() iter.Seq[Decrypter] { return slices.Values(s.keys) }

// Len returns the number of keys.
func (s *DecryptionSet) Len() int { return len(s.keys) }

// Public returns the public halves, to be published. A shared key has none and
// is left out.
func (s *DecryptionSet) Public() *EncryptionSet {
	public := &EncryptionSet{byID: make(map[string]*EncryptionKey)}
	for _, k := range s.keys {
		if k, ok := k.(*DecryptionKey); ok {
			public.keys = append(public.keys, k.public)
			public.byID[k.KeyID()] = k.public
		}
	}
	return public
}

// EncryptionSet is a JWK Set (RFC 7517 §5) of public keys for encryption, by key
// id. It is immutable and safe for concurrent use.
type EncryptionSet struct {
	keys []*EncryptionKey
	byID map[string]*EncryptionKey
}

// NewEncryptionSet makes a set of at most 100 keys. Two keys of one key id are
// refused.
func NewEncryptionSet(keys ...*EncryptionKey) (*EncryptionSet, error) {
	if len(keys) > maxSetKeys {
		return nil, fmt.Errorf("key set of %d keys: at most %d", len(keys), maxSetKeys)
	}
	s := &EncryptionSet{keys: slices.Clone(keys), byID: make(map[string]*EncryptionKey, len(keys))}
	for i, k := range keys {
		if k == nil || k.half == nil {
			return nil, fmt.Errorf("key %d of the set is nil or empty", i)
		}
		if s.byID[k.kid] != nil {
			return nil, fmt.Errorf("two keys of the set have the key id %q", clip(k.kid))
		}
		s.byID[k.kid] = k
	}
	return s, nil
}

// ParseEncryptionSet reads a set of public keys of at most 256 KiB and 100 keys.
// Keys that are for signatures or do not say what they are for, and those of an
// unknown type, curve or algorithm, are skipped (RFC 7517 §5); a private or
// shared key refuses the whole set, and so do a malformed or weak key and a key
// id that occurs twice. encs are as in [ParseEncryption].
func ParseEncryptionSet(data []byte, encs ...ContentEncryption) (*EncryptionSet, error) {
	var keys []*EncryptionKey
	err := readSet(data, func(d *document) error {
		secret := d.private || d.Kty == "oct"
		if d.Use != "enc" && !KeyManagement(d.Alg).Known() && !secret {
			return nil
		}
		k, err := d.encryption(encs)
		switch {
		case err == nil:
			keys = append(keys, k)
		case errors.Is(err, errUnsupported) || d.Alg == "" && !secret:
			return nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return NewEncryptionSet(keys...)
}

// Key returns the key of that id, or [ErrUnknownKey].
func (s *EncryptionSet) Key(kid string) (*EncryptionKey, error) {
	if k, ok := s.byID[kid]; ok {
		return k, nil
	}
	return nil, ErrUnknownKey
}

// All iterates over the keys in their order.
func (s *EncryptionSet) All() iter.Seq[*EncryptionKey] { return slices.Values(s.keys) }

// Len returns the number of keys.
func (s *EncryptionSet) Len() int { return len(s.keys) }

// MarshalJSON returns the JWK Set.
func (s *EncryptionSet) MarshalJSON() ([]byte, error) {
	documents := make([]*document, len(s.keys))
	for i, k := range s.keys {
		documents[i] = k.document()
	}
	return json.Marshal(struct {
		Keys []*document `json:"keys"`
	}{documents})
}

package jwk

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/jotsmith/jotsmith/internal/strictjson"
)

const (
	maxSetSize = 256 << 10
	maxSetKeys = 100
)

// Set is a JWK Set (RFC 7517 §5): keys by key id. It holds public keys only or
// secrets only, never both, so that no public key can ever be tried as a
// secret. It is immutable and safe for concurrent use.
type Set struct {
	keys []Verifier
	byID map[string]Verifier
}

// NewSet makes a set of at most 100 keys. Two keys of one key id are refused.
func NewSet(keys ...Verifier) (*Set, error) {
	if len(keys) > maxSetKeys {
		return nil, fmt.Errorf("key set of %d keys: at most %d", len(keys), maxSetKeys)
	}
	s := &Set{keys: slices.Clone(keys), byID: make(map[string]Verifier, len(keys))}
	secrets := 0
	for i, k := range keys {
		made := false // by a function of this package
		switch k := k.(type) {
		case *SecretKey:
			made = k != nil && k.hmac != nil
			secrets++
		case *PublicKey:
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
	if secrets != 0 && secrets != len(keys) {
		return nil, errors.New("key set with secrets and public keys: make two sets")
	}
	return s, nil
}

// ParseSet reads a set of public keys of at most 256 KiB and 100 keys. Keys of
// an unknown type, curve or algorithm and keys that are not for signatures are
// skipped (RFC 7517 §5); a private or secret key refuses the whole set, and so
// do a malformed or weak key and a key id that occurs twice.
//
// RSA keys without "alg" are skipped too: see [ParseSetAssuming].
func ParseSet(data []byte) (*Set, error) { return parseSet("", data) }

// ParseSetAssuming is [ParseSet] for an issuer that publishes RSA keys without
// "alg", as some large ones do: they are taken for rsa, one of RS* and PS*, which
// the issuer's documentation names. A key that says its "alg" keeps it, and one
// that is marked for encryption is still skipped. So each key has one algorithm
// here too, and no token can choose another.
func ParseSetAssuming(rsa Algorithm, data []byte) (*Set, error) {
	if err := rsa.checkRSA(); err != nil {
		return nil, err
	}
	return parseSet(rsa, data)
}

func parseSet(rsa Algorithm, data []byte) (*Set, error) {
	var keys []Verifier
	err := readSet(data, func(d *document) error {
		if d.Kty == "RSA" && d.Alg == "" {
			d.Alg = string(rsa)
		}
		k, err := d.public()
		switch {
		case err == nil:
			keys = append(keys, k)
		case errors.Is(err, errUnsupported) || d.Kty == "RSA" && d.Alg == "" && !d.private:
			return nil
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return NewSet(keys...)
}

// readSet hands each key of a JWK Set to read, whatever it is for.
func readSet(data []byte, read func(*document) error) error {
	if len(data) > maxSetSize {
		return fmt.Errorf("key set of %d bytes: at most %d", len(data), maxSetSize)
	}
	members, err := strictjson.Object(string(data), strictjson.MaxDepth, nil)
	if err != nil {
		return fmt.Errorf("malformed key set: %w", err)
	}
	i := slices.IndexFunc(members, func(m strictjson.Member) bool { return m.Name == "keys" })
	if i < 0 {
		return errors.New("malformed key set: no \"keys\"")
	}
	texts, err := strictjson.Array(members[i].Value, strictjson.MaxDepth, nil)
	if err != nil {
		return fmt.Errorf("malformed key set: \"keys\": %w", err)
	}
	if len(texts) > maxSetKeys {
		return fmt.Errorf("key set of %d keys: at most %d", len(texts), maxSetKeys)
	}
	for i, text := range texts {
		d, err := readDocument(text)
		if err == nil {
			err = read(d)
		}
		if err != nil {
			return fmt.Errorf("key %d of the set: %w", i, err)
		}
	}
	return nil
}

// Key returns the key of that id. An empty kid, which stands for a token that
// names no key, finds the only key of a set that has exactly one: among several
// keys the token's sender would otherwise choose by trial. The error is
// [ErrUnknownKey].
func (s *Set) Key(_ context.Context, kid string) (Verifier, error) {
	if k, ok := s.byID[kid]; ok {
		return k, nil
	}
	if kid == "" && len(s.keys) == 1 {
		return s.keys[0], nil
	}
	return nil, ErrUnknownKey
}

// Trusts reports whether this very key, not only one that equals it, is in the
// set. It takes no lock and allocates nothing.
func (s *Set) Trusts(key Verifier) bool {
	return key != nil && slices.Contains(s.keys, key)
}

// All iterates over the keys in the order they were given.
func (s *Set) All() iter.Seq[Verifier] { return slices.Values(s.keys) }

// Len returns the number of keys.
func (s *Set) Len() int { return len(s.keys) }

// MarshalJSON returns the JWK Set. It fails for a set of secrets.
func (s *Set) MarshalJSON() ([]byte, error) {
	documents := make([]*document, len(s.keys))
	for i, k := range s.keys {
		public, ok := k.(*PublicKey)
		if !ok {
			return nil, errors.New("a set of secrets is not marshalled: it would be published")
		}
		documents[i] = public.document()
	}
	return json.Marshal(struct {
		Keys []*document `json:"keys"`
	}{documents})
}

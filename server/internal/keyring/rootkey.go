package keyring

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// rootPrefix starts a root key's line. It says what the text is to whoever
// finds it, and which version of the format it has.
const rootPrefix = "jotsmith-root-key-v1:"

// Bounds on what ParseRootKeys reads.
const (
	maxRootText = 16 << 10
	maxRootKeys = 32
)

// RootKeys are the keys that wrap the ring's data key, newest first: the first
// one wraps, any of them unwraps. They print as their ids.
type RootKeys struct{ keys []rootKey }

// A rootKey keeps no bytes of the key that could be printed by accident.
type rootKey struct {
	id     string
	aead   cipher.AEAD
	derive func(purpose string) ([]byte, error)
}

// NewRootKey makes a root key of 256 random bits and answers its line, without
// an end of line.
func NewRootKey() string {
	key := make([]byte, 32)
	rand.Read(key)
	return rootPrefix + base64.RawURLEncoding.EncodeToString(key)
}

// ParseRootKeys reads lines as NewRootKey makes them, newest first. Empty lines
// and lines that start with # are skipped. No error repeats what stood in a
// line.
//
// Where several nodes share a store, give all of them a new root key in second
// place before any of them gets it in first place: a node that does not know
// the key which wraps the ring stops signing.
func ParseRootKeys(text []byte) (RootKeys, error) {
	if len(text) > maxRootText {
		return RootKeys{}, fmt.Errorf("root keys of %d bytes: at most %d", len(text), maxRootText)
	}
	var r RootKeys
	number := 0
	for line := range bytes.Lines(text) {
		number++
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		k, err := parseRootKey(string(line))
		if err != nil {
			return RootKeys{}, fmt.Errorf("root key in line %d: %w", number, err)
		}
		if _, twice := r.find(k.id); twice {
			return RootKeys{}, fmt.Errorf("root key in line %d: %s stands there twice", number, k.id)
		}
		r.keys = append(r.keys, k)
	}
	switch {
	case len(r.keys) == 0:
		return RootKeys{}, errors.New("no root key: one is a line with " + rootPrefix + " and 43 characters")
	case len(r.keys) > maxRootKeys:
		return RootKeys{}, fmt.Errorf("%d root keys: at most %d, the oldest can go once the newest wraps", len(r.keys), maxRootKeys)
	}
	return r, nil
}

func parseRootKey(line string) (rootKey, error) {
	encoded, ok := strings.CutPrefix(line, rootPrefix)
	if !ok {
		return rootKey{}, errors.New("it does not start with " + rootPrefix + " as a root key does")
	}
	key, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	if err != nil || len(key) != 32 {
		return rootKey{}, errors.New("it is not 32 bytes in base64url without padding (43 characters)")
	}
	if bytes.Equal(key, make([]byte, 32)) {
		return rootKey{}, errors.New("it is all zeros")
	}
	aead, err := newAEAD(key)
	if err != nil {
		return rootKey{}, err
	}
	// The id is a hash of 256 random bits and does not lead back to them.
	sum := sha256.Sum256(append([]byte("jotsmith root key id\x00"), key...))
	derive := func(purpose string) ([]byte, error) {
		return hkdf.Key(sha256.New, key, nil, "jotsmith "+purpose, 32)
	}
	return rootKey{"root_" + hex.EncodeToString(sum[:6]), aead, derive}, nil
}

// newAEAD is AES-256-GCM with a random nonce in front of each ciphertext.
func newAEAD(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// newest is the key that wraps.
func (r RootKeys) newest() rootKey { return r.keys[0] }

// Derive answers 256 bits for a purpose of their own, by HKDF (RFC 5869) from the
// newest root key: the same wherever that is the newest.
func (r RootKeys) Derive(purpose string) ([]byte, error) { return r.newest().derive(purpose) }

func (r RootKeys) find(id string) (rootKey, bool) {
	for _, k := range r.keys {
		if k.id == id {
			return k, true
		}
	}
	return rootKey{}, false
}

// IDs lists the ids, newest first. They are no secret.
func (r RootKeys) IDs() []string {
	ids := make([]string, len(r.keys))
	for i, k := range r.keys {
		ids[i] = k.id
	}
	return ids
}

// String lists the ids.
func (r RootKeys) String() string { return strings.Join(r.IDs(), " ") }

package jwk

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"sync"
)

// maxSecret bounds the secret: longer ones are hashed down anyway.
const maxSecret = 4096

// hmacFamily is one HMAC algorithm: its hash, and the length of its output.
type hmacFamily struct {
	newHash func() hash.Hash
	size    int
}

func secretFamily(alg Algorithm) (*hmacFamily, error) {
	f := alg.hmac()
	if f == nil {
		return nil, fmt.Errorf("%q is not an HMAC algorithm: use HS256, HS384 or HS512", clip(string(alg)))
	}
	return f, nil
}

// GenerateSecret makes a secret as long as its hash's output, with a random key
// id.
func GenerateSecret(alg Algorithm) (*SecretKey, error) {
	f, err := secretFamily(alg)
	if err != nil {
		return nil, err
	}
	random := make([]byte, f.size+8)
	rand.Read(random)
	return NewHMAC(alg, random[:f.size], hex.EncodeToString(random[f.size:]))
}

// NewHMAC makes a secret key out of secret, which is copied. kid is required:
// the thumbprint of a secret would tell a guesser when the guess is right. A
// secret shorter than the hash's output is refused (RFC 7518 §3.2), and so is
// one that repeats itself, has fewer than 8 different bytes, or stands in
// everybody's documentation.
func NewHMAC(alg Algorithm, secret []byte, kid string) (*SecretKey, error) {
	key, err := DangerouslyNewHMAC(alg, secret, kid)
	if err != nil {
		return nil, err
	}
	if err := checkGuessable(secret); err != nil {
		return nil, fmt.Errorf("%s secret: %w", alg, err)
	}
	return key, nil
}

// DangerouslyNewHMAC is [NewHMAC] for a secret that another system has chosen
// and that cannot be replaced, or that a test vector gives: it asks for the full
// length and takes any bytes, all zero among them. Whoever guesses the secret
// can sign.
func DangerouslyNewHMAC(alg Algorithm, secret []byte, kid string) (*SecretKey, error) {
	f, err := secretFamily(alg)
	if err != nil {
		return nil, err
	}
	switch {
	case len(secret) < f.size:
		return nil, fmt.Errorf("%s secret: %d bytes, at least %d are needed (RFC 7518 §3.2): %s", alg, len(secret), f.size, newSecretHint)
	case len(secret) > maxSecret:
		return nil, fmt.Errorf("%s secret: %d bytes, at most %d are taken", alg, len(secret), maxSecret)
	}
	if err := checkKeyID(kid); err != nil {
		return nil, fmt.Errorf("%s secret: %w", alg, err)
	}
	key := &hmacKey{secret: bytes.Clone(secret)}
	key.states.New = func() any { return &hmacState{mac: hmac.New(f.newHash, key.secret)} }
	return &SecretKey{alg: alg, kid: kid, hmac: key}, nil
}

// published secrets are long enough and known to everybody.
var published = []string{
	"a-string-secret-at-least-256-bits-long",
	"a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long",
	"your-256-bit-secret-your-256-bit-secret",
	"this-is-a-very-long-secret-key-for-jwt",
	"this_is_a_very_secret_key_change_me_in_production",
	"your-super-secret-jwt-token-with-at-least-32-characters-long",
	"super-secret-jwt-token-with-at-least-32-characters-long",
}

const newSecretHint = "make one with GenerateSecret or `openssl rand`"

func checkGuessable(secret []byte) error {
	var seen [256]bool
	different := 0
	for _, b := range secret {
		if !seen[b] {
			seen[b] = true
			different++
		}
	}
	if different < 8 {
		return errors.New("fewer than 8 different bytes, which can be guessed: " + newSecretHint)
	}
	for period := 1; period <= len(secret)/2; period++ {
		if bytes.Equal(secret[period:], secret[:len(secret)-period]) {
			return errors.New("it repeats itself, which can be guessed: " + newSecretHint)
		}
	}
	for _, p := range published {
		if subtle.ConstantTimeCompare(secret, []byte(p)) == 1 {
			return errors.New("it stands in published documentation: " + newSecretHint)
		}
	}
	return nil
}

// hmacKey keeps hashes that have taken in the secret already, which is half of
// the work for a short message.
type hmacKey struct {
	secret []byte
	states sync.Pool
}

type hmacState struct {
	mac hash.Hash
	sum []byte
}

func (k *hmacKey) append(dst, message []byte) []byte {
	s := k.states.Get().(*hmacState)
	defer k.states.Put(s)
	s.mac.Reset()
	s.mac.Write(message)
	return s.mac.Sum(dst)
}

func (k *hmacKey) verify(message, mac []byte) error {
	s := k.states.Get().(*hmacState)
	defer k.states.Put(s)
	s.mac.Reset()
	s.mac.Write(message)
	s.sum = s.mac.Sum(s.sum[:0])
	if !hmac.Equal(s.sum, mac) {
		return ErrSignature
	}
	return nil
}

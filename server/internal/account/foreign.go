package account

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// A passwordHash is one that is kept, ours or one that came with an account
// from elsewhere. What it costs to compute is bounded when it is read.
type passwordHash interface {
	matches(password string) bool
	scheme() string // such as "bcrypt"
}

// scheme of our own hashes, and of those that came along in our form.
func (hash) scheme() string { return "argon2id" }

// foreign reads the hashes that other systems make. Those of an account are
// replaced by ours when its holder logs in.
var foreign = []func(string) (passwordHash, bool, error){parseBcrypt, parseScrypt, parsePBKDF2, parseArgon2}

// readHash reads a password hash of any kind that is known. Its errors quote
// nothing of it.
func readHash(s string) (passwordHash, error) {
	if len(s) > 512 {
		return nil, fmt.Errorf("%w: %d bytes, at most 512", errHash, len(s))
	}
	own, err := parseHash(s)
	if err == nil {
		return own, nil
	}
	for _, parse := range foreign {
		h, mine, err := parse(s)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errHash, err)
		}
		if mine {
			return h, nil
		}
	}
	return nil, fmt.Errorf("%w: none of bcrypt, scrypt, PBKDF2 with SHA-256 or SHA-512, argon2id, argon2i", errHash)
}

// A digest is what most systems keep: a salt and what came out.
type digest struct{ salt, tag []byte }

// check refuses hashes of another length than programs make: what begins like
// the right one would match too, so that one which was cut short on its way
// would be a weaker one.
func (d digest) check() error {
	switch {
	case len(d.salt) < minSalt || len(d.salt) > 2*maxBytes:
		return fmt.Errorf("salt of %d bytes, at least %d and at most %d", len(d.salt), minSalt, 2*maxBytes)
	case len(d.tag) != 32 && len(d.tag) != 64:
		return fmt.Errorf("hash of %d bytes, neither 32 nor 64", len(d.tag))
	}
	return nil
}

// unbase64 reads what passlib, Django and the PHC form write: with or without
// padding, and with a dot for the plus.
func unbase64(s string) ([]byte, error) {
	b, err := base64.RawStdEncoding.Strict().DecodeString(strings.TrimRight(strings.ReplaceAll(s, ".", "+"), "="))
	if err != nil {
		return nil, errBase64 // which quotes nothing
	}
	return b, nil
}

// digestBase64 reads salt and hash in base64, digestText a salt that is taken
// as it is beside a hash in base64, digestHex the same beside one in hex.
func digestBase64(salt, tag string) (digest, error) {
	s, err := unbase64(salt)
	if err != nil {
		return digest{}, err
	}
	return digestText(string(s), tag)
}

func digestText(salt, tag string) (digest, error) {
	t, err := unbase64(tag)
	if err != nil {
		return digest{}, err
	}
	d := digest{[]byte(salt), t}
	return d, d.check()
}

func digestHex(salt, tag string) (digest, error) {
	t, err := hex.DecodeString(tag)
	if err != nil {
		return digest{}, errors.New("hash is not hexadecimal")
	}
	d := digest{[]byte(salt), t}
	return d, d.check()
}

var errBase64 = errors.New("salt or hash is not base64")

// number reads a cost between least and most.
func number(s, what string, least, most uint64) (int, error) {
	n, err := strconv.ParseUint(s, 10, 31)
	if err != nil || n < least || n > most {
		return 0, fmt.Errorf("%s is no number from %d to %d", what, least, most)
	}
	return int(n), nil
}

// settings reads "a=1,b=2" with exactly these names.
func settings(s string, names ...string) ([]string, bool) {
	parts := strings.Split(s, ",")
	if len(parts) != len(names) {
		return nil, false
	}
	for i, name := range names {
		value, ok := strings.CutPrefix(parts[i], name+"=")
		if !ok {
			return nil, false
		}
		parts[i] = value
	}
	return parts, true
}

package account

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"fmt"
	stdhash "hash"
	"strings"
)

// Bounds on the iterations of PBKDF2 (RFC 8018 §5.2): a second or so.
const (
	minIterations = 1_000
	maxIterations = 2_000_000
)

type pbkdf2Hash struct {
	digest
	name       string
	new        func() stdhash.Hash
	iterations int
}

// parsePBKDF2 reads four forms, each with sha256 or sha512:
//
//	$pbkdf2-sha256$29000$salt$hash       passlib
//	$pbkdf2-sha256$i=600000,l=32$salt$hash  PHC; also without l
//	pbkdf2_sha256$600000$salt$hash       Django: salt as it is
//	pbkdf2:sha256:600000$salt$hash       Werkzeug: salt as it is, hash in hex
func parsePBKDF2(s string) (passwordHash, bool, error) {
	part := strings.Split(s, "$")
	var name, iterations, salt string
	read := digestText
	switch {
	case len(part) == 5 && part[0] == "" && strings.HasPrefix(part[1], "pbkdf2-"):
		name, iterations, salt, read = part[1][len("pbkdf2-"):], part[2], part[3], digestBase64
		if with, ok := settings(iterations, "i", "l"); ok {
			iterations = with[0]
		} else if with, ok := settings(iterations, "i"); ok {
			iterations = with[0]
		}
	case len(part) == 4 && strings.HasPrefix(part[0], "pbkdf2_"):
		name, iterations, salt = part[0][len("pbkdf2_"):], part[1], part[2]
	case len(part) == 3 && strings.HasPrefix(part[0], "pbkdf2:"):
		costs := strings.Split(part[0], ":")
		if len(costs) != 3 {
			return nil, true, fmt.Errorf("PBKDF2: it does not name a hash and iterations")
		}
		name, iterations, salt, read = costs[1], costs[2], part[1], digestHex
	default:
		return nil, false, nil
	}
	h := pbkdf2Hash{name: name}
	switch name {
	case "sha256":
		h.new = sha256.New
	case "sha512":
		h.new = sha512.New
	default:
		return nil, true, fmt.Errorf("PBKDF2: only with sha256 and sha512")
	}
	var err error
	if h.iterations, err = number(iterations, "PBKDF2: iterations", minIterations, maxIterations); err != nil {
		return nil, true, err
	}
	if h.digest, err = read(salt, part[len(part)-1]); err != nil {
		return nil, true, err
	}
	return h, true, nil
}

func (h pbkdf2Hash) scheme() string { return "PBKDF2-" + h.name }

func (h pbkdf2Hash) matches(password string) bool {
	tag, err := pbkdf2.Key(h.new, password, h.salt, h.iterations, len(h.tag))
	return err == nil && subtle.ConstantTimeCompare(tag, h.tag) == 1
}

package account

import (
	"crypto/subtle"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
)

// argon2Hash is one of argon2i, or of argon2id in a spelling that is not ours.
type argon2Hash struct {
	digest
	params HashParams
	id     bool
}

// parseArgon2 reads the PHC form, also with Django's prefix:
//
//	$argon2i$v=19$m=65536,t=3,p=4$salt$hash
//	argon2$argon2id$v=19$m=102400,t=2,p=8$salt$hash
func parseArgon2(s string) (passwordHash, bool, error) {
	s = strings.TrimPrefix(s, "argon2")
	part := strings.Split(s, "$")
	if len(part) < 2 || part[0] != "" || part[1] != "argon2id" && part[1] != "argon2i" {
		return nil, false, nil
	}
	h := argon2Hash{id: part[1] == "argon2id"}
	if len(part) != 6 || part[2] != "v="+strconv.Itoa(argon2.Version) {
		return nil, true, fmt.Errorf("argon2: not of version %d with costs, salt and hash", argon2.Version)
	}
	costs, ok := settings(part[3], "m", "t", "p")
	if !ok {
		return nil, true, fmt.Errorf("argon2: costs are not m=…,t=…,p=…")
	}
	m, err1 := number(costs[0], "m", 8, maxMemory)
	t, err2 := number(costs[1], "t", 1, maxTime)
	p, err3 := number(costs[2], "p", 1, maxThreads)
	var err4, err5 error
	h.salt, err4 = unbase64(part[4])
	h.tag, err5 = unbase64(part[5])
	for _, err := range []error{err1, err2, err3, err4, err5} {
		if err != nil {
			return nil, true, fmt.Errorf("argon2: %w", err)
		}
	}
	// RFC 9106 §3.2: the hash's length goes into it, so a shorter one is another.
	if len(h.salt) < minSalt || len(h.salt) > maxBytes || len(h.tag) < minTag || len(h.tag) > maxBytes {
		return nil, true, fmt.Errorf("argon2: salt of %d bytes, hash of %d", len(h.salt), len(h.tag))
	}
	h.params = HashParams{Memory: uint32(m), Time: uint32(t), Threads: uint8(p)}
	return h, true, h.params.check()
}

func (h argon2Hash) scheme() string {
	if h.id {
		return "argon2id"
	}
	return "argon2i"
}

func (h argon2Hash) matches(password string) bool {
	derive := argon2.Key
	if h.id {
		derive = argon2.IDKey
	}
	tag := derive([]byte(password), h.salt, h.params.Time, h.params.Memory, h.params.Threads, uint32(len(h.tag)))
	return subtle.ConstantTimeCompare(tag, h.tag) == 1
}

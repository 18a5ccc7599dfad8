package account

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/crypto/argon2"
)

// HashParams are the costs of argon2id (RFC 9106).
type HashParams struct {
	Memory  uint32 // KiB
	Time    uint32 // passes
	Threads uint8
}

// DefaultHash costs 19 MiB and two passes, as OWASP recommends for argon2id.
var DefaultHash = HashParams{Memory: 19 * 1024, Time: 2, Threads: 1}

// Bounds on what a hash may cost that somebody wrote into the store: one that
// is outside of them is refused and never computed.
const (
	maxMemory  = 256 * 1024 // KiB
	maxTime    = 16
	maxThreads = 16
	minSalt    = 8
	minTag     = 16
	maxBytes   = 64 // of salt and tag
)

const (
	saltLen = 16
	tagLen  = 32
)

func (p HashParams) check() error {
	switch {
	case p.Time < 1 || p.Time > maxTime:
		return fmt.Errorf("argon2id: %d passes, at least 1 and at most %d", p.Time, maxTime)
	case p.Threads < 1 || p.Threads > maxThreads:
		return fmt.Errorf("argon2id: %d threads, at least 1 and at most %d", p.Threads, maxThreads)
	case p.Memory < 8*uint32(p.Threads) || p.Memory > maxMemory: // RFC 9106 §3.1
		return fmt.Errorf("argon2id: %d KiB of memory, at least 8 a thread and at most %d", p.Memory, maxMemory)
	}
	return nil
}

// cheaper says whether a hash of costs p is worth replacing by one of costs q.
func (p HashParams) cheaper(q HashParams) bool {
	return p.Memory < q.Memory || p.Time < q.Time || p.Threads < q.Threads
}

// A hash is a parsed PHC string: $argon2id$v=19$m=…,t=…,p=…$salt$tag.
type hash struct {
	params    HashParams
	salt, tag []byte
}

func newHash(p HashParams, password string) hash {
	salt := make([]byte, saltLen)
	rand.Read(salt)
	return hash{p, salt, argon2.IDKey([]byte(password), salt, p.Time, p.Memory, p.Threads, tagLen)}
}

// dummyHash costs what others of p cost and belongs to no known password: its
// tag is random. It is made without hashing anything.
func dummyHash(p HashParams) hash {
	h := hash{p, make([]byte, saltLen), make([]byte, tagLen)}
	rand.Read(h.salt)
	rand.Read(h.tag)
	return h
}

func (h hash) matches(password string) bool {
	p := h.params
	tag := argon2.IDKey([]byte(password), h.salt, p.Time, p.Memory, p.Threads, uint32(len(h.tag)))
	return subtle.ConstantTimeCompare(tag, h.tag) == 1
}

func (h hash) String() string {
	p := h.params
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, p.Memory, p.Time, p.Threads,
		b64.EncodeToString(h.salt), b64.EncodeToString(h.tag))
}

var b64 = base64.RawStdEncoding.Strict()

// errHash never quotes the hash.
var errHash = errors.New("malformed password hash")

// parseHash reads a PHC string in the one spelling that String writes.
func parseHash(s string) (hash, error) {
	if len(s) > 512 {
		return hash{}, fmt.Errorf("%w: %d bytes", errHash, len(s))
	}
	part := strings.Split(s, "$")
	if len(part) != 6 || part[0] != "" || part[1] != "argon2id" || part[2] != "v="+strconv.Itoa(argon2.Version) {
		return hash{}, fmt.Errorf("%w: not argon2id of version %d", errHash, argon2.Version)
	}
	costs := strings.Split(part[3], ",")
	if len(costs) != 3 {
		return hash{}, fmt.Errorf("%w: costs", errHash)
	}
	m, err1 := cost(costs[0], "m=", 32)
	t, err2 := cost(costs[1], "t=", 32)
	p, err3 := cost(costs[2], "p=", 8)
	salt, err4 := b64.DecodeString(part[4])
	tag, err5 := b64.DecodeString(part[5])
	if errors.Join(err1, err2, err3, err4, err5) != nil {
		return hash{}, fmt.Errorf("%w: costs, salt or tag", errHash)
	}
	h := hash{HashParams{Memory: uint32(m), Time: uint32(t), Threads: uint8(p)}, salt, tag}
	if err := h.params.check(); err != nil {
		return hash{}, fmt.Errorf("%w: %w", errHash, err)
	}
	if len(salt) < minSalt || len(salt) > maxBytes || len(tag) < minTag || len(tag) > maxBytes || h.String() != s {
		return hash{}, fmt.Errorf("%w: salt or tag", errHash)
	}
	return h, nil
}

func cost(s, name string, bits int) (uint64, error) {
	digits, ok := strings.CutPrefix(s, name)
	if !ok {
		return 0, errHash
	}
	return strconv.ParseUint(digits, 10, bits)
}

package account

import (
	"crypto/subtle"
	"fmt"
	"math/bits"
	"strings"

	"golang.org/x/crypto/scrypt"
)

// Bounds on scrypt (RFC 7914): 128·N·r bytes of memory, N·r·p of work.
const (
	minScryptN    = 1 << 10
	maxScryptCell = 1 << 20 // N·r: 128 MiB
	maxScryptWork = 1 << 21 // N·r·p: a second or so
)

type scryptHash struct {
	digest
	n, r, p int
}

// parseScrypt reads three forms:
//
//	$scrypt$ln=15,r=8,p=1$salt$hash   PHC, passlib
//	scrypt:32768:8:1$salt$hash        Werkzeug: salt as it is, hash in hex
//	scrypt$16384$salt$8$1$hash        Django: salt as it is, hash in base64
func parseScrypt(s string) (passwordHash, bool, error) {
	part := strings.Split(s, "$")
	var n, r, p, salt string
	read := digestText
	switch {
	case len(part) == 5 && part[0] == "" && part[1] == "scrypt":
		costs, ok := settings(part[2], "ln", "r", "p")
		if !ok {
			return nil, true, fmt.Errorf("scrypt: costs are not ln=…,r=…,p=…")
		}
		ln, err := number(costs[0], "scrypt: ln", 1, 30)
		if err != nil {
			return nil, true, err
		}
		n, r, p, salt, read = fmt.Sprint(1<<ln), costs[1], costs[2], part[3], digestBase64
	case len(part) == 3 && strings.HasPrefix(part[0], "scrypt:"):
		costs := strings.Split(part[0], ":")
		if len(costs) != 4 {
			return nil, true, fmt.Errorf("scrypt: costs are not N:r:p")
		}
		n, r, p, salt, read = costs[1], costs[2], costs[3], part[1], digestHex
	case len(part) == 6 && part[0] == "scrypt":
		n, salt, r, p = part[1], part[2], part[3], part[4]
	default:
		return nil, false, nil
	}
	h := scryptHash{}
	var err1, err2, err3, err4 error
	h.n, err1 = number(n, "scrypt: N", minScryptN, maxScryptCell)
	h.r, err2 = number(r, "scrypt: r", 1, 64)
	h.p, err3 = number(p, "scrypt: p", 1, 64)
	h.digest, err4 = read(salt, part[len(part)-1])
	for _, err := range []error{err1, err2, err3, err4} {
		if err != nil {
			return nil, true, err
		}
	}
	switch {
	case bits.OnesCount(uint(h.n)) != 1:
		return nil, true, fmt.Errorf("scrypt: N is not a power of two")
	case h.n*h.r > maxScryptCell || h.n*h.r*h.p > maxScryptWork:
		return nil, true, fmt.Errorf("scrypt: N=%d, r=%d, p=%d cost more than 128 MiB or about a second", h.n, h.r, h.p)
	}
	return h, true, nil
}

func (scryptHash) scheme() string { return "scrypt" }

func (h scryptHash) matches(password string) bool {
	tag, err := scrypt.Key([]byte(password), h.salt, h.n, h.r, h.p, len(h.tag))
	return err == nil && subtle.ConstantTimeCompare(tag, h.tag) == 1
}

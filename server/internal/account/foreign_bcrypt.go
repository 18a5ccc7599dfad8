package account

import (
	"fmt"
	"strings"

	"golang.org/x/crypto/bcrypt"
)

// maxBcrypt is a second or so.
const maxBcrypt = 14

// bcryptHash is $2a$, $2b$ or $2y$, cost, salt and hash in 60 characters. The
// three differ by faults of old programs that matter for no password under 255
// bytes; $2x$ is broken and not taken.
type bcryptHash string

func parseBcrypt(s string) (passwordHash, bool, error) {
	rest, ok := strings.CutPrefix(s, "$2")
	if !ok || rest == "" || !strings.ContainsRune("aby", rune(rest[0])) {
		return nil, false, nil
	}
	const alphabet = "./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	if len(s) != 60 || s[3] != '$' || s[6] != '$' || strings.Trim(s[7:], alphabet) != "" {
		return nil, true, fmt.Errorf("bcrypt: not the form $2b$10$ with 53 characters")
	}
	if _, err := number(s[4:6], "bcrypt: cost", uint64(bcrypt.MinCost), maxBcrypt); err != nil {
		return nil, true, err
	}
	return bcryptHash(s), true, nil
}

func (bcryptHash) scheme() string { return "bcrypt" }

// matches looks at the first 72 bytes, as every bcrypt does.
func (h bcryptHash) matches(password string) bool {
	return bcrypt.CompareHashAndPassword([]byte(h), []byte(password)) == nil
}

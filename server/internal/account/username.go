package account

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"golang.org/x/text/secure/precis"
)

// ErrUsername says that no account can have that user name.
var ErrUsername = errors.New("malformed user name")

const maxUsername = 128 // bytes, canonical

// Canonical answers the one spelling of a user name under which it is kept,
// looked up and counted: that of the PRECIS profile UsernameCaseMapped (RFC
// 8265 §3.3), so that upper case, full-width letters and differently composed
// accents name the same account. At most 128 bytes; otherwise [ErrUsername].
func Canonical(username string) (string, error) {
	if len(username) > 4*maxUsername {
		return "", fmt.Errorf("%w: longer than %d bytes", ErrUsername, maxUsername)
	}
	if !utf8.ValidString(username) {
		return "", fmt.Errorf("%w: not UTF-8", ErrUsername)
	}
	name, err := precis.UsernameCaseMapped.String(username)
	if err != nil {
		return "", fmt.Errorf("%w: use letters, digits and punctuation without spaces", ErrUsername)
	}
	if name == "" {
		return "", fmt.Errorf("%w: it is empty", ErrUsername)
	}
	if len(name) > maxUsername {
		return "", fmt.Errorf("%w: longer than %d bytes", ErrUsername, maxUsername)
	}
	// RFC 8264 §7: for a few strings the rules have to be applied again. A name
	// that is not its own canonical form would have two.
	if again, err := precis.UsernameCaseMapped.String(name); err != nil || again != name {
		return "", fmt.Errorf("%w: no stable spelling", ErrUsername)
	}
	return name, nil
}

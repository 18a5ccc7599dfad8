package account

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

var (
	// ErrSubject says that no external account can have that id.
	ErrSubject = errors.New("malformed subject")

	// ErrExternal says that an account has no password here, because another
	// system says who its holder is.
	ErrExternal = errors.New("the account is external and has no password here")
)

// externalPrefix begins the user names of external accounts, and of no others.
const externalPrefix = "external:"

const maxSubject = 128 // characters

// External answers the account of somebody whom another system knows and has
// checked. Its id, which stands in tokens as sub, is the subject as that system
// gives it: 1 to 128 printable characters, compared byte for byte, and nothing
// that could be the id of an account or an app of this server (RFC 9700 §4.15).
// [ErrSubject] otherwise.
func External(subject string, roles []string) (Account, error) {
	lower := strings.ToLower(subject)
	switch {
	case subject == "" || !utf8.ValidString(subject) || utf8.RuneCountInString(subject) > maxSubject:
		return Account{}, fmt.Errorf("%w: not of 1 to %d characters", ErrSubject, maxSubject)
	case strings.ContainsFunc(subject, func(c rune) bool { return c == utf8.RuneError || !unicode.IsPrint(c) }):
		return Account{}, fmt.Errorf("%w: a character that cannot be printed", ErrSubject)
	case strings.TrimSpace(subject) != subject:
		return Account{}, fmt.Errorf("%w: a space at its beginning or end", ErrSubject)
	case strings.HasPrefix(lower, "acc_") || strings.HasPrefix(lower, "app_"):
		return Account{}, fmt.Errorf("%w: acc_ and app_ begin the ids of this server's own accounts and apps", ErrSubject)
	}
	return Account{
		ID: ID(subject), Username: externalPrefix + subject, DisplayName: subject,
		Roles: roleSet(roles), External: true, Version: 1,
	}, nil
}

// newUsername is Canonical for a name that an account shall get.
func newUsername(username string) (string, error) {
	name, err := Canonical(username)
	if err == nil && strings.HasPrefix(name, externalPrefix) {
		return "", fmt.Errorf("%w: names that begin with %s are those of external accounts", ErrUsername, externalPrefix)
	}
	return name, err
}

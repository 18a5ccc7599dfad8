package app

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/checksum"
)

const (
	secretPrefix   = "jsc_"
	secretSize     = 32
	secretIDPrefix = "sec_"
)

// newSecret makes a secret: the text that is shown once, and what is kept.
func newSecret(now, expires time.Time) (string, Secret) {
	raw := make([]byte, secretSize)
	rand.Read(raw)
	text := secretPrefix + base64.RawURLEncoding.EncodeToString(raw)
	text += checksum.Of(text)
	return text, Secret{
		ID: secretIDPrefix + strings.ToLower(rand.Text()), Hash: sha256.Sum256([]byte(text)),
		CreatedAt: now, ExpiresAt: expires,
	}
}

// matches finds the living secret of a that text is. All are compared, each in
// constant time, so that how long it takes says nothing about any of them.
func (a App) matches(text string, now time.Time) (Secret, bool) {
	sum := sha256.Sum256([]byte(text))
	found := -1
	for i, s := range a.Secrets {
		if subtle.ConstantTimeCompare(sum[:], s.Hash[:]) == 1 && s.Living(now) {
			found = i
		}
	}
	if found < 0 {
		return Secret{}, false
	}
	return a.Secrets[found], true
}

// shownSecret is the id of a secret as errors name it, where it is one: people
// put the secret itself there.
func shownSecret(id string) string {
	if !strings.HasPrefix(id, secretIDPrefix) {
		return "(no id of a secret)"
	}
	return fmt.Sprintf("%.40q", id)
}

// Living says whether the secret has not expired.
func (s Secret) Living(now time.Time) bool { return s.ExpiresAt.IsZero() || now.Before(s.ExpiresAt) }

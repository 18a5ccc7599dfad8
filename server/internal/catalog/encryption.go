package catalog

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/server/internal/audit"
)

// maxEncryptionKey bounds a JWK, in bytes.
const maxEncryptionKey = 8 << 10

// Encrypter is what the API's tokens are encrypted with; nil where it has no
// EncryptionKey. Only an API that a [Catalog] answers has it.
func (a API) Encrypter() *jwk.EncryptionKey { return a.seal }

// encrypter reads EncryptionKey.
func (a API) encrypter() (*jwk.EncryptionKey, error) {
	switch {
	case a.EncryptionKey == nil:
		return nil, nil
	case a.Opaque:
		return nil, errors.New("an opaque API's tokens are encrypted for this server, and so for nobody else's key")
	case a.BuiltIn:
		return nil, errors.New("this server reads these tokens itself, and could not")
	case len(a.EncryptionKey) > maxEncryptionKey:
		return nil, fmt.Errorf("%d bytes, at most %d", len(a.EncryptionKey), maxEncryptionKey)
	}
	return jwk.ParseEncryption(a.EncryptionKey)
}

// normalized keeps of EncryptionKey what was understood, and nothing else.
func (a API) normalized() (API, error) {
	key, err := a.encrypter()
	if err != nil || key == nil {
		return a, err
	}
	if a.EncryptionKey, err = json.Marshal(key); err != nil {
		return a, fmt.Errorf("API %q: encryption key: %w", a.Audience, err)
	}
	return a, nil
}

// encrypting says for whom the API's tokens are encrypted from then on.
func (a API) encrypting(e audit.Event) audit.Event {
	if key, _ := a.encrypter(); key != nil {
		e.Targets["encryption"] = key.KeyID()
	} else if a.Opaque {
		e.Targets["encryption"] = "opaque"
	}
	return e
}

package keyring

import (
	"context"
	"fmt"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwt"
)

// sealing sorts the keys that encrypt: whatever may still come back is opened,
// and nobody is told to use a key that is about to go.
func (v *view) sealing() error {
	var opens []jwk.Decrypter
	var public []*jwk.EncryptionKey
	for _, e := range v.entries {
		if e.Purpose != Sealing || e.State == Revoked {
			continue
		}
		opens = append(opens, e.opening)
		switch e.State {
		case Active:
			if v.seal != nil {
				return fmt.Errorf("the key ring has two active %s keys", Sealing)
			}
			v.seal = e.opening.Public()
			public = append([]*jwk.EncryptionKey{v.seal}, public...)
		case Announced:
			public = append(public, e.opening.Public())
		}
	}
	var err error
	if v.opens, err = jwk.NewDecryptionSet(opens...); err != nil {
		return fmt.Errorf("collecting the %s keys: %w", Sealing, err)
	}
	set, err := jwk.NewEncryptionSet(public...)
	if err != nil {
		return fmt.Errorf("publishing the %s keys: %w", Sealing, err)
	}
	return v.publish(Sealing, nil, set)
}

// Sealer answers the active key that encrypts what comes back to the server.
// ErrLease.
func (r *Ring) Sealer() (*jwk.EncryptionKey, error) {
	seal := r.view.Load().seal
	switch {
	case r.sinceRead() > Lease:
		return nil, ErrLease
	case seal == nil:
		return nil, fmt.Errorf("no active %s key", Sealing)
	}
	return seal, nil
}

// Opens answers the live set of the keys that open what was sealed: announced,
// active and retiring.
func (r *Ring) Opens() jwt.DecryptionKeys { return opens{r} }

type opens struct{ ring *Ring }

func (o opens) Key(ctx context.Context, kid string) (jwk.Decrypter, error) {
	var key jwk.Decrypter
	err := error(jwk.ErrUnknownKey)
	if kid != "" { // what is sealed here always says its key
		key, err = o.ring.view.Load().opens.Key(ctx, kid)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: it is none of this server's; what is encrypted for an API's own key, only that API can open", err)
	}
	return key, nil
}

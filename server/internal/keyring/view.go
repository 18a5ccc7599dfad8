package keyring

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwt"
)

// What the feed is signed with, refresh tokens are MACed with, and what comes
// back to the server is encrypted with.
const (
	FeedAlgorithm    = jwk.ES256
	RefreshAlgorithm = jwk.HS256
	SealingAlgorithm = jwk.Algorithm(jwk.ECDHES)
)

// A view is the ring as of one version, unsealed and ready to be used. It is
// immutable but for its issuers.
type view struct {
	version uint64
	sealer  *sealer
	entries []entry

	signers map[slot]jwk.Signer // active keys
	macs    map[string]*jwk.SecretKey
	seal    *jwk.EncryptionKey // the active one
	opens   *jwk.DecryptionSet
	public  map[string]published // by purpose
	issuers sync.Map             // issuerKey → *jwt.Issuer
}

type published struct {
	set  *jwk.Set // nil where the keys encrypt
	body []byte
	etag string
}

type issuerKey struct {
	slot
	issuer, typ string
}

// newView sorts entries by what they are for. Only purposes whose keys come in
// pairs are published at all.
func newView(held *view, sl *sealer, version uint64, entries []entry) (*view, error) {
	v := &view{
		version: version, sealer: sl, entries: entries,
		signers: make(map[slot]jwk.Signer), macs: make(map[string]*jwk.SecretKey), public: make(map[string]published),
	}
	public := map[string][]jwk.Verifier{Access: nil, Feed: nil}
	for i := range entries {
		e := &entries[i]
		e.keep(held)
		if e.State == Revoked || e.Purpose == Sealing {
			continue
		}
		var signer jwk.Signer = e.private
		if e.secret != nil {
			v.macs[e.ID], signer = e.secret, e.secret
		} else {
			public[e.Purpose] = append(public[e.Purpose], e.private.Public())
		}
		if e.State != Active {
			continue
		}
		s := slot{e.Purpose, e.Algorithm}
		if _, twice := v.signers[s]; twice {
			return nil, fmt.Errorf("the key ring has two active %s keys for %s", e.Purpose, e.Algorithm)
		}
		v.signers[s] = signer
	}
	for purpose, keys := range public {
		set, err := jwk.NewSet(keys...)
		if err != nil {
			return nil, fmt.Errorf("publishing the %s keys: %w", purpose, err)
		}
		if err := v.publish(purpose, set, set); err != nil {
			return nil, err
		}
	}
	return v, v.sealing()
}

// publish keeps the key set of a purpose as it is answered.
func (v *view) publish(purpose string, set *jwk.Set, document json.Marshaler) error {
	body, err := document.MarshalJSON()
	if err != nil {
		return fmt.Errorf("publishing the %s keys: %w", purpose, err)
	}
	sum := sha256.Sum256(body)
	v.public[purpose] = published{set, body, `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`}
	return nil
}

// keep puts the very key that was held before in the place of an equal one.
func (e *entry) keep(held *view) {
	if held == nil || e.private == nil {
		return
	}
	for _, old := range held.entries {
		if old.private != nil && old.Purpose == e.Purpose && old.private.Public().Equal(e.private.Public()) {
			e.private = old.private
			return
		}
	}
}

// Signer answers the active key. ErrLease.
func (r *Ring) Signer(purpose string, alg jwk.Algorithm) (jwk.Signer, error) {
	return r.signer(r.view.Load(), slot{purpose, alg})
}

func (r *Ring) signer(v *view, want slot) (jwk.Signer, error) {
	s, ok := v.signers[want]
	switch {
	case r.sinceRead() > Lease:
		return nil, ErrLease
	case !ok:
		return nil, fmt.Errorf("no active %s key for %s", want.purpose, want.alg)
	}
	return s, nil
}

// MAC answers the active key for refresh tokens. ErrLease.
func (r *Ring) MAC() (*jwk.SecretKey, error) {
	s, err := r.Signer(Refresh, RefreshAlgorithm)
	if err != nil {
		return nil, err
	}
	return s.(*jwk.SecretKey), nil
}

// MACKey answers the key of that id where refresh tokens that it made may
// still be presented.
func (r *Ring) MACKey(id string) (*jwk.SecretKey, bool) {
	k, ok := r.view.Load().macs[id]
	return k, ok
}

// Issuer answers an issuer that signs with the active key. ErrLease.
func (r *Ring) Issuer(purpose string, alg jwk.Algorithm, issuer, typ string) (*jwt.Issuer, error) {
	v := r.view.Load()
	signer, err := r.signer(v, slot{purpose, alg})
	if err != nil {
		return nil, err
	}
	key := issuerKey{slot{purpose, alg}, issuer, typ}
	if made, ok := v.issuers.Load(key); ok {
		return made.(*jwt.Issuer), nil
	}
	made, err := jwt.NewIssuer(jwt.IssuerConfig{Issuer: issuer, Key: signer, Type: typ, Now: r.now})
	if err != nil {
		return nil, fmt.Errorf("%s issuer: %w", purpose, err)
	}
	v.issuers.Store(key, made)
	return made, nil
}

// Keys answers the live set of public keys of a purpose: announced, active and
// retiring. Purposes that MAC have none.
func (r *Ring) Keys(purpose string) jwt.Keys { return liveKeys{r, purpose} }

type liveKeys struct {
	ring    *Ring
	purpose string
}

func (l liveKeys) set() *jwk.Set { return l.ring.view.Load().public[l.purpose].set }

func (l liveKeys) Key(ctx context.Context, kid string) (jwk.Verifier, error) {
	set := l.set()
	if set == nil {
		return nil, jwk.ErrUnknownKey
	}
	key, err := set.Key(ctx, kid)
	if errors.Is(err, jwk.ErrUnknownKey) {
		// Another node may have made it after this one read the ring last.
		l.ring.CatchUp(ctx)
		return l.set().Key(ctx, kid)
	}
	return key, err
}

func (l liveKeys) Trusts(key jwk.Verifier) bool {
	set := l.set()
	return set != nil && set.Trusts(key)
}

// JWKS answers the public key set of a purpose (RFC 7517 §5) and its entity
// tag, in quotes. Neither may be changed. Both are empty for a purpose that
// MACs.
func (r *Ring) JWKS(purpose string) (body []byte, etag string) {
	p := r.view.Load().public[purpose]
	return p.body, p.etag
}

// List answers every key, oldest first.
func (r *Ring) List() []Key {
	var keys []Key
	for _, e := range r.view.Load().entries {
		keys = append(keys, e.Key)
	}
	return keys
}

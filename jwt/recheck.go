package jwt

import "context"

// Recheck tells whether a token that v has verified is still good: time,
// revocation, and its key. It is for what outlives a request, such as a stream,
// and needs no compact string. A token of single use is not used again. The
// error is as that of [Verifier.Verify].
func (v *Verifier) Recheck(ctx context.Context, t *Token) error {
	p := v.only
	if p == nil {
		p = v.byIssuer[t.claims.issuer]
	}
	if p == nil {
		return refuse(ErrIssuer, "no policy is for %q", t.claims.issuer)
	}
	if err := p.standing(t); err != nil {
		return err
	}
	if !p.Keys.Trusts(t.key) {
		key, err := p.Keys.Key(ctx, t.KeyID())
		if err != nil {
			return keyError(ctx, err)
		}
		if key != t.key {
			return refuse(ErrUnknownKey, "its key was replaced")
		}
	}
	_, err := p.admit(t, p.Now())
	return err
}

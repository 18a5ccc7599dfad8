package jwt

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/jotsmith/jotsmith/internal/strictjson"
	"github.com/jotsmith/jotsmith/jwe"
	"github.com/jotsmith/jotsmith/jwk"
)

// sealedContent is the "cty" of a token that has a token inside (RFC 7519 §5.2).
const sealedContent = "JWT"

// open returns the policy that compact is held to and the signed token: compact
// itself, or what is encrypted in it, and then the header of the encryption.
// Among several policies, which form a token has decides nothing: its issuer's
// policy says which one it must have.
func (v *Verifier) open(ctx context.Context, compact string) (p *policy, signed string, outer *jwe.Header, err error) {
	sealed := false
	if v.only != nil {
		p, sealed = v.only, v.sealed != nil
	} else {
		sealed = v.sealed != nil && len(compact) <= v.envelope.MaxSize && strings.Count(compact, ".") == 4
	}
	signed = compact
	if sealed {
		if signed, outer, err = v.decrypt(ctx, compact); err != nil {
			return nil, "", nil, err
		}
	}
	if p == nil {
		if p, err = v.choose(signed); err != nil {
			return nil, "", nil, err
		}
		switch {
		case len(compact) > p.MaxSize:
			return nil, "", nil, tooLong(compact, p.MaxSize)
		case sealed && p.Decryption == nil:
			return nil, "", nil, refuse(ErrMalformed, "it is encrypted, and its issuer's tokens are not")
		case !sealed && p.Decryption != nil:
			return nil, "", nil, refuse(ErrMalformed, "it is not encrypted, and its issuer's tokens are")
		}
	}
	return p, signed, outer, nil
}

// decrypt returns the token inside of compact. Nothing in it may be believed:
// whoever has a public key of this API can have written it.
func (v *Verifier) decrypt(ctx context.Context, compact string) (signed string, outer *jwe.Header, err error) {
	opened, err := jwe.Decrypter{MaxSize: v.envelope.MaxSize}.Decrypt(ctx, compact, v.sealed)
	if err != nil {
		return "", nil, decryptError(ctx, err)
	}
	return string(opened.Plaintext), &opened.Header, nil
}

// decryptError makes the reasons of package jwe those of this one.
func decryptError(ctx context.Context, err error) error {
	for from, reason := range map[error]error{jwe.ErrMalformed: ErrMalformed, jwe.ErrAlgorithm: ErrAlgorithm} {
		if errors.Is(err, from) {
			return refuse(reason, "encryption: %s", strings.TrimPrefix(err.Error(), from.Error()+": "))
		}
	}
	switch {
	case errors.Is(err, ErrDecrypt):
		return ErrDecrypt
	case errors.Is(err, ErrUnknownKey):
		return fmt.Errorf("encryption: %w", err)
	case errors.Is(err, ErrKeysUnavailable), ctx.Err() != nil:
		return err
	}
	return fmt.Errorf("%w: decryption: %w", ErrKeysUnavailable, err)
}

// checkOuter checks what the header of the encryption says about the content: that
// it is a token (RFC 7519 §5.2), and of no other type (RFC 8725 §3.11, which asks
// for the type within and leaves it open without).
func (p *policy) checkOuter(h *jwe.Header) error {
	if mediaType(h.ContentType) != "jwt" {
		return refuse(ErrType, "the \"cty\" of its encryption is not \"JWT\"")
	}
	if typ := mediaType(h.Type); typ != "" && typ != "jwt" && typ != p.Type {
		return refuse(ErrType, "the \"typ\" of its encryption is neither \"JWT\" nor %q", p.Type)
	}
	return nil
}

// repeatedBy reports whether what h repeats of the claims is what they say (RFC
// 7519 §5.3).
func (c *claims) repeatedBy(h *jwe.Header) bool {
	for _, m := range [...]struct{ raw, claim string }{{h.Issuer, c.issuer}, {h.Subject, c.subject}} {
		if s, ok := strictjson.String(m.raw); m.raw != "" && (!ok || s != m.claim) {
			return false
		}
	}
	if h.Audience == "" {
		return true
	}
	if one, ok := strictjson.String(h.Audience); ok {
		return len(c.audiences) == 1 && c.audiences[0] == one
	}
	several, ok := strictjson.Strings(h.Audience, maxAudiences, nil)
	return ok && slices.Equal(several, c.audiences)
}

// sameKeys reports whether a and b are one thing.
func sameKeys(a, b DecryptionKeys) bool {
	return reflect.ValueOf(a).Comparable() && reflect.ValueOf(b).Comparable() && a == b
}

var _ DecryptionKeys = (*jwk.DecryptionSet)(nil)

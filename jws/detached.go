package jws

import (
	"context"
	"slices"

	"github.com/jotsmith/jotsmith/internal/b64"
	"github.com/jotsmith/jotsmith/jwk"
)

// Signature is a signature that has been verified.
type Signature struct {
	Header Header
	Key    jwk.Verifier // the key that verified it
}

// SignDetached returns the compact serialization of payload with the payload
// left out (RFC 7515 appendix F): header..signature. Who verifies it has the
// payload from elsewhere, byte for byte.
func SignDetached(key jwk.Signer, typ string, payload []byte) (string, error) {
	return signDetached(key, typ, payload, false)
}

// SignDetachedUnencoded is [SignDetached] over the payload as it is instead of
// its base64url: its header says "b64":false (RFC 7797). Only who expects that
// verifies it. A JWT is never made so (RFC 7797 §7).
func SignDetachedUnencoded(key jwk.Signer, typ string, payload []byte) (string, error) {
	return signDetached(key, typ, payload, true)
}

func signDetached(key jwk.Signer, typ string, payload []byte, unencoded bool) (string, error) {
	header, signature, err := sign(key, typ, payload, unencoded)
	if err != nil {
		return "", err
	}
	return header + ".." + signature, nil
}

// VerifyDetached verifies compact, of at most [DefaultMaxSize] bytes and with
// nothing between its dots, over payload, of any size. The errors are those of
// [Verifier.Verify].
func VerifyDetached(ctx context.Context, compact string, payload []byte, keys Keys) (Signature, error) {
	return verifyDetached(ctx, compact, payload, keys, false)
}

// VerifyDetachedUnencoded verifies what [SignDetachedUnencoded] makes, and
// nothing else: the header must have "b64":false and "crit":["b64"]. A payload
// between the dots is refused even where RFC 7797 §5.2 would let it stand.
func VerifyDetachedUnencoded(ctx context.Context, compact string, payload []byte, keys Keys) (Signature, error) {
	return verifyDetached(ctx, compact, payload, keys, true)
}

func verifyDetached(ctx context.Context, compact string, payload []byte, keys Keys, unencoded bool) (Signature, error) {
	p, err := split(compact, 0)
	if err != nil {
		return Signature{}, err
	}
	if p.payload != "" {
		return Signature{}, malformed("a payload where a detached one is expected")
	}
	signature, err := b64.Decode(nil, p.signature)
	if err != nil {
		return Signature{}, malformed("signature: %v", err)
	}
	header, err := decodeHeader(p.header, unencoded)
	if err != nil {
		return Signature{}, err
	}
	key, err := find(ctx, header, keys)
	if err != nil {
		return Signature{}, err
	}
	if err := key.Verify(signingInput(p.header, payload, unencoded), signature); err != nil {
		return Signature{}, err
	}
	return Signature{header, key}, nil
}

// sign returns the protected header and the signature, both encoded.
func sign(key jwk.Signer, typ string, payload []byte, unencoded bool) (header, signature string, err error) {
	if header, err = encodeHeader(key, typ, unencoded); err != nil {
		return "", "", err
	}
	raw, err := key.AppendSignature(nil, signingInput(header, payload, unencoded))
	if err != nil {
		return "", "", err
	}
	return header, b64.Encode(raw), nil
}

// signingInput is what is signed: RFC 7515 §5.1, or RFC 7797 §3 where the
// payload is not encoded.
func signingInput(header string, payload []byte, unencoded bool) []byte {
	input := append(slices.Grow([]byte(header), 1+len(payload)*4/3+3), '.')
	if unencoded {
		return append(input, payload...)
	}
	return b64.Append(input, payload)
}

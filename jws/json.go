package jws

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jotsmith/jotsmith/internal/b64"
	"github.com/jotsmith/jotsmith/internal/strictjson"
	"github.com/jotsmith/jotsmith/jwk"
)

// maxSignatures bounds the public-key operations that one text can ask for.
const maxSignatures = 8

// ErrSigners means that a JSON serialization is signed by fewer keys than the
// [JSONVerifier] demands.
var ErrSigners = errors.New("too few signers")

// JSONVerifier says what a JSON serialization (RFC 7515 §7.2) must be to count
// as verified, flattened or general alike.
//
// A text may carry 8 signatures, and anybody can add some or take some away. So
// the verifier says how many of its own keys must have signed, and these rules
// hold for each signature:
//
//   - One of a key that is not among the keys does not count, whatever it says
//     and whatever it is.
//   - One in the name of a key that is must verify, or the whole is refused.
//     One that names no key is taken to be of the only key of a set that has
//     exactly one.
//   - One that is malformed refuses the whole, whosever it is.
//
// Everything that is believed is in the protected header. An unprotected one may
// name the key ("kid") and say things that are ignored; "alg", "typ", "crit" or
// "b64" in it, and any name that both headers have, are refused.
type JSONVerifier struct {
	// Signers is how many different keys must have signed: 1 for any of the
	// keys, their number for all of them. It must be said. To demand certain
	// keys, verify with a set of no others, or look at who has signed.
	Signers int
	// Unencoded demands "b64":false of every signature (RFC 7797). Without it
	// "b64" and "crit" are refused.
	Unencoded bool
	MaxSize   int // bytes of the text; 0 stands for DefaultMaxSize
}

// VerifiedJSON is a JSON serialization that enough keys have signed.
type VerifiedJSON struct {
	Payload    string
	Signatures []Signature // those that have been verified, in the text's order
}

// Verify verifies text with the keys that its headers name. The errors are
// [ErrSigners] and those of [Verifier.Verify].
func (v JSONVerifier) Verify(ctx context.Context, text []byte, keys Keys) (VerifiedJSON, error) {
	e, err := v.read(text)
	if err != nil {
		return VerifiedJSON{}, err
	}
	if !e.hasPayload {
		return VerifiedJSON{}, malformed("no \"payload\"")
	}
	payload := []byte(e.payload)
	if !v.Unencoded {
		if payload, err = b64.Decode(nil, e.payload); err != nil {
			return VerifiedJSON{}, malformed("payload: %v", err)
		}
	}
	signatures, err := v.verify(ctx, e, payload, keys)
	if err != nil {
		return VerifiedJSON{}, err
	}
	return VerifiedJSON{string(payload), signatures}, nil
}

// VerifyDetached is Verify for a text without a payload, or with an empty one, as
// some libraries write it, over payload, of any size (RFC 7515 appendix F).
func (v JSONVerifier) VerifyDetached(ctx context.Context, text, payload []byte, keys Keys) ([]Signature, error) {
	e, err := v.read(text)
	if err != nil {
		return nil, err
	}
	if e.payload != "" {
		return nil, malformed("a payload where a detached one is expected")
	}
	return v.verify(ctx, e, payload, keys)
}

func (v JSONVerifier) verify(ctx context.Context, e envelope, payload []byte, keys Keys) ([]Signature, error) {
	var verified []Signature
	for _, s := range e.signatures {
		key, err := lookUp(ctx, s.header, keys)
		if errors.Is(err, jwk.ErrUnknownKey) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if err := key.Verify(signingInput(s.protected, payload, v.Unencoded), s.signature); err != nil {
			return nil, err
		}
		verified = append(verified, Signature{s.header, key})
	}
	if n := signers(verified); n < v.Signers {
		return nil, fmt.Errorf("%w: %d of the keys have signed, %d must", ErrSigners, n, v.Signers)
	}
	return verified, nil
}

// signers counts the keys: one that stands under two key ids is one key.
func signers(verified []Signature) int {
	ids := make(map[string]bool, len(verified))
	for _, s := range verified {
		id := "kid " + s.Key.KeyID()
		if key, ok := s.Key.(*jwk.PublicKey); ok {
			id = "thumbprint " + key.Thumbprint()
		}
		ids[id] = true
	}
	return len(ids)
}

// envelope is a JSON serialization of good form.
type envelope struct {
	payload    string
	hasPayload bool
	signatures []unverifiedSignature
}

type unverifiedSignature struct {
	protected string // as it stands in the text
	header    Header
	signature []byte
}

func (v JSONVerifier) read(text []byte) (e envelope, err error) {
	if v.Signers < 1 || v.Signers > maxSignatures {
		return e, fmt.Errorf("jws.JSONVerifier.Signers is %d: say how many keys must have signed, 1 to %d", v.Signers, maxSignatures)
	}
	maxSize := v.MaxSize
	if maxSize <= 0 {
		maxSize = DefaultMaxSize
	}
	if len(text) > maxSize {
		return e, malformed("%d bytes, at most %d are taken", len(text), maxSize)
	}
	members, err := strictjson.BoundedObject(string(text), strictjson.MaxDepth, maxMembers, nil)
	if err != nil {
		return e, malformed("%v", err)
	}
	var list string
	for _, m := range members {
		switch m.Name {
		case "payload":
			if e.payload, e.hasPayload = strictjson.String(m.Value); !e.hasPayload {
				return e, malformed("\"payload\" is not a string")
			}
		case "signatures":
			list = m.Value
		case "ciphertext", "encrypted_key", "recipients":
			// RFC 7516 §9 tells the two apart by these.
			return e, malformed("%q: this is a JWE", m.Name)
		}
	}
	if list == "" {
		s, err := v.signature(members)
		e.signatures = []unverifiedSignature{s}
		return e, err
	}
	// RFC 7515 §7.2.2: a flattened text has no "signatures", a general one
	// nothing of a signature beside them.
	for _, m := range members {
		if slices.Contains([]string{"protected", "header", "signature"}, m.Name) {
			return e, malformed("%q beside \"signatures\"", m.Name)
		}
	}
	e.signatures, err = v.signatureList(list)
	return e, err
}

func (v JSONVerifier) signatureList(list string) ([]unverifiedSignature, error) {
	texts, err := strictjson.BoundedArray(list, strictjson.MaxDepth, maxSignatures, nil)
	if err != nil || len(texts) == 0 {
		return nil, malformed("\"signatures\" is not an array of 1 to %d", maxSignatures)
	}
	var all []unverifiedSignature
	for i, text := range texts {
		members, err := strictjson.Object(text, strictjson.MaxDepth, nil)
		if err != nil {
			return nil, malformed("signature %d: %v", i, err)
		}
		s, err := v.signature(members)
		if err != nil {
			return nil, fmt.Errorf("signature %d: %w", i, err)
		}
		all = append(all, s)
	}
	return all, nil
}

// signature reads the members "protected", "header" and "signature"; others are
// ignored, as RFC 7515 §7.2.1 demands.
func (v JSONVerifier) signature(members []strictjson.Member) (s unverifiedSignature, err error) {
	var unprotected []strictjson.Member
	var hasSignature bool
	for _, m := range members {
		switch m.Name {
		case "protected":
			// Where it is no string, it stays empty and is refused below.
			s.protected, _ = strictjson.String(m.Value)
		case "header":
			if unprotected, err = strictjson.Object(m.Value, strictjson.MaxDepth, nil); err != nil || len(unprotected) == 0 {
				return s, malformed("\"header\" is not a JSON object with members")
			}
		case "signature":
			encoded, ok := strictjson.String(m.Value)
			if s.signature, err = b64.Decode(nil, encoded); !ok || err != nil {
				return s, malformed("signature: %v", b64.ErrInvalid)
			}
			hasSignature = true
		}
	}
	switch {
	case s.protected == "":
		return s, malformed("no \"protected\": a header that is not signed has no say in how to verify")
	case !hasSignature:
		return s, malformed("no \"signature\"")
	}
	s.header, err = v.headers(s.protected, unprotected)
	return s, err
}

// maxUnprotected bounds the members of an unprotected header, each of which is
// compared with each of the protected one.
const maxUnprotected = 16

// headers joins the two headers of a signature (RFC 7515 §4).
func (v JSONVerifier) headers(protected string, unprotected []strictjson.Member) (h Header, err error) {
	text, err := b64.Decode(nil, protected)
	if err != nil {
		return h, malformed("header: %v", err)
	}
	members, err := strictjson.BoundedObject(string(text), strictjson.MaxDepth, maxMembers, nil)
	if err != nil {
		return h, malformed("header: %v", err)
	}
	if h, err = readHeader(members, v.Unencoded); err != nil {
		return h, err
	}
	if len(unprotected) > maxUnprotected {
		return h, malformed("unprotected header of %d members: at most %d", len(unprotected), maxUnprotected)
	}
	for _, u := range unprotected {
		if slices.ContainsFunc(members, func(m strictjson.Member) bool { return m.Name == u.Name }) {
			return h, malformed("a name occurs in both headers of a signature")
		}
		switch u.Name {
		case "alg", "typ", "crit", "b64":
			return h, malformed("%q in the unprotected header", u.Name)
		case "kid":
			var ok bool
			if h.KeyID, ok = strictjson.String(u.Value); !ok || h.KeyID == "" {
				return h, malformed("unprotected \"kid\" is not a string with characters in it")
			}
		}
	}
	return h, nil
}

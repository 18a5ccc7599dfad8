package jwt

import (
	"crypto/sha256"
	"encoding/binary"
)

// Fact names one thing that can be revoked without saying what it is: the first
// 16 bytes of the SHA-256 of kind, issuer and value, each preceded by its length
// as a 32-bit big-endian number. The kind is one byte.
type Fact [16]byte

// FactKind is the kind of thing that a [Fact] names.
type FactKind uint8

// The kinds of facts, and the claim or header that holds the value.
const (
	SessionFact FactKind = 1 + iota // "sid"
	TokenFact                       // "jti"
	KeyFact                         // "kid"
	SubjectFact                     // "sub"
)

// NewFact returns the fact of kind that value is revoked, as issuer names it.
func NewFact(kind FactKind, issuer, value string) Fact {
	var room [256]byte
	b := append(room[:0], 0, 0, 0, 1, byte(kind))
	b = binary.BigEndian.AppendUint32(b, uint32(len(issuer)))
	b = append(b, issuer...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(value)))
	b = append(b, value...)
	sum := sha256.Sum256(b)
	return Fact(sum[:16])
}

// Fact returns the fact that would revoke t by kind; ok is false where the token
// has no such claim.
func (t *Token) Fact(kind FactKind) (f Fact, ok bool) {
	value := ""
	switch kind {
	case SessionFact:
		value = t.claims.session
	case TokenFact:
		value = t.claims.id
	case KeyFact:
		value = t.key.KeyID()
	case SubjectFact:
		value = t.claims.subject
	}
	if value == "" {
		return Fact{}, false
	}
	if t.hasFacts {
		return t.facts[kind-1], true
	}
	return NewFact(kind, t.claims.issuer, value), true
}

// keepFacts computes the facts once, for tokens whose revocation is asked again
// and again.
func (t *Token) keepFacts() {
	for kind := SessionFact; kind <= SubjectFact; kind++ {
		t.facts[kind-1], _ = t.Fact(kind)
	}
	t.hasFacts = true
}

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
	if i := int(kind) - 1; i >= 0 && i < len(t.kept) && t.kept[i] {
		return t.facts[i], true
	}
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
	return NewFact(kind, t.claims.issuer, value), true
}

// keepFacts computes once what will be asked again and again: the facts about
// the token's session, or its subject where it has none, about itself and about
// its key.
func (t *Token) keepFacts(key Fact) {
	t.keep(KeyFact, key, true)
	for _, kind := range [...]FactKind{SessionFact, TokenFact, SubjectFact} {
		if kind == SubjectFact && t.kept[SessionFact-1] {
			continue
		}
		fact, ok := t.Fact(kind)
		t.keep(kind, fact, ok)
	}
}

func (t *Token) keep(kind FactKind, fact Fact, ok bool) {
	t.facts[kind-1], t.kept[kind-1] = fact, ok
}

// keyFact returns the fact about a key of the policy's issuer. It remembers the
// last one, for an issuer signs with one key for long.
func (p *policy) keyFact(kid string) Fact {
	if last := p.lastKey.Load(); last != nil && last.kid == kid {
		return last.fact
	}
	fact := NewFact(KeyFact, p.Issuer, kid)
	p.lastKey.Store(&keyFact{kid, fact})
	return fact
}

type keyFact struct {
	kid  string
	fact Fact
}

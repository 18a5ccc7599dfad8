package conformance

import (
	"crypto"
	_ "crypto/sha512" // SHA-384 and SHA-512
	"encoding/json"
	"strings"

	"github.com/jotsmith/jotsmith/jwk"
)

var hashes = map[jwk.Algorithm]crypto.Hash{"256": crypto.SHA256, "384": crypto.SHA384, "512": crypto.SHA512}

// offered are the algorithms with a public key that access tokens may have.
var offered = []string{"es256", "es384", "es512", "eddsa", "ed25519", "rs256", "rs384", "rs512", "ps256", "ps384", "ps512"}

func (m *maker) policies() map[string]policy {
	var all []json.RawMessage
	for _, kid := range offered {
		all = append(all, m.ours(kid))
	}
	base := policy{Issuer: issuer, Audiences: []string{audience}, Type: "at+jwt", Leeway: 30, Keys: m.set(all...)}
	of := func(about string, change func(*policy)) policy {
		p := base
		p.About = about
		change(&p)
		return p
	}
	return map[string]policy{
		"default":       of("one key of each algorithm; the RSA keys are one modulus under six key ids", func(*policy) {}),
		"one key":       of("a set of one key, which tokens need not name", func(p *policy) { p.Keys = m.set(m.ours("es256")) }),
		"no leeway":     of("clocks are equal", func(p *policy) { p.Leeway = 0 }),
		"two audiences": of("an API of two names", func(p *policy) { p.Audiences = []string{"https://old.example.com", audience} }),
		"only ES256":    of("one algorithm of those that the set has", func(p *policy) { p.Algs = []string{"ES256"} }),
		"logout":        of("another kind of token", func(p *policy) { p.Type = "logout+jwt" }),
		"mixed set": of("a set with keys that are not for signatures, or of kinds nobody knows; only es256 counts", func(p *policy) {
			edit := func(kid string, changes ...string) json.RawMessage {
				return json.RawMessage(strings.NewReplacer(changes...).Replace(string(m.ours(kid))))
			}
			p.Keys = m.set(
				edit("es384", `"use":"sig"`, `"use":"enc"`), edit("es512", `"use":"sig"`, `"key_ops":["sign"]`), m.ours("es256"),
				edit("rs256", `"alg":"RS256"`, `"alg":"RSA-OAEP-256"`), json.RawMessage(`{"kty":"LUNAR","kid":"moon","alg":"MOON","phase":"full"}`),
				edit("eddsa", `"Ed25519"`, `"Ed448"`, `"alg":"EdDSA",`, ""), edit("ps256", `"alg":"PS256",`, ""),
			)
		}),
		"secrets": of("HMAC, for a service that verifies its own tokens; who takes no secrets leaves these cases out", func(p *policy) {
			var keys []json.RawMessage
			for _, kid := range []string{"hs256", "hs384", "hs512"} {
				keys = append(keys, must[[]byte](m.t)(m.signers[kid].(*jwk.SecretKey).MarshalSecretJWK()))
			}
			p.Keys, p.Secrets = nil, m.set(keys...)
		}),
	}
}

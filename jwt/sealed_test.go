package jwt_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jwe"
	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jws"
	"github.com/jotsmith/jotsmith/jwt"
)

// newSeal makes the key pair of an API.
func newSeal(tb testing.TB) *jwk.DecryptionKey {
	tb.Helper()
	key, err := jwk.GenerateDecryption(jwk.ECDHESA128KW, "X25519")
	if err != nil {
		tb.Fatal(err)
	}
	return key
}

func newSeals(tb testing.TB, keys ...jwk.Decrypter) *jwk.DecryptionSet {
	tb.Helper()
	set, err := jwk.NewDecryptionSet(keys...)
	if err != nil {
		tb.Fatal(err)
	}
	return set
}

func withDecryption(keys jwt.DecryptionKeys) func(*jwt.Policy) {
	return func(p *jwt.Policy) { p.Decryption, p.Now = keys, at(start) }
}

// seal encrypts what an Issuer would have encrypted, and what none would.
func seal(tb testing.TB, key jwk.Encrypter, typ, cty, inner string) string {
	tb.Helper()
	compact, err := jwe.Encrypt(key, typ, cty, []byte(inner))
	if err != nil {
		tb.Fatal(err)
	}
	return compact
}

// dirSeal is a shared key and its bytes, to write headers that jwe.Encrypt does
// not write.
func dirSeal(tb testing.TB) (*jwk.SharedKey, func(header, plaintext string) string) {
	tb.Helper()
	key, err := jwk.GenerateShared(jwk.Direct, jwk.A256GCM)
	if err != nil {
		tb.Fatal(err)
	}
	return key, func(header, plaintext string) string {
		content, _, err := key.NewContentKey()
		if err != nil {
			tb.Fatal(err)
		}
		protected := encode(header)
		sealed := string(content.Seal(nil, []byte(plaintext), []byte(protected)))
		end := len(sealed) - 16
		return protected + ".." + encode(sealed[:12]) + "." + encode(sealed[12:end]) + "." + encode(sealed[end:])
	}
}

func TestSealedIssue(t *testing.T) {
	t.Parallel()
	key := newKey(t, jwk.ES256)
	c := jwt.Claims{Subject: "acc_anna", Audience: []string{audience}, Life: time.Minute, Custom: map[string]string{"email": "anna@example.com"}}
	shared, err := jwk.GenerateShared(jwk.A256KW)
	if err != nil {
		t.Fatal(err)
	}
	rsa, err := jwk.GenerateDecryption(jwk.RSAOAEP256, "", jwk.A128CBCHS256)
	if err != nil {
		t.Fatal(err)
	}
	pair := newSeal(t)
	for _, seal := range []struct {
		jwk.Encrypter
		jwk.Decrypter
	}{{pair.Public(), pair}, {rsa.Public(), rsa}, {shared, shared}} {
		issuer, err := jwt.NewIssuer(jwt.IssuerConfig{Issuer: issuerName, Key: key, Seal: seal.Encrypter})
		if err != nil {
			t.Fatal(err)
		}
		plain, err := jwt.NewIssuer(jwt.IssuerConfig{Issuer: issuerName, Key: key})
		if err != nil {
			t.Fatal(err)
		}
		derived, err := plain.Sealed(seal.Encrypter)
		if err != nil {
			t.Fatal(err)
		}
		for name, i := range map[string]*jwt.Issuer{"configured": issuer, "derived": derived} {
			compact, err := i.Issue(c)
			if err != nil {
				t.Fatal(err)
			}
			u, err := jwe.Inspect(compact)
			if err != nil || u.Parsed.ContentType != "JWT" || u.Parsed.Type != "at+jwt" || u.Parsed.KeyID != seal.Encrypter.KeyID() {
				t.Fatalf("%s: %v, %+v", name, err, u)
			}
			if strings.Contains(u.Header, "anna") || u.Parsed.Issuer != "" {
				t.Errorf("%s: the header tells %s", name, u.Header)
			}
			v := newVerifier(t, key, func(p *jwt.Policy) { p.Decryption = newSeals(t, seal.Decrypter) })
			token, err := v.Verify(t.Context(), compact)
			if err != nil || token.Subject() != "acc_anna" || token.Algorithm() != jwk.ES256 {
				t.Fatalf("%s: %v, %v", name, token, err)
			}
			if !v.Cached(compact) {
				t.Errorf("%s: not kept", name)
			}
			// What the encryption is for.
			if u, err := jwt.Inspect(compact); u != nil || !errors.Is(err, jwt.ErrMalformed) {
				t.Errorf("%s: inspected: %v", name, err)
			}
		}
	}
	var none *jwk.EncryptionKey
	if _, err := jwt.NewIssuer(jwt.IssuerConfig{Issuer: issuerName, Key: key, Seal: none}); err == nil {
		t.Error("a nil pointer is taken for a key")
	}
	plain, _ := jwt.NewIssuer(jwt.IssuerConfig{Issuer: issuerName, Key: key})
	for _, k := range []jwk.Encrypter{nil, none} {
		if i, err := plain.Sealed(k); err == nil || i != nil {
			t.Error("sealed with nothing")
		}
	}
	small, err := jwt.NewIssuer(jwt.IssuerConfig{Issuer: issuerName, Key: key, Seal: pair.Public(), MaxSize: 600})
	if err != nil {
		t.Fatal(err)
	}
	if compact, err := small.Issue(c); err == nil {
		t.Errorf("%d bytes issued, where verifiers take 600", len(compact))
	}
}

// What a policy takes is what it says, not what arrives.
func TestRFC7519Section11_2SignedThenEncrypted(t *testing.T) {
	t.Parallel()
	key, api, other := newKey(t, jwk.ES256), newSeal(t), newSeal(t)
	plain := newVerifier(t, key, func(p *jwt.Policy) { p.Now = at(start) })
	sealed := newVerifier(t, key, withDecryption(newSeals(t, api)))
	both := newVerifier(t, key, withDecryption(newSeals(t, other, api)))
	rsa, err := jwk.GenerateDecryption(jwk.RSAOAEP256, "")
	if err != nil {
		t.Fatal(err)
	}
	signed := sign(t, key, goodClaims())
	good := seal(t, api.Public(), "at+jwt", "JWT", signed)
	foreign := sign(t, newKey(t, jwk.ES256), goodClaims())
	nokid := withoutKid(t, api, signed)
	typed := func(typ string) string {
		compact, err := jws.Sign(key, typ, mustJSON(goodClaims()))
		if err != nil {
			t.Fatal(err)
		}
		return compact
	}
	for _, c := range []struct {
		name, compact string
		v             *jwt.Verifier
		want          error
	}{
		{"signed, then encrypted", good, sealed, nil},
		{"with two keys while they are changed", good, both, nil},
		{"signed, at a policy of encrypted tokens", signed, sealed, jwt.ErrMalformed},
		{"encrypted, at a policy of signed tokens", good, plain, jwt.ErrMalformed},
		{"claims that were encrypted and not signed", seal(t, api.Public(), "at+jwt", "JWT", string(mustJSON(goodClaims()))), sealed, jwt.ErrMalformed},
		{"claims that were encrypted and not signed, without cty", seal(t, api.Public(), "at+jwt", "", string(mustJSON(goodClaims()))), sealed, jwt.ErrMalformed},
		{"unsecured within", seal(t, api.Public(), "at+jwt", "JWT", encode(`{"alg":"none","typ":"at+jwt"}`)+"."+encode(string(mustJSON(goodClaims())))+"."), sealed, jwt.ErrAlgorithm},
		{"signed by somebody else within", seal(t, api.Public(), "at+jwt", "JWT", foreign), sealed, jwt.ErrUnknownKey},
		{"signature changed within", seal(t, api.Public(), "at+jwt", "JWT", signed[:len(signed)-20]+"AAAA"+signed[len(signed)-16:]), sealed, jwt.ErrSignature},
		{"nothing within", seal(t, api.Public(), "at+jwt", "JWT", ""), sealed, jwt.ErrMalformed},
		{"text within", seal(t, api.Public(), "at+jwt", "JWT", "hello"), sealed, jwt.ErrMalformed},
		{"encrypted twice", seal(t, api.Public(), "at+jwt", "JWT", good), sealed, jwt.ErrMalformed},
		{"signed around an encrypted one", sign(t, key, `"`+good+`"`), sealed, jwt.ErrMalformed},
		{"a JSON string of it within", seal(t, api.Public(), "at+jwt", "JWT", `"`+signed+`"`), sealed, jwt.ErrMalformed},
		{"for another API's key", seal(t, other.Public(), "at+jwt", "JWT", signed), sealed, jwt.ErrUnknownKey},
		{"for a key of another algorithm", seal(t, rsa.Public(), "at+jwt", "JWT", signed), sealed, jwt.ErrUnknownKey},
		{"no key id, one key", nokid, sealed, nil},
		{"no key id, two keys", nokid, both, jwt.ErrUnknownKey},
		{"expired within", seal(t, api.Public(), "at+jwt", "JWT", sign(t, key, goodClaims().with("exp", start.Add(-time.Hour).Unix()))), sealed, jwt.ErrExpired},
		{"another audience within", seal(t, api.Public(), "at+jwt", "JWT", sign(t, key, goodClaims().with("aud", "https://x.example"))), sealed, jwt.ErrAudience},

		{"cty in lower case", seal(t, api.Public(), "at+jwt", "jwt", signed), sealed, nil},
		{"cty in full", seal(t, api.Public(), "at+jwt", "application/jwt", signed), sealed, nil},
		{"no cty", seal(t, api.Public(), "at+jwt", "", signed), sealed, jwt.ErrType},
		{"another cty", seal(t, api.Public(), "at+jwt", "json", signed), sealed, jwt.ErrType},
		{"the type as cty", seal(t, api.Public(), "at+jwt", "at+jwt", signed), sealed, jwt.ErrType},
		{"no typ outside", seal(t, api.Public(), "", "JWT", signed), sealed, nil},
		{"typ JWT outside", seal(t, api.Public(), "JWT", "JWT", signed), sealed, nil},
		{"typ in full outside", seal(t, api.Public(), "Application/AT+JWT", "JWT", signed), sealed, nil},
		{"another typ outside", seal(t, api.Public(), "logout+jwt", "JWT", signed), sealed, jwt.ErrType},
		{"another typ within", seal(t, api.Public(), "at+jwt", "JWT", typed("logout+jwt")), sealed, jwt.ErrType},
		{"typ JWT within", seal(t, api.Public(), "at+jwt", "JWT", typed("JWT")), sealed, jwt.ErrType},
		{"no typ within", seal(t, api.Public(), "at+jwt", "JWT", typed("")), sealed, jwt.ErrType},
	} {
		t.Run(c.name, func(t *testing.T) {
			check(t, c.v, c.compact, c.want)
			check(t, c.v, c.compact, c.want) // once more, from the cache or not
			if c.v.Cached(c.compact) != (c.want == nil) {
				t.Errorf("kept: %v", c.v.Cached(c.compact))
			}
		})
	}
}

// withoutKid encrypts for a key whose id no header says.
func withoutKid(t *testing.T, key *jwk.DecryptionKey, inner string) string {
	t.Helper()
	content, wrapped, err := key.Public().NewContentKey()
	if err != nil {
		t.Fatal(err)
	}
	header := encode(`{"alg":"` + string(key.Algorithm()) + `","enc":"A256GCM","cty":"JWT","epk":` + wrapped.EphemeralKey + `}`)
	sealed := string(content.Seal(nil, []byte(inner), []byte(header)))
	end := len(sealed) - 16
	return header + "." + encode(string(wrapped.EncryptedKey)) + "." + encode(sealed[:12]) + "." + encode(sealed[12:end]) + "." + encode(sealed[end:])
}

// RFC 7519 §5.3: claims may be repeated in the header, and must then be the same.
func TestRFC7519Section5_3RepeatedClaims(t *testing.T) {
	t.Parallel()
	key := newKey(t, jwk.ES256)
	shared, write := dirSeal(t)
	v := newVerifier(t, key, withDecryption(newSeals(t, shared)))
	one, two := sign(t, key, goodClaims()), sign(t, key, goodClaims().with("aud", []string{audience, "x"}))
	nobody := sign(t, key, goodClaims().with("sub", leave))
	for _, c := range []struct {
		members, inner string
		want           error
	}{
		{``, one, nil},
		{`,"iss":"` + issuerName + `","sub":"acc_anna","aud":"` + audience + `"`, one, nil},
		{`,"aud":["` + audience + `"]`, one, nil},
		{`,"aud":["` + audience + `","x"]`, two, nil},
		{`,"aud":["x","` + audience + `"]`, two, jwt.ErrMalformed},
		{`,"aud":"` + audience + `"`, two, jwt.ErrMalformed},
		{`,"aud":7`, one, jwt.ErrMalformed},
		{`,"aud":null`, one, jwt.ErrMalformed},
		{`,"iss":"https://other.example.com"`, one, jwt.ErrMalformed},
		{`,"iss":["` + issuerName + `"]`, one, jwt.ErrMalformed},
		{`,"sub":"acc_admin"`, one, jwt.ErrMalformed},
		{`,"sub":"acc_anna"`, nobody, jwt.ErrMalformed},
		{`,"sub":""`, nobody, nil},
		{`,"exp":1`, one, nil}, // no claim of the header is believed
		{`,"zip":"DEF"`, one, jwt.ErrMalformed},
		{`,"crit":["exp"],"exp":1`, one, jwt.ErrMalformed},
	} {
		t.Run(c.members, func(t *testing.T) {
			header := `{"alg":"dir","enc":"A256GCM","cty":"JWT","kid":"` + shared.KeyID() + `"` + c.members + `}`
			check(t, v, write(header, c.inner), c.want)
		})
	}
}

// Every changed byte is refused, for one reason once the form is right.
func TestSealedMangled(t *testing.T) {
	t.Parallel()
	key, api := newKey(t, jwk.HS256), newSeal(t)
	v := newVerifier(t, key, withDecryption(newSeals(t, api)))
	compact := seal(t, api.Public(), "at+jwt", "JWT", sign(t, key, goodClaims()))
	check(t, v, compact, nil)
	form := []error{jwt.ErrMalformed, jwt.ErrAlgorithm, jwt.ErrUnknownKey, jwt.ErrDecrypt}
	header := strings.IndexByte(compact, '.')
	refused := func(text, how string, at int) {
		token, err := v.Verify(t.Context(), text)
		reasons := form
		if at > header {
			reasons = []error{jwt.ErrMalformed, jwt.ErrDecrypt}
		}
		if token != nil || !slices.ContainsFunc(reasons, func(r error) bool { return errors.Is(err, r) }) {
			t.Fatalf("%s at %d: %v, %v", how, at, token, err)
		}
		if errors.Is(err, jwt.ErrDecrypt) && err.Error() != jwt.ErrDecrypt.Error() {
			t.Fatalf("%s at %d tells more than that it fails: %v", how, at, err)
		}
	}
	for i := range compact {
		for _, c := range []byte{compact[i] ^ 1, compact[i] ^ 4, 'A', '.', 0} {
			if c != compact[i] {
				refused(compact[:i]+string(rune(c))+compact[i+1:], "changed", i)
			}
		}
		refused(compact[:i]+compact[i+1:], "left out", i)
		refused(compact[:i]+"A"+compact[i:], "put in", i)
		refused(compact[:i], "cut off", i)
	}
	check(t, v, compact, nil)
}

// Several issuers: whose an encrypted token is shows within, and the policy of
// that issuer says whether it must have been encrypted.
func TestSealedSeveralIssuers(t *testing.T) {
	t.Parallel()
	one, two, three := newKey(t, jwk.ES256), newKey(t, jwk.EdDSA), newKey(t, jwk.HS256)
	api := newSeal(t)
	keys := newSeals(t, api)
	const third = "https://third.example.com"
	first, second, plain := policyOf(t, issuerName, one), policyOf(t, otherIssuer, two), policyOf(t, third, three)
	first.Decryption, second.Decryption = keys, keys
	second.MaxSize = 1000
	v := newVerifierOf(t, first, second, plain)
	theirs, others := goodClaims().with("iss", otherIssuer), goodClaims().with("iss", third)
	in := func(inner string) string { return seal(t, api.Public(), "at+jwt", "JWT", inner) }
	for _, c := range []struct {
		name, compact string
		want          error
	}{
		{"the first's", in(sign(t, one, goodClaims())), nil},
		{"the second's", in(sign(t, two, theirs)), nil},
		{"the third's, in clear", sign(t, three, others), nil},
		{"the first's in clear", sign(t, one, goodClaims()), jwt.ErrMalformed},
		{"the third's encrypted", in(sign(t, three, others)), jwt.ErrMalformed},
		{"the second's key in the first's name", in(sign(t, two, goodClaims())), jwt.ErrUnknownKey},
		{"nobody's", in(sign(t, one, goodClaims().with("iss", "https://x.example"))), jwt.ErrIssuer},
		{"the second's, longer than it takes", in(sign(t, two, theirs.with("x", strings.Repeat("x", 200)))), jwt.ErrMalformed},
		{"encrypted twice", in(in(sign(t, one, goodClaims()))), jwt.ErrMalformed},
		{"longer than any takes", strings.Repeat("A", 20<<10) + "....", jwt.ErrMalformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			check(t, v, c.compact, c.want)
			check(t, v, c.compact, c.want)
		})
	}

	// What cannot be decided is refused before any token comes.
	second.Decryption = newSeals(t, api)
	_, err := jwt.NewVerifier(first, second)
	if err == nil || !strings.Contains(err.Error(), "another Decryption than a policy before it") {
		t.Errorf("two sets of keys: %v", err)
	}
	first.Decryption, second.Decryption = sliceKeys{api}, sliceKeys{api}
	if _, err := jwt.NewVerifier(first, second); err == nil {
		t.Error("keys that cannot be compared were taken for one thing")
	}
	first.Decryption = (*jwk.DecryptionSet)(nil)
	if _, err := jwt.NewVerifier(first); err == nil {
		t.Error("a nil pointer was taken for keys")
	}
}

type sliceKeys []jwk.Decrypter

func (k sliceKeys) Key(context.Context, string) (jwk.Decrypter, error) { return k[0], nil }

// A token that is found in the cache is checked as one that is only signed.
func TestSealedRevokedAndUsed(t *testing.T) {
	t.Parallel()
	key, api := newKey(t, jwk.ES256), newSeal(t)
	inner := sign(t, key, goodClaims())
	once, again := seal(t, api.Public(), "at+jwt", "JWT", inner), seal(t, api.Public(), "at+jwt", "JWT", inner)
	asked := &revoked{}
	v := newVerifier(t, key, withDecryption(newSeals(t, api)), withRevocations(asked))
	check(t, v, once, nil)
	asked.err = jwt.ErrRevoked
	check(t, v, once, jwt.ErrRevoked)
	check(t, v, again, jwt.ErrRevoked)

	// Encrypting a used token anew does not make it a new one.
	replays, err := jwt.NewReplayCache(100)
	if err != nil {
		t.Fatal(err)
	}
	v = newVerifier(t, key, withDecryption(newSeals(t, api)), func(p *jwt.Policy) { p.SingleUse = replays })
	check(t, v, once, nil)
	check(t, v, once, jwt.ErrReplayed)
	check(t, v, again, jwt.ErrReplayed)
}

func TestSealedKeysThatDoNotAnswer(t *testing.T) {
	t.Parallel()
	key, api := newKey(t, jwk.ES256), newSeal(t)
	compact := seal(t, api.Public(), "at+jwt", "JWT", sign(t, key, goodClaims()))
	for err, want := range map[error]error{
		errors.New("vault is sealed"):            jwt.ErrKeysUnavailable,
		fmt.Errorf("x: %w", jwt.ErrUnknownKey):   jwt.ErrUnknownKey,
		fmt.Errorf("%w", jwt.ErrKeysUnavailable): jwt.ErrKeysUnavailable,
	} {
		check(t, newVerifier(t, key, withDecryption(brokenDecryption{err})), compact, want)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	v := newVerifier(t, key, withDecryption(brokenDecryption{ctx.Err()}))
	if _, err := v.Verify(ctx, compact); !errors.Is(err, context.Canceled) || errors.Is(err, jwt.ErrKeysUnavailable) {
		t.Errorf("cancelled: %v", err)
	}
}

type brokenDecryption struct{ err error }

func (b brokenDecryption) Key(context.Context, string) (jwk.Decrypter, error) { return nil, b.err }

// JWE-01: decryption is not authentication. Whoever has the public key of an API
// has nothing that its policies take.
func TestJWE01DecryptionIsNotAuthentication(t *testing.T) {
	t.Parallel()
	for _, alg := range algorithms {
		key, api := newKey(t, alg), newSeal(t)
		v := newVerifier(t, key, withDecryption(newSeals(t, api)))
		claims := string(mustJSON(goodClaims()))
		attacker := newKey(t, jwk.ES256)
		for name, inner := range map[string]string{
			"claims":             claims,
			"unsecured":          encode(`{"alg":"none","typ":"at+jwt"}`) + "." + encode(claims) + ".",
			"signed by stranger": sign(t, attacker, goodClaims()),
			"signed with the public key as a secret": func() string {
				public, err := json.Marshal(api.Public())
				if err != nil {
					t.Fatal(err)
				}
				secret, err := jwk.DangerouslyNewHMAC(jwk.HS256, public, key.KeyID())
				if err != nil {
					t.Fatal(err)
				}
				return sign(t, secret, goodClaims())
			}(),
		} {
			token, err := v.Verify(t.Context(), seal(t, api.Public(), "at+jwt", "JWT", inner))
			if token != nil || err == nil {
				t.Errorf("%s, %s: accepted", alg, name)
			}
		}
	}
}

// FuzzSealed: whatever is inside of a genuine encryption is taken where it is a
// token of the signed policy, and refused for the same reason where it is none.
func FuzzSealed(f *testing.F) {
	key := newKey(f, jwk.HS256)
	shared, write := dirSeal(f)
	plain := newVerifier(f, key, func(p *jwt.Policy) { p.Now = at(start) })
	sealed := newVerifier(f, key, withDecryption(newSeals(f, shared)))
	f.Add("JWT", sign(f, key, goodClaims()))
	f.Add("JWT", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJtYWxsb3J5In0.")
	f.Add("JWT", write(`{"alg":"dir","enc":"A256GCM","cty":"JWT"}`, "x"))
	f.Add("", "a.b.c")
	f.Fuzz(func(t *testing.T, cty, inner string) {
		header, err := json.Marshal(map[string]string{"alg": "dir", "enc": "A256GCM", "kid": shared.KeyID(), "cty": cty})
		if err != nil || len(inner)+len(header) > 8<<10 {
			return
		}
		token, err := sealed.Verify(t.Context(), write(string(header), inner))
		_, want := plain.Verify(t.Context(), inner)
		switch {
		case (token == nil) == (err == nil):
			t.Fatalf("%v, %v", token, err)
		case token != nil && (want != nil || !strings.HasSuffix(strings.ToLower(cty), "jwt")):
			t.Fatalf("%q %q: accepted, and in clear it is %v", cty, inner, want)
		case token == nil && want == nil && !errors.Is(err, jwt.ErrType) && cty != "":
			t.Fatalf("%q %q: %v", cty, inner, err)
		}
	})
}

// FuzzSealedText: whatever arrives at a policy of encrypted tokens, alone or among
// others, ends in a token or in a reason.
func FuzzSealedText(f *testing.F) {
	key, api := newKey(f, jwk.HS256), newSeal(f)
	keys := newSeals(f, api)
	v := newVerifier(f, key, withDecryption(keys))
	first, second := policyOf(f, issuerName, key), policyOf(f, otherIssuer, key)
	first.Decryption = keys
	several, err := jwt.NewVerifier(first, second)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seal(f, api.Public(), "at+jwt", "JWT", sign(f, key, goodClaims())))
	f.Add(sign(f, key, goodClaims()))
	f.Add("....")
	reasons := []error{
		jwt.ErrMalformed, jwt.ErrAlgorithm, jwt.ErrUnknownKey, jwt.ErrDecrypt, jwt.ErrSignature, jwt.ErrType, jwt.ErrIssuer,
		jwt.ErrAudience, jwt.ErrNotYetValid, jwt.ErrExpired,
	}
	f.Fuzz(func(t *testing.T, compact string) {
		for _, v := range []*jwt.Verifier{v, several} {
			token, err := v.Verify(t.Context(), compact)
			n := 0
			for _, r := range reasons {
				if errors.Is(err, r) {
					n++
				}
			}
			if (token == nil) == (err == nil) || err != nil && n != 1 {
				t.Fatalf("%v, %v", token, err)
			}
		}
	})
}

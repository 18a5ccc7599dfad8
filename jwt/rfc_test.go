package jwt_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jws"
	"github.com/jotsmith/jotsmith/jwt"
)

func TestRFC7519Section3_1(t *testing.T) {
	t.Parallel()
	key, err := jwk.ParseSecret([]byte(`{"kty":"oct","alg":"HS256","kid":"a1","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}`))
	if err != nil {
		t.Fatal(err)
	}
	const compact = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	policy := func(now int64) func(*jwt.Policy) {
		return func(p *jwt.Policy) {
			p.Issuer, p.Type, p.Audiences, p.DangerouslyAcceptAnyAudience, p.Leeway = "joe", "JWT", nil, true, -1
			p.Now = at(time.Unix(now, 0))
		}
	}
	token, err := newVerifier(t, key, policy(1300819379)).Verify(context.Background(), compact)
	if err != nil {
		t.Fatal(err)
	}
	claims, err := jwt.Decode[struct {
		IsRoot bool `json:"http://example.com/is_root"`
	}](token)
	if err != nil || !claims.IsRoot || token.Issuer() != "joe" {
		t.Errorf("%+v, %v", claims, err)
	}
	check(t, newVerifier(t, key, policy(1300819380)), compact, jwt.ErrExpired)
	check(t, newVerifier(t, key), compact, jwt.ErrType)
}

// The tests below are the sections of RFC 8725 (JSON Web Token Best Current
// Practices), each with what it asks for.

func TestRFC8725Section3_1AlgorithmVerification(t *testing.T) {
	t.Parallel()
	// Each key has exactly one algorithm, and it is checked at each use.
	for _, alg := range algorithms {
		key := newKey(t, alg)
		v := newVerifier(t, key, func(p *jwt.Policy) { p.Now = at(start) })
		check(t, v, sign(t, key, goodClaims()), nil)
		for _, other := range algorithms {
			if other == alg {
				continue
			}
			named := encode(`{"alg":"`+string(other)+`","typ":"at+jwt","kid":"`+key.KeyID()+`"}`) + "." + encode(string(mustJSON(goodClaims())))
			signature, _ := key.AppendSignature(nil, []byte(named))
			check(t, v, named+"."+encode(string(signature)), jwt.ErrAlgorithm)
		}
	}
}

func TestRFC8725Section3_2AppropriateAlgorithms(t *testing.T) {
	t.Parallel()
	for _, alg := range []jwk.Algorithm{"none", "None", "", "HS1", "RS1", "MD5", "RSA1_5", "ES256K"} {
		if alg.Known() {
			t.Errorf("%q exists", alg)
		}
		if _, err := jwk.Generate(alg); err == nil {
			t.Errorf("a key for %q was made", alg)
		}
	}
	// ECDSA signs deterministically (RFC 6979).
	key := newKey(t, jwk.ES256)
	a, _ := key.AppendSignature(nil, []byte("m"))
	b, _ := key.AppendSignature(nil, []byte("m"))
	if string(a) != string(b) {
		t.Error("ECDSA nonces depend on randomness")
	}
}

func TestRFC8725Section3_3AllOperations(t *testing.T) {
	t.Parallel()
	// A token in a token: the outer signature does not vouch for the inner one.
	key, attacker := newKey(t, jwk.HS256), newKey(t, jwk.HS256)
	v := newVerifier(t, key, func(p *jwt.Policy) { p.Now = at(start) })
	inner := sign(t, attacker, goodClaims())
	outer, err := jws.Sign(key, "at+jwt", []byte(inner))
	if err != nil {
		t.Fatal(err)
	}
	check(t, v, outer, jwt.ErrMalformed)
	check(t, v, inner, jwt.ErrUnknownKey)
}

func TestRFC8725Section3_4CryptographicInputs(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"point off the curve":  `{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a1"}`,
		"short coordinate":     `{"kty":"EC","crv":"P-256","x":"zc4nc_bEXUGDy-5v20t7WAczNXvp7xO6z248e9FURQ","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}`,
		"point of small order": `{"kty":"OKP","crv":"Ed25519","x":"AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}`,
	} {
		if _, err := jwk.ParsePublic([]byte(text)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestRFC8725Section3_5Entropy(t *testing.T) {
	t.Parallel()
	for _, secret := range []string{"", "password", strings.Repeat("password", 4), strings.Repeat("a", 32)} {
		if _, err := jwk.NewHMAC(jwk.HS256, []byte(secret), "k"); err == nil {
			t.Errorf("%q taken for a secret", secret)
		}
	}
}

func TestRFC8725Section3_6NoCompression(t *testing.T) {
	t.Parallel()
	// There is no encryption here, and so nothing is ever inflated: "zip" in a
	// signed token's header means nothing, five parts are malformed.
	key := newKey(t, jwk.HS256)
	v := newVerifier(t, key, func(p *jwt.Policy) { p.Now = at(start) })
	check(t, v, encode(`{"alg":"dir","enc":"A256GCM","zip":"DEF"}`)+"..AAAA.AAAA.AAAA", jwt.ErrMalformed)
	input := encode(`{"alg":"HS256","typ":"at+jwt","zip":"DEF","kid":"`+key.KeyID()+`"}`) + "." + encode("\xab\x56\x4a\x2c\x28\x00\x00")
	mac, _ := key.AppendSignature(nil, []byte(input))
	check(t, v, input+"."+encode(string(mac)), jwt.ErrMalformed)
}

func TestRFC8725Section3_7UTF8(t *testing.T) {
	t.Parallel()
	key := newKey(t, jwk.HS256)
	v := newVerifier(t, key, func(p *jwt.Policy) { p.Now = at(start) })
	good := string(mustJSON(goodClaims()))
	utf16 := make([]byte, 0, 2*len(good))
	for _, c := range []byte(good) {
		utf16 = append(utf16, c, 0)
	}
	for name, text := range map[string]string{
		"UTF-16":         string(utf16),
		"UTF-16, marked": "\xff\xfe" + string(utf16),
		"Latin-1":        strings.Replace(good, "acc_anna", "acc_\xe4nna", 1),
		"marked":         "\ufeff" + good,
	} {
		t.Run(name, func(t *testing.T) { check(t, v, sign(t, key, text), jwt.ErrMalformed) })
	}
	check(t, v, sign(t, key, strings.Replace(good, "acc_anna", "acc_ännä", 1)), nil)
}

func TestRFC8725Section3_8IssuerAndSubject(t *testing.T) {
	t.Parallel()
	// The key of another issuer does not sign for this one, and a token without
	// an issuer has none.
	mine, theirs := newKey(t, jwk.ES256), newKey(t, jwk.ES256)
	v := newVerifier(t, mine, func(p *jwt.Policy) { p.Now = at(start) })
	check(t, v, sign(t, theirs, goodClaims()), jwt.ErrUnknownKey)
	check(t, v, sign(t, mine, goodClaims().with("iss", leave)), jwt.ErrIssuer)
	check(t, v, sign(t, mine, goodClaims().with("sub", object{})), jwt.ErrMalformed)
	if _, err := jwt.NewVerifier(jwt.Policy{Audiences: []string{audience}, Keys: newSet(t), DangerouslyIgnoreRevocation: true}); err == nil {
		t.Error("a verifier without an issuer was built")
	}
}

func TestRFC8725Section3_9Audience(t *testing.T) {
	t.Parallel()
	key := newKey(t, jwk.ES256)
	v := newVerifier(t, key, func(p *jwt.Policy) { p.Now = at(start) })
	check(t, v, sign(t, key, goodClaims().with("aud", "https://other.example")), jwt.ErrAudience)
	check(t, v, sign(t, key, goodClaims().with("aud", leave)), jwt.ErrAudience)
	if _, err := jwt.NewVerifier(jwt.Policy{Issuer: issuerName, Keys: newSet(t), DangerouslyIgnoreRevocation: true}); err == nil {
		t.Error("a verifier without an audience was built")
	}
}

func TestRFC8725Section3_10ReceivedClaims(t *testing.T) {
	t.Parallel()
	// "kid" is a name to look up and nothing else; "jku" and "jwk" are not read.
	key, attacker := newKey(t, jwk.EdDSA), newKey(t, jwk.EdDSA).(*jwk.PrivateKey)
	v := newVerifier(t, key, func(p *jwt.Policy) { p.Now = at(start) })
	for _, member := range []string{
		`"kid":"../../../../dev/null"`, `"kid":"' UNION SELECT 'secret"`, `"kid":"| sleep 10"`, `"kid":"\u0000"`,
		`"jku":"http://169.254.169.254/","kid":"x"`, `"kid":"x","jwk":` + string(mustJSON(attacker.Public())),
	} {
		input := encode(`{"alg":"EdDSA","typ":"at+jwt",`+member+`}`) + "." + encode(string(mustJSON(goodClaims())))
		signature, _ := attacker.AppendSignature(nil, []byte(input))
		check(t, v, input+"."+encode(string(signature)), jwt.ErrUnknownKey)
	}
}

func TestRFC8725Section3_11ExplicitTyping(t *testing.T) {
	t.Parallel()
	key := newKey(t, jwk.ES256)
	v := newVerifier(t, key, func(p *jwt.Policy) { p.Now = at(start) })
	for _, typ := range []string{"", "JWT", "jwt", "logout+jwt"} {
		compact, err := jws.Sign(key, typ, mustJSON(goodClaims()))
		if err != nil {
			t.Fatal(err)
		}
		check(t, v, compact, jwt.ErrType)
	}
	header, err := jwt.Inspect(issue(t, key, benchClaims))
	if err != nil || header.Type() != "at+jwt" {
		t.Errorf("issued without its type: %v", err)
	}
}

func TestRFC8725Section3_12ExclusiveRules(t *testing.T) {
	t.Parallel()
	// Two kinds of token of one issuer under one key: neither passes for the
	// other, by type and by audience.
	key := newKey(t, jwk.ES256)
	access := newVerifier(t, key)
	feed := newVerifier(t, key, func(p *jwt.Policy) { p.Type, p.Audiences = "revocations+jwt", []string{issuerName} })
	accessToken := issue(t, key, benchClaims)
	issuer, err := jwt.NewIssuer(jwt.IssuerConfig{Issuer: issuerName, Key: key, Type: "revocations+jwt"})
	if err != nil {
		t.Fatal(err)
	}
	feedToken, err := issuer.Issue(jwt.Claims{Subject: issuerName, Audience: []string{issuerName}, Life: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	check(t, access, accessToken, nil)
	check(t, feed, feedToken, nil)
	check(t, access, feedToken, jwt.ErrType)
	check(t, feed, accessToken, jwt.ErrType)
}

// A JWE has five parts. Whatever its header says, and whoever could decrypt it,
// it is no token: encryption to a public key proves nothing about the sender.
func TestJWE01Encrypted(t *testing.T) {
	t.Parallel()
	for _, alg := range algorithms {
		key := newKey(t, alg)
		v := newVerifier(t, key, func(p *jwt.Policy) { p.Now = at(start) })
		for _, header := range []string{
			`{"alg":"RSA-OAEP","enc":"A256GCM"}`, `{"alg":"ECDH-ES","enc":"A256GCM","epk":{}}`, `{"alg":"dir","enc":"A256GCM"}`,
			`{"alg":"` + string(alg) + `","enc":"A256GCM","typ":"at+jwt","kid":"` + key.KeyID() + `"}`,
		} {
			claims := encode(string(mustJSON(goodClaims())))
			for _, compact := range []string{
				encode(header) + "." + encode("wrapped") + "." + encode("iv") + "." + claims + "." + encode("tag"),
				encode(header) + "..." + claims + ".",
			} {
				check(t, v, compact, jwt.ErrMalformed)
				if u, err := jwt.Inspect(compact); err == nil || u != nil {
					t.Errorf("%s: inspected", header)
				}
			}
		}
	}
}

func TestInspect(t *testing.T) {
	t.Parallel()
	key := newKey(t, jwk.ES256)
	compact := issue(t, key, benchClaims)
	u, err := jwt.Inspect(compact)
	if err != nil || u.Algorithm() != "ES256" || u.KeyID() != key.KeyID() || u.Type() != "at+jwt" || len(u.Signature()) != 64 {
		t.Fatalf("%+v, %v", u, err)
	}
	if !json.Valid([]byte(u.Header())) || !json.Valid([]byte(u.Claims())) || !strings.Contains(u.Claims(), benchClaims.Subject) {
		t.Errorf("%s %s", u.Header(), u.Claims())
	}
	for _, s := range []string{"", "x", "a.b.c", compact[:20], compact + ".", encode(`{"alg":"x"}`) + "." + encode(`[]`) + "."} {
		if u, err := jwt.Inspect(s); u != nil || !errors.Is(err, jwt.ErrMalformed) {
			t.Errorf("Inspect(%.20q): %v", s, err)
		}
	}
}

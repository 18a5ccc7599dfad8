package jwt_test

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jws"
	"github.com/jotsmith/jotsmith/jwt"
)

// golden returns an example of RFC 7519, as its text without the line breaks
// that are for display only.
func golden(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("testdata/rfc7519/" + name + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

func TestRFC7519(t *testing.T) {
	t.Parallel()
	key, err := jwk.ParseSecret([]byte(`{"kty":"oct","alg":"HS256","kid":"a1","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"}`))
	if err != nil {
		t.Fatal(err)
	}
	policy := func(now int64) func(*jwt.Policy) {
		return func(p *jwt.Policy) {
			p.Issuer, p.Type, p.Audiences, p.DangerouslyAcceptAnyAudience, p.Leeway = "joe", "JWT", nil, true, -1
			p.Now = at(time.Unix(now, 0))
		}
	}
	const expires = 1300819380
	t.Run("section 3.1, signed", func(t *testing.T) {
		t.Parallel()
		compact := golden(t, "section3.1")
		token, err := newVerifier(t, key, policy(expires-1)).Verify(context.Background(), compact)
		if err != nil {
			t.Fatal(err)
		}
		claims, err := jwt.Decode[struct {
			IsRoot bool `json:"http://example.com/is_root"`
		}](token)
		if err != nil || !claims.IsRoot || token.Issuer() != "joe" || token.ExpiresAt().Unix() != expires {
			t.Errorf("%+v, %v", claims, err)
		}
		check(t, newVerifier(t, key, policy(expires)), compact, jwt.ErrExpired)
		check(t, newVerifier(t, key), compact, jwt.ErrType)
	})
	for name, want := range map[string]error{
		"section6.1":  jwt.ErrAlgorithm, // unsecured: "alg" is "none"
		"appendixA.1": jwt.ErrMalformed, // encrypted
		"appendixA.2": jwt.ErrMalformed, // signed, then encrypted
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, alg := range algorithms {
				check(t, newVerifier(t, newKey(t, alg), policy(expires-1)), golden(t, name), want)
			}
		})
	}
	u, err := jwt.Inspect(golden(t, "section6.1"))
	if err != nil || u.Algorithm() != "none" || len(u.Signature()) != 0 {
		t.Errorf("%+v, %v", u, err)
	}
}

// The tests below are the sections of RFC 8725 (JSON Web Token Best Current
// Practices) and of the draft that revises it (draft-ietf-oauth-rfc8725bis,
// which keeps the numbers and goes on from 2.10 and 3.13): the threats in one
// table, the practices each with what it asks for.

func TestRFC8725Section2Threats(t *testing.T) {
	t.Parallel()
	key, secret := newKey(t, jwk.RS256).(*jwk.PrivateKey), newKey(t, jwk.HS256)
	v := newVerifier(t, key, func(p *jwt.Policy) { p.Now = at(start) })
	claims := encode(string(mustJSON(goodClaims())))
	public, err := key.Public().PEM()
	if err != nil {
		t.Fatal(err)
	}
	kid := `"kid":"` + key.KeyID() + `","typ":"at+jwt"}`
	genuine := func(header, claims string) string {
		input := encode(header) + "." + claims
		signature, err := key.AppendSignature(nil, []byte(input))
		if err != nil {
			t.Fatal(err)
		}
		return input + "." + encode(string(signature))
	}
	maced := func(secret []byte) string {
		input := encode(`{"alg":"HS256",`+kid) + "." + claims
		mac := hmac.New(sha256.New, secret)
		mac.Write([]byte(input))
		return input + "." + encode(string(mac.Sum(nil)))
	}
	check(t, v, genuine(`{"alg":"RS256",`+kid, claims), nil)
	for _, c := range []struct {
		name, compact string
		want          error
	}{
		{"2.1 weak signatures: none", encode(`{"alg":"none",`+kid) + "." + claims + ".", jwt.ErrAlgorithm},
		{"2.1 weak signatures: the public key as a secret", maced(public), jwt.ErrAlgorithm},
		{"2.2 weak symmetric keys", maced([]byte("secret")), jwt.ErrAlgorithm},
		{"2.3 composition: encrypted, not signed", encode(`{"alg":"RSA-OAEP","enc":"A256GCM",`+kid) + ".AAAA.AAAA." + claims + ".AAAA", jwt.ErrMalformed},
		{"2.3 composition: signed around another's signature", genuine(`{"alg":"RS256","cty":"JWT",`+kid, encode(sign(t, secret, goodClaims()))), jwt.ErrMalformed},
		{"2.4 plaintext leakage: nothing is encrypted", encode(`{"alg":"dir","enc":"A128CBC-HS256","zip":"DEF"}`) + "..AAAA.AAAA.AAAA", jwt.ErrMalformed},
		{"2.5 elliptic curve encryption", encode(`{"alg":"ECDH-ES","enc":"A128GCM","epk":{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}}`) + "..AAAA.AAAA.AAAA", jwt.ErrMalformed},
		{"2.6 encodings: UTF-16", genuine(`{"alg":"RS256",`+kid, encode("\xff\xfe{\x00}\x00")), jwt.ErrMalformed},
		{"2.7 substitution: another API's token", genuine(`{"alg":"RS256",`+kid, encode(string(mustJSON(goodClaims().with("aud", "https://other.example"))))), jwt.ErrAudience},
		{"2.7 substitution: another issuer's token", genuine(`{"alg":"RS256",`+kid, encode(string(mustJSON(goodClaims().with("iss", otherIssuer))))), jwt.ErrIssuer},
		{"2.8 cross-JWT confusion", genuine(`{"alg":"RS256","kid":"`+key.KeyID()+`","typ":"logout+jwt"}`, claims), jwt.ErrType},
		{"2.9 indirect attacks: a path for a key id", genuine(`{"alg":"RS256","typ":"at+jwt","kid":"../../etc/passwd"}`, claims), jwt.ErrUnknownKey},
		{"2.10 iterations", encode(`{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":2147483647,`+kid) + ".AAAA.AAAA.AAAA.AAAA", jwt.ErrMalformed},
		{"2.11 algorithm names in another case", encode(`{"alg":"noNE",`+kid) + "." + claims + ".", jwt.ErrAlgorithm},
		{"2.11 algorithm names in another case, signed", genuine(`{"alg":"rs256",`+kid, claims), jwt.ErrAlgorithm},
		{"2.12 decompression", genuine(`{"alg":"RS256","zip":"DEF",`+kid, encode("\xab\x56\x4a\x2c\x28\x00\x00")), jwt.ErrMalformed},
		{"2.13 format confusion", `{"protected":"` + encode(`{"alg":"RS256",`+kid) + `","payload":"` + claims + `","signature":"AAAA"}`, jwt.ErrMalformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			check(t, v, c.compact, c.want)
		})
	}
}

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
		// The caller can say which algorithms it takes, and no other is tried.
		check(t, newVerifier(t, key, func(p *jwt.Policy) { p.Now, p.Algorithms = at(start), []jwk.Algorithm{alg} }), sign(t, key, goodClaims()), nil)
		others := slices.DeleteFunc(jwk.Algorithms(), func(a jwk.Algorithm) bool { return a == alg })
		check(t, newVerifier(t, key, func(p *jwt.Policy) { p.Now, p.Algorithms = at(start), others }), sign(t, key, goodClaims()), jwt.ErrAlgorithm)
		// Names are an allow-list, byte for byte (section 2.11 of the revision).
		for _, spelling := range []string{strings.ToLower(string(alg)), string(alg) + " ", " " + string(alg), string(alg) + `\u0000`, "noNE"} {
			input := encode(`{"alg":"`+spelling+`","typ":"at+jwt","kid":"`+key.KeyID()+`"}`) + "." + encode(string(mustJSON(goodClaims())))
			signature, _ := key.AppendSignature(nil, []byte(input))
			check(t, v, input+"."+encode(string(signature)), jwt.ErrAlgorithm)
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
	// Nothing is ever inflated: "zip" in a signed token's header means nothing,
	// five parts are malformed, and a policy of encrypted tokens refuses "zip".
	key := newKey(t, jwk.HS256)
	v := newVerifier(t, key, func(p *jwt.Policy) { p.Now = at(start) })
	check(t, v, encode(`{"alg":"dir","enc":"A256GCM","zip":"DEF"}`)+"..AAAA.AAAA.AAAA", jwt.ErrMalformed)
	shared, write := dirSeal(t)
	sealed := newVerifier(t, key, withDecryption(newSeals(t, shared)))
	check(t, sealed, write(`{"alg":"dir","enc":"A256GCM","cty":"JWT","zip":"DEF","kid":"`+shared.KeyID()+`"}`, sign(t, key, goodClaims())), jwt.ErrMalformed)
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
	// Nor does it among several issuers, each of which is trusted for itself.
	const other = "https://other.example.com"
	both, err := jwt.NewVerifier(policyOf(t, issuerName, mine), policyOf(t, other, theirs))
	if err != nil {
		t.Fatal(err)
	}
	check(t, both, sign(t, mine, goodClaims()), nil)
	check(t, both, sign(t, theirs, goodClaims().with("iss", other)), nil)
	check(t, both, sign(t, theirs, goodClaims()), jwt.ErrUnknownKey)
	check(t, both, sign(t, mine, goodClaims().with("iss", other)), jwt.ErrUnknownKey)
	// An API that needs a subject says so.
	strict := newVerifier(t, mine, func(p *jwt.Policy) { p.Now, p.RequiredClaims = at(start), []string{"sub"} })
	check(t, strict, sign(t, mine, goodClaims()), nil)
	check(t, strict, sign(t, mine, goodClaims().with("sub", leave)), jwt.ErrMalformed)
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

func TestRFC8725bisSection3_13IterationCount(t *testing.T) {
	t.Parallel()
	// No algorithm of tokens iterates: a header that asks for two thousand million
	// rounds of PBES2 is refused without one.
	key := newKey(t, jwk.HS256)
	v := newVerifier(t, key, func(p *jwt.Policy) { p.Now = at(start) })
	sealed := newVerifier(t, key, withDecryption(newSeals(t, newSeal(t))))
	for _, alg := range []string{"PBES2-HS256+A128KW", "PBES2-HS512+A256KW"} {
		header := encode(`{"alg":"` + alg + `","enc":"A128GCM","p2c":2147483647,"p2s":"AAAA","typ":"at+jwt","kid":"` + key.KeyID() + `"}`)
		check(t, v, header+".AAAA.AAAA.AAAA.AAAA", jwt.ErrMalformed)
		check(t, v, header+"."+encode(string(mustJSON(goodClaims())))+".AAAA", jwt.ErrAlgorithm)
		check(t, sealed, header+".AAAA.AAAA.AAAA.AAAA", jwt.ErrAlgorithm)
	}
}

func TestRFC8725bisSection3_14FormatType(t *testing.T) {
	t.Parallel()
	key := newKey(t, jwk.EdDSA)
	v := newVerifier(t, key, func(p *jwt.Policy) { p.Now = at(start) })
	compact := sign(t, key, goodClaims())
	check(t, v, compact, nil)
	// Letters, digits, dash, underscore and period are the whole alphabet.
	for c := range 256 {
		if strings.IndexByte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.", byte(c)) >= 0 {
			continue
		}
		for _, i := range []int{0, 5, strings.IndexByte(compact, '.') + 4, strings.LastIndexByte(compact, '.') + 3, len(compact)} {
			check(t, v, compact[:i]+string([]byte{byte(c)})+compact[i:], jwt.ErrMalformed)
		}
	}
	// The JSON serialization of the same token is none, alone or around a forged
	// one that would be found by splitting at the periods (section 2.13).
	p := strings.Split(compact, ".")
	forged := encode(`{"iss":"` + issuerName + `","aud":"` + audience + `","exp":4102444800,"sub":"acc_admin"}`)
	for _, text := range []string{
		`{"payload":"` + p[1] + `","protected":"` + p[0] + `","signature":"` + p[2] + `"}`,
		`{"payload":"` + p[1] + `","signatures":[{"protected":"` + p[0] + `","signature":"` + p[2] + `"}]}`,
		`{"payload":"` + p[1] + `","protected":"` + p[0] + `","signature":"` + p[2] + `","x":".` + forged + `."}`,
		p[0] + "." + forged + "." + p[2] + `","payload":"` + p[1],
	} {
		check(t, v, text, jwt.ErrMalformed)
	}
}

func TestRFC8725bisSection3_15DecompressionSize(t *testing.T) {
	t.Parallel()
	// Nothing is inflated, and so no small token can become a large one.
	var bomb bytes.Buffer
	w, err := flate.NewWriter(&bomb, flate.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	io.CopyN(w, zeros{}, 8<<20)
	w.Close()
	key := newKey(t, jwk.HS256)
	v := newVerifier(t, key, func(p *jwt.Policy) { p.Now = at(start) })
	header := encode(`{"alg":"dir","enc":"A256GCM","zip":"DEF","typ":"at+jwt"}`)
	check(t, v, header+".."+encode("iv")+"."+encode(bomb.String())+"."+encode("tag"), jwt.ErrMalformed)
	input := encode(`{"alg":"HS256","zip":"DEF","typ":"at+jwt","kid":"`+key.KeyID()+`"}`) + "." + encode(bomb.String())
	mac, _ := key.AppendSignature(nil, []byte(input))
	check(t, v, input+"."+encode(string(mac)), jwt.ErrMalformed)
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

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

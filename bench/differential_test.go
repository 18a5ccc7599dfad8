package main

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	josejwt "github.com/go-jose/go-jose/v4/jwt"
	golangjwt "github.com/golang-jwt/jwt/v5"
	"github.com/lestrrat-go/jwx/v3/jwa"
	jwxjwt "github.com/lestrrat-go/jwx/v3/jwt"

	"github.com/jotsmith/jotsmith/jwt"
)

var everyAlgorithm = []string{
	"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
}

// Every token of ours is accepted by every library, and every token of theirs by
// us, in each algorithm.
func TestEveryAlgorithmBothWays(t *testing.T) {
	t.Parallel()
	for _, alg := range everyAlgorithm {
		t.Run(alg, func(t *testing.T) {
			t.Parallel()
			k, err := newKeys(alg)
			if err != nil {
				t.Fatal(err)
			}
			accept, err := ourVerifier(k)
			if err != nil {
				t.Fatal(err)
			}
			issue, err := ourSigner(k)
			if err != nil {
				t.Fatal(err)
			}
			compact, err := issue()
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range libraries {
				verify, err := l.verifier(k)
				if err != nil {
					t.Fatal(err)
				}
				if err := verify(compact); err != nil {
					t.Errorf("%s refuses ours: %v", l.name, err)
				}
				if l.signer == nil {
					continue
				}
				sign, err := l.signer(k)
				if err != nil {
					t.Fatal(err)
				}
				theirs, err := sign()
				if err != nil {
					t.Fatal(err)
				}
				// RFC 7518 §3.5 wants a salt as long as the hash; kataras/jwt
				// takes the longest that fits.
				long := l.name == "kataras" && strings.HasPrefix(alg, "PS")
				if err := accept(theirs); (err != nil) != long {
					t.Errorf("we judge %s's: %v", l.name, err)
				}
			}
		})
	}
}

// A judge is a library with the checks that all have in common, and with its own
// types, so that what is compared is the library and not what this program
// decodes into. Each asks for issuer, audience, "exp" and the times.
type judge struct {
	name    string
	accepts func(compact string) error
}

func judges(tb testing.TB, k keys) (us judge, others []judge) {
	v, err := jwt.NewVerifier(policyOf(k))
	if err != nil {
		tb.Fatal(err)
	}
	us = judge{ours, func(compact string) error {
		_, err := v.Verify(context.Background(), compact)
		return err
	}}
	parser := golangjwt.NewParser(golangjwt.WithValidMethods([]string{k.alg}), golangjwt.WithIssuer(issuerName),
		golangjwt.WithAudience(audience), golangjwt.WithExpirationRequired(), golangjwt.WithIssuedAt(), golangjwt.WithLeeway(leeway))
	alg, _ := jwa.LookupSignatureAlgorithm(k.alg)
	options := []jwxjwt.ParseOption{jwxjwt.WithKey(alg, k.public), jwxjwt.WithIssuer(issuerName), jwxjwt.WithAudience(audience),
		jwxjwt.WithRequiredClaim("exp"), jwxjwt.WithAcceptableSkew(leeway)}
	return us, []judge{
		{"golang-jwt", func(compact string) error {
			_, err := parser.ParseWithClaims(compact, golangjwt.MapClaims{}, func(*golangjwt.Token) (any, error) { return k.public, nil })
			return err
		}},
		{"jwx", func(compact string) error {
			_, err := jwxjwt.Parse([]byte(compact), options...)
			return err
		}},
		{"go-jose", func(compact string) error {
			t, err := josejwt.ParseSigned(compact, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(k.alg)})
			if err != nil {
				return err
			}
			var c josejwt.Claims
			if err := t.Claims(k.public, &c); err != nil {
				return err
			}
			if c.Expiry == nil {
				return errors.New("no exp")
			}
			return c.ValidateWithLeeway(josejwt.Expected{Issuer: issuerName, AnyAudience: josejwt.Audience{audience}, Time: time.Now()}, leeway)
		}},
	}
}

// differences are all that is known. We is part of our refusal, empty where we
// accept; they is part of theirs, empty where they accept. Whoever is empty
// stands for every library. A difference that is not among them fails the test.
var differences = []struct{ who, we, they, why string }{
	{"", "unknown key", "", "the key id decides which key is asked; the others were given the key"},
	{"", "wrong token type", "", "\"typ\" is compared (RFC 8725 §3.11), which the others leave to the caller"},
	{"", "not base64url", "", "base64url has one spelling; line feeds and unused bits would make more tokens of one"},
	{"", "duplicate member name", "", "two parsers would read two tokens"},
	{"", "invalid UTF-8", "", "RFC 8259 §8.1; others replace what is not UTF-8, so that two texts are one name"},
	{"", "malformed escape", "", "a lone surrogate stands for no character (RFC 8259 §8.2)"},
	{"", "nested too deep", "", "16 levels are enough, and a bound must be somewhere"},
	{"", "number too long", "", "as above, for 128 digits"},
	{"", "number out of range", "", "it would be another number in another parser"},
	{"jwx", "malformed token: header", "", "it reads the header with a parser that lets pass what is no JSON (RFC 8259 §7)"},
	{"jwx", "text after the JSON value", "", "what follows is signed and read by nobody"},
	{"go-jose", "", "failed to unmarshal", "a header's keys, certificates and nonce (RFC 8555) are never read here, malformed or not"},
	{"", "\"crit\"", "", "no extension is understood here (RFC 7515 §4.1.11)"},
	{"", "\"b64\"", "", "RFC 7797 has a verifier of its own"},
	{"", "wrong kind or size", "", "registered claims of another type than RFC 7519 gives them, empty names, dates outside 0 to 9999"},
	{"", "is not a string with characters in it", "", "\"kid\" and \"typ\" of another type, or empty"},
}

func difference(who string, we, they error) (why string, known bool) {
	for _, d := range differences {
		if (d.who == "" || d.who == who) && matches(we, d.we) && matches(they, d.they) {
			return d.why, true
		}
	}
	return "", false
}

func matches(err error, part string) bool {
	if part == "" || err == nil {
		return part == "" && err == nil
	}
	return strings.Contains(err.Error(), part)
}

// forge writes the text that the fuzzer describes, most of them under a genuine
// signature, so that not only the signature is judged.
func forge(k keys, form uint8, header, payload string, at uint16, c byte) string {
	sign := func(input string) string {
		signature, err := k.signer.AppendSignature(nil, []byte(input))
		check(err)
		return input + "." + base64.RawURLEncoding.EncodeToString(signature)
	}
	encode := base64.RawURLEncoding.EncodeToString
	switch form % 4 {
	case 0: // JSON of the fuzzer's
		return sign(encode([]byte(header)) + "." + encode([]byte(payload)))
	case 1: // base64 of the fuzzer's
		return sign(header + "." + payload)
	case 2: // one byte of a good form changed
		compact := []byte(sign(encode([]byte(header)) + "." + encode([]byte(payload))))
		compact[int(at)%len(compact)] = c
		return string(compact)
	default: // any text
		return header + payload
	}
}

func FuzzDifferential(f *testing.F) {
	const header = `{"alg":"HS256","typ":"at+jwt","kid":"` + keyID + `"}`
	const edHeader = `{"alg":"EdDSA","typ":"at+jwt","kid":"` + keyID + `"}`
	const payload = `{"iss":"` + issuerName + `","sub":"a","aud":"` + audience + `","exp":4102444800,"iat":1700000000,"nbf":1700000000,"jti":"j"}`
	claims := func(more string) string { return strings.TrimSuffix(payload, "}") + more + "}" }
	encode := base64.RawURLEncoding.EncodeToString
	for _, seed := range []struct {
		form            uint8
		header, payload string
		at              uint16
		c               byte
	}{
		{0, header, payload, 0, 0},
		{4, edHeader, payload, 0, 0},
		{0, `{"alg":"none"}`, payload, 0, 0},
		{0, `{"alg":"HS256","kid":"` + keyID + `","typ":"application/AT+JWT","x":{"y":[1,2.5e3,null,true]}}`, payload, 0, 0},
		{0, `{"alg":"HS256","alg":"none","kid":"` + keyID + `","typ":"at+jwt"}`, payload, 0, 0},
		{0, `{"alg":"HS256","ALG":"none","kid":"` + keyID + `","typ":"at+jwt","crit":["exp"]}`, payload, 0, 0},
		{0, header, strings.Replace(payload, `"`+audience+`"`, `["x","`+audience+`"]`, 1), 0, 0},
		{0, header, strings.Replace(payload, "4102444800", "4102444800.5", 1), 0, 0},
		{0, header, strings.Replace(payload, "4102444800", "4.1024448e9", 1), 0, 0},
		{0, header, strings.Replace(payload, "4102444800", `"4102444800"`, 1), 0, 0},
		{0, header, strings.Replace(payload, "4102444800", "1", 1), 0, 0},
		{0, header, strings.Replace(payload, "1700000000", "4102444800", 1), 0, 0},
		{0, header, strings.Replace(payload, `"aud"`, `"au"`, 1), 0, 0},
		{0, header, claims(`,"ISS":"https://mallory.example"`), 0, 0},
		{0, header, claims(`,"iss":"https://mallory.example"`), 0, 0},
		{0, header, claims(`,"name":"\ud83d\ude00\u0000","n":-0.0,"a":[],"o":{}`), 0, 0},
		{0, header, claims(`,"name":"\ud83d"`), 0, 0},
		{0, header, " \t\r\n" + payload + " ", 0, 0},
		{0, strings.TrimSuffix(header, "}") + `,"jwk":{"kty":"oct"},"x5c":["!"],"jku":5,"x5t":"","cty":1,"zip":"DEF"}`, payload, 0, 0},
		{0, strings.TrimSuffix(header, "}") + `,"jwk":5}`, payload, 0, 0},
		{0, strings.TrimSuffix(header, "}") + `,"x5c":[]}`, payload, 0, 0},
		{0, strings.TrimSuffix(header, "}") + `,"x5u":null,"x5t#S256":"a"}`, payload, 0, 0},
		{0, strings.TrimSuffix(header, "}") + `,"nonce":7,"b64":true}`, payload, 0, 0},
		{0, header, strings.Replace(payload, `"a"`, `null`, 1), 0, 0},
		{0, header, strings.Replace(payload, `"j"`, `5`, 1), 0, 0},
		{0, header, strings.Replace(payload, `1700000000`, `null`, 1), 0, 0},
		{0, header, strings.Replace(payload, `1700000000`, `-1`, 1), 0, 0},
		{0, header, strings.Replace(payload, `1700000000`, `1e400`, 1), 0, 0},
		{0, header, strings.Replace(payload, `4102444800`, `99999999999999999999`, 1), 0, 0},
		{0, header, strings.Replace(payload, `"`+audience+`"`, `["`+audience+`",1]`, 1), 0, 0},
		{0, header, strings.Replace(payload, `"`+audience+`"`, `[]`, 1), 0, 0},
		{0, header, claims(`,"deep":` + strings.Repeat("[", 30) + strings.Repeat("]", 30)), 0, 0},
		{0, header, claims(`,"n":` + strings.Repeat("1", 300)), 0, 0},
		{0, header, claims(`,"exp ":1,"":"x","\u0065xp":1`), 0, 0},
		{0, header, payload + "{}", 0, 0},
		{0, "\ufeff" + header, payload, 0, 0},
		{0, header, claims(`,"x":"` + "\xff" + `"`), 0, 0},
		{1, encode([]byte(header)), encode([]byte(payload)), 0, 0},
		{1, encode([]byte(header)), encode([]byte(payload)) + "=", 0, 0},
		{1, encode([]byte(header)) + "\n", encode([]byte(payload)), 0, 0},
		{2, header, payload, 10, '='},
		{2, header, payload, 65000, '-'},
		{3, "eyJhbGciOiJub25lIn0.", "eyJzdWIiOiJtYWxsb3J5In0.", 0, 0},
	} {
		f.Add(seed.form, seed.header, seed.payload, seed.at, seed.c)
	}
	type court struct {
		k      keys
		us     judge
		others []judge
	}
	var courts [2]court
	for i, private := range []any{[]byte("fuzzing: 32 bytes of no value... and more"), ed25519.NewKeyFromSeed([]byte("fuzzing: 32 bytes of no value..."[:32]))} {
		k, err := keysOf([]string{"HS256", "EdDSA"}[i], private)
		if err != nil {
			f.Fatal(err)
		}
		us, others := judges(f, k)
		courts[i] = court{k, us, others}
	}
	f.Fuzz(func(t *testing.T, form uint8, header, payload string, at uint16, c byte) {
		court := courts[form/4%2]
		compact := forge(court.k, form, header, payload, at, c)
		we := court.us.accepts(compact)
		for _, o := range court.others {
			they := o.accepts(compact)
			if (we == nil) == (they == nil) {
				continue
			}
			if _, known := difference(o.name, we, they); !known {
				t.Errorf("%s\nwe: %v\n%s: %v", compact, we, o.name, they)
			}
		}
	})
}

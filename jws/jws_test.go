package jws_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/jotsmith/jotsmith/internal/b64"
	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jws"
)

var ctx = context.Background()

var secret = sync.OnceValue(func() *jwk.SecretKey {
	key, err := jwk.NewHMAC(jwk.HS256, []byte("0123456789abcdefghijklmnopqrstuv"), "k")
	if err != nil {
		panic(err)
	}
	return key
})

func setOf(t testing.TB, keys ...jwk.Verifier) *jwk.Set {
	t.Helper()
	set, err := jwk.NewSet(keys...)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// signed makes a compact serialization whose header and payload are whatever the
// test says, under a genuine signature.
func signed(t testing.TB, key jwk.Signer, header, payload string) string {
	t.Helper()
	return signedRaw(t, key, b64.Encode([]byte(header)), b64.Encode([]byte(payload)))
}

func signedRaw(t testing.TB, key jwk.Signer, header, payload string) string {
	t.Helper()
	input := header + "." + payload
	signature, err := key.AppendSignature(nil, []byte(input))
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + b64.Encode(signature)
}

func TestSign(t *testing.T) {
	t.Parallel()
	compact, err := jws.Sign(secret(), "at+jwt", []byte("payload"))
	if err != nil {
		t.Fatal(err)
	}
	header, _, _ := strings.Cut(compact, ".")
	text, _ := base64.RawURLEncoding.DecodeString(header)
	if string(text) != `{"alg":"HS256","typ":"at+jwt","kid":"k"}` {
		t.Errorf("header %s", text)
	}
	v, err := jws.Verify(ctx, compact, setOf(t, secret()))
	if err != nil || v.Payload != "payload" || v.Key != jwk.Verifier(secret()) || v.Header != (jws.Header{"HS256", "k", "at+jwt"}) {
		t.Errorf("%+v, %v", v, err)
	}
	if _, err := jws.Sign(nil, "", nil); err == nil {
		t.Error("signed without a key")
	}
	// Names that need escapes come back as they were.
	for _, kid := range []string{`"`, `\`, "<&>", "\u2028", "ключ"} {
		key, err := jwk.NewHMAC(jwk.HS256, []byte("0123456789abcdefghijklmnopqrstuv"), kid)
		if err != nil {
			t.Fatal(err)
		}
		compact, err := jws.Sign(key, kid, nil)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := jws.Verify(ctx, compact, setOf(t, key)); err != nil || v.Header.KeyID != kid || v.Header.Type != kid {
			t.Errorf("%+v, %v", v, err)
		}
	}
}

// headers is every header that must be refused, or not, under a signature that
// is genuine in any case.
func TestHeaders(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, header string
		want         error
	}{
		{"good", `{"alg":"HS256","kid":"k"}`, nil},
		{"white space", " {\n\"alg\" : \"HS256\" } ", nil},
		{"escaped name", `{"\u0061lg":"HS256"}`, nil},
		{"unknown members", `{"alg":"HS256","x":{"y":[1]},"cty":"z"}`, nil},
		{"JWS-01 none", `{"alg":"none"}`, jws.ErrAlgorithm},
		{"JWS-01 None", `{"alg":"None"}`, jws.ErrAlgorithm},
		{"JWS-01 NONE", `{"alg":"NONE"}`, jws.ErrAlgorithm},
		{"JWS-01 nOnE", `{"alg":"nOnE"}`, jws.ErrAlgorithm},
		{"JWS-01 empty", `{"alg":""}`, jws.ErrAlgorithm},
		{"JWS-01 null", `{"alg":null}`, jws.ErrMalformed},
		{"JWS-01 number", `{"alg":256}`, jws.ErrMalformed},
		{"JWS-01 array", `{"alg":["HS256"]}`, jws.ErrMalformed},
		{"JWS-01 missing", `{"kid":"k"}`, jws.ErrMalformed},
		{"lower case", `{"alg":"hs256"}`, jws.ErrAlgorithm},
		{"another algorithm", `{"alg":"ES256","kid":"k"}`, jws.ErrAlgorithm},
		{"algorithm that does not exist here", `{"alg":"HS999","kid":"k"}`, jws.ErrAlgorithm},
		{"another key id", `{"alg":"HS256","kid":"other"}`, jwk.ErrUnknownKey},
		{"empty key id", `{"alg":"HS256","kid":""}`, jws.ErrMalformed},
		{"key id null", `{"alg":"HS256","kid":null}`, jws.ErrMalformed},
		{"key id a number", `{"alg":"HS256","kid":1}`, jws.ErrMalformed},
		{"type no string", `{"alg":"HS256","typ":["JWT"]}`, jws.ErrMalformed},
		{"JWS-07 crit exp", `{"alg":"HS256","crit":["exp"],"exp":1}`, jws.ErrMalformed},
		{"JWS-07 crit b64", `{"alg":"HS256","crit":["b64"],"b64":true}`, jws.ErrMalformed},
		{"JWS-07 crit bork", `{"alg":"HS256","crit":["bork"],"bork":1}`, jws.ErrMalformed},
		{"JWS-07 crit empty", `{"alg":"HS256","crit":[]}`, jws.ErrMalformed},
		{"JWS-07 crit a string", `{"alg":"HS256","crit":"b64"}`, jws.ErrMalformed},
		{"JWS-07 crit null", `{"alg":"HS256","crit":null}`, jws.ErrMalformed},
		{"JWS-07 crit names twice", `{"alg":"HS256","crit":["b64","b64"],"b64":false}`, jws.ErrMalformed},
		{"JWS-07 crit of an absent name", `{"alg":"HS256","crit":["x"]}`, jws.ErrMalformed},
		{"b64 false", `{"alg":"HS256","b64":false}`, jws.ErrMalformed},
		{"b64 true", `{"alg":"HS256","b64":true}`, jws.ErrMalformed},
		{"JWS-13 alg twice", `{"alg":"HS256","alg":"HS256"}`, jws.ErrMalformed},
		{"JWS-13 alg twice, escaped", `{"alg":"HS256","\u0061lg":"none"}`, jws.ErrMalformed},
		{"JWS-13 kid twice", `{"alg":"HS256","kid":"k","kid":"k"}`, jws.ErrMalformed},
		{"JWS-13 nested", `{"alg":"HS256","x":{"a":1,"a":1}}`, jws.ErrMalformed},
		{"JWS-13 ALG is another name", `{"ALG":"HS256"}`, jws.ErrMalformed},
		{"JWS-13 ALG beside alg", `{"alg":"HS256","ALG":"none"}`, nil},
		{"JWS-13 byte order mark", "\ufeff" + `{"alg":"HS256"}`, jws.ErrMalformed},
		{"JWS-13 UTF-16", "{\x00\"\x00a\x00", jws.ErrMalformed},
		{"JWS-13 trailing bytes", `{"alg":"HS256"}x`, jws.ErrMalformed},
		{"JWS-13 lone surrogate", `{"alg":"HS256","x":"\ud800"}`, jws.ErrMalformed},
		{"no object", `["HS256"]`, jws.ErrMalformed},
		{"too deep", `{"alg":"HS256","x":` + strings.Repeat("[", 16) + strings.Repeat("]", 16) + `}`, jws.ErrMalformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			keys := setOf(t, secret())
			compact := signed(t, secret(), c.header, "payload")
			v := new(jws.Verifier)
			for range 3 { // also once the header may have been remembered
				got, err := v.Verify(ctx, compact, keys)
				if !errors.Is(err, c.want) || (got.Key == nil) != (err != nil) || err != nil && got.Payload != "" {
					t.Errorf("%+v, %v", got, err)
				}
			}
			if c.want != jws.ErrAlgorithm {
				return
			}
			// JWS-01: whatever stands where the signature should.
			input := compact[:strings.LastIndexByte(compact, '.')]
			for _, tail := range []string{"", ".", ".AA"} {
				if _, err := v.Verify(ctx, input+tail, keys); err == nil {
					t.Errorf("accepted with %q for a signature", tail)
				}
			}
		})
	}
}

// countingKeys counts how often a key is asked for.
type countingKeys struct {
	jws.Keys
	asked []string
}

func (k *countingKeys) Key(ctx context.Context, kid string) (jwk.Verifier, error) {
	k.asked = append(k.asked, kid)
	return k.Keys.Key(ctx, kid)
}

func TestJWS05KeysInHeader(t *testing.T) {
	t.Parallel()
	attacker, _ := jwk.Generate(jwk.EdDSA)
	public, _ := json.Marshal(attacker.Public())
	pem, _ := attacker.Public().PEM()
	mine, _ := jwk.Generate(jwk.EdDSA)
	for name, member := range map[string]string{
		"jwk":      `"jwk":` + string(public),
		"jku":      `"jku":"https://attacker.example/keys"`,
		"x5u":      `"x5u":"https://attacker.example/cert"`,
		"x5c":      fmt.Sprintf(`"x5c":[%q]`, base64.StdEncoding.EncodeToString(pem)),
		"file url": `"jku":"file:///etc/passwd"`,
	} {
		keys := &countingKeys{Keys: setOf(t, mine.Public())}
		compact := signed(t, attacker, `{"alg":"EdDSA",`+member+`}`, "payload")
		if _, err := jws.Verify(ctx, compact, keys); !errors.Is(err, jwk.ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
		compact = signed(t, attacker, `{"alg":"EdDSA","kid":"`+attacker.KeyID()+`",`+member+`}`, "payload")
		if _, err := jws.Verify(ctx, compact, keys); !errors.Is(err, jwk.ErrUnknownKey) {
			t.Errorf("%s: %v", name, err)
		}
		if len(keys.asked) != 2 {
			t.Errorf("%s: keys asked for %q", name, keys.asked)
		}
	}
}

func TestJWS12Segments(t *testing.T) {
	t.Parallel()
	keys := setOf(t, secret())
	h, p := b64.Encode([]byte(`{"alg":"HS256"}`)), b64.Encode([]byte("payload!"))
	good := signedRaw(t, secret(), h, p)
	if _, err := jws.Verify(ctx, good, keys); err != nil {
		t.Fatal(err)
	}
	s := good[strings.LastIndexByte(good, '.')+1:]
	for _, c := range []struct{ name, h, p, s string }{
		{"padded header", h + "=", p, s},
		{"padded payload", h, p + "=", s},
		{"padded signature", h, p, s + "="},
		{"line feed in the header", h[:4] + "\n" + h[4:], p, s},
		{"line feed in the payload", h, p + "\n", s},
		{"carriage return in the payload", h, "\r" + p, s},
		{"line feed in the signature", h, p, s + "\n"},
		{"space before", " " + h, p, s},
		{"question mark in the header", h + "?", p, s},
		{"question mark in the payload", h, p[:3] + "?" + p[3:], s},
		{"question mark in the signature", h, p, s[:3] + "?" + s[3:]},
		{"standard alphabet", h, "+/+/", s},
		{"bits left over in the payload", h, p[:len(p)-1] + "F", s},
		{"bits left over in the signature", h, p, s[:len(s)-1] + string(s[len(s)-1]+1)},
		{"length 1 modulo 4", h, p + "AA", s},
		{"empty header", "", p, s},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			// The signature is genuine over the text as it stands, where that
			// does not undo the case.
			compact := c.h + "." + c.p + "." + c.s
			if c.s == s {
				compact = signedRaw(t, secret(), c.h, c.p)
			}
			if _, err := jws.Verify(ctx, compact, keys); !errors.Is(err, jws.ErrMalformed) {
				t.Errorf("%v", err)
			}
		})
	}
}

func TestJWS15Parts(t *testing.T) {
	t.Parallel()
	keys := setOf(t, secret())
	good := signed(t, secret(), `{"alg":"HS256"}`, "payload")
	parts := strings.Split(good, ".")
	for _, c := range []struct{ name, compact string }{
		{"empty", ""},
		{"one part", parts[0]},
		{"two parts", parts[0] + "." + parts[1]},
		{"four parts", good + "."},
		{"four parts, first empty", "." + good},
		{"four parts, last repeated", good + "." + parts[2]},
		{"five parts", good + ".a.b"},
		{"six parts", good + ".a.b.c"},
		{"two dots", ".."},
		{"one dot", "."},
		{"no header", "." + parts[1] + "." + parts[2]},
		{"10,000 dots", strings.Repeat(".", 10_000)},
		{"JSON serialization", `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`},
		{"too large", good + strings.Repeat("A", jws.DefaultMaxSize)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if _, err := jws.Verify(ctx, c.compact, keys); !errors.Is(err, jws.ErrMalformed) {
				t.Errorf("%v", err)
			}
		})
	}
	for _, part := range []string{parts[0] + "." + parts[1] + ".", parts[0] + ".." + parts[2], parts[0] + ".."} {
		if _, err := jws.Verify(ctx, part, keys); !errors.Is(err, jwk.ErrSignature) {
			t.Errorf("empty part: %v", err)
		}
	}
	empty := signed(t, secret(), `{"alg":"HS256"}`, "")
	if v, err := jws.Verify(ctx, empty, keys); err != nil || v.Payload != "" {
		t.Errorf("empty payload, signed: %v", err)
	}
}

// A megabyte is refused for its size, before anything of it is looked at.
func TestLargeTokenIsRefusedUnread(t *testing.T) {
	keys := &countingKeys{Keys: setOf(t, secret())}
	large := strings.Repeat("eyJhbGciOiJIUzI1NiJ9.", 50_000)
	v := new(jws.Verifier)
	allocated := testing.AllocsPerRun(10, func() {
		if _, err := v.Verify(ctx, large, keys); !errors.Is(err, jws.ErrMalformed) {
			t.Fatal(err)
		}
	})
	if allocated > 20 || len(keys.asked) != 0 {
		t.Errorf("%v allocations, keys asked for %d times", allocated, len(keys.asked))
	}
	dots := strings.Repeat(".", 10_000)
	if n := testing.AllocsPerRun(10, func() { v.Verify(ctx, dots, keys) }); n > 20 {
		t.Errorf("%v allocations for 10,000 dots", n)
	}
}

// wrongKeys answers with a key whatever it is asked for.
type wrongKeys struct{ key jwk.Verifier }

func (k wrongKeys) Key(context.Context, string) (jwk.Verifier, error) { return k.key, nil }

func TestKeySourceIsCheckedAgain(t *testing.T) {
	t.Parallel()
	compact := signed(t, secret(), `{"alg":"HS256","kid":"other"}`, "payload")
	for _, key := range []jwk.Verifier{nil, secret()} {
		if _, err := jws.Verify(ctx, compact, wrongKeys{key}); !errors.Is(err, jwk.ErrUnknownKey) {
			t.Errorf("%v: %v", key, err)
		}
	}
}

// Many issuers do not confuse the remembered headers.
func TestHeadersOfManyIssuers(t *testing.T) {
	t.Parallel()
	v := new(jws.Verifier)
	var wait sync.WaitGroup
	for g := range 4 {
		wait.Go(func() {
			for i := range 200 {
				kid := fmt.Sprintf("k%d-%d", g, i%20)
				key, err := jwk.NewHMAC(jwk.HS256, []byte("0123456789abcdefghijklmnopqrstuv"), kid)
				if err != nil {
					t.Error(err)
					return
				}
				compact, _ := jws.Sign(key, "T"+kid, []byte(kid))
				got, err := v.Verify(ctx, compact, setOf(t, key))
				if err != nil || got.Header.KeyID != kid || got.Header.Type != "T"+kid || got.Payload != kid {
					t.Errorf("%+v, %v", got, err)
				}
			}
		})
	}
	wait.Wait()
}

func TestInspect(t *testing.T) {
	t.Parallel()
	u, err := jws.Inspect("eyJhbGciOiJub25lIn0.eyJzdWIiOiJtYWxsb3J5In0.")
	if err != nil || u.Header != `{"alg":"none"}` || u.Parsed.Algorithm != "none" || string(u.Payload) != `{"sub":"mallory"}` || len(u.Signature) != 0 {
		t.Errorf("%+v, %v", u, err)
	}
	for header, alg := range map[string]string{`{}`: "", `{"alg":1}`: "", `{"alg":"HS256","crit":["x"]}`: "HS256", `{"kid":"","alg":"x"}`: "x"} {
		if u, err := jws.Inspect(b64.Encode([]byte(header)) + ".."); err != nil || u.Header != header || u.Parsed.Algorithm != alg {
			t.Errorf("Inspect of %s: %+v, %v", header, u, err)
		}
	}
	for _, s := range []string{"", "a.b", "....", "W10.e30.e30", "eyJhbGciOiJub25lIn0.=.", "eyJhbGciOiJub25lIn0.e30.=", strings.Repeat("a", 20_000)} {
		if _, err := jws.Inspect(s); !errors.Is(err, jws.ErrMalformed) {
			t.Errorf("Inspect(%.20q): %v", s, err)
		}
	}
}

// Nothing that is not signed is accepted, and what is has one spelling.
func FuzzVerify(f *testing.F) {
	keys := setOf(f, secret())
	good := signed(f, secret(), `{"alg":"HS256","kid":"k"}`, `{"sub":"x"}`)
	f.Add(good)
	f.Add("eyJhbGciOiJub25lIn0.eyJzdWIiOiJtYWxsb3J5In0.")
	f.Add("..")
	v := new(jws.Verifier)
	f.Fuzz(func(t *testing.T, compact string) {
		got, err := v.Verify(ctx, compact, keys)
		if (err == nil) != (got.Key != nil) {
			t.Fatalf("%+v, %v", got, err)
		}
		if err == nil && compact != good {
			t.Fatalf("%q accepted", compact)
		}
		jws.Inspect(compact)
	})
}

package jws_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/internal/b64"
	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jws"
)

type jsonText struct {
	Payload    string      `json:"payload"`
	Signatures []jsonEntry `json:"signatures"`
}

type jsonEntry struct {
	Protected string          `json:"protected,omitempty"`
	Header    json.RawMessage `json:"header,omitempty"`
	Signature string          `json:"signature"`
}

// entry is a signature of key under headers that the test says.
func entry(t testing.TB, key jwk.Signer, protected, unprotected, payload string) jsonEntry {
	t.Helper()
	e := jsonEntry{Protected: b64.Encode([]byte(protected)), Header: json.RawMessage(unprotected)}
	signature, err := key.AppendSignature(nil, []byte(e.Protected+"."+b64.Encode([]byte(payload))))
	if err != nil {
		t.Fatal(err)
	}
	e.Signature = b64.Encode(signature)
	return e
}

func general(t testing.TB, payload string, entries ...jsonEntry) []byte {
	t.Helper()
	text, err := json.Marshal(jsonText{b64.Encode([]byte(payload)), entries})
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestJSONSigner(t *testing.T) {
	t.Parallel()
	a, b := keyOf(t, jwk.EdDSA), keyOf(t, jwk.RS256)
	const payload = "päyload <&> \u2028 \"\\ \x00"
	for _, c := range []struct {
		name   string
		signer jws.JSONSigner
		member string // that the text has
		absent string // that it has not
	}{
		{"flattened", jws.JSONSigner{Keys: []jwk.Signer{a}, Type: "x"}, `"signature":`, `"signatures"`},
		{"general", jws.JSONSigner{Keys: []jwk.Signer{a, b}}, `"signatures":[`, `"typ"`},
		{"detached", jws.JSONSigner{Keys: []jwk.Signer{a}, Detached: true}, `"signature":`, `"payload"`},
		{"general, detached", jws.JSONSigner{Keys: []jwk.Signer{a, b}, Detached: true}, `"signatures":[`, `"payload"`},
		{"unencoded", jws.JSONSigner{Keys: []jwk.Signer{a}, Unencoded: true}, `"payload":"p`, `"signatures"`},
		{"general, unencoded", jws.JSONSigner{Keys: []jwk.Signer{a, b}, Unencoded: true}, `"payload":"p`, `"header"`},
		{"detached, unencoded", jws.JSONSigner{Keys: []jwk.Signer{a}, Detached: true, Unencoded: true}, `"signature":`, `"payload"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			text, err := c.signer.Sign([]byte(payload))
			if err != nil {
				t.Fatal(err)
			}
			if s := string(text); !strings.Contains(s, c.member) || strings.Contains(s, c.absent) {
				t.Errorf("%s", s)
			}
			v := jws.JSONVerifier{Signers: len(c.signer.Keys), Unencoded: c.signer.Unencoded}
			keys := setOf(t, a.verifier, b.verifier)
			var signatures []jws.Signature
			if c.signer.Detached {
				signatures, err = v.VerifyDetached(ctx, text, []byte(payload), keys)
			} else {
				var got jws.VerifiedJSON
				if got, err = v.Verify(ctx, text, keys); got.Payload != payload {
					t.Errorf("payload %q", got.Payload)
				}
				signatures = got.Signatures
			}
			if err != nil || len(signatures) != len(c.signer.Keys) {
				t.Fatalf("%+v, %v", signatures, err)
			}
			for i, s := range signatures {
				key := c.signer.Keys[i]
				if s.Key.KeyID() != key.KeyID() || s.Header != (jws.Header{Algorithm: string(key.Algorithm()), KeyID: key.KeyID(), Type: c.signer.Type}) {
					t.Errorf("signature %d: %+v", i, s)
				}
			}
		})
	}
	for _, c := range []struct {
		name   string
		signer jws.JSONSigner
	}{
		{"no keys", jws.JSONSigner{}},
		{"nil key", jws.JSONSigner{Keys: []jwk.Signer{nil}}},
		{"one key twice", jws.JSONSigner{Keys: []jwk.Signer{a, a}}},
		{"nine keys", jws.JSONSigner{Keys: make([]jwk.Signer, 9)}},
		{"not UTF-8", jws.JSONSigner{Keys: []jwk.Signer{a}, Unencoded: true}},
	} {
		if text, err := c.signer.Sign([]byte("\xff")); err == nil {
			t.Errorf("%s: signed: %s", c.name, text)
		}
	}
}

// What "verified" means with several signatures.
func TestJSONSigners(t *testing.T) {
	t.Parallel()
	a, b, c := keyOf(t, jwk.EdDSA), keyOf(t, jwk.ES256), keyOf(t, jwk.RS256)
	const payload = "payload"
	sign := func(keys ...pair) (all []jsonEntry) {
		for _, key := range keys {
			all = append(all, entry(t, key, `{"alg":"`+string(key.Algorithm())+`","kid":"`+key.KeyID()+`"}`, "", payload))
		}
		return all
	}
	spoilt := sign(b)
	spoilt[0].Signature = sign(c)[0].Signature
	// One key under two ids: to have it sign twice is no second signer.
	var alias jwk.PrivateKey
	{
		text, err := a.Signer.(*jwk.PrivateKey).MarshalPrivateJWK()
		if err != nil {
			t.Fatal(err)
		}
		key, err := jwk.ParsePrivate([]byte(strings.Replace(string(text), `"kid":"`, `"kid":"alias-`, 1)))
		if err != nil {
			t.Fatal(err)
		}
		alias = *key
	}
	other := pair{&alias, alias.Public()}
	future := entry(t, c, `{"alg":"ML-DSA-65","kid":"elsewhere"}`, "", payload)
	none := entry(t, c, `{"alg":"none"}`, "", payload)

	for _, c := range []struct {
		name    string
		entries []jsonEntry
		keys    []pair
		signers int
		want    error
		signed  []pair
	}{
		{"any of two", sign(a, b), []pair{a, b}, 1, nil, []pair{a, b}},
		{"both of two", sign(a, b), []pair{b, a}, 2, nil, []pair{a, b}},
		{"only one is ours", sign(a, b), []pair{b}, 1, nil, []pair{b}},
		{"one is ours and one more must sign", sign(a, b), []pair{b}, 2, jws.ErrSigners, nil},
		{"one of two was taken away", sign(a), []pair{a, b}, 2, jws.ErrSigners, nil},
		{"one was put in another's place", sign(a, c), []pair{a, b}, 2, jws.ErrSigners, nil},
		{"none is ours", sign(a, b), []pair{c}, 1, jws.ErrSigners, nil},
		{"one signature twice", sign(a, a), []pair{a, b}, 2, jws.ErrSigners, nil},
		{"one signature twice, one needed", sign(a, a), []pair{a, b}, 1, nil, []pair{a, a}},
		{"one key under two ids", sign(a, other), []pair{a, other}, 2, jws.ErrSigners, nil},
		{"ours is good and theirs is spoilt", append(sign(a), spoilt...), []pair{a}, 1, nil, []pair{a}},
		{"one of ours is good and one spoilt", append(sign(a), spoilt...), []pair{a, b}, 1, jwk.ErrSignature, nil},
		{"one of ours is spoilt and one good", append(spoilt, sign(a)...), []pair{a, b}, 1, jwk.ErrSignature, nil},
		{"theirs has an algorithm of the future", append(sign(a), future), []pair{a, b}, 1, nil, []pair{a}},
		{"nothing but an algorithm of the future", []jsonEntry{future}, []pair{a, b}, 1, jws.ErrSigners, nil},
		{"JWS-01 none beside a good one", append(sign(a), none), []pair{a, b}, 1, nil, []pair{a}},
		{"JWS-01 none counts for nobody", append(sign(a), none), []pair{a, b}, 2, jws.ErrSigners, nil},
		{"JWS-01 none alone", []jsonEntry{none}, []pair{a, b}, 1, jws.ErrSigners, nil},
		{"JWS-01 none in the name of the only key", []jsonEntry{none}, []pair{a}, 1, jws.ErrAlgorithm, nil},
		{"theirs is malformed", append(sign(a), jsonEntry{Protected: "!"}), []pair{a}, 1, jws.ErrMalformed, nil},
		{"eight signatures", sign(a, a, a, a, a, a, a, b), []pair{a, b}, 2, nil, []pair{a, a, a, a, a, a, a, b}},
		{"nine signatures", sign(a, a, a, a, a, a, a, a, b), []pair{a, b}, 2, jws.ErrMalformed, nil},
		{"no signatures", nil, []pair{a, b}, 1, jws.ErrMalformed, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var keys []jwk.Verifier
			for _, key := range c.keys {
				keys = append(keys, key.verifier)
			}
			v, err := jws.JSONVerifier{Signers: c.signers}.Verify(ctx, general(t, payload, c.entries...), setOf(t, keys...))
			if !errors.Is(err, c.want) || err == nil && v.Payload != payload || err != nil && (v.Payload != "" || v.Signatures != nil) {
				t.Fatalf("%+v, %v", v, err)
			}
			if len(v.Signatures) != len(c.signed) {
				t.Fatalf("%d signatures, want %d", len(v.Signatures), len(c.signed))
			}
			for i, s := range v.Signatures {
				if s.Key != c.signed[i].verifier {
					t.Errorf("signature %d is %s's", i, s.Key.KeyID())
				}
			}
		})
	}
	text := general(t, payload, sign(a)...)
	for _, signers := range []int{-1, 0, 9} {
		if _, err := (jws.JSONVerifier{Signers: signers}).Verify(ctx, text, setOf(t, a.verifier)); err == nil || errors.Is(err, jws.ErrMalformed) || errors.Is(err, jws.ErrSigners) {
			t.Errorf("%d signers: %v", signers, err)
		}
	}
}

// The headers of a signature, under a signature that is genuine in any case.
func TestJSONHeaders(t *testing.T) {
	t.Parallel()
	const alg = `{"alg":"HS256"}`
	for _, c := range []struct {
		name, protected, unprotected string
		want                         error
	}{
		{"all protected", `{"alg":"HS256","kid":"k","typ":"x"}`, "", nil},
		{"key named without protection", alg, `{"kid":"k"}`, nil},
		{"others without protection", alg, `{"kid":"k","cty":"x","jku":"https://attacker.example/","exp":0}`, nil},
		{"another key named without protection", alg, `{"kid":"other"}`, jws.ErrSigners},
		{"key named twice", `{"alg":"HS256","kid":"k"}`, `{"kid":"k"}`, jws.ErrMalformed},
		{"key named by an empty string", alg, `{"kid":""}`, jws.ErrMalformed},
		{"key named by a number", alg, `{"kid":1}`, jws.ErrMalformed},
		{"algorithm without protection", `{"kid":"k"}`, `{"alg":"HS256"}`, jws.ErrMalformed},
		{"algorithm in both", alg, alg, jws.ErrMalformed},
		{"type without protection", alg, `{"typ":"at+jwt"}`, jws.ErrMalformed},
		{"JWS-07 crit without protection", alg, `{"crit":["exp"],"exp":1}`, jws.ErrMalformed},
		{"JWS-07 crit of an unprotected name", `{"alg":"HS256","crit":["exp"]}`, `{"exp":1}`, jws.ErrMalformed},
		{"JWS-07 crit b64, not asked for", `{"alg":"HS256","crit":["b64"],"b64":false}`, "", jws.ErrMalformed},
		{"b64 without protection", alg, `{"b64":false}`, jws.ErrMalformed},
		{"b64 true without protection", alg, `{"b64":true}`, jws.ErrMalformed},
		{"JWS-13 a name in both", `{"alg":"HS256","x":1}`, `{"x":1}`, jws.ErrMalformed},
		{"JWS-13 a name in both, escaped", `{"alg":"HS256","x":1}`, `{"\u0078":1}`, jws.ErrMalformed},
		{"JWS-13 a name twice", alg, `{"x":1,"x":1}`, jws.ErrMalformed},
		{"JWS-13 ALG is another name", alg, `{"ALG":"none"}`, nil},
		{"empty unprotected header", alg, `{}`, jws.ErrMalformed},
		{"unprotected header null", alg, `null`, jws.ErrMalformed},
		{"unprotected header a string", alg, `"e30"`, jws.ErrMalformed},
		{"unprotected header an array", alg, `[]`, jws.ErrMalformed},
		{"17 unprotected members", alg, `{"a":0,"b":0,"c":0,"d":0,"e":0,"f":0,"g":0,"h":0,"i":0,"j":0,"k":0,"l":0,"m":0,"n":0,"o":0,"p":0,"q":0}`, jws.ErrMalformed},
		{"protected header no object", `["alg"]`, "", jws.ErrMalformed},
		{"protected header empty", `{}`, alg, jws.ErrMalformed},
		{"no protected header", ``, alg, jws.ErrMalformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			e := entry(t, secret(), c.protected, c.unprotected, "payload")
			flat, err := json.Marshal(struct {
				Payload string `json:"payload"`
				jsonEntry
			}{b64.Encode([]byte("payload")), e})
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range [][]byte{flat, general(t, "payload", e)} {
				v, err := jws.JSONVerifier{Signers: 1}.Verify(ctx, text, setOf(t, secret()))
				if !errors.Is(err, c.want) || err == nil && v.Payload != "payload" {
					t.Errorf("%s: %+v, %v", text, v, err)
				}
			}
		})
	}
}

// The form of the text around genuine signatures.
func TestJSONForm(t *testing.T) {
	t.Parallel()
	e := entry(t, secret(), `{"alg":"HS256","kid":"k"}`, "", "payload!")
	p, h, s := b64.Encode([]byte("payload!")), e.Protected, e.Signature
	flat := `"payload":"` + p + `","protected":"` + h + `","signature":"` + s + `"`
	one := `{"protected":"` + h + `","signature":"` + s + `"}`
	for _, c := range []struct {
		name, text string
		good       bool
	}{
		{"flattened", `{` + flat + `}`, true},
		{"general", `{"payload":"` + p + `","signatures":[` + one + `]}`, true},
		{"white space, escapes, another order", "\n{ \"signature\" : \"" + s + "\", \"protected\":\"" + h + "\", \"p\\u0061yload\":\"" + p + "\" }\r\n", true},
		{"unknown members", `{"x":{"y":[]},` + flat + `}`, true},
		{"other case is another name", `{"PAYLOAD":"","Signatures":[],"HEADER":1,` + flat + `}`, true},
		{"unknown members of a signature", `{"payload":"` + p + `","signatures":[{"x":1,` + one[1:] + `]}`, true},
		{"no payload", `{` + strings.Replace(flat, "payload", "x", 1) + `}`, false},
		{"payload null", `{` + strings.Replace(flat, `"`+p+`"`, `null`, 1) + `}`, false},
		{"payload a number", `{` + strings.Replace(flat, `"`+p+`"`, `1`, 1) + `}`, false},
		{"JWS-12 padded payload", `{` + strings.Replace(flat, p, p+"=", 1) + `}`, false},
		{"JWS-12 line feed in the payload", `{` + strings.Replace(flat, p, p+`\n`, 1) + `}`, false},
		{"JWS-12 bits left over in the payload", `{` + strings.Replace(flat, p, p[:len(p)-1]+"F", 1) + `}`, false},
		{"JWS-12 padded header", `{` + strings.Replace(flat, h, h+"=", 1) + `}`, false},
		{"JWS-12 padded signature", `{` + strings.Replace(flat, s, s+"=", 1) + `}`, false},
		{"JWS-12 question mark in the signature", `{` + strings.Replace(flat, s, s[:3]+"?"+s[4:], 1) + `}`, false},
		{"no signature", `{` + strings.Replace(flat, "signature", "x", 1) + `}`, false},
		{"empty signature", `{` + strings.Replace(flat, s, "", 1) + `}`, false},
		{"signature a number", `{` + strings.Replace(flat, `"`+s+`"`, `1`, 1) + `}`, false},
		{"protected an object", `{` + strings.Replace(flat, `"`+h+`"`, `{"alg":"HS256"}`, 1) + `}`, false},
		{"signature beside signatures", `{` + flat + `,"signatures":[` + one + `]}`, false},
		{"header beside signatures", `{"payload":"` + p + `","header":{"x":1},"signatures":[` + one + `]}`, false},
		{"protected beside signatures", `{"payload":"` + p + `","protected":"` + h + `","signatures":[` + one + `]}`, false},
		{"signatures empty", `{"payload":"` + p + `","signatures":[]}`, false},
		{"signatures an object", `{"payload":"` + p + `","signatures":` + one + `}`, false},
		{"signatures null", `{"payload":"` + p + `","signatures":null}`, false},
		{"signatures holds null", `{"payload":"` + p + `","signatures":[` + one + `,null]}`, false},
		{"signatures holds an array", `{"payload":"` + p + `","signatures":[[` + one + `]]}`, false},
		{"JWS-13 payload twice", `{"payload":"` + p + `",` + flat + `}`, false},
		{"JWS-13 payload twice, escaped", `{"p\u0061yload":"",` + flat + `}`, false},
		{"JWS-13 signature twice in a signature", `{"payload":"` + p + `","signatures":[{"signature":"",` + one[1:] + `]}`, false},
		{"JWS-13 duplicate in what is ignored", `{"x":{"y":1,"y":2},` + flat + `}`, false},
		{"JWS-13 byte order mark", "\ufeff{" + flat + `}`, false},
		{"JWS-13 trailing bytes", `{` + flat + `}x`, false},
		{"JWS-13 two texts", `{` + flat + `}{` + flat + `}`, false},
		{"JWS-13 lone surrogate", `{"x":"\ud800",` + flat + `}`, false},
		{"JWE-01 ciphertext beside", `{"ciphertext":"",` + flat + `}`, false},
		{"JWE-01 recipients beside", `{"recipients":[],` + flat + `}`, false},
		{"JWS-15 compact", h + "." + p + "." + s, false},
		{"JWS-15 compact in a string", `"` + h + "." + p + "." + s + `"`, false},
		{"array", `[{` + flat + `}]`, false},
		{"empty", ``, false},
		{"empty object", `{}`, false},
		{"null", `null`, false},
		{"too deep", `{"x":` + strings.Repeat("[", 20) + strings.Repeat("]", 20) + `,` + flat + `}`, false},
		{"too large", `{"x":"` + strings.Repeat("x", jws.DefaultMaxSize) + `",` + flat + `}`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v, err := jws.JSONVerifier{Signers: 1}.Verify(ctx, []byte(c.text), setOf(t, secret()))
			if c.good && (err != nil || v.Payload != "payload!") {
				t.Errorf("%+v, %v", v, err)
			}
			if !c.good && !errors.Is(err, jws.ErrMalformed) && !errors.Is(err, jwk.ErrSignature) {
				t.Errorf("%+v, %v", v, err)
			}
		})
	}
	// What is signed is an empty payload: one that is missing is not the same.
	e = entry(t, secret(), `{"alg":"HS256"}`, "", "")
	empty := `"protected":"` + e.Protected + `","signature":"` + e.Signature + `"}`
	for text, want := range map[string]error{`{"payload":"",` + empty: nil, `{` + empty: jws.ErrMalformed} {
		if _, err := (jws.JSONVerifier{Signers: 1}).Verify(ctx, []byte(text), setOf(t, secret())); !errors.Is(err, want) {
			t.Errorf("%s: %v", text, err)
		}
		if _, err := (jws.JSONVerifier{Signers: 1}).VerifyDetached(ctx, []byte(text), nil, setOf(t, secret())); err != nil {
			t.Errorf("%s, detached: %v", text, err)
		}
	}
	large := `{"x":"` + strings.Repeat("x", jws.DefaultMaxSize) + `",` + flat + `}`
	if _, err := (jws.JSONVerifier{Signers: 1, MaxSize: 32 << 10}).Verify(ctx, []byte(large), setOf(t, secret())); err != nil {
		t.Errorf("large, and asked for: %v", err)
	}
}

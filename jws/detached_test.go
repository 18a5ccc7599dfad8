package jws_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/internal/b64"
	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jws"
)

func TestDetached(t *testing.T) {
	t.Parallel()
	for _, alg := range everyAlgorithm {
		t.Run(string(alg), func(t *testing.T) {
			t.Parallel()
			key := keyOf(t, alg)
			keys := setOf(t, key.verifier)
			for _, payload := range []string{"", "payload", "with.dots", "\x00\xff", strings.Repeat("large ", 10_000)} {
				for _, c := range []struct {
					name   string
					sign   func(jwk.Signer, string, []byte) (string, error)
					verify func(compact, payload string) (jws.Signature, error)
				}{
					{"encoded", jws.SignDetached, func(compact, payload string) (jws.Signature, error) {
						return jws.VerifyDetached(ctx, compact, []byte(payload), keys)
					}},
					{"unencoded", jws.SignDetachedUnencoded, func(compact, payload string) (jws.Signature, error) {
						return jws.VerifyDetachedUnencoded(ctx, compact, []byte(payload), keys)
					}},
				} {
					compact, err := c.sign(key, "x", []byte(payload))
					if err != nil || strings.Count(compact, ".") != 2 || !strings.Contains(compact, "..") {
						t.Fatalf("%s: %s, %v", c.name, compact, err)
					}
					s, err := c.verify(compact, payload)
					if err != nil || s.Key != key.verifier || s.Header != (jws.Header{Algorithm: string(alg), KeyID: key.KeyID(), Type: "x"}) {
						t.Errorf("%s: %+v, %v", c.name, s, err)
					}
					for _, other := range []string{payload + " ", b64.Encode([]byte(payload)) + "A", strings.ToUpper(payload) + "."} {
						if s, err := c.verify(compact, other); !errors.Is(err, jwk.ErrSignature) || s.Key != nil {
							t.Errorf("%s over %.20q: %v", c.name, other, err)
						}
					}
				}
			}
		})
	}
	for _, sign := range []func(jwk.Signer, string, []byte) (string, error){jws.SignDetached, jws.SignDetachedUnencoded} {
		if _, err := sign(nil, "", nil); err == nil {
			t.Error("signed without a key")
		}
	}
}

// Header and signature stand as they should; what lies about them does not.
func TestDetachedForm(t *testing.T) {
	t.Parallel()
	keys := setOf(t, secret())
	good, err := jws.SignDetached(secret(), "", []byte("payload"))
	if err != nil {
		t.Fatal(err)
	}
	header, signature, _ := strings.Cut(good, "..")
	for _, c := range []struct {
		name, compact string
		want          error
	}{
		{"good", good, nil},
		{"payload in place", header + "." + b64.Encode([]byte("payload")) + "." + signature, jws.ErrMalformed},
		{"JWS-15 two parts", header + "." + signature, jws.ErrMalformed},
		{"JWS-15 four parts", good + ".", jws.ErrMalformed},
		{"JWS-15 three dots", header + "..." + signature, jws.ErrMalformed},
		{"no header", ".." + signature, jws.ErrMalformed},
		{"empty", "", jws.ErrMalformed},
		{"JWS-01 no signature", header + "..", jwk.ErrSignature},
		{"JWS-01 none", b64.Encode([]byte(`{"alg":"none"}`)) + "..", jws.ErrAlgorithm},
		{"JWS-12 padded header", header + "=.." + signature, jws.ErrMalformed},
		{"JWS-12 padded signature", good + "=", jws.ErrMalformed},
		{"JWS-12 line feed", good + "\n", jws.ErrMalformed},
		{"another key", b64.Encode([]byte(`{"alg":"HS256","kid":"x"}`)) + ".." + signature, jwk.ErrUnknownKey},
		{"too large", header + ".." + strings.Repeat("A", jws.DefaultMaxSize), jws.ErrMalformed},
	} {
		if _, err := jws.VerifyDetached(ctx, c.compact, []byte("payload"), keys); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// RFC 7797: the header of an unencoded payload says so in the one way there is.
func TestUnencodedHeaders(t *testing.T) {
	t.Parallel()
	keys := setOf(t, secret())
	for _, c := range []struct {
		name, header string
		good         bool
	}{
		{"as it should be", `{"alg":"HS256","b64":false,"crit":["b64"]}`, true},
		{"another name, escaped", `{"alg":"HS256","\u00624":false,"crit":["b64"]}`, false},
		{"escaped names", `{"alg":"HS256","\u006264":false,"cr\u0069t":["\u006264"]}`, true},
		{"JWS-07 crit without b64", `{"alg":"HS256","crit":["b64"]}`, false},
		{"JWS-07 b64 without crit", `{"alg":"HS256","b64":false}`, false},
		{"JWS-07 neither", `{"alg":"HS256"}`, false},
		{"JWS-07 crit empty", `{"alg":"HS256","b64":false,"crit":[]}`, false},
		{"JWS-07 crit names it twice", `{"alg":"HS256","b64":false,"crit":["b64","b64"]}`, false},
		{"JWS-07 crit names another", `{"alg":"HS256","b64":false,"crit":["b64","exp"],"exp":1}`, false},
		{"JWS-07 crit names only another", `{"alg":"HS256","b64":false,"crit":["exp"],"exp":1}`, false},
		{"JWS-07 crit a string", `{"alg":"HS256","b64":false,"crit":"b64"}`, false},
		{"JWS-07 crit null", `{"alg":"HS256","b64":false,"crit":null}`, false},
		{"JWS-07 crit of other case", `{"alg":"HS256","b64":false,"crit":["B64"]}`, false},
		{"b64 true", `{"alg":"HS256","b64":true,"crit":["b64"]}`, false},
		{"b64 null", `{"alg":"HS256","b64":null,"crit":["b64"]}`, false},
		{"b64 a string", `{"alg":"HS256","b64":"false","crit":["b64"]}`, false},
		{"b64 zero", `{"alg":"HS256","b64":0,"crit":["b64"]}`, false},
		{"b64 twice", `{"alg":"HS256","b64":false,"b64":false,"crit":["b64"]}`, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			header := b64.Encode([]byte(c.header))
			mac, err := secret().AppendSignature(nil, []byte(header+".payload"))
			if err != nil {
				t.Fatal(err)
			}
			_, err = jws.VerifyDetachedUnencoded(ctx, header+".."+b64.Encode(mac), []byte("payload"), keys)
			if c.good != (err == nil) || err != nil && !errors.Is(err, jws.ErrMalformed) {
				t.Errorf("detached: %v", err)
			}
			text, err := json.Marshal(map[string]string{"payload": "payload", "protected": header, "signature": b64.Encode(mac)})
			if err != nil {
				t.Fatal(err)
			}
			_, err = jws.JSONVerifier{Signers: 1, Unencoded: true}.Verify(ctx, text, keys)
			if c.good != (err == nil) || err != nil && !errors.Is(err, jws.ErrMalformed) {
				t.Errorf("JSON: %v", err)
			}
		})
	}
	// RFC 7797 §3: "b64" is the same for all signatures of one payload, also
	// where one of them is a stranger's.
	stranger := entry(t, keyOf(t, jwk.ES256), `{"alg":"ES256","kid":"stranger"}`, "", "payload")
	text, err := jws.JSONSigner{Keys: []jwk.Signer{secret()}, Unencoded: true}.Sign([]byte("payload"))
	if err != nil {
		t.Fatal(err)
	}
	var ours jsonEntry
	if err := json.Unmarshal(text, &ours); err != nil {
		t.Fatal(err)
	}
	mixed := general(t, "payload", ours, stranger)
	for _, unencoded := range []bool{false, true} {
		if _, err := (jws.JSONVerifier{Signers: 1, Unencoded: unencoded}).Verify(ctx, mixed, keys); !errors.Is(err, jws.ErrMalformed) {
			t.Errorf("mixed: %v", err)
		}
	}
}

// What is made for one entry point is refused by every other. The payload is
// base64url of itself, as confusing as can be.
func TestEachFormHasItsOwnEntryPoint(t *testing.T) {
	t.Parallel()
	payload := []byte("QUJD")
	keys := setOf(t, secret())
	signJSON := func(detached, unencoded bool) func() (string, error) {
		return func() (string, error) {
			text, err := jws.JSONSigner{Keys: []jwk.Signer{secret()}, Detached: detached, Unencoded: unencoded}.Sign(payload)
			return string(text), err
		}
	}
	verifyJSON := func(detached, unencoded bool) func(string) error {
		v := jws.JSONVerifier{Signers: 1, Unencoded: unencoded}
		return func(text string) error {
			if detached {
				_, err := v.VerifyDetached(ctx, []byte(text), payload, keys)
				return err
			}
			_, err := v.Verify(ctx, []byte(text), keys)
			return err
		}
	}
	forms := []struct {
		name   string
		sign   func() (string, error)
		verify func(string) error
	}{
		{"compact",
			func() (string, error) { return jws.Sign(secret(), "", payload) },
			func(text string) error { _, err := jws.Verify(ctx, text, keys); return err }},
		{"detached",
			func() (string, error) { return jws.SignDetached(secret(), "", payload) },
			func(text string) error { _, err := jws.VerifyDetached(ctx, text, payload, keys); return err }},
		{"detached, unencoded",
			func() (string, error) { return jws.SignDetachedUnencoded(secret(), "", payload) },
			func(text string) error { _, err := jws.VerifyDetachedUnencoded(ctx, text, payload, keys); return err }},
		{"JSON", signJSON(false, false), verifyJSON(false, false)},
		{"JSON, detached", signJSON(true, false), verifyJSON(true, false)},
		{"JSON, unencoded", signJSON(false, true), verifyJSON(false, true)},
		{"JSON, detached and unencoded", signJSON(true, true), verifyJSON(true, true)},
	}
	for _, made := range forms {
		text, err := made.sign()
		if err != nil {
			t.Fatal(err)
		}
		var taken []string
		for _, f := range forms {
			if f.verify(text) == nil {
				taken = append(taken, f.name)
			}
		}
		if !slices.Equal(taken, []string{made.name}) {
			t.Errorf("%s is taken for %q", made.name, taken)
		}
	}
}

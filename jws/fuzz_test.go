package jws_test

import (
	"encoding/json"
	"testing"

	"github.com/jotsmith/jotsmith/internal/b64"
	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jws"
)

// Whatever arrives as JSON, only what was signed comes out, and every reader of
// JSON would see the same in the text. Nothing of it is a compact serialization.
func FuzzVerifyJSON(f *testing.F) {
	keys := setOf(f, secret())
	for _, signer := range []jws.JSONSigner{{}, {Unencoded: true}, {Detached: true}, {Detached: true, Unencoded: true}} {
		signer.Keys = []jwk.Signer{secret()}
		text, err := signer.Sign([]byte("payload"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	e := entry(f, secret(), `{"alg":"HS256"}`, `{"kid":"k"}`, "payload")
	f.Add(general(f, "payload", e))
	f.Add(general(f, "payload", e, e))
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, unencoded := range []bool{false, true} {
			v := jws.JSONVerifier{Signers: 1, Unencoded: unencoded}
			got, err := v.Verify(ctx, text, keys)
			if (err == nil) != (len(got.Signatures) > 0) || err == nil && got.Payload != "payload" || err != nil && got.Payload != "" {
				t.Fatalf("%s: %+v, %v", text, got, err)
			}
			if err == nil {
				var other map[string]any
				if err := json.Unmarshal(text, &other); err != nil {
					t.Fatalf("%s: %v", text, err)
				}
				want := "payload"
				if !unencoded {
					want = b64.Encode([]byte(want))
				}
				if other["payload"] != want {
					t.Fatalf("%s: payload %v", text, other["payload"])
				}
			}
			signatures, err := v.VerifyDetached(ctx, text, []byte("payload"), keys)
			if (err == nil) != (len(signatures) > 0) {
				t.Fatalf("%s: %+v, %v", text, signatures, err)
			}
		}
		if _, err := jws.Verify(ctx, string(text), keys); err == nil {
			t.Fatalf("accepted as compact: %s", text)
		}
	})
}

// A detached signature is of its payload and of no other.
func FuzzVerifyDetached(f *testing.F) {
	keys := setOf(f, secret())
	good, err := jws.SignDetached(secret(), "", []byte("payload"))
	if err != nil {
		f.Fatal(err)
	}
	unencoded, err := jws.SignDetachedUnencoded(secret(), "", []byte("payload"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good, []byte("payload"))
	f.Add(unencoded, []byte("payload"))
	f.Add(unencoded, []byte("cGF5bG9hZA"))
	f.Fuzz(func(t *testing.T, compact string, payload []byte) {
		s, err := jws.VerifyDetached(ctx, compact, payload, keys)
		if (err == nil) != (s.Key != nil) || err == nil && (compact != good || string(payload) != "payload") {
			t.Fatalf("%s over %q: %v", compact, payload, err)
		}
		s, err = jws.VerifyDetachedUnencoded(ctx, compact, payload, keys)
		if (err == nil) != (s.Key != nil) || err == nil && (compact != unencoded || string(payload) != "payload") {
			t.Fatalf("%s over %q, unencoded: %v", compact, payload, err)
		}
	})
}

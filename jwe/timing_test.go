package jwe_test

import (
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jwe"
	"github.com/jotsmith/jotsmith/jwk"
)

// A failure tells nothing by the time that it takes: two texts of one form, of
// which one fails early and one late, are the same to whoever measures (JWE-05,
// JWE-06). JOTSMITH_JWE_TIMING_PAIRS is how often each is tried; from ten
// thousand on, Welch's t must stay below 4.5.
func TestJWETimingTellsNothing(t *testing.T) {
	pairs := 50
	if s := os.Getenv("JOTSMITH_JWE_TIMING_PAIRS"); s != "" {
		var err error
		if pairs, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	plaintext := strings.Repeat("x", 600)
	oaep, agreeing := rsaPair(), must(jwk.GenerateDecryption(jwk.ECDHESA128KW, ""))
	kw, gcmkw, cbc := shared(jwk.A256KW), shared(jwk.A256GCMKW), shared(jwk.Direct, jwk.A256CBCHS512)
	early, late := flip(0), flip(-1)
	for _, c := range []struct {
		name string
		key  jwk.Decrypter
		enc  jwk.Encrypter
		a, b func(parts) parts // what is done to a good text, each time another
	}{
		{"RSA-OAEP-256: padding or tag", oaep, oaep.Public(),
			func(p parts) parts { return p.with(1, late) }, func(p parts) parts { return p.with(4, late) }},
		{"RSA-OAEP-256: first byte or label", oaep, oaep.Public(),
			func(p parts) parts { return p.with(1, early) },
			func(p parts) parts { return p.with(1, func([]byte) []byte { return oaepOf(t, make([]byte, 31)) }) }},
		{"ECDH-ES+A128KW: wrap or tag", agreeing, agreeing.Public(),
			func(p parts) parts { return p.with(1, late) }, func(p parts) parts { return p.with(4, late) }},
		{"A256KW: wrap or tag", kw, kw,
			func(p parts) parts { return p.with(1, late) }, func(p parts) parts { return p.with(4, late) }},
		{"A256GCMKW: wrap or tag", gcmkw, gcmkw,
			func(p parts) parts { return p.with(1, late) }, func(p parts) parts { return p.with(4, late) }},
		{"CBC: tag or padding and tag", cbc, cbc,
			func(p parts) parts { return p.with(4, late) }, func(p parts) parts { return p.with(3, flip(-17)) }},
		{"CBC: first or last byte of the tag", cbc, cbc,
			func(p parts) parts { return p.with(4, early) }, func(p parts) parts { return p.with(4, late) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			keys := setOf(c.key)
			took := [2][]float64{}
			for range pairs {
				good := sealed(t, c.enc, plaintext)
				texts := [2]string{c.a(good).String(), c.b(good).String()}
				order := rand.IntN(2)
				for _, k := range []int{order, 1 - order} {
					// The first try fills the caches for the second, which counts.
					jwe.Decrypt(t.Context(), texts[k], keys)
					began := time.Now()
					_, err := jwe.Decrypt(t.Context(), texts[k], keys)
					took[k] = append(took[k], float64(time.Since(began).Nanoseconds()))
					if err != jwe.ErrDecrypt {
						t.Fatal(err)
					}
				}
			}
			// What the machine did beside it tells nothing: the slowest tenth of
			// all is left out.
			all := slices.Sorted(slices.Values(slices.Concat(took[0], took[1])))
			most := all[len(all)*9/10]
			for k := range took {
				took[k] = slices.DeleteFunc(took[k], func(ns float64) bool { return ns > most })
			}
			v := welch(took[0], took[1])
			t.Logf("%s: t = %.2f, %d pairs", c.name, v, pairs)
			if pairs >= 10000 && math.Abs(v) >= 4.5 {
				t.Errorf("%s: told apart by time: t = %.2f", c.name, v)
			}
		})
	}
}

func welch(a, b []float64) float64 {
	ma, va := moments(a)
	mb, vb := moments(b)
	return (ma - mb) / math.Sqrt(va/float64(len(a))+vb/float64(len(b)))
}

func moments(values []float64) (mean, variance float64) {
	for _, v := range values {
		mean += v / float64(len(values))
	}
	for _, v := range values {
		variance += (v - mean) * (v - mean) / float64(len(values)-1)
	}
	return mean, variance
}

package jwe_test

import (
	"strings"
	"testing"

	"github.com/jotsmith/jotsmith/jwe"
	"github.com/jotsmith/jotsmith/jwk"
)

func BenchmarkDecrypt(b *testing.B) {
	agreeing := must(jwk.GenerateDecryption(jwk.ECDHESA128KW, "P-256"))
	direct := shared(jwk.Direct, jwk.A256GCM)
	for _, p := range []pair{{"dir", direct, direct}, {"ECDH-ES+A128KW", agreeing.Public(), agreeing}} {
		compact := must(jwe.Encrypt(p.enc, "", "JWT", []byte(strings.Repeat("claims", 75))))
		keys := setOf(p.dec)
		b.Run(p.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := jwe.Decrypt(b.Context(), compact, keys); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

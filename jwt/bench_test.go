package jwt_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"hash/maphash"
	"strings"
	"testing"
	"time"

	"crypto/elliptic"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwt"
)

// benchClaims make a token of about 600 bytes.
var benchClaims = jwt.Claims{
	Subject: "acc_01jd3s9f0m7v8q2k4x6z", Audience: []string{audience}, Life: 15 * time.Minute,
	SessionID: "Zk3Wc0t6q8mQv2n5y7b9Aw", ClientID: "app_dashboard",
	Scope: []string{"tasks:read", "tasks:write", "profile"}, Roles: []string{"editor", "reviewer"},
	Custom: struct {
		Tenant string `json:"tenant"`
		Plan   string `json:"plan"`
	}{"org_7f3a9c", "team"},
}

// measured is one algorithm of each family.
var measured = []jwk.Algorithm{jwk.HS256, jwk.RS256, jwk.ES256, jwk.EdDSA}

// bare is the cryptography of one algorithm and nothing else.
type bare struct{ verify, sign func(message []byte) }

func bareOf(tb testing.TB, alg jwk.Algorithm) bare {
	message := []byte(strings.Repeat("x", 500))
	digest := sha256.Sum256(message)
	switch alg {
	case jwk.HS256:
		secret := make([]byte, 32)
		rand.Read(secret)
		mac := hmac.New(sha256.New, secret)
		mac.Write(message)
		want := mac.Sum(nil)
		sum := func(m []byte) []byte {
			mac := hmac.New(sha256.New, secret)
			mac.Write(m)
			return mac.Sum(nil)
		}
		return bare{func(m []byte) { hmac.Equal(sum(m), want) }, func(m []byte) { sum(m) }}
	case jwk.RS256:
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			tb.Fatal(err)
		}
		sig, _ := rsa.SignPKCS1v15(nil, key, crypto.SHA256, digest[:])
		return bare{func(m []byte) {
			d := sha256.Sum256(m)
			rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, d[:], sig)
		}, func(m []byte) {
			d := sha256.Sum256(m)
			rsa.SignPKCS1v15(nil, key, crypto.SHA256, d[:])
		}}
	case jwk.ES256:
		key, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		sig, _ := ecdsa.SignASN1(rand.Reader, key, digest[:])
		return bare{func(m []byte) {
			d := sha256.Sum256(m)
			ecdsa.VerifyASN1(&key.PublicKey, d[:], sig)
		}, func(m []byte) {
			d := sha256.Sum256(m)
			ecdsa.SignASN1(rand.Reader, key, d[:])
		}}
	default:
		pub, key, _ := ed25519.GenerateKey(rand.Reader)
		sig := ed25519.Sign(key, message)
		return bare{func(m []byte) { ed25519.Verify(pub, m, sig) }, func(m []byte) { ed25519.Sign(key, m) }}
	}
}

func BenchmarkVerify(b *testing.B) {
	for _, alg := range measured {
		limit := bareOf(b, alg)
		message := []byte(strings.Repeat("x", 500))
		b.Run(fmt.Sprintf("%s/bare", alg), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				limit.verify(message)
			}
		})
		key := newKey(b, alg)
		compact := issue(b, key, benchClaims)
		v := newVerifier(b, key, func(p *jwt.Policy) { p.CacheSize = -1 })
		b.Run(fmt.Sprintf("%s/cold", alg), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.Verify(context.Background(), compact); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkWarm compares the cache of verified tokens with a map that is asked
// for the whole string.
func BenchmarkWarm(b *testing.B) {
	const n = 1000
	key := newKey(b, jwk.HS256)
	v := newVerifier(b, key, withRevocations(nothingRevoked{}))
	tokens := make([]string, n)
	known := make(map[string]*jwt.Token)
	for i := range tokens {
		tokens[i] = issue(b, key, benchClaims)
		t, err := v.Verify(context.Background(), tokens[i])
		if err != nil {
			b.Fatal(err)
		}
		known[tokens[i]] = t
		tokens[i] = strings.Clone(tokens[i]) // each request brings a text of its own
	}
	b.Run("map", func(b *testing.B) {
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			if known[tokens[i%n]] == nil {
				b.Fatal("lost")
			}
			i++
		}
	})
	b.Run("maphash", func(b *testing.B) {
		seed := maphash.MakeSeed()
		i := 0
		for b.Loop() {
			maphash.String(seed, tokens[i%n])
			i++
		}
	})
	b.Run("verify", func(b *testing.B) {
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			if _, err := v.Verify(context.Background(), tokens[i%n]); err != nil {
				b.Fatal(err)
			}
			i++
		}
	})
	b.Run("verify-parallel", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for i := 0; pb.Next(); i++ {
				if _, err := v.Verify(context.Background(), tokens[i%n]); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
}

func BenchmarkIssue(b *testing.B) {
	claims := benchClaims
	claims.Custom = nil
	for _, alg := range measured {
		limit := bareOf(b, alg)
		message := []byte(strings.Repeat("x", 500))
		b.Run(fmt.Sprintf("%s/bare", alg), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				limit.sign(message)
			}
		})
		issuer, err := jwt.NewIssuer(jwt.IssuerConfig{Issuer: issuerName, Key: newKey(b, alg)})
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprintf("%s/issue", alg), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := issuer.Issue(claims); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

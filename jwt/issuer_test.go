package jwt_test

import (
	"context"
	"encoding/base64"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwt"
)

func TestIssueWrites(t *testing.T) {
	t.Parallel()
	issuer, err := jwt.NewIssuer(jwt.IssuerConfig{Issuer: issuerName, Key: newKey(t, jwk.EdDSA), Now: at(start)})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		claims jwt.Claims
		want   string
	}{
		{"least", jwt.Claims{Subject: "s", Audience: []string{"a"}, Life: time.Second, ID: "j"},
			`{"iss":"https://auth.example.com","sub":"s","aud":"a","exp":1772366401,"iat":1772366400,"nbf":1772366400,"jti":"j"}`},
		{"a time of issue, and a life cut to seconds", jwt.Claims{Subject: "s", Audience: []string{"a"}, Life: 1400 * time.Millisecond, ID: "j", IssuedAt: start.Add(-1500 * time.Millisecond)},
			`{"iss":"https://auth.example.com","sub":"s","aud":"a","exp":1772366399,"iat":1772366398,"nbf":1772366398,"jti":"j"}`},
		{"all", jwt.Claims{Subject: "s", Audience: []string{"a", "b"}, Life: time.Minute, ID: "j", SessionID: "i", ClientID: "c",
			Scope: []string{"x", "y:z"}, Roles: []string{"r"}, Custom: map[string]int{"n": 1}},
			`{"iss":"https://auth.example.com","sub":"s","aud":["a","b"],"exp":1772366460,"iat":1772366400,"nbf":1772366400,"jti":"j","sid":"i","client_id":"c","scope":"x y:z","roles":["r"],"n":1}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			compact, err := issuer.Issue(c.claims)
			if err != nil {
				t.Fatal(err)
			}
			payload, _ := base64.RawURLEncoding.DecodeString(strings.Split(compact, ".")[1])
			if string(payload) != c.want {
				t.Errorf("%s", payload)
			}
		})
	}
}

func TestIssueRefuses(t *testing.T) {
	t.Parallel()
	issuer, err := jwt.NewIssuer(jwt.IssuerConfig{Issuer: issuerName, Key: newKey(t, jwk.HS256)})
	if err != nil {
		t.Fatal(err)
	}
	many := make([]string, 600)
	for i := range many {
		many[i] = "x"
	}
	for _, c := range []struct {
		name   string
		change func(*jwt.Claims)
		want   string
	}{
		{"good", func(*jwt.Claims) {}, ""},
		{"a fraction of a second", func(c *jwt.Claims) { c.Life = 1500 * time.Millisecond }, ""},
		{"24 hours", func(c *jwt.Claims) { c.Life = 24 * time.Hour }, ""},
		{"no subject", func(c *jwt.Claims) { c.Subject = "" }, "Subject is empty"},
		{"no audience", func(c *jwt.Claims) { c.Audience = nil }, "Audience is empty"},
		{"empty audience", func(c *jwt.Claims) { c.Audience = []string{""} }, "empty name"},
		{"too many audiences", func(c *jwt.Claims) { c.Audience = many[:65] }, "over 64"},
		{"no life", func(c *jwt.Claims) { c.Life = 0 }, "Life"},
		{"negative life", func(c *jwt.Claims) { c.Life = -time.Minute }, "Life"},
		{"half a second", func(c *jwt.Claims) { c.Life = time.Second / 2 }, "under one second"},
		{"over 24 hours", func(c *jwt.Claims) { c.Life = 24*time.Hour + time.Second }, "24 hours"},
		{"subject not UTF-8", func(c *jwt.Claims) { c.Subject = "\xff" }, "UTF-8"},
		{"session not UTF-8", func(c *jwt.Claims) { c.SessionID = "a\xc0" }, "UTF-8"},
		{"role not UTF-8", func(c *jwt.Claims) { c.Roles = []string{"\xff"} }, "UTF-8"},
		{"empty role", func(c *jwt.Claims) { c.Roles = []string{"a", ""} }, "empty name"},
		{"too many roles", func(c *jwt.Claims) { c.Roles = many }, "over 512"},
		{"scope with a space", func(c *jwt.Claims) { c.Scope = []string{"a admin"} }, "Scope"},
		{"scope with a quote", func(c *jwt.Claims) { c.Scope = []string{`a"`} }, "Scope"},
		{"empty scope", func(c *jwt.Claims) { c.Scope = []string{""} }, "Scope"},
		{"too large", func(c *jwt.Claims) { c.Custom = map[string]string{"x": strings.Repeat("a", 16<<10)} }, "put less"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			claims := jwt.Claims{Subject: "s", Audience: []string{audience}, Life: time.Minute}
			c.change(&claims)
			compact, err := issuer.Issue(claims)
			if (err == nil) != (c.want == "") || (compact == "") != (err != nil) {
				t.Fatalf("%q, %v", compact, err)
			}
			if err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
		})
	}
	_, err = issuer.Issue(jwt.Claims{})
	if n := strings.Count(err.Error(), "\n"); n != 2 {
		t.Errorf("not all three faults at once: %v", err)
	}
	_, err = jwt.NewIssuer(jwt.IssuerConfig{})
	if n := strings.Count(err.Error(), "\n"); n != 1 {
		t.Errorf("not both faults at once: %v", err)
	}
	if issuer, err := jwt.NewIssuer(jwt.IssuerConfig{Issuer: issuerName, Key: (*jwk.PrivateKey)(nil)}); issuer != nil || err == nil {
		t.Error("a nil pointer was taken for a key")
	}
	tight, err := jwt.NewIssuer(jwt.IssuerConfig{Issuer: issuerName, Key: newKey(t, jwk.HS256), MaxSize: 100})
	if err != nil {
		t.Fatal(err)
	}
	if compact, err := tight.Issue(benchClaims); err == nil || compact != "" {
		t.Error("a token over MaxSize was issued")
	}
	if _, err := jwt.NewIssuer(jwt.IssuerConfig{Issuer: "\xff", Key: newKey(t, jwk.HS256)}); err == nil {
		t.Error("issuer that is not UTF-8 taken")
	}
}

// Every algorithm, from the key to the claims.
func TestIssueAndVerify(t *testing.T) {
	t.Parallel()
	lengths := map[jwk.Algorithm]int{ // of signatures, RFC 7518 §3
		jwk.HS256: 32, jwk.HS384: 48, jwk.HS512: 64,
		jwk.RS256: 256, jwk.RS384: 256, jwk.RS512: 256,
		jwk.PS256: 256, jwk.PS384: 256, jwk.PS512: 256,
		jwk.ES256: 64, jwk.ES384: 96, jwk.ES512: 132,
		jwk.EdDSA: 64, jwk.Ed25519: 64,
	}
	for _, alg := range algorithms {
		t.Run(string(alg), func(t *testing.T) {
			t.Parallel()
			key := newKey(t, alg)
			issuer, err := jwt.NewIssuer(jwt.IssuerConfig{Issuer: issuerName, Key: key, Now: at(start)})
			if err != nil {
				t.Fatal(err)
			}
			compact, err := issuer.Issue(benchClaims)
			if err != nil {
				t.Fatal(err)
			}
			u, err := jwt.Inspect(compact)
			if err != nil || u.Algorithm() != string(alg) || u.KeyID() != key.KeyID() || u.Type() != "at+jwt" || len(u.Signature()) != lengths[alg] {
				t.Errorf("header %s, signature of %d bytes, %v", u.Header(), len(u.Signature()), err)
			}
			v := newVerifier(t, key, func(p *jwt.Policy) { p.Now, p.Algorithms = at(start), []jwk.Algorithm{alg} })
			for range 2 {
				token, err := v.Verify(context.Background(), compact)
				if err != nil {
					t.Fatal(err)
				}
				if token.Algorithm() != alg || token.Subject() != benchClaims.Subject || !token.HasRole("editor") || !token.HasScope("profile") {
					t.Errorf("%v of %s", token, token.Subject())
				}
			}
			if !v.Cached(compact) {
				t.Error("not cached")
			}
			check(t, newVerifier(t, newKey(t, jwk.EdDSA)), compact, jwt.ErrUnknownKey)
		})
	}
}

func TestTokenIDsAreRandom(t *testing.T) {
	t.Parallel()
	key := newKey(t, jwk.HS256)
	v := newVerifier(t, key)
	seen := make(map[string]bool)
	for range 1000 {
		token, err := v.Verify(context.Background(), issue(t, key, benchClaims))
		if err != nil {
			t.Fatal(err)
		}
		id, err := base64.RawURLEncoding.DecodeString(token.ID())
		if err != nil || len(id) != 16 || seen[token.ID()] {
			t.Fatalf("id %q", token.ID())
		}
		seen[token.ID()] = true
	}
}

// Every text that is issued comes back as it was, or is refused.
func FuzzIssue(f *testing.F) {
	for _, s := range []string{"a", `"`, `\`, "\x00", "\u2028\u2029", "<script>", "é😀", "\xff", `","sub":"admin`} {
		f.Add(s)
	}
	key := newKey(f, jwk.HS256)
	f.Fuzz(func(t *testing.T, s string) {
		if s == "" || len(s) > 200 { // written ten times, each byte as up to six
			return
		}
		issuer, err := jwt.NewIssuer(jwt.IssuerConfig{Issuer: s, Key: key, Type: "x" + s})
		if (err == nil) != utf8.ValidString(s) {
			t.Fatalf("%q: %v", s, err)
		}
		if err != nil {
			issuer, _ = jwt.NewIssuer(jwt.IssuerConfig{Issuer: issuerName, Key: key})
		}
		custom := map[string]string{}
		if utf8.ValidString(s) {
			custom["x"+s] = s
		}
		compact, err := issuer.Issue(jwt.Claims{Subject: s, Audience: []string{s, "b" + s}, Life: time.Minute, ID: s, SessionID: s, ClientID: s, Roles: []string{s}, Custom: custom})
		if (err == nil) != utf8.ValidString(s) {
			t.Fatalf("%q: %v", s, err)
		}
		if err != nil {
			return
		}
		v := newVerifier(t, key, func(p *jwt.Policy) { p.Issuer, p.Audiences, p.Type, p.CacheSize = s, []string{"b" + s}, "x"+s, -1 })
		token, err := v.Verify(context.Background(), compact)
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if token.Issuer() != s || token.Subject() != s || token.ID() != s || token.SessionID() != s || token.ClientID() != s ||
			!token.HasRole(s) || !token.HasAudience(s) || token.Type() != "x"+s {
			t.Fatalf("%q came back as %q", s, token.Subject())
		}
		got, err := jwt.Decode[map[string]any](token)
		if err != nil || got["x"+s] != s {
			t.Fatalf("%q came back as %q, %v", s, got["x"+s], err)
		}
	})
}

package jwt_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwt"
)

// TestRFR13LoginAge: what a token says of the log-in, and how old that is by the
// policy's clock, from the cache too.
func TestRFR13LoginAge(t *testing.T) {
	t.Parallel()
	key, c := newKey(t, jwk.HS256), &clock{time.Unix(1_800_000_000, 0)}
	v := newVerifier(t, key, func(p *jwt.Policy) { p.Now = c.Now })
	claims := jwt.Claims{
		Subject: "s", Audience: []string{audience}, Life: time.Hour, IssuedAt: c.now,
		AuthTime: c.now.Add(-time.Minute + time.Millisecond), AuthMethods: []string{"pwd", "otp"}, ACR: `"gold"`,
	}
	compact := issue(t, key, claims)
	for _, ago := range []time.Duration{time.Minute, 10 * time.Minute} {
		token, err := v.Verify(t.Context(), compact)
		if err != nil {
			t.Fatal(err)
		}
		if age, ok := token.LoginAge(); !ok || age != ago {
			t.Errorf("%v ago, %v; want %v", age, ok, ago)
		}
		if token.AuthTime() != time.Unix(1_799_999_940, 0) || token.ACR() != `"gold"` || !slices.Equal(slices.Collect(token.AuthMethods()), claims.AuthMethods) ||
			!token.HasAuthMethod("otp") || token.HasAuthMethod("ot") {
			t.Errorf("auth_time %v, acr %s, amr %v", token.AuthTime(), token.ACR(), slices.Collect(token.AuthMethods()))
		}
		c.now = c.now.Add(9 * time.Minute)
	}
	claims.AuthTime, claims.AuthMethods, claims.ACR = time.Time{}, nil, ""
	compact = issue(t, key, claims)
	token, err := v.Verify(t.Context(), compact)
	if err != nil {
		t.Fatal(err)
	}
	if age, ok := token.LoginAge(); ok || !token.AuthTime().IsZero() || token.ACR() != "" {
		t.Errorf("a log-in that is not told was %v ago", age)
	}
	issuer, err := jwt.NewIssuer(jwt.IssuerConfig{Issuer: issuerName, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*jwt.Claims){
		"before 1970":       func(c *jwt.Claims) { c.AuthTime = time.Unix(-1, 0) },
		"33 methods":        func(c *jwt.Claims) { c.AuthMethods = strings.Split(strings.Repeat("x", 33), "") },
		"an empty method":   func(c *jwt.Claims) { c.AuthMethods = []string{""} },
		"a method not UTF8": func(c *jwt.Claims) { c.AuthMethods = []string{"\xff"} },
		"a class not UTF8":  func(c *jwt.Claims) { c.ACR = "\xff" },
	} {
		bad := claims
		change(&bad)
		if _, err := issuer.Issue(bad); err == nil {
			t.Errorf("%s: issued", name)
		}
	}
}

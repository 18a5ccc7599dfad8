package jwt_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jws"
	"github.com/jotsmith/jotsmith/jwt"
)

const otherIssuer = "https://other.example.com"

// named makes a key of a given key id.
func named(t *testing.T, alg jwk.Algorithm, kid string) jwk.Signer {
	t.Helper()
	key, ok := newKey(t, alg).(*jwk.PrivateKey)
	if !ok {
		t.Fatal("not a key pair")
	}
	text, err := key.MarshalPrivateJWK()
	if err != nil {
		t.Fatal(err)
	}
	again, err := jwk.ParsePrivate([]byte(strings.Replace(string(text), key.KeyID(), kid, 1)))
	if err != nil || again.KeyID() != kid {
		t.Fatalf("%v, %v", again, err)
	}
	return again
}

func newVerifierOf(t *testing.T, policies ...jwt.Policy) *jwt.Verifier {
	t.Helper()
	v, err := jwt.NewVerifier(policies...)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// Two issuers that trust each other in nothing, whose keys have one key id.
func TestSeveralIssuers(t *testing.T) {
	t.Parallel()
	one, two := named(t, jwk.ES256, "k1"), named(t, jwk.ES256, "k1")
	third := named(t, jwk.EdDSA, "k1")
	const thirdIssuer = "https://third.example.com"
	first, second, other := policyOf(t, issuerName, one), policyOf(t, otherIssuer, two), policyOf(t, thirdIssuer, third)
	second.Audiences = []string{"tasks"}
	second.Type = "JWT"
	second.Leeway = -1
	other.Revocations, other.DangerouslyIgnoreRevocation = &revoked{err: jwt.ErrRevoked}, false
	v := newVerifierOf(t, first, second, other)

	mine := goodClaims()
	theirs := mine.with("iss", otherIssuer).with("aud", "tasks")
	as := func(typ string, key jwk.Signer, claims any) string {
		compact, err := jws.Sign(key, typ, mustJSON(claims))
		if err != nil {
			t.Fatal(err)
		}
		return compact
	}
	late := start.Add(-time.Second).Unix()
	for _, c := range []struct {
		name, compact string
		want          error
	}{
		{"the first's", as("at+jwt", one, mine), nil},
		{"the second's", as("JWT", two, theirs), nil},
		{"the third's, all of which are revoked", as("at+jwt", third, mine.with("iss", thirdIssuer)), jwt.ErrRevoked},
		{"signed by the second in the first's name", as("at+jwt", two, mine), jwt.ErrSignature},
		{"signed by the first in the second's name", as("JWT", one, theirs), jwt.ErrSignature},
		{"signed by the third in the first's name", as("at+jwt", third, mine), jwt.ErrAlgorithm},
		{"the first's for the second's audience", as("at+jwt", one, mine.with("aud", "tasks")), jwt.ErrAudience},
		{"the second's for the first's audience", as("JWT", two, theirs.with("aud", audience)), jwt.ErrAudience},
		{"the first's of the second's type", as("JWT", one, mine), jwt.ErrType},
		{"the second's of the first's type", as("at+jwt", two, theirs), jwt.ErrType},
		{"the first's within its leeway", as("at+jwt", one, mine.with("exp", late)), nil},
		{"the second's, which has none", as("JWT", two, theirs.with("exp", late)), jwt.ErrExpired},
		{"an issuer that is a prefix", as("at+jwt", one, mine.with("iss", issuerName+"/")), jwt.ErrIssuer},
		{"an issuer in another case", as("at+jwt", one, mine.with("iss", strings.ToUpper(issuerName))), jwt.ErrIssuer},
		{"two issuers", as("at+jwt", one, mine.with("iss", []string{issuerName, otherIssuer})), jwt.ErrMalformed},
		{"an empty issuer", as("at+jwt", one, mine.with("iss", "")), jwt.ErrMalformed},
		{"no issuer", as("at+jwt", one, mine.with("iss", leave)), jwt.ErrIssuer},
		{"no claims", sign(t, one, `[]`), jwt.ErrMalformed},
		{"an issuer twice", sign(t, one, `{"iss":"`+issuerName+`","iss":"`+otherIssuer+`","aud":"`+audience+`","exp":4102444800}`), jwt.ErrMalformed},
		{"an issuer twice, escaped", sign(t, one, `{"iss":"`+issuerName+`","\u0069ss":"`+otherIssuer+`","aud":"`+audience+`","exp":4102444800}`), jwt.ErrMalformed},
		{"no signature", encode(`{"alg":"none"}`) + "." + encode(string(mustJSON(mine))) + ".", jwt.ErrAlgorithm},
		{"nothing", "", jwt.ErrMalformed},
		{"dots", "..", jwt.ErrMalformed},
		{"two parts", encode(`{}`) + "." + encode(string(mustJSON(mine))), jwt.ErrMalformed},
		{"four parts", as("at+jwt", one, mine) + ".", jwt.ErrMalformed},
		{"padding", encode(`{}`) + "." + encode(string(mustJSON(mine))) + "=.", jwt.ErrMalformed},
		{"over 16 KiB", as("at+jwt", one, mine.with("x", strings.Repeat("x", 16<<10))), jwt.ErrMalformed},
	} {
		t.Run(c.name, func(t *testing.T) {
			check(t, v, c.compact, c.want)
			if v.Cached(c.compact) != (c.want == nil) {
				t.Errorf("cached: %v", v.Cached(c.compact))
			}
			check(t, v, c.compact, c.want)
		})
	}
}

// countedKeys counts how often a key was asked for.
type countedKeys struct {
	*jwk.Set
	asked int
}

func (k *countedKeys) Key(ctx context.Context, kid string) (jwk.Verifier, error) {
	k.asked++
	return k.Set.Key(ctx, kid)
}

func TestUnknownIssuerAsksForNoKey(t *testing.T) {
	t.Parallel()
	one, two := newKey(t, jwk.EdDSA), newKey(t, jwk.EdDSA)
	firstKeys, secondKeys := &countedKeys{Set: newSet(t, verifierOf(one))}, &countedKeys{Set: newSet(t, verifierOf(two))}
	first, second := policyOf(t, issuerName, one), policyOf(t, otherIssuer, two)
	first.Keys, second.Keys = firstKeys, secondKeys
	v := newVerifierOf(t, first, second)
	for i := range 100 {
		check(t, v, sign(t, one, goodClaims().with("iss", fmt.Sprintf("https://%d.example", i))), jwt.ErrIssuer)
	}
	check(t, v, sign(t, one, goodClaims().with("iss", leave)), jwt.ErrIssuer)
	check(t, v, strings.Repeat("A", 1<<20), jwt.ErrMalformed)
	if firstKeys.asked+secondKeys.asked != 0 {
		t.Errorf("asked for %d and %d keys", firstKeys.asked, secondKeys.asked)
	}
	check(t, v, sign(t, two, goodClaims()), jwt.ErrUnknownKey)
	if firstKeys.asked != 1 || secondKeys.asked != 0 {
		t.Errorf("the first issuer was asked %d times, the second %d times", firstKeys.asked, secondKeys.asked)
	}
}

// One cache for all issuers: a token that is found in it is held to its own
// issuer's policy, whose key must still stand.
func TestSeveralIssuersShareOneCache(t *testing.T) {
	t.Parallel()
	key := newKey(t, jwk.ES256)
	firstKeys := new(rotating)
	firstKeys.set.Store(newSet(t, verifierOf(key)))
	c := &clock{start}
	first, second := policyOf(t, issuerName, key), policyOf(t, otherIssuer, key) // one key for both
	first.Keys, first.Now = firstKeys, c.Now
	second.Now, second.Leeway = c.Now, -1
	v := newVerifierOf(t, first, second)
	a, b := sign(t, key, goodClaims()), sign(t, key, goodClaims().with("iss", otherIssuer))
	for range 2 {
		check(t, v, a, nil)
		check(t, v, b, nil)
	}
	ta, _ := v.Verify(context.Background(), a)
	tb, _ := v.Verify(context.Background(), b)
	if !v.Cached(a) || !v.Cached(b) || ta.Issuer() != issuerName || tb.Issuer() != otherIssuer {
		t.Errorf("%v %v", ta.Issuer(), tb.Issuer())
	}
	firstKeys.set.Store(newSet(t)) // the first issuer withdraws the key
	check(t, v, a, jwt.ErrUnknownKey)
	check(t, v, b, nil)
	firstKeys.set.Store(newSet(t, verifierOf(key)))
	c.now = start.Add(10*time.Minute + time.Second)
	check(t, v, a, nil)
	check(t, v, b, jwt.ErrExpired)
}

// What one issuer's tokens have expired at says nothing about another's.
func TestSeveralIssuersExpireApart(t *testing.T) {
	t.Parallel()
	one, two := newKey(t, jwk.HS256), newKey(t, jwk.HS256)
	c := &clock{start.Add(24 * time.Hour)}
	first, second := policyOf(t, issuerName, one), policyOf(t, otherIssuer, two)
	first.Now, second.Now = c.Now, c.Now
	v := newVerifierOf(t, first, second)
	check(t, v, sign(t, one, goodClaims()), jwt.ErrExpired)
	c.now = start
	check(t, v, sign(t, one, goodClaims()), jwt.ErrExpired)
	check(t, v, sign(t, two, goodClaims().with("iss", otherIssuer)), nil)
}

func TestMaxSizeOfEachIssuer(t *testing.T) {
	t.Parallel()
	one, two := newKey(t, jwk.HS256), newKey(t, jwk.HS256)
	first, second := policyOf(t, issuerName, one), policyOf(t, otherIssuer, two)
	second.MaxSize = 64 << 10
	v := newVerifierOf(t, first, second)
	large := goodClaims().with("x", strings.Repeat("x", 20<<10))
	check(t, v, sign(t, one, large), jwt.ErrMalformed)
	check(t, v, sign(t, two, large.with("iss", otherIssuer)), nil)
	check(t, v, sign(t, two, large.with("iss", otherIssuer).with("y", strings.Repeat("y", 40<<10))), jwt.ErrMalformed)
}

func TestFaultsOfEveryPolicy(t *testing.T) {
	t.Parallel()
	good := policyOf(t, issuerName, newKey(t, jwk.HS256))
	bad := jwt.Policy{Issuer: otherIssuer, Audiences: []string{audience}, Algorithms: []jwk.Algorithm{"none"}, DangerouslyIgnoreRevocation: true}
	for _, c := range []struct {
		name     string
		policies []jwt.Policy
		want     []string
	}{
		{"none", nil, []string{"none was given"}},
		{"one", []jwt.Policy{bad}, []string{"jwt policy: Keys is nil", `"none"`}},
		{"second", []jwt.Policy{good, bad}, []string{`policy 2, issuer "https://other.example.com": Keys`, `policy 2, issuer "https://other.example.com": Algorithms`}},
		{"all", []jwt.Policy{bad, {}, good, good}, []string{
			"policy 1, issuer", "policy 1, issuer", `policy 2, issuer "": Issuer`, "policy 2", "policy 2", "policy 2",
			`policy 4, issuer "https://auth.example.com": a policy before it`,
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v, err := jwt.NewVerifier(c.policies...)
			if v != nil || err == nil {
				t.Fatalf("%v, %v", v, err)
			}
			lines := strings.Split(err.Error(), "\n")
			if len(lines) != len(c.want) {
				t.Fatalf("%d faults: %v", len(lines), err)
			}
			for i, want := range c.want {
				if !strings.Contains(lines[i], want) {
					t.Errorf("%q does not say %q", lines[i], want)
				}
			}
		})
	}
}

func TestAlgorithms(t *testing.T) {
	t.Parallel()
	one, two := newKey(t, jwk.ES256), newKey(t, jwk.RS256)
	keys := newSet(t, verifierOf(one), verifierOf(two))
	policy := func(algorithms ...jwk.Algorithm) func(*jwt.Policy) {
		return func(p *jwt.Policy) { p.Now, p.Keys, p.Algorithms = at(start), keys, algorithms }
	}
	a, b := sign(t, one, goodClaims()), sign(t, two, goodClaims())
	all, some, none := newVerifier(t, one, policy()), newVerifier(t, one, policy(jwk.EdDSA, jwk.ES256)), newVerifier(t, one, policy(jwk.EdDSA))
	for range 2 {
		check(t, all, a, nil)
		check(t, all, b, nil)
		check(t, some, a, nil)
		check(t, some, b, jwt.ErrAlgorithm)
		check(t, none, a, jwt.ErrAlgorithm)
		check(t, none, b, jwt.ErrAlgorithm)
	}
	if _, err := none.Verify(context.Background(), a); err.Error() != "wrong algorithm: the policy takes no ES256" {
		t.Error(err)
	}
	check(t, some, sign(t, newKey(t, jwk.EdDSA), goodClaims()), jwt.ErrUnknownKey)
	if _, err := jwt.NewVerifier(jwt.Policy{Issuer: issuerName, Audiences: []string{audience}, Keys: keys, DangerouslyIgnoreRevocation: true, Algorithms: []jwk.Algorithm{"ES256", "es256"}}); err == nil {
		t.Error("an algorithm that does not exist was taken")
	}
}

func TestAllocationsAmongSeveralIssuers(t *testing.T) {
	one, two := newKey(t, jwk.HS256), newKey(t, jwk.HS256)
	ctx := context.Background()
	for _, c := range []struct {
		name  string
		size  int
		limit float64
	}{{"warm", 0, 0}, {"cold", -1, 7}} {
		first, second := policyOf(t, issuerName, one), policyOf(t, otherIssuer, two)
		first.CacheSize, second.CacheSize = c.size, c.size
		v := newVerifierOf(t, first, second)
		compact := sign(t, two, goodClaims().with("iss", otherIssuer))
		n := testing.AllocsPerRun(100, func() {
			if _, err := v.Verify(ctx, compact); err != nil {
				t.Fatal(err)
			}
		})
		if raceEnabled && c.limit > 0 {
			n -= 4 // the race detector empties pools at random
		}
		if n > c.limit {
			t.Errorf("%v allocations when %s", n, c.name)
		}
	}
}

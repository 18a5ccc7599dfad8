package jwt_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jws"
	"github.com/jotsmith/jotsmith/jwt"
)

// outcome is one token and what becomes of it.
type outcome struct {
	name   string
	claims any // object, or the JSON text
	want   error
}

// judge tries each token twice: from cold, and once it may be in the cache.
func judge(t *testing.T, cases []outcome, change ...func(*jwt.Policy)) {
	t.Helper()
	key := newKey(t, jwk.HS256)
	change = append([]func(*jwt.Policy){func(p *jwt.Policy) { p.Now = at(start) }}, change...)
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			v := newVerifier(t, key, change...)
			compact := sign(t, key, c.claims)
			check(t, v, compact, c.want)
			if v.Cached(compact) != (c.want == nil) {
				t.Errorf("cached: %v", v.Cached(compact))
			}
			check(t, v, compact, c.want)
		})
	}
}

func TestCLM01Audience(t *testing.T) {
	t.Parallel()
	good := goodClaims()
	many := make([]string, 10_000)
	for i := range many {
		many[i] = "a"
	}
	judge(t, []outcome{
		{"the string", good, nil},
		{"an array of it", good.with("aud", []string{audience}), nil},
		{"superset", good.with("aud", []string{"https://other.example", audience}), nil},
		{"64 entries", good.with("aud", append(slices.Clone(many[:63]), audience)), nil},
		{"65 entries", good.with("aud", append(slices.Clone(many[:64]), audience)), jwt.ErrMalformed},
		{"absent", good.with("aud", leave), jwt.ErrAudience},
		{"empty array", good.with("aud", []string{}), jwt.ErrAudience},
		{"empty string", good.with("aud", ""), jwt.ErrAudience},
		{"array of an empty string", good.with("aud", []string{""}), jwt.ErrAudience},
		{"another", good.with("aud", []string{"x"}), jwt.ErrAudience},
		{"null", good.with("aud", nil), jwt.ErrMalformed},
		{"number", good.with("aud", 1), jwt.ErrMalformed},
		{"object", good.with("aud", object{audience: 1}), jwt.ErrMalformed},
		{"nested array", good.with("aud", []any{[]string{audience}}), jwt.ErrMalformed},
		{"array with a number", good.with("aud", []any{audience, 1}), jwt.ErrMalformed},
		{"prefix of it", good.with("aud", audience[:len(audience)-1]), jwt.ErrAudience},
		{"longer", good.with("aud", audience+"x"), jwt.ErrAudience},
		{"trailing slash", good.with("aud", audience+"/"), jwt.ErrAudience},
		{"another case", good.with("aud", strings.ToUpper(audience)), jwt.ErrAudience},
		{"space separated", good.with("aud", audience+" x"), jwt.ErrAudience},
		{"pattern", good.with("aud", "*"), jwt.ErrAudience},
		{"NUL behind it", good.with("aud", audience+"\x00"), jwt.ErrAudience},
	})
	judge(t, []outcome{
		{"any: another", good.with("aud", "x"), nil},
		{"any: absent", good.with("aud", leave), nil},
		{"any: number", good.with("aud", 1), jwt.ErrMalformed},
	}, func(p *jwt.Policy) { p.Audiences, p.DangerouslyAcceptAnyAudience = nil, true })
	judge(t, []outcome{
		{"10,000 entries", good.with("aud", append(many, audience)), jwt.ErrMalformed},
	}, func(p *jwt.Policy) { p.MaxSize = 1 << 20 })
	judge(t, []outcome{
		{"two names of this API, first", good.with("aud", "a"), nil},
		{"two names of this API, second", good.with("aud", []string{"x", "b"}), nil},
		{"two names of this API, neither", good, jwt.ErrAudience},
	}, func(p *jwt.Policy) { p.Audiences = []string{"a", "b"} })
}

func TestCLM02Issuer(t *testing.T) {
	t.Parallel()
	good := goodClaims()
	judge(t, []outcome{
		{"the issuer", good, nil},
		{"escaped, the same text", strings.Replace(`{"iss":"https:\/\/\u0061uth.example.com","aud":"`+audience+`","exp":EXP}`, "EXP", fmt.Sprint(good["exp"]), 1), nil},
		{"absent", good.with("iss", leave), jwt.ErrIssuer},
		{"empty", good.with("iss", ""), jwt.ErrMalformed},
		{"null", good.with("iss", nil), jwt.ErrMalformed},
		{"array", good.with("iss", []string{issuerName}), jwt.ErrMalformed},
		{"number", good.with("iss", 1), jwt.ErrMalformed},
		{"prefix", good.with("iss", issuerName[:10]), jwt.ErrIssuer},
		{"longer", good.with("iss", issuerName+".attacker.example"), jwt.ErrIssuer},
		{"trailing slash", good.with("iss", issuerName+"/"), jwt.ErrIssuer},
		{"path", good.with("iss", issuerName+"/tenant"), jwt.ErrIssuer},
		{"case", good.with("iss", "https://AUTH.example.com"), jwt.ErrIssuer},
		{"port", good.with("iss", issuerName+":443"), jwt.ErrIssuer},
		{"http", good.with("iss", "http://auth.example.com"), jwt.ErrIssuer},
		{"space", good.with("iss", issuerName+" "), jwt.ErrIssuer},
	})
}

func TestCLM03Expiry(t *testing.T) {
	t.Parallel()
	good := goodClaims()
	raw := func(exp string) string {
		return `{"iss":"` + issuerName + `","aud":"` + audience + `","exp":` + exp + `}`
	}
	now := start.Unix()
	judge(t, []outcome{
		{"good", good, nil},
		{"absent", good.with("exp", leave), jwt.ErrMalformed},
		{"0", raw("0"), jwt.ErrExpired},
		{"-1", raw("-1"), jwt.ErrMalformed},
		{"-0", raw("-0"), jwt.ErrMalformed},
		{"1e400", raw("1e400"), jwt.ErrMalformed},
		{"1e18", raw("1e18"), jwt.ErrMalformed},
		{"1e-400", raw("1e-400"), jwt.ErrExpired},
		{"string", raw(`"123"`), jwt.ErrMalformed},
		{"1.9", raw("1.9"), jwt.ErrExpired},
		{"true", raw("true"), jwt.ErrMalformed},
		{"null", raw("null"), jwt.ErrMalformed},
		{"NaN", raw("NaN"), jwt.ErrMalformed},
		{"NaN text", raw(`"NaN"`), jwt.ErrMalformed},
		{"Infinity", raw("Infinity"), jwt.ErrMalformed},
		{"array", raw(fmt.Sprintf("[%d]", now+600)), jwt.ErrMalformed},
		{"year 292277026596", raw("9223372036854775807"), jwt.ErrMalformed},
		{"beyond int64", raw("92233720368547758070"), jwt.ErrMalformed},
		{"year 9999", raw("253402300799"), nil},
		{"year 10000", raw("253402300800"), jwt.ErrMalformed},
		{"exponent", raw("2e9"), nil},
		{"fraction", raw(fmt.Sprintf("%d.5", now+600)), nil},
		{"a day ago", raw(fmt.Sprint(now - 86400)), jwt.ErrExpired},
		{"leading zero", raw("0" + fmt.Sprint(now+600)), jwt.ErrMalformed},
		{"hexadecimal", raw("0x7fffffff"), jwt.ErrMalformed},
		{"twice", raw(fmt.Sprintf(`%d,"exp":%d`, now+600, now+600)), jwt.ErrMalformed},
		{"twice, escaped", raw(fmt.Sprintf(`%d,"\u0065xp":%d`, now-600, now+600)), jwt.ErrMalformed},
		{"EXP is another name", good.with("exp", leave).with("EXP", now+600), jwt.ErrMalformed},
	})
	judge(t, []outcome{
		{"leeway: now - 29 s", raw(fmt.Sprint(now - 29)), nil},
		{"leeway: now - 30 s", raw(fmt.Sprint(now - 30)), jwt.ErrExpired},
		{"leeway: now - 29.5 s is cut to 30", raw(fmt.Sprintf("%d.5", now-30)), jwt.ErrExpired},
	})
	judge(t, []outcome{
		{"none: now - 1", raw(fmt.Sprint(now - 1)), jwt.ErrExpired},
		{"none: now", raw(fmt.Sprint(now)), jwt.ErrExpired},
		{"none: now + 1", raw(fmt.Sprint(now + 1)), nil},
	}, func(p *jwt.Policy) { p.Leeway = -1 })
	judge(t, []outcome{
		{"half a second later: now", raw(fmt.Sprint(now)), jwt.ErrExpired},
		{"half a second later: now + 1", raw(fmt.Sprint(now + 1)), nil},
	}, func(p *jwt.Policy) { p.Leeway, p.Now = -1, at(start.Add(500*time.Millisecond)) })
	ignore := func(p *jwt.Policy) { p.DangerouslyIgnoreExpiry = true }
	judge(t, []outcome{
		{"ignored: a day ago", raw(fmt.Sprint(now - 86400)), nil},
		{"ignored: absent", good.with("exp", leave), jwt.ErrMalformed},
		{"ignored: string", raw(`"1"`), jwt.ErrMalformed},
		{"ignored: another issuer", good.with("exp", 1).with("iss", "x"), jwt.ErrIssuer},
		{"ignored: another audience", good.with("exp", 1).with("aud", "x"), jwt.ErrAudience},
		{"ignored: not yet valid", good.with("exp", 1).with("nbf", now+61), jwt.ErrNotYetValid},
	}, ignore)
	judge(t, []outcome{{"ignored: nothing revoked", good.with("exp", 1), nil}}, ignore, withRevocations(nothingRevoked{}))
	key := newKey(t, jwk.HS256)
	v := newVerifier(t, key, ignore, withRevocations(&revoked{err: jwt.ErrRevoked}), func(p *jwt.Policy) { p.Now = at(start) })
	if _, err := v.Verify(context.Background(), sign(t, key, good.with("exp", 1))); !errors.Is(err, jwt.ErrRevoked) {
		t.Errorf("revoked, expiry ignored: %v", err)
	}
}

func TestCLM04NotBefore(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"nbf", "iat"} {
		good := goodClaims()
		ahead := func(d time.Duration) object { return good.with(name, start.Add(d).Unix()) }
		judge(t, []outcome{
			{name + " absent", good.with(name, leave), nil},
			{name + " now", ahead(0), nil},
			{name + " +8 s", ahead(8 * time.Second), nil},
			{name + " +30 s", ahead(30 * time.Second), nil},
			{name + " +31 s", ahead(31 * time.Second), jwt.ErrNotYetValid},
			{name + " +61 s", ahead(61 * time.Second), jwt.ErrNotYetValid},
			{name + " a day ahead", ahead(24 * time.Hour), jwt.ErrNotYetValid},
			{name + " a string", good.with(name, "1"), jwt.ErrMalformed},
			{name + " null", good.with(name, nil), jwt.ErrMalformed},
			{name + " negative", good.with(name, -1), jwt.ErrMalformed},
			{name + " year 9999", good.with(name, 253402300799), jwt.ErrNotYetValid},
		})
		judge(t, []outcome{
			{name + " no leeway, now", ahead(0), nil},
			{name + " no leeway, +1 s", ahead(time.Second), jwt.ErrNotYetValid},
		}, func(p *jwt.Policy) { p.Leeway = -1 })
	}
	judge(t, []outcome{
		{"nbf with a fraction is rounded up", goodClaims().with("nbf", float64(start.Unix())+30.5), jwt.ErrNotYetValid},
	})
}

func TestOtherClaims(t *testing.T) {
	t.Parallel()
	good := goodClaims()
	judge(t, []outcome{
		{"sub absent", good.with("sub", leave), nil},
		{"sub empty", good.with("sub", ""), jwt.ErrMalformed},
		{"sub a number", good.with("sub", 1), jwt.ErrMalformed},
		{"jti a number", good.with("jti", 1), jwt.ErrMalformed},
		{"sid an array", good.with("sid", []string{"a"}), jwt.ErrMalformed},
		{"client_id null", good.with("client_id", nil), jwt.ErrMalformed},
		{"scope an array", good.with("scope", []string{"a"}), jwt.ErrMalformed},
		{"scope empty", good.with("scope", ""), nil},
		{"roles a string", good.with("roles", "admin"), jwt.ErrMalformed},
		{"roles with a number", good.with("roles", []any{"a", 1}), jwt.ErrMalformed},
		{"roles empty", good.with("roles", []string{}), nil},
		{"unknown claims", good.with("x", object{"y": []any{1, nil}}), nil},
		{"JWS-13 nested duplicate", `{"iss":"` + issuerName + `","aud":"` + audience + `","exp":4102444800,"x":{"a":1,"a":2}}`, jwt.ErrMalformed},
		{"JWS-13 trailing bytes", `{"iss":"` + issuerName + `","aud":"` + audience + `","exp":4102444800} {}`, jwt.ErrMalformed},
		{"JWS-13 byte order mark", "\ufeff" + `{"iss":"` + issuerName + `","aud":"` + audience + `","exp":4102444800}`, jwt.ErrMalformed},
		{"an array", `[]`, jwt.ErrMalformed},
		{"a string", `"x"`, jwt.ErrMalformed},
		{"nothing", ``, jwt.ErrMalformed},
		{"too deep", good.with("x", deep(17)), jwt.ErrMalformed},
	})
}

// Genuine signatures over claims of which one byte is another, is missing or is
// there twice, or of which the end is missing: refused for one reason, or a token
// that says what any reader of JSON would say.
func TestClaimsMangled(t *testing.T) {
	t.Parallel()
	key := newKey(t, jwk.HS256)
	v := newVerifier(t, key, func(p *jwt.Policy) { p.Now, p.CacheSize = at(start), -1 })
	good := `{"iss":"` + issuerName + `","sub":"a","aud":["` + audience + `"],"exp":1772367000,"nbf":1772366400,"roles":["r"],"x":{"y":[1,null]}}`
	check(t, v, sign(t, key, good), nil)
	reasons := []error{jwt.ErrMalformed, jwt.ErrIssuer, jwt.ErrAudience, jwt.ErrNotYetValid, jwt.ErrExpired}
	try := func(payload string) {
		token, err := v.Verify(context.Background(), sign(t, key, payload))
		if err != nil {
			if token != nil || !slices.ContainsFunc(reasons, func(r error) bool { return errors.Is(err, r) }) {
				t.Errorf("%q: %v, %v", payload, token, err)
			}
			return
		}
		var want struct {
			Issuer   string   `json:"iss"`
			Subject  string   `json:"sub"`
			Audience []string `json:"aud"`
			Expires  float64  `json:"exp"`
			Roles    []string `json:"roles"`
		}
		if err := json.Unmarshal([]byte(payload), &want); err != nil {
			t.Errorf("%q: accepted, though %v", payload, err)
			return
		}
		// Where a name differs by its case alone, encoding/json takes it for the
		// claim, and we do not.
		if token.Issuer() != want.Issuer || token.ExpiresAt().Unix() != int64(want.Expires) || !slices.Equal(slices.Collect(token.Audiences()), want.Audience) ||
			token.Subject() != "" && token.Subject() != want.Subject || !slices.Equal(slices.Collect(token.Roles()), want.Roles) && slices.Collect(token.Roles()) != nil {
			t.Errorf("%q: %q %q %v", payload, token.Issuer(), token.Subject(), token.ExpiresAt())
		}
	}
	for i := range good {
		check(t, v, sign(t, key, good[:i]), jwt.ErrMalformed)
		check(t, v, sign(t, key, good[i+1:]), jwt.ErrMalformed)
		try(good[:i] + good[i+1:])
		try(good[:i+1] + good[i:])
		for c := range 256 {
			try(good[:i] + string([]byte{byte(c)}) + good[i+1:])
		}
	}
}

func deep(n int) any {
	var v any = 1
	for range n {
		v = []any{v}
	}
	return v
}

// clock is a clock that the test moves.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

func TestCLM05ClockSteps(t *testing.T) {
	t.Parallel()
	key := newKey(t, jwk.HS256)
	for _, cached := range []bool{true, false} {
		t.Run(fmt.Sprintf("cached %v", cached), func(t *testing.T) {
			t.Parallel()
			c := &clock{start}
			v := newVerifier(t, key, func(p *jwt.Policy) {
				p.Now = c.Now
				if !cached {
					p.CacheSize = -1
				}
			})
			short := sign(t, key, goodClaims().with("jti", "short"))
			long := sign(t, key, goodClaims().with("jti", "long").with("exp", start.Add(20*time.Hour).Unix()))
			check(t, v, short, nil)
			check(t, v, long, nil)

			c.now = start.Add(time.Hour) // the short one is over
			check(t, v, short, jwt.ErrExpired)
			check(t, v, long, nil)

			c.now = start // set back an hour: it does not revive
			check(t, v, short, jwt.ErrExpired)
			check(t, v, long, nil)
			again := sign(t, key, goodClaims().with("jti", "of the same times"))
			check(t, v, again, jwt.ErrExpired)

			// A clock that ran a day ahead has seen everything expired. Tokens
			// issued since are good nevertheless.
			c.now = start.Add(24 * time.Hour)
			check(t, v, long, jwt.ErrExpired)
			c.now = start.Add(2 * time.Second)
			check(t, v, long, jwt.ErrExpired)
			fresh := sign(t, key, goodClaims().with("iat", start.Add(time.Second).Unix()))
			check(t, v, fresh, nil)
			check(t, v, fresh, nil)

			c.now = start.Add(2 * time.Second) // frozen
			check(t, v, fresh, nil)
			check(t, v, short, jwt.ErrExpired)
		})
	}
	// Set back so far that the token lies in the future.
	c := &clock{start}
	v := newVerifier(t, key, func(p *jwt.Policy) { p.Now = c.Now })
	compact := sign(t, key, goodClaims())
	check(t, v, compact, nil)
	c.now = start.Add(-time.Hour)
	check(t, v, compact, jwt.ErrNotYetValid)
}

func TestCLM07ReservedNames(t *testing.T) {
	t.Parallel()
	issuer, err := jwt.NewIssuer(jwt.IssuerConfig{Issuer: issuerName, Key: newKey(t, jwk.HS256)})
	if err != nil {
		t.Fatal(err)
	}
	claims := func(custom any) jwt.Claims {
		return jwt.Claims{Subject: "s", Audience: []string{audience}, Life: time.Minute, Custom: custom}
	}
	for _, name := range []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "sid", "client_id", "scope", "roles", "auth_time", "amr", "acr", "AMR", "EXP", "Roles", "\u017fub", "i\u017fs", "\u017fcope"} {
		if _, err := issuer.Issue(claims(map[string]any{name: "x"})); err == nil {
			t.Errorf("%q taken", name)
		}
		if _, err := issuer.Issue(claims(raw(`{"` + name + `":1}`))); err == nil {
			t.Errorf("%q taken out of raw JSON", name)
		}
	}
	for _, custom := range []any{1, "x", []int{1}, raw(`{"a":1,"a":2}`), raw(`{"\u0065xp":1}`), raw(`null`), make(chan int), deepMap(20)} {
		if _, err := issuer.Issue(claims(custom)); err == nil {
			t.Errorf("%T %v taken", custom, custom)
		}
	}
	for _, custom := range []any{map[string]any{}, struct{}{}, map[string]any{"x\"y": "\u2028"}, raw(` { "a" : 1 } `)} {
		if _, err := issuer.Issue(claims(custom)); err != nil {
			t.Errorf("%T %v: %v", custom, custom, err)
		}
	}
}

// raw marshals to itself.
type raw string

func (r raw) MarshalJSON() ([]byte, error) { return []byte(r), nil }

func deepMap(n int) any {
	var v any = 1
	for range n {
		v = map[string]any{"a": v}
	}
	return v
}

func TestCLM10Principals(t *testing.T) {
	t.Parallel()
	// One subject of two issuers, and a client named like a subject: the facts
	// that would revoke them differ, and each issuer's token opens its own
	// verifier only.
	one, two := newKey(t, jwk.HS256), newKey(t, jwk.HS256)
	first := newVerifier(t, one, func(p *jwt.Policy) { p.Now = at(start) })
	second := newVerifier(t, two, func(p *jwt.Policy) { p.Now, p.Issuer = at(start), "https://other.example.com" })
	a := sign(t, one, goodClaims().with("client_id", "acc_anna"))
	b := sign(t, two, goodClaims().with("iss", "https://other.example.com"))
	check(t, first, b, jwt.ErrUnknownKey)
	check(t, second, a, jwt.ErrUnknownKey)
	ta, _ := first.Verify(context.Background(), a)
	tb, _ := second.Verify(context.Background(), b)
	fa, _ := ta.Fact(jwt.SubjectFact)
	fb, _ := tb.Fact(jwt.SubjectFact)
	if fa == fb || ta.Issuer() == tb.Issuer() {
		t.Error("two principals are one")
	}
	if jwt.NewFact(jwt.SessionFact, issuerName, "acc_anna") == fa || jwt.NewFact(jwt.SubjectFact, issuerName+"a", "cc_anna") == fa {
		t.Error("two facts are one")
	}
	if got := fmt.Sprintf("%x", jwt.NewFact(jwt.SessionFact, "https://auth.example.com", "s1")); got != factOfS1 {
		t.Errorf("fact %s", got)
	}
}

// factOfS1 is what any other implementation must come to as well: the first 16
// bytes of SHA-256(00000001 01 00000018 "https://auth.example.com" 00000002 "s1").
const factOfS1 = "038b807ad9c8f10541966f5a30598bab"

func TestJWS20TokenTypes(t *testing.T) {
	t.Parallel()
	key := newKey(t, jwk.HS256)
	types := []string{"at+jwt", "JWT", "logout+jwt", "dpop+jwt", "statuslist+jwt", "dc+sd-jwt"}
	payload := `{"iss":"` + issuerName + `","aud":"` + audience + `","exp":4102444800}`
	for _, expected := range types {
		v := newVerifier(t, key, func(p *jwt.Policy) { p.Type = expected })
		for _, got := range types {
			compact, err := jws.Sign(key, got, []byte(payload))
			if err != nil {
				t.Fatal(err)
			}
			var want error
			if got != expected {
				want = jwt.ErrType
			}
			t.Run(got+" as "+expected, func(t *testing.T) { check(t, v, compact, want) })
		}
	}
	v := newVerifier(t, key)
	for typ, want := range map[string]error{
		"":                               jwt.ErrType,
		"AT+JWT":                         nil,
		"application/at+jwt":             nil,
		"Application/At+Jwt":             nil,
		"application/application/at+jwt": jwt.ErrType,
		"text/at+jwt":                    jwt.ErrType,
		"at+jwt ":                        jwt.ErrType,
		"at+jwt/x":                       jwt.ErrType,
	} {
		compact, err := jws.Sign(key, typ, []byte(payload))
		if err != nil {
			t.Fatal(err)
		}
		t.Run(typ, func(t *testing.T) { check(t, v, compact, want) })
	}
}

package jwt_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jws"
	"github.com/jotsmith/jotsmith/jwt"
)

func encode(b string) string { return base64.RawURLEncoding.EncodeToString([]byte(b)) }

func TestToken(t *testing.T) {
	t.Parallel()
	key := newKey(t, jwk.ES256)
	issuer, err := jwt.NewIssuer(jwt.IssuerConfig{Issuer: issuerName, Key: key, Now: at(start.Add(900 * time.Millisecond))})
	if err != nil {
		t.Fatal(err)
	}
	compact, err := issuer.Issue(jwt.Claims{
		Subject: "acc_anna", Audience: []string{audience, "b", "c"}, Life: time.Minute, ID: "t1", SessionID: "s1", ClientID: "app_x",
		Scope: []string{"tasks:read", "tasks:write"}, Roles: []string{"a", "b", "c", "d", "e", "admin"},
		Custom: map[string]any{"tenant": "t7", "TENANT": "t8"},
	})
	if err != nil {
		t.Fatal(err)
	}
	v := newVerifier(t, key, func(p *jwt.Policy) { p.Now = at(start.Add(time.Second)) })
	token, err := v.Verify(context.Background(), compact)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, got, want any }{
		{"issuer", token.Issuer(), issuerName},
		{"subject", token.Subject(), "acc_anna"},
		{"id", token.ID(), "t1"},
		{"session", token.SessionID(), "s1"},
		{"client", token.ClientID(), "app_x"},
		{"audiences", fmt.Sprint(slices.Collect(token.Audiences())), "[" + audience + " b c]"},
		{"scopes", fmt.Sprint(slices.Collect(token.Scopes())), "[tasks:read tasks:write]"},
		{"roles", fmt.Sprint(slices.Collect(token.Roles())), "[a b c d e admin]"},
		{"role", token.HasRole("admin"), true},
		{"no such role", token.HasRole("adm"), false},
		{"scope", token.HasScope("tasks:write"), true},
		{"part of a scope", token.HasScope("tasks"), false},
		{"no scope", token.HasScope(""), false},
		{"two scopes", token.HasScope("tasks:read tasks:write"), false},
		{"audience", token.HasAudience("b"), true},
		{"no such audience", token.HasAudience("d"), false},
		{"issued", token.IssuedAt().Unix(), start.Unix()},
		{"not before", token.NotBefore().Unix(), start.Unix()},
		{"expires", token.ExpiresAt().Unix(), start.Unix() + 60},
		{"key id", token.KeyID(), key.KeyID()},
		{"algorithm", token.Algorithm(), jwk.ES256},
		{"type", token.Type(), "at+jwt"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %v, want %v", c.name, c.got, c.want)
		}
	}
	for kind, value := range map[jwt.FactKind]string{jwt.SessionFact: "s1", jwt.TokenFact: "t1", jwt.KeyFact: key.KeyID(), jwt.SubjectFact: "acc_anna"} {
		if f, ok := token.Fact(kind); !ok || f != jwt.NewFact(kind, issuerName, value) {
			t.Errorf("fact %d: %x, %v", kind, f, ok)
		}
	}
	for _, kind := range []jwt.FactKind{0, 5, 255} {
		if _, ok := token.Fact(kind); ok {
			t.Errorf("fact %d exists", kind)
		}
	}
	type custom struct {
		Tenant string `json:"tenant"`
	}
	if c, err := jwt.Decode[custom](token); err != nil || c.Tenant != "t7" {
		t.Errorf("%+v, %v", c, err)
	}
	one, _ := jwt.Decode[map[string]any](token)
	one["sub"] = "mallory"
	two, _ := jwt.Decode[map[string]any](token)
	if two["sub"] != "acc_anna" || token.Subject() != "acc_anna" {
		t.Error("a caller changed what another one sees")
	}
	if _, err := jwt.Decode[struct {
		Tenant int `json:"tenant"`
	}](token); err == nil {
		t.Error("text decoded into a number")
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "%v %+v %#v %s %q %x", token, token, *token, token, *token, token)
	slog.New(slog.NewJSONHandler(&out, nil)).Info("t", "token", token, "copy", *token)
	for _, secret := range []string{"acc_anna", "tenant", compact, compact[len(compact)-20:]} {
		if strings.Contains(out.String(), secret) {
			t.Errorf("%q was printed: %s", secret, out.String())
		}
	}
}

func TestPolicy(t *testing.T) {
	t.Parallel()
	good := func() jwt.Policy {
		return jwt.Policy{Issuer: issuerName, Audiences: []string{audience}, Keys: newSet(t), Revocations: nothingRevoked{}}
	}
	for _, c := range []struct {
		name   string
		change func(*jwt.Policy)
		faults int
	}{
		{"good", func(*jwt.Policy) {}, 0},
		{"no issuer", func(p *jwt.Policy) { p.Issuer = "" }, 1},
		{"no audience", func(p *jwt.Policy) { p.Audiences = nil }, 1},
		{"empty audience", func(p *jwt.Policy) { p.Audiences = []string{audience, ""} }, 1},
		{"no keys", func(p *jwt.Policy) { p.Keys = nil }, 1},
		{"nil pointer for keys", func(p *jwt.Policy) { p.Keys = (*jwk.Set)(nil) }, 1},
		{"nil pointer for revocations", func(p *jwt.Policy) { p.Revocations = (*revoked)(nil) }, 1},
		{"nil pointer for single use", func(p *jwt.Policy) { p.SingleUse = (*jwt.ReplayCache)(nil) }, 1},
		{"no revocations", func(p *jwt.Policy) { p.Revocations = nil }, 1},
		{"revocations ignored", func(p *jwt.Policy) { p.Revocations, p.DangerouslyIgnoreRevocation = nil, true }, 0},
		{"revocations given and ignored", func(p *jwt.Policy) { p.DangerouslyIgnoreRevocation = true }, 1},
		{"audience given and ignored", func(p *jwt.Policy) { p.DangerouslyAcceptAnyAudience = true }, 1},
		{"leeway 10 min", func(p *jwt.Policy) { p.Leeway = 10 * time.Minute }, 0},
		{"leeway over 10 min", func(p *jwt.Policy) { p.Leeway = 10*time.Minute + 1 }, 1},
		{"size negative", func(p *jwt.Policy) { p.MaxSize = -1 }, 1},
		{"size over 64 MiB", func(p *jwt.Policy) { p.MaxSize = 64<<20 + 1 }, 1},
		{"algorithm that does not exist", func(p *jwt.Policy) { p.Algorithms = []jwk.Algorithm{jwk.ES256, "none"} }, 1},
		{"required claim without a name", func(p *jwt.Policy) { p.RequiredClaims = []string{"sub", ""} }, 1},
		{"age negative", func(p *jwt.Policy) { p.MaxAge = -time.Second }, 1},
		{"age under a second", func(p *jwt.Policy) { p.MaxAge = time.Millisecond }, 1},
		{"age with a fraction", func(p *jwt.Policy) { p.MaxAge = 1500 * time.Millisecond }, 1},
		{"age given and ignored", func(p *jwt.Policy) { p.MaxAge, p.DangerouslyIgnoreExpiry = time.Second, true }, 1},
		{"single use of what does not expire", func(p *jwt.Policy) { p.SingleUse, p.DangerouslyIgnoreExpiry = new(jwt.ReplayCache), true }, 1},
		{"nothing", func(p *jwt.Policy) { *p = jwt.Policy{} }, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := good()
			c.change(&p)
			v, err := jwt.NewVerifier(p)
			if (v == nil) != (err != nil) {
				t.Fatalf("%v, %v", v, err)
			}
			n := 0
			if err != nil {
				n = 1 + strings.Count(err.Error(), "\n")
			}
			if n != c.faults {
				t.Errorf("%d faults, want %d: %v", n, c.faults, err)
			}
		})
	}
	// What the caller does with its slice later changes nothing.
	key := newKey(t, jwk.HS256)
	audiences := []string{audience}
	v := newVerifier(t, key, func(p *jwt.Policy) { p.Audiences, p.Now = audiences, at(start) })
	audiences[0] = "x"
	check(t, v, sign(t, key, goodClaims()), nil)
}

// JWS-18: of several faults only the earliest check's is told.
func TestJWS18Order(t *testing.T) {
	t.Parallel()
	key, other := newKey(t, jwk.HS256), newKey(t, jwk.HS256)
	revocations := &revoked{err: jwt.ErrRevoked}
	v := newVerifier(t, key, withRevocations(revocations), singleUse(newReplayCache(t, 1)))
	bad := object{"iss": "x", "jti": "t0", "aud": "x", "nbf": start.Unix() + 3600, "exp": start.Unix() - 3600}
	// Each step mends one fault, the earliest.
	check(t, v, "x", jwt.ErrMalformed)
	check(t, v, encode(`{"alg":"none"}`)+"."+encode(`{}`)+".", jwt.ErrAlgorithm)
	unknown, _ := jws.Sign(other, "JWT", mustJSON(bad))
	check(t, v, unknown, jwt.ErrUnknownKey)
	header := encode(`{"alg":"HS256","typ":"JWT","kid":"` + key.KeyID() + `"}`)
	check(t, v, header+"."+encode(string(mustJSON(bad)))+"."+encode("no signature at all"), jwt.ErrSignature)
	check(t, v, header+"."+encode("not JSON")+"."+encode("no signature at all"), jwt.ErrSignature)
	typ, _ := jws.Sign(key, "JWT", []byte("not JSON"))
	check(t, v, typ, jwt.ErrType)
	check(t, v, sign(t, key, bad.with("exp", leave)), jwt.ErrMalformed)
	check(t, v, sign(t, key, bad), jwt.ErrIssuer)
	bad = bad.with("iss", issuerName)
	check(t, v, sign(t, key, bad), jwt.ErrAudience)
	bad = bad.with("aud", audience)
	check(t, v, sign(t, key, bad), jwt.ErrNotYetValid)
	bad = bad.with("nbf", start.Unix()).with("iat", start.Unix()+3600)
	check(t, v, sign(t, key, bad), jwt.ErrNotYetValid)
	bad = bad.with("iat", start.Unix())
	check(t, v, sign(t, key, bad), jwt.ErrExpired)
	if revocations.asked != 0 {
		t.Error("revocations were asked about a token that is refused anyway")
	}
	bad = bad.with("exp", start.Unix()+7200).with("jti", "t1")
	check(t, v, sign(t, key, bad), jwt.ErrRevoked)
	revocations.err = nil
	check(t, v, sign(t, key, bad), nil)
	check(t, v, sign(t, key, bad), jwt.ErrReplayed)
}

func mustJSON(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text
}

func TestErrorsTellNumbers(t *testing.T) {
	t.Parallel()
	key := newKey(t, jwk.HS256)
	v := newVerifier(t, key, func(p *jwt.Policy) { p.Now = at(start) })
	for _, c := range []struct {
		claims any
		want   string
	}{
		{goodClaims().with("exp", start.Unix()-33), "token expired: 33s ago, leeway 30s"},
		{goodClaims().with("nbf", start.Unix()+61), `token not yet valid: "nbf" is 1m1s ahead, leeway 30s`},
		{goodClaims().with("iss", "https://secret.example"), `wrong issuer: "iss" is not "https://auth.example.com"`},
		{goodClaims().with("aud", []string{"https://secret.example", "b"}), "wrong audience: none of its 2 audiences is this API's"},
		{goodClaims().with("aud", 7), `malformed token: claims: "aud" has a value of the wrong kind or size`},
	} {
		_, err := v.Verify(context.Background(), sign(t, key, c.claims))
		if err == nil || err.Error() != c.want {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}

func TestJWS01AlgNone(t *testing.T) {
	t.Parallel()
	payload := encode(string(mustJSON(goodClaims())))
	for _, alg := range algorithms {
		key := newKey(t, alg)
		v := newVerifier(t, key, func(p *jwt.Policy) { p.Now = at(start) })
		good := sign(t, key, goodClaims())
		signature := good[strings.LastIndexByte(good, '.')+1:]
		for _, header := range []string{
			`{"alg":"none","typ":"at+jwt"%s}`, `{"alg":"None","typ":"at+jwt"%s}`, `{"alg":"NONE","typ":"at+jwt"%s}`, `{"alg":"nOnE","typ":"at+jwt"%s}`,
			`{"alg":"","typ":"at+jwt"%s}`, `{"alg":null,"typ":"at+jwt"%s}`, `{"typ":"at+jwt"%s}`, `{"alg":false,"typ":"at+jwt"%s}`, `{"alg":" none","typ":"at+jwt"%s}`,
		} {
			for _, kid := range []string{"", `,"kid":"` + key.KeyID() + `"`} {
				input := encode(fmt.Sprintf(header, kid)) + "." + payload
				for _, compact := range []string{input + ".", input + "." + signature, input, input + ".."} {
					token, err := v.Verify(context.Background(), compact)
					if token != nil || !errors.Is(err, jwt.ErrAlgorithm) && !errors.Is(err, jwt.ErrMalformed) {
						t.Errorf("%s %s: %v", alg, header, err)
					}
				}
			}
		}
	}
}

func TestJWS02PublicKeyAsSecret(t *testing.T) {
	t.Parallel()
	for _, alg := range []jwk.Algorithm{jwk.RS256, jwk.ES256, jwk.EdDSA} {
		key := newKey(t, alg).(*jwk.PrivateKey)
		public := key.Public()
		v := newVerifier(t, key, func(p *jwt.Policy) { p.Now = at(start) })
		text, _ := json.Marshal(public)
		block, _ := public.PEM()
		der, _ := pem.Decode(block)
		parsed, err := x509.ParsePKIXPublicKey(der.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		var members map[string]string
		json.Unmarshal(text, &members)
		join := func(names ...string) (out []byte) {
			for _, n := range names {
				b, _ := base64.RawURLEncoding.DecodeString(members[n])
				out = append(out, b...)
			}
			return out
		}
		set, _ := json.Marshal(newSet(t, public))
		secrets := map[string][]byte{
			"PEM": block, "PEM, CRLF": bytes.ReplaceAll(block, []byte("\n"), []byte("\r\n")), "PEM, space before": append([]byte(" "), block...),
			"PEM, no final newline": bytes.TrimSpace(block), "DER": der.Bytes, "JWK": text, "JWKS": set,
			"n": join("n"), "x": join("x"), "x and y": join("x", "y"), "point": append([]byte{4}, join("x", "y")...),
			"thumbprint": []byte(public.Thumbprint()), "nothing": {}, "encoded": []byte(members["x"] + members["n"]),
		}
		if k, ok := parsed.(*rsa.PublicKey); ok {
			pkcs1 := x509.MarshalPKCS1PublicKey(k)
			secrets["PKCS #1 DER"] = pkcs1
			secrets["PKCS #1 PEM"] = pem.EncodeToMemory(&pem.Block{Type: "RSA PUBLIC KEY", Bytes: pkcs1})
		}
		for name, secret := range secrets {
			for _, kid := range []string{"", `,"kid":"` + public.KeyID() + `"`} {
				input := encode(`{"alg":"HS256","typ":"at+jwt"`+kid+`}`) + "." + encode(string(mustJSON(goodClaims())))
				mac := hmac.New(sha256.New, secret)
				mac.Write([]byte(input))
				t.Run(fmt.Sprintf("%s by %s", alg, name), func(t *testing.T) {
					check(t, v, input+"."+encode(string(mac.Sum(nil))), jwt.ErrAlgorithm)
				})
			}
		}
	}
}

func TestJWS03GuessedSecrets(t *testing.T) {
	t.Parallel()
	key := newKey(t, jwk.HS256)
	v := newVerifier(t, key, func(p *jwt.Policy) { p.Now = at(start) })
	for _, secret := range []string{"", strings.Repeat("\x00", 32), "secret", "password", "changeme", "your-256-bit-secret", "a-string-secret-at-least-256-bits-long", key.KeyID()} {
		input := encode(`{"alg":"HS256","typ":"at+jwt","kid":"`+key.KeyID()+`"}`) + "." + encode(string(mustJSON(goodClaims())))
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(input))
		check(t, v, input+"."+encode(string(mac.Sum(nil))), jwt.ErrSignature)
	}
}

func TestJWS04OnlyTheKeysAlgorithm(t *testing.T) {
	t.Parallel()
	for _, alg := range algorithms {
		key := newKey(t, alg)
		v := newVerifier(t, key, func(p *jwt.Policy) { p.Now = at(start) })
		for _, claimed := range []string{"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "ES256K", "EdDSA", "Ed25519", "dir", "A128KW", "RSA-OAEP"} {
			if claimed == string(alg) {
				continue
			}
			input := encode(`{"alg":"`+claimed+`","typ":"at+jwt","kid":"`+key.KeyID()+`"}`) + "." + encode(string(mustJSON(goodClaims())))
			signature, err := key.AppendSignature(nil, []byte(input))
			if err != nil {
				t.Fatal(err)
			}
			check(t, v, input+"."+encode(string(signature)), jwt.ErrAlgorithm)
		}
	}
}

func TestJWS16Mangled(t *testing.T) {
	t.Parallel()
	for _, alg := range algorithms {
		t.Run(string(alg), func(t *testing.T) {
			t.Parallel()
			key := newKey(t, alg)
			v := newVerifier(t, key, func(p *jwt.Policy) { p.Now = at(start) })
			a, b := sign(t, key, goodClaims()), sign(t, key, goodClaims().with("sub", "acc_admin"))
			check(t, v, a, nil)
			check(t, v, b, nil)
			pa, pb := strings.Split(a, "."), strings.Split(b, ".")
			check(t, v, pa[0]+"."+pb[1]+"."+pa[2], jwt.ErrSignature)
			refused := func(what, compact string) {
				if token, err := v.Verify(context.Background(), compact); token != nil || err == nil {
					t.Errorf("%s: accepted", what)
				}
			}
			for i := range len(a) {
				refused(fmt.Sprintf("cut to %d bytes", i), a[:i])
				refused(fmt.Sprintf("without its first %d bytes", i+1), a[i+1:])
				changes := []byte{a[i] ^ 1, a[i] ^ 0x20, a[i] + 1, '.', 'A', '-', '=', 0}
				if alg == jwk.ES384 || alg == jwk.ES512 {
					changes = changes[:1] // these take a millisecond each
				}
				for _, c := range changes {
					if c != a[i] {
						refused(fmt.Sprintf("byte %d is %q", i, c), a[:i]+string(rune(c))+a[i+1:])
					}
				}
				refused(fmt.Sprintf("byte %d twice", i), a[:i+1]+a[i:])
			}
			signature, _ := base64.RawURLEncoding.DecodeString(pa[2])
			step := 1
			if alg == jwk.ES384 || alg == jwk.ES512 {
				step = 7 // each byte, and each place in one
			}
			for bit := 0; bit < 8*len(signature); bit += step {
				changed := bytes.Clone(signature)
				changed[bit/8] ^= 1 << (bit % 8)
				check(t, v, pa[0]+"."+pa[1]+"."+encode(string(changed)), jwt.ErrSignature)
			}
			check(t, v, a, nil)
		})
	}
}

// JWS-12: one token has one spelling.
func TestJWS12Reencoded(t *testing.T) {
	t.Parallel()
	for _, alg := range algorithms {
		t.Run(string(alg), func(t *testing.T) {
			t.Parallel()
			key := newKey(t, alg)
			v := newVerifier(t, key, func(p *jwt.Policy) { p.Now = at(start) })
			compact := sign(t, key, goodClaims())
			check(t, v, compact, nil)
			parts := strings.Split(compact, ".")
			for i, part := range parts {
				raw, err := base64.RawURLEncoding.DecodeString(part)
				if err != nil {
					t.Fatal(err)
				}
				hidden := []byte(part) // the unused bits of the last character, where there are some
				if n := len(part) % 4; n != 0 {
					const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
					hidden[len(part)-1] = alphabet[strings.IndexByte(alphabet, part[len(part)-1])^1]
				}
				spellings := []string{
					string(hidden), base64.URLEncoding.EncodeToString(raw), base64.StdEncoding.EncodeToString(raw), base64.RawStdEncoding.EncodeToString(raw),
					part + "=", part + "==", part + "\n", "\r\n" + part, part[:4] + "\n" + part[4:], part + " ", "\t" + part, part + "A", part + "AAAA",
					strings.ReplaceAll(part, "e", "%65"), part + "?", part + "#", part + "\x00",
				}
				for _, spelling := range spellings {
					if spelling == part {
						continue
					}
					changed := slices.Clone(parts)
					changed[i] = spelling
					if token, err := v.Verify(context.Background(), strings.Join(changed, ".")); token != nil || err == nil {
						t.Errorf("part %d as %.40q: accepted", i, spelling)
					}
				}
			}
			// The same claims in another spelling are not what was signed.
			claims, _ := base64.RawURLEncoding.DecodeString(parts[1])
			for _, spelling := range []string{
				" " + string(claims), string(claims) + "\n", strings.Replace(string(claims), `"sub"`, `"\u0073ub"`, 1), strings.Replace(string(claims), ":", " :", 1),
			} {
				check(t, v, parts[0]+"."+encode(spelling)+"."+parts[2], jwt.ErrSignature)
			}
		})
	}
}

func TestMegabyteTokenIsRefusedUnread(t *testing.T) {
	key := newKey(t, jwk.HS256)
	v := newVerifier(t, key)
	good := sign(t, key, goodClaims())
	for _, large := range []string{strings.Repeat("A", 1<<20), good + strings.Repeat("A", 1<<20), strings.Repeat(".", 1<<20)} {
		n := testing.AllocsPerRun(5, func() { check(t, v, large, jwt.ErrMalformed) })
		if n > 40 {
			t.Errorf("%v allocations", n)
		}
		_, err := v.Verify(context.Background(), large)
		if !strings.Contains(err.Error(), "at most 16384") {
			t.Errorf("refused for another reason: %v", err)
		}
	}
}

func TestKeysWithoutKeyID(t *testing.T) {
	t.Parallel()
	key := newKey(t, jwk.ES256).(*jwk.PrivateKey)
	input := encode(`{"alg":"ES256","typ":"at+jwt"}`) + "." + encode(string(mustJSON(goodClaims())))
	signature, _ := key.AppendSignature(nil, []byte(input))
	compact := input + "." + encode(string(signature))
	check(t, newVerifier(t, key, func(p *jwt.Policy) { p.Now = at(start) }), compact, nil)
	other := newKey(t, jwk.ES256).(*jwk.PrivateKey)
	check(t, newVerifier(t, key, func(p *jwt.Policy) {
		p.Now, p.Keys = at(start), newSet(t, key.Public(), other.Public())
	}), compact, jwt.ErrUnknownKey)
}

func TestDecode(t *testing.T) {
	t.Parallel()
	key := newKey(t, jwk.HS256)
	v := newVerifier(t, key, func(p *jwt.Policy) { p.Now = at(start) })
	type address struct {
		Street string `json:"street"`
	}
	type custom struct {
		Tenant  string            `json:"tenant"`
		Seats   int64             `json:"seats"`
		Since   time.Time         `json:"since"`
		Tags    []string          `json:"tags"`
		Address *address          `json:"address"`
		Labels  map[string]string `json:"labels"`
		Raw     json.RawMessage   `json:"raw"`
		Scope   string            `json:"scope"` // registered claims decode as any other
	}
	for _, c := range []struct {
		name, claim, value string
		refused            bool
		good               func(custom) bool
	}{
		{"text", "tenant", `"t\u00e9"`, false, func(c custom) bool { return c.Tenant == "té" }},
		{"integer beyond 2^53", "seats", `9007199254740993`, false, func(c custom) bool { return c.Seats == 9007199254740993 }},
		{"integer out of range", "seats", `9223372036854775808`, true, nil},
		{"fraction for an integer", "seats", `1.5`, true, nil},
		{"time", "since", `"2026-03-01T12:00:00Z"`, false, func(c custom) bool { return c.Since.Equal(start) }},
		{"no time", "since", `"yesterday"`, true, nil},
		{"list", "tags", `["a","b"]`, false, func(c custom) bool { return len(c.Tags) == 2 }},
		{"text for a list", "tags", `"solo"`, true, nil},
		{"object", "address", `{"street":"s","STREET":"x","other":1}`, false, func(c custom) bool { return c.Address.Street == "s" }},
		{"null", "address", `null`, false, func(c custom) bool { return c.Address == nil }},
		{"map", "labels", `{"a":"b","A":"c"}`, false, func(c custom) bool { return c.Labels["a"] == "b" && c.Labels["A"] == "c" }},
		{"raw", "raw", `{"a":[1, 2]}`, false, func(c custom) bool { return string(c.Raw) == `{"a":[1, 2]}` }},
		{"registered", "scope", `"a b"`, false, func(c custom) bool { return c.Scope == "a b" }},
		{"another case of a name", "TENANT", `"x"`, false, func(c custom) bool { return c.Tenant == "" }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			payload := `{"iss":"` + issuerName + `","aud":"` + audience + `","exp":4102444800,"` + c.claim + `":` + c.value + `}`
			token, err := v.Verify(context.Background(), sign(t, key, payload))
			if err != nil {
				t.Fatal(err)
			}
			got, err := jwt.Decode[custom](token)
			if c.refused {
				if err == nil || !reflect.DeepEqual(got, custom{}) {
					t.Errorf("%+v, %v: a fault leaves nothing behind", got, err)
				} else if value := strings.Trim(c.value, `"[]`); strings.Contains(err.Error(), value) || errors.Unwrap(err) == nil {
					t.Errorf("the error tells the value: %v", err)
				}
				return
			}
			if err != nil || !c.good(got) {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

// brokenKeys cannot answer.
type brokenKeys struct{ err error }

func (k brokenKeys) Key(context.Context, string) (jwk.Verifier, error) { return nil, k.err }
func (brokenKeys) Trusts(jwk.Verifier) bool                            { return true }

func TestSourcesThatFail(t *testing.T) {
	t.Parallel()
	key := newKey(t, jwk.HS256)
	compact := sign(t, key, goodClaims())
	for want, err := range map[error]error{
		jwt.ErrKeysUnavailable: errors.New("connection refused"),
		jwt.ErrUnknownKey:      fmt.Errorf("%w: negative cache", jwt.ErrUnknownKey),
	} {
		check(t, newVerifier(t, key, func(p *jwt.Policy) { p.Keys = brokenKeys{err} }), compact, want)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	v := newVerifier(t, key, func(p *jwt.Policy) { p.Keys = brokenKeys{ctx.Err()} })
	if _, err := v.Verify(ctx, compact); !errors.Is(err, context.Canceled) || errors.Is(err, jwt.ErrKeysUnavailable) {
		t.Errorf("cancelled: %v", err)
	}
	for want, err := range map[error]error{
		jwt.ErrRevoked:               fmt.Errorf("%w: session", jwt.ErrRevoked),
		jwt.ErrRevocationUnavailable: errors.New("anything else"),
	} {
		v := newVerifier(t, key, withRevocations(&revoked{err: err}), func(p *jwt.Policy) { p.Now = at(start) })
		check(t, v, compact, want)
		check(t, v, compact, want)
	}
}

// Whatever the claims of a genuine token are, verifying ends in one reason or in
// a token that says what encoding/json says. A verifier of several issuers takes
// what the verifier of one of them takes, and nothing else.
func FuzzClaims(f *testing.F) {
	key := newKey(f, jwk.HS256)
	v := newVerifier(f, key, func(p *jwt.Policy) { p.Now = at(start) })
	alone, several := newPair(f, key)
	f.Add(string(mustJSON(goodClaims())))
	f.Add(`{"iss":"` + issuerName + `","aud":["` + audience + `"],"exp":4e9,"roles":["\u0061"],"scope":"a  b"}`)
	reasons := []error{jwt.ErrMalformed, jwt.ErrIssuer, jwt.ErrAudience, jwt.ErrNotYetValid, jwt.ErrExpired}
	f.Fuzz(func(t *testing.T, payload string) {
		if len(payload) > 4096 {
			return
		}
		compact, err := jws.Sign(key, "at+jwt", []byte(payload))
		if err != nil {
			t.Fatal(err)
		}
		agree(t, compact, several, v, alone)
		token, err := v.Verify(context.Background(), compact)
		if err != nil {
			n := 0
			for _, r := range reasons {
				if errors.Is(err, r) {
					n++
				}
			}
			if n != 1 || token != nil {
				t.Fatalf("%q: %v", payload, err)
			}
			return
		}
		var want map[string]any
		if err := json.Unmarshal([]byte(payload), &want); err != nil {
			t.Fatalf("%q accepted: %v", payload, err)
		}
		text := func(name string) string { s, _ := want[name].(string); return s }
		if token.Issuer() != issuerName || token.Subject() != text("sub") || token.ID() != text("jti") || token.SessionID() != text("sid") {
			t.Fatalf("%q: %s %s %s", payload, token.Issuer(), token.Subject(), token.ID())
		}
		if exp := want["exp"].(float64); token.ExpiresAt().Unix() != int64(exp) {
			t.Fatalf("%q: expires %v", payload, token.ExpiresAt())
		}
		n := 0
		for r := range token.Roles() {
			if r != want["roles"].([]any)[n] {
				t.Fatalf("%q: role %q", payload, r)
			}
			n++
		}
		if same, err := jwt.Decode[map[string]any](token); err != nil || len(same) != len(want) {
			t.Fatalf("%q decoded: %v, %v", payload, same, err)
		}
	})
}

// newPair makes a verifier of another issuer, which has the same key, and one of
// both issuers.
func newPair(f *testing.F, key jwk.Signer) (alone, several *jwt.Verifier) {
	first, second := policyOf(f, issuerName, key), policyOf(f, "https://other.example.com", key)
	alone, err := jwt.NewVerifier(second)
	if err != nil {
		f.Fatal(err)
	}
	several, err = jwt.NewVerifier(first, second)
	if err != nil {
		f.Fatal(err)
	}
	return alone, several
}

// agree fails unless several takes what one of the others takes.
func agree(t *testing.T, compact string, several *jwt.Verifier, others ...*jwt.Verifier) {
	want := false
	for _, v := range others {
		_, err := v.Verify(context.Background(), compact)
		want = want || err == nil
	}
	if _, err := several.Verify(context.Background(), compact); (err == nil) != want {
		t.Fatalf("%q: accepted by one issuer's verifier %v, by that of both: %v", compact, want, err)
	}
}

func FuzzVerify(f *testing.F) {
	key := newKey(f, jwk.HS256)
	v := newVerifier(f, key, func(p *jwt.Policy) { p.Now = at(start) })
	alone, several := newPair(f, key)
	f.Add(sign(f, key, goodClaims()))
	f.Add(sign(f, key, goodClaims().with("iss", "https://other.example.com")))
	f.Add("eyJhbGciOiJub25lIn0.eyJzdWIiOiJtYWxsb3J5In0.")
	f.Fuzz(func(t *testing.T, compact string) {
		token, err := v.Verify(context.Background(), compact)
		if (token == nil) != (err != nil) {
			t.Fatalf("%v, %v", token, err)
		}
		agree(t, compact, several, v, alone)
		u, err := jwt.Inspect(compact)
		if (u == nil) != (err != nil) || token != nil && err != nil {
			t.Fatalf("inspected: %v, %v", u, err)
		}
	})
}

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	jose "github.com/go-jose/go-jose/v4"
	josejwt "github.com/go-jose/go-jose/v4/jwt"
	golangjwt "github.com/golang-jwt/jwt/v5"
	katarasjwt "github.com/kataras/jwt"
	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jws"
	jwxjwt "github.com/lestrrat-go/jwx/v3/jwt"

	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/revocation"
)

const (
	issuerName = "https://auth.example.com"
	audience   = "https://tasks.example.com"
	leeway     = 30 * time.Second
)

// A library signs and verifies the token that this program is about. Each
// verifier checks the signature, the issuer, the audience and the times, and
// decodes the claims into a struct, in the fastest way that its documentation
// calls correct.
type library struct {
	name     string
	verifier func(keys) (func(compact string) error, error)
	signer   func(keys) (func() (string, error), error)
}

const ours = "jotsmith"

var libraries = []library{
	{ours, ourVerifier, ourSigner},
	{"golang-jwt v5", golangVerifier, golangSigner},
	{"jwx v3", jwxVerifier, jwxSigner},
	{"jwx v3 tuned", jwxTunedVerifier, nil},
	{"go-jose v4", joseVerifier, joseSigner},
	{"kataras", katarasVerifier, katarasSigner},
}

// registered is what the others decode into and sign.
type registered struct {
	Issuer    string   `json:"iss"`
	Subject   string   `json:"sub"`
	Audience  string   `json:"aud"`
	Expires   int64    `json:"exp"`
	IssuedAt  int64    `json:"iat"`
	NotBefore int64    `json:"nbf"`
	ID        string   `json:"jti"`
	SessionID string   `json:"sid"`
	ClientID  string   `json:"client_id"`
	Scope     string   `json:"scope"`
	Roles     []string `json:"roles"`
	custom
}

type custom struct {
	Tenant string `json:"tenant"`
	Plan   string `json:"plan"`
}

// content is the content of a token of about 600 bytes.
var content = jwt.Claims{
	Subject: "acc_01jd3s9f0m7v8q2k4x6z", Audience: []string{audience}, Life: 15 * time.Minute,
	SessionID: "Zk3Wc0t6q8mQv2n5y7b9Aw", ClientID: "app_dashboard",
	Scope: []string{"tasks:read", "tasks:write", "profile"}, Roles: []string{"editor", "reviewer"},
	Custom: custom{"org_7f3a9c", "team"},
}

func theirContent() registered {
	now := time.Now().Unix()
	return registered{
		issuerName, content.Subject, audience, now + 900, now, now, "6e7Rr0m2QdW3xk5bq8c1Zg",
		content.SessionID, content.ClientID, "tasks:read tasks:write profile", content.Roles, content.Custom.(custom),
	}
}

// policyOf is the hardened policy, with an empty set of revocations that is
// asked about every token, and no cache.
func policyOf(k keys) jwt.Policy {
	return jwt.Policy{
		Issuer: issuerName, Audiences: []string{audience}, Keys: oneKey(k),
		Revocations: revocation.NewSet(0), CacheSize: -1,
	}
}

func ourVerifier(k keys) (func(string) error, error) {
	v, err := jwt.NewVerifier(policyOf(k))
	if err != nil {
		return nil, err
	}
	ctx := context.Background()
	return func(compact string) error {
		_, err := v.Verify(ctx, compact)
		return err
	}, nil
}

func ourSigner(k keys) (func() (string, error), error) {
	issuer, err := jwt.NewIssuer(jwt.IssuerConfig{Issuer: issuerName, Key: k.signer})
	if err != nil {
		return nil, err
	}
	claims := content
	return func() (string, error) { return issuer.Issue(claims) }, nil
}

type golangClaims struct {
	golangjwt.RegisteredClaims
	SessionID string   `json:"sid"`
	ClientID  string   `json:"client_id"`
	Scope     string   `json:"scope"`
	Roles     []string `json:"roles"`
	custom
}

func golangVerifier(k keys) (func(string) error, error) {
	parser := golangjwt.NewParser(golangjwt.WithValidMethods([]string{k.alg}), golangjwt.WithIssuer(issuerName),
		golangjwt.WithAudience(audience), golangjwt.WithExpirationRequired(), golangjwt.WithIssuedAt(), golangjwt.WithLeeway(leeway))
	find := func(t *golangjwt.Token) (any, error) {
		if t.Header["kid"] != keyID || t.Header["typ"] != "at+jwt" {
			return nil, errors.New("another key or type")
		}
		return k.public, nil
	}
	return func(compact string) error {
		var claims golangClaims
		_, err := parser.ParseWithClaims(compact, &claims, find)
		return err
	}, nil
}

func golangSigner(k keys) (func() (string, error), error) {
	method := golangjwt.GetSigningMethod(k.alg)
	return func() (string, error) {
		c := theirContent()
		t := golangjwt.NewWithClaims(method, golangClaims{
			golangjwt.RegisteredClaims{Issuer: c.Issuer, Subject: c.Subject, Audience: golangjwt.ClaimStrings{c.Audience},
				ExpiresAt: golangjwt.NewNumericDate(time.Unix(c.Expires, 0)), IssuedAt: golangjwt.NewNumericDate(time.Unix(c.IssuedAt, 0)),
				NotBefore: golangjwt.NewNumericDate(time.Unix(c.NotBefore, 0)), ID: c.ID},
			c.SessionID, c.ClientID, c.Scope, c.Roles, c.custom,
		})
		t.Header["kid"], t.Header["typ"] = keyID, "at+jwt"
		return t.SignedString(k.private)
	}, nil
}

func jwxVerifier(k keys) (func(string) error, error) {
	alg, ok := jwa.LookupSignatureAlgorithm(k.alg)
	if !ok {
		return nil, fmt.Errorf("jwx has no %s", k.alg)
	}
	options := []jwxjwt.ParseOption{jwxjwt.WithKey(alg, k.public), jwxjwt.WithIssuer(issuerName), jwxjwt.WithAudience(audience),
		jwxjwt.WithRequiredClaim("exp"), jwxjwt.WithAcceptableSkew(leeway)}
	return func(compact string) error {
		t, err := jwxjwt.Parse([]byte(compact), options...)
		if err != nil {
			return err
		}
		var c registered
		c.Subject, _ = t.Subject()
		t.Get("sid", &c.SessionID)
		t.Get("client_id", &c.ClientID)
		t.Get("scope", &c.Scope)
		t.Get("tenant", &c.Tenant)
		t.Get("plan", &c.Plan)
		return nil
	}, nil
}

// jwxTunedVerifier leaves the parsing of claims to encoding/json, which is
// faster than jwx's own token type.
func jwxTunedVerifier(k keys) (func(string) error, error) {
	alg, ok := jwa.LookupSignatureAlgorithm(k.alg)
	if !ok {
		return nil, fmt.Errorf("jwx has no %s", k.alg)
	}
	return func(compact string) error {
		payload, err := jws.VerifyCompactFast(k.public, []byte(compact), alg)
		if err != nil {
			return err
		}
		return decodeAndCheck(payload)
	}, nil
}

func decodeAndCheck(payload []byte) error {
	var c registered
	if err := json.Unmarshal(payload, &c); err != nil {
		return err
	}
	now := time.Now().Unix()
	late, early := now-int64(leeway/time.Second), now+int64(leeway/time.Second)
	if c.Issuer != issuerName || c.Audience != audience || c.Expires <= late || c.NotBefore > early || c.IssuedAt > early {
		return errors.New("claims refused")
	}
	return nil
}

func jwxSigner(k keys) (func() (string, error), error) {
	alg, ok := jwa.LookupSignatureAlgorithm(k.alg)
	if !ok {
		return nil, fmt.Errorf("jwx has no %s", k.alg)
	}
	header := jws.NewHeaders()
	if err := errors.Join(header.Set("kid", keyID), header.Set("typ", "at+jwt")); err != nil {
		return nil, err
	}
	option := jws.WithKey(alg, k.private, jws.WithProtectedHeaders(header))
	return func() (string, error) {
		payload, err := json.Marshal(theirContent())
		if err != nil {
			return "", err
		}
		compact, err := jws.Sign(payload, option)
		return string(compact), err
	}, nil
}

func joseVerifier(k keys) (func(string) error, error) {
	algs := []jose.SignatureAlgorithm{jose.SignatureAlgorithm(k.alg)}
	return func(compact string) error {
		t, err := josejwt.ParseSigned(compact, algs)
		if err != nil {
			return err
		}
		var claims josejwt.Claims
		var rest struct {
			SessionID string   `json:"sid"`
			ClientID  string   `json:"client_id"`
			Scope     string   `json:"scope"`
			Roles     []string `json:"roles"`
			custom
		}
		if err := t.Claims(k.public, &claims, &rest); err != nil {
			return err
		}
		if claims.Expiry == nil {
			return errors.New("no exp")
		}
		return claims.ValidateWithLeeway(josejwt.Expected{Issuer: issuerName, AnyAudience: josejwt.Audience{audience}, Time: time.Now()}, leeway)
	}, nil
}

func joseSigner(k keys) (func() (string, error), error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(k.alg), Key: k.private},
		(&jose.SignerOptions{}).WithType("at+jwt").WithHeader("kid", keyID))
	if err != nil {
		return nil, err
	}
	return func() (string, error) { return josejwt.Signed(signer).Claims(theirContent()).Serialize() }, nil
}

func katarasAlg(k keys) (katarasjwt.Alg, error) {
	all := []katarasjwt.Alg{katarasjwt.HS256, katarasjwt.HS384, katarasjwt.HS512, katarasjwt.RS256, katarasjwt.RS384, katarasjwt.RS512,
		katarasjwt.PS256, katarasjwt.PS384, katarasjwt.PS512, katarasjwt.ES256, katarasjwt.ES384, katarasjwt.ES512, katarasjwt.EdDSA}
	i := slices.IndexFunc(all, func(a katarasjwt.Alg) bool { return a.Name() == k.alg })
	if i < 0 {
		return nil, fmt.Errorf("kataras/jwt has no %s", k.alg)
	}
	return all[i], nil
}

func katarasVerifier(k keys) (func(string) error, error) {
	alg, err := katarasAlg(k)
	if err != nil {
		return nil, err
	}
	expected := katarasjwt.Expected{Issuer: issuerName, Audience: katarasjwt.Audience{audience}}
	// Its default compares the header's text with the one that it would write.
	header := func(name string, text []byte) (katarasjwt.Alg, katarasjwt.PublicKey, katarasjwt.InjectFunc, error) {
		var h struct{ Alg, Kid, Typ string }
		if err := json.Unmarshal(text, &h); err != nil {
			return nil, nil, nil, err
		}
		if h.Alg != name || h.Kid != keyID || h.Typ != "at+jwt" {
			return nil, nil, nil, errors.New("another key, type or algorithm")
		}
		return nil, nil, nil, nil
	}
	return func(compact string) error {
		t, err := katarasjwt.VerifyWithHeaderValidator(alg, k.public, []byte(compact), header, expected)
		if err != nil {
			return err
		}
		var c registered
		return t.Claims(&c)
	}, nil
}

func katarasSigner(k keys) (func() (string, error), error) {
	alg, err := katarasAlg(k)
	if err != nil {
		return nil, err
	}
	header := struct {
		Alg string `json:"alg"`
		Kid string `json:"kid"`
		Typ string `json:"typ"`
	}{k.alg, keyID, "at+jwt"}
	return func() (string, error) {
		compact, err := katarasjwt.SignWithHeader(alg, k.private, theirContent(), header)
		return string(compact), err
	}, nil
}

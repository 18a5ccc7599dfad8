package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/wire"
)

// mintFlags make a token with a key at hand, without any server.
type mintFlags struct {
	Key      string     `required:"" xor:"signer" placeholder:"PATH" help:"Sign with this key instead, without any server: a private JWK or PEM file."`
	Alg      string     `default:"" enum:",${algorithms}" placeholder:"ALG" help:"With --key: the key's algorithm, where the key does not say it."`
	Issuer   string     `placeholder:"URL" help:"With --key: who issues the token. Required then."`
	Subject  string     `placeholder:"ID" help:"With --key: whom it is about. Required then."`
	ClientID string     `name:"client-id" placeholder:"ID" help:"With --key: the app that it is made for."`
	Role     []string   `placeholder:"ROLE" help:"With --key: a role of the subject; repeat it or separate by commas."`
	Life     span       `default:"15m" placeholder:"TIME" help:"With --key: how long it is valid, at most 24h (${default})."`
	Claims   claimsText `placeholder:"CLAIMS" help:"With --key: custom claims, a JSON object or @FILE; @- is standard input."`
}

// only says what is there that makes sense with --key alone.
func (f mintFlags) only() error {
	life := span(15 * time.Minute)
	switch {
	case f.Alg != "", f.Issuer != "", f.Subject != "", f.ClientID != "", len(f.Role) > 0, f.Life != life, f.Claims != "":
		return hint(usagef("--alg, --issuer, --subject, --client-id, --role, --life and --claims go with --key: a server decides them by what is registered"),
			"'jotsmith app' registers roles and claims of an app")
	}
	return nil
}

// mint makes the token.
func (f mintFlags) mint(c *console, audience, scope string) (string, error) {
	var missing []string
	for _, required := range []struct{ flag, value string }{{"--issuer", f.Issuer}, {"--subject", f.Subject}, {"--audience", audience}} {
		if required.value == "" {
			missing = append(missing, required.flag)
		}
	}
	if len(missing) > 0 {
		return "", usagef("%s missing: a token that is signed with --key says who issues it, whom it is about and which API it is for", strings.Join(missing, ", "))
	}
	key, err := ownKey(f.Key, readingFlags{Alg: f.Alg}.reading())
	if err != nil {
		return "", err
	}
	issuer, err := jwt.NewIssuer(jwt.IssuerConfig{Issuer: f.Issuer, Key: key, OnSensitive: func(claim string) {
		fmt.Fprintf(c.err, "The claim %s looks sensitive, and whoever holds the token can read it: leave it out, or encrypt the token ('jotsmith token encrypt').\n", printable(claim))
	}})
	if err != nil {
		return "", err
	}
	claims := jwt.Claims{
		Subject: f.Subject, Audience: []string{audience}, Life: time.Duration(f.Life),
		ClientID: f.ClientID, Scope: strings.Fields(scope), Roles: f.Role,
	}
	custom, err := f.custom(c)
	if err != nil {
		return "", err
	}
	if len(custom) > 0 {
		claims.Custom = json.RawMessage(custom)
	}
	compact, err := issuer.Issue(claims)
	return compact, wrap(err, "making the token")
}

func (f mintFlags) custom(c *console) ([]byte, error) {
	if f.Claims != "@-" {
		return f.Claims.read()
	}
	text, err := io.ReadAll(io.LimitReader(c.in, maxTokenText))
	if err != nil {
		return nil, fmt.Errorf("reading the claims: %w", err)
	}
	return valid(text)
}

// run is 'token issue --key'.
func (f mintFlags) run(c *console, audience, scope string, asJSON bool) error {
	compact, err := f.mint(c, audience, scope)
	switch {
	case err != nil:
		return err
	case asJSON:
		return c.json(wire.TokenResponse{
			AccessToken: compact, TokenType: "Bearer", ExpiresIn: int64(time.Duration(f.Life).Seconds()), Scope: strings.Join(strings.Fields(scope), " "),
		})
	}
	fmt.Fprintln(c.out, compact)
	fmt.Fprintf(c.err, "For %s, %s. No server knows of it, so that none can revoke it.\n", printable(audience), f.Life)
	return nil
}

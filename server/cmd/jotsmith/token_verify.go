package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/jotsmith/jotsmith/guard"
	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwks"
	"github.com/jotsmith/jotsmith/jwt"
)

type verifyCmd struct {
	tokenFlags
	Issuer   string `required:"" placeholder:"URL" help:"Who must have issued it. Keys and revocations are found through its metadata."`
	Audience string `xor:"audience" placeholder:"URL" help:"The API that it must be for. Required."`
	JWKS     string `name:"jwks" xor:"keys" placeholder:"SOURCE" help:"Take the keys from this key set instead: a file or a URL. Revocation cannot be checked then."`
	Key      string `xor:"keys" placeholder:"PATH" help:"Take this key instead: a JWK or a PEM public key. Revocation cannot be checked then."`
	Alg      string `enum:",${algorithms}" default:"" placeholder:"ALG" help:"The algorithm of that key, where it does not say it itself; the token is not asked."`
	Decrypt  string `name:"decryption-key" placeholder:"PATH" help:"Take encrypted tokens, and no others: the private key that they are encrypted for, a JWK."`
	Leeway   span   `default:"30s" placeholder:"TIME" help:"How far clocks may lie apart (${default})."`
	JSON     bool   `help:"Print JSON."`

	DangerouslyAcceptAnyAudience bool `xor:"audience" help:"Do not ask which API it is for."`
	DangerouslyIgnoreRevocation  bool `help:"Do not ask whether it was revoked."`
}

func (verifyCmd) Help() string {
	return "Exit code 0: it is valid. 1: it is not, or that could not be found out; the reason is told with the numbers."
}

// A verdict is the answer in JSON.
type verdict struct {
	Valid      bool            `json:"valid"`
	Reason     string          `json:"reason,omitempty"`
	Revocation string          `json:"revocation"` // "checked" or "not checked"
	Claims     json.RawMessage `json:"claims,omitempty"`
}

// patience bounds how long keys and revocations are waited for.
const patience = 5 * time.Second

func (cmd *verifyCmd) Run(ctx context.Context, c *console, _ *commandLine) error {
	if cmd.Decrypt != "" && cmd.DangerouslyAcceptAnyAudience && cmd.JWKS == "" && cmd.Key == "" {
		return usagef("--dangerously-accept-any-audience with --decryption-key needs --jwks or --key: an encrypted token does not say which API it is for")
	}
	if cmd.Audience == "" && !cmd.DangerouslyAcceptAnyAudience {
		return hint(usagef("--audience is required: a token for another API is not valid here"),
			"the API's name, as tokens spell it; --dangerously-accept-any-audience does without")
	}
	if cmd.Alg != "" && cmd.Key == "" {
		return usagef("--alg goes with --key: a key set says the algorithm of each key itself")
	}
	compact, err := cmd.read(c)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	token, checked, err := cmd.verify(ctx, c, compact)
	if cmd.JSON {
		v := verdict{Valid: err == nil, Revocation: "not checked"}
		if checked {
			v.Revocation = "checked"
		}
		if err != nil {
			v.Reason = printable(err.Error())
		} else {
			v.Claims, err = jwt.Decode[json.RawMessage](token)
		}
		if err := c.json(v); err != nil {
			return err
		}
		if !v.Valid {
			return errSilent
		}
		return err
	}
	if err != nil {
		return err
	}
	claims, err := jwt.Decode[json.RawMessage](token)
	if err != nil {
		return err
	}
	cmd.report(c, token, claims, checked)
	return nil
}

// report says what was found, and what was not looked at.
func (cmd *verifyCmd) report(c *console, token *jwt.Token, claims json.RawMessage, checked bool) {
	now := time.Now()
	fmt.Fprintf(c.out, "%s  signed by %s with key %s, expires %s\n\n", c.paint.bold(c.paint.green("valid")),
		printable(token.Issuer()), printable(token.KeyID()), relative(token.ExpiresAt(), now))
	c.object(claims, c.paint.violet, func(name string, value json.RawMessage) string { return timeInWords(name, value, now) })
	if cmd.DangerouslyAcceptAnyAudience {
		fmt.Fprintln(c.out, c.paint.yellow("Not checked: which API it is for."))
	}
	if !checked {
		fmt.Fprintln(c.out, c.paint.yellow("Not checked: whether it was revoked."))
	}
}

// verify answers the token, and whether revocation was asked about.
func (cmd *verifyCmd) verify(ctx context.Context, c *console, compact string) (*jwt.Token, bool, error) {
	if cmd.JWKS == "" && cmd.Key == "" {
		return cmd.verifyOnline(ctx, compact)
	}
	keys, err := cmd.keys(ctx, c, compact)
	if err != nil {
		return nil, false, err
	}
	decryption, err := cmd.decryption()
	if err != nil {
		return nil, false, err
	}
	policy := jwt.Policy{
		Issuer:                       cmd.Issuer,
		Keys:                         keys,
		Decryption:                   decryption,
		Leeway:                       cmd.leeway(),
		DangerouslyAcceptAnyAudience: cmd.DangerouslyAcceptAnyAudience,
		DangerouslyIgnoreRevocation:  true,
	}
	if cmd.Audience != "" {
		policy.Audiences = []string{cmd.Audience}
	}
	v, err := jwt.NewVerifier(policy)
	if err != nil {
		return nil, false, err
	}
	token, err := v.Verify(ctx, compact)
	return token, false, wrap(err, "not valid")
}

// verifyOnline decides as a guarded API would.
func (cmd *verifyCmd) verifyOnline(ctx context.Context, compact string) (*jwt.Token, bool, error) {
	audience := cmd.Audience
	if cmd.DangerouslyAcceptAnyAudience {
		// Whatever API the token says that it is for.
		audience = anyAudience(compact)
	}
	decryption, err := cmd.decryption()
	if err != nil {
		return nil, false, err
	}
	g, err := guard.New(ctx, guard.Config{
		Issuer:                      cmd.Issuer,
		Decryption:                  decryption,
		Audience:                    audience,
		Leeway:                      cmd.leeway(),
		DangerouslyIgnoreRevocation: cmd.DangerouslyIgnoreRevocation,
		Log:                         slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, false, hint(fmt.Errorf("cannot tell: %w", err),
			"--jwks or --key verify without the issuer; --dangerously-ignore-revocation does without its revocations")
	}
	defer g.Close()
	request := &http.Request{Header: http.Header{"Authorization": {"Bearer " + compact}}}
	token, err := g.Check(request.WithContext(ctx))
	return token, !cmd.DangerouslyIgnoreRevocation, wrap(err, "not valid")
}

// decryption answers the key that encrypted tokens are decrypted with, nil for
// tokens that are only signed.
func (cmd *verifyCmd) decryption() (jwt.DecryptionKeys, error) {
	if cmd.Decrypt == "" {
		return nil, nil
	}
	key, err := ownDecrypter(cmd.Decrypt, keyReading{})
	if err != nil {
		return nil, err
	}
	return orNone[jwt.DecryptionKeys](jwk.NewDecryptionSet(key))
}

// leeway has 0 mean none.
func (cmd *verifyCmd) leeway() time.Duration {
	if cmd.Leeway == 0 {
		return -1
	}
	return time.Duration(cmd.Leeway)
}

func anyAudience(compact string) string {
	raw, err := readUnverified(compact)
	if err != nil {
		return "any" // the guard says what is wrong with the token
	}
	aud := values(raw.payload)["aud"]
	var all []string
	if one, ok := text(aud); ok {
		return one
	}
	if json.Unmarshal(aud, &all) != nil || len(all) == 0 {
		return "any"
	}
	return all[0]
}

func (cmd *verifyCmd) keys(ctx context.Context, c *console, compact string) (jwt.Keys, error) {
	switch {
	case strings.HasPrefix(cmd.JWKS, "https://"), strings.HasPrefix(cmd.JWKS, "http://"):
		remote, err := jwks.New(jwks.Config{URL: cmd.JWKS, Log: slog.New(slog.DiscardHandler)})
		if err != nil {
			return nil, err
		}
		if err := remote.Refresh(ctx); err != nil {
			return nil, fmt.Errorf("cannot tell: %w", err)
		}
		return remote, nil
	case cmd.JWKS != "":
		raw, err := readKeyFile(cmd.JWKS, c)
		if err != nil {
			return nil, err
		}
		set, err := jwk.ParseSet(raw)
		return set, wrap(err, "key set "+cmd.JWKS)
	}
	raw, err := readKeyFile(cmd.Key, c)
	if err != nil {
		return nil, err
	}
	r := keyReading{alg: jwk.Algorithm(cmd.Alg)}
	if u, err := jwt.Inspect(compact); err == nil && (!isJWK(raw) || values(raw)["kid"] == nil) {
		r.kid = u.KeyID() // where the key has none. The token has a say in nothing else
	}
	key, err := r.verifier(raw)
	if err != nil {
		if _, private := r.signer(raw); private == nil {
			err = hint(err, "'jotsmith key public' prints its public half")
		}
		return nil, fmt.Errorf("%s: %w", keyAt(cmd.Key), err)
	}
	return jwk.NewSet(key)
}

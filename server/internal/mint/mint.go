// Package mint makes every access token (RFC 9068), those of sessions and
// those of apps alike: what stands in it, its custom claims, and how large it
// may be. It decides nothing about who may have a token, and keeps nothing.
package mint

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/server/internal/claims"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
)

// Type is the typ of an access token (RFC 9068 §2.1).
const Type = "at+jwt"

// How large an access token may be, in bytes of its compact form, which of an
// encrypted one is a third more. It travels
// in the head of every request, which many servers and proxies bound to 8 KiB.
const (
	WarnSize = 2 << 10
	MaxSize  = 8 << 10
)

// ErrTooLarge says which claim makes a token too large.
var ErrTooLarge = errors.New("access token is too large")

// Config is what a Mint is made of. Ring and Issuer are required.
type Config struct {
	Ring   *keyring.Ring
	Issuer string       // iss
	Log    *slog.Logger // nil means none
	// Sensitive are the names of claims that are warned of where everybody can
	// read them; nil means jwt.DefaultSensitiveNames.
	Sensitive []string
	Counts    *Counts // nil: nobody reads them
}

// A Mint may be used by many goroutines.
type Mint struct {
	ring   *keyring.Ring
	issuer string
	log    *slog.Logger
	warned atomic.Int64 // when it was last said that a token is large
	counts *Counts

	sensitive []string
	inClear   sync.Map // the names of claims that were warned of
	told      atomic.Int32
}

// New checks c.
func New(c Config) (*Mint, error) {
	if c.Ring == nil || c.Issuer == "" {
		return nil, errors.New("minting: a key ring and an issuer are required")
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Counts == nil {
		c.Counts = new(Counts)
	}
	return &Mint{ring: c.Ring, issuer: c.Issuer, log: c.Log, sensitive: c.Sensitive, counts: c.Counts}, nil
}

// A Request is what a token shall say.
type Request struct {
	Subject   string
	Audience  string
	Algorithm jwk.Algorithm      // of the API
	Encrypter *jwk.EncryptionKey // of the API; nil: the token is not encrypted for it
	Opaque    bool               // the token is encrypted for this server
	ID        string             // jti; empty: one is made
	SessionID string             // empty: the token belongs to no session
	ClientID  string
	Scope     []string
	Roles     []string
	IssuedAt  time.Time // in the store's time; cut to whole seconds
	Life      time.Duration

	// How the subject logged in (RFC 9068 §2.2.1), where that is known.
	AuthTime    time.Time
	AuthMethods []string
	ACR         string

	// Claims are templates (see package claims), in rising order: the API's,
	// those of the roles in the order of Roles, the account's or app's, the
	// session's. Empty ones are passed over.
	Claims []json.RawMessage

	// Where the token's status is told: the URI of a list and an index in it;
	// "" is nowhere.
	StatusList  string
	StatusIndex int

	// What ${username} and ${display_name} stand for; empty for apps.
	Username, DisplayName string
}

// Token makes an access token. [ErrTooLarge], claims.ErrTemplate,
// keyring.ErrLease.
func (m *Mint) Token(r Request) (string, error) {
	issuer, err := m.issuerFor(r)
	if err != nil {
		return "", err
	}
	custom, err := claims.Make(claims.Values{
		Subject: r.Subject, Username: r.Username, DisplayName: r.DisplayName, App: r.ClientID, Audience: r.Audience,
	}, r.Claims...)
	if err != nil {
		return "", fmt.Errorf("minting an access token: %w", err)
	}
	if r.StatusList != "" {
		if custom, err = withStatus(custom, r.StatusList, r.StatusIndex); err != nil {
			return "", fmt.Errorf("minting an access token: %w", err)
		}
	}
	if size, name, of := r.weigh(custom); size > MaxSize { // already without encoding and signature
		return "", tooLarge(size, name, of)
	}
	c := jwt.Claims{
		Subject: r.Subject, Audience: []string{r.Audience},
		IssuedAt: r.IssuedAt.Truncate(time.Second), Life: r.Life.Truncate(time.Second),
		ID: r.ID, SessionID: r.SessionID, ClientID: r.ClientID, Scope: r.Scope, Roles: r.Roles,
		AuthTime: r.AuthTime, AuthMethods: r.AuthMethods, ACR: r.ACR,
	}
	if len(custom) > 0 {
		c.Custom = custom
	}
	compact, err := issuer.Issue(c)
	if err != nil {
		return "", fmt.Errorf("minting an access token: %w", err)
	}
	if !r.Opaque && r.Encrypter == nil {
		m.warnOfSensitive(r, custom)
	}
	if len(compact) > WarnSize {
		_, name, of := r.weigh(custom)
		if len(compact) > MaxSize {
			return "", tooLarge(len(compact), name, of)
		}
		m.warn(r, len(compact), name, of)
	}
	m.counts.minted(r.Algorithm)
	return compact, nil
}

// withStatus adds the claim of draft-ietf-oauth-status-list §6.2, which no
// template may have.
func withStatus(custom map[string]json.RawMessage, uri string, index int) (map[string]json.RawMessage, error) {
	type reference struct {
		Index int    `json:"idx"`
		URI   string `json:"uri"`
	}
	text, err := json.Marshal(map[string]reference{"status_list": {index, uri}})
	if err != nil {
		return nil, err
	}
	with := make(map[string]json.RawMessage, len(custom)+1)
	maps.Copy(with, custom)
	with["status"] = text
	return with, nil
}

// Ready says why no token of that kind can be made now, whatever it shall say.
func (m *Mint) Ready(alg jwk.Algorithm, opaque bool) error {
	if opaque {
		if _, err := m.ring.Sealer(); err != nil {
			return err
		}
	}
	_, err := m.ring.Signer(keyring.Access, alg)
	return err
}

// issuerFor answers who signs r's token and, where it is to be encrypted, does
// that too (RFC 7519 §5.2).
func (m *Mint) issuerFor(r Request) (*jwt.Issuer, error) {
	issuer, err := m.ring.Issuer(keyring.Access, r.Algorithm, m.issuer, Type)
	if err != nil {
		return nil, err
	}
	switch {
	case r.Opaque:
		key, err := m.ring.Sealer()
		if err != nil {
			return nil, err
		}
		return issuer.Sealed(key)
	case r.Encrypter != nil:
		return issuer.Sealed(r.Encrypter)
	}
	return issuer, nil
}

func tooLarge(size int, name string, of int) error {
	return fmt.Errorf("%w: %d bytes, at most %d; its largest claim is %q with %d", ErrTooLarge, size, MaxSize, name, of)
}

// weigh answers the bytes of all claims that grow, and the largest of them.
func (r *Request) weigh(custom map[string]json.RawMessage) (all int, largest string, of int) {
	put := func(name string, n int) {
		all += n
		if n > of || n == of && name < largest {
			largest, of = name, n
		}
	}
	put("scope", joined(r.Scope, len(" ")))
	put("roles", joined(r.Roles, len(`"",`)))
	for name, value := range custom {
		put(name, len(value))
	}
	return all, largest, of
}

func joined(all []string, between int) (n int) {
	for _, s := range all {
		n += len(s) + between
	}
	return n
}

// warnEvery bounds how often a large token is spoken of: an API whose tokens
// are all large would fill the log.
const warnEvery = time.Minute

func (m *Mint) warn(r Request, size int, name string, of int) {
	last, now := m.warned.Load(), r.IssuedAt.UnixMilli()
	if last != 0 && now-last < warnEvery.Milliseconds() || !m.warned.CompareAndSwap(last, now) {
		return
	}
	m.log.Warn("access token is large: it travels with every request; many servers and proxies take no more than 8 KiB of headers",
		"bytes", size, "audience", r.Audience, "subject", r.Subject, "largest_claim", name, "claim_bytes", of)
}

// maxTold bounds how many claims are warned of: what they are called is up to
// whoever registers them.
const maxTold = 256

// warnOfSensitive tells the log, once for each name, of claims that whoever holds
// the token can read and that look as if they should not. Their values are not
// told.
func (m *Mint) warnOfSensitive(r Request, custom map[string]json.RawMessage) {
	if len(custom) == 0 || m.told.Load() >= maxTold {
		return
	}
	object, err := json.Marshal(custom)
	if err != nil {
		return
	}
	for _, name := range jwt.SensitiveClaims(object, m.sensitive...) {
		if _, told := m.inClear.LoadOrStore(name, true); told {
			continue
		}
		m.told.Add(1)
		m.log.Warn("a claim looks sensitive, and whoever holds a token can read it: leave it out, or register an encryption key for the API",
			"claim", name, "audience", r.Audience, "client", r.ClientID)
	}
}

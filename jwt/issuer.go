package jwt

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/jotsmith/jotsmith/internal/b64"
	"github.com/jotsmith/jotsmith/internal/strictjson"
	"github.com/jotsmith/jotsmith/jwe"
	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jws"
)

// MaxLife is the longest life that an [Issuer] gives a token. What must last
// longer is a session, which can be ended.
const MaxLife = 24 * time.Hour

// IssuerConfig says who issues tokens and with which key.
type IssuerConfig struct {
	Issuer string           // "iss". Required
	Key    jwk.Signer       // Required
	Type   string           // "typ"; default "at+jwt"
	Now    func() time.Time // default time.Now
	// Seal, if given, is the key of the API that the tokens are for: each is
	// signed and then encrypted with it (RFC 7519 §5.2). See also
	// [Issuer.Sealed].
	Seal jwk.Encrypter
	// OnSensitive, if given, is called once for each name of a custom claim that
	// looks sensitive by [SensitiveClaims] and goes out in a token that is not
	// encrypted. It must return soon.
	OnSensitive func(claim string)
	// SensitiveNames are the names that look sensitive; default
	// [DefaultSensitiveNames].
	SensitiveNames []string
	// MaxSize is how long a token may get, which its verifiers must accept;
	// default 16 KiB, as theirs.
	MaxSize int
}

// Claims is what the caller of [Issuer.Issue] decides about a token. Subject,
// Audience and Life are required.
type Claims struct {
	Subject   string
	Audience  []string
	Life      time.Duration // 1 s to [MaxLife]; "exp" is cut to whole seconds
	IssuedAt  time.Time     // "iat" and "nbf", in whole seconds; zero: now
	ID        string        // "jti"; default 128 random bits
	SessionID string        // "sid"
	ClientID  string        // "client_id"
	Scope     []string      // "scope", joined with spaces
	Roles     []string      // "roles"
	// How the subject logged in (RFC 9068 §2.2.1), where that is known.
	AuthTime    time.Time // "auth_time", in whole seconds; zero: none
	AuthMethods []string  // "amr" (RFC 8176)
	ACR         string    // "acr"
	// Custom is marshalled by encoding/json to an object whose members join the
	// claims. A reserved name in it is refused, however its case.
	Custom any
}

// Issuer issues tokens. It is safe for concurrent use.
type Issuer struct {
	signer    *jws.Signer
	issuer    string // the member "iss" as JSON
	typ       string
	seal      jwk.Encrypter // nil: the tokens are not encrypted
	sensitive *sensitiveOnce
	now       func() time.Time
	maxSize   int
	buffers   sync.Pool
}

// reserved are the names that Custom may not have.
var reserved = []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "sid", "client_id", "scope", "roles", "auth_time", "amr", "acr"}

// NewIssuer builds an issuer. The error holds every fault of c.
func NewIssuer(c IssuerConfig) (*Issuer, error) {
	var faults []error
	if c.Issuer == "" {
		faults = append(faults, errors.New("empty Issuer: name who issues the tokens, usually by its URL"))
	}
	if !utf8.ValidString(c.Issuer) || !utf8.ValidString(c.Type) {
		faults = append(faults, errors.New("text that is not UTF-8 in Issuer or Type"))
	}
	if absent(c.Key) {
		faults = append(faults, errors.New("no Key: give a *jwk.PrivateKey or a *jwk.SecretKey"))
	}
	if c.Seal != nil && absent(c.Seal) {
		faults = append(faults, errNoSeal)
	}
	if c.SensitiveNames != nil && c.OnSensitive == nil {
		faults = append(faults, errors.New("SensitiveNames without OnSensitive: nobody would hear of them"))
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("jwt issuer: %w", errors.Join(faults...))
	}
	if c.Type == "" {
		c.Type = DefaultType
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.MaxSize <= 0 {
		c.MaxSize = jws.DefaultMaxSize
	}
	signer, err := jws.NewSigner(c.Key, c.Type)
	if err != nil {
		return nil, fmt.Errorf("jwt issuer: %w", err)
	}
	i := &Issuer{
		signer: signer, issuer: `{"iss":` + string(appendString(nil, c.Issuer)), typ: c.Type, seal: c.Seal,
		now: c.Now, maxSize: c.MaxSize,
	}
	if c.OnSensitive != nil {
		i.sensitive = newSensitiveOnce(c.SensitiveNames, c.OnSensitive)
	}
	return i, nil
}

var errNoSeal = errors.New("nil pointer for Seal: give the public key of the API that the tokens are for")

// Sealed returns an issuer that differs from i in that its tokens are encrypted
// for key, whatever key i encrypts for: an issuer of many APIs has one for each
// that wants it.
func (i *Issuer) Sealed(key jwk.Encrypter) (*Issuer, error) {
	if absent(key) {
		return nil, fmt.Errorf("jwt issuer: %w", errNoSeal)
	}
	return &Issuer{signer: i.signer, issuer: i.issuer, typ: i.typ, seal: key, sensitive: i.sensitive, now: i.now, maxSize: i.maxSize}, nil
}

// Issue makes a token with the claims iss, sub, aud, exp, iat, nbf and jti, and
// those of sid, client_id, scope, roles, auth_time, amr and acr that c gives. The
// error holds every fault of c.
func (i *Issuer) Issue(c Claims) (string, error) {
	if err := c.check(); err != nil {
		return "", fmt.Errorf("jwt claims: %w", err)
	}
	buf, ok := i.buffers.Get().(*[]byte)
	if !ok {
		buf = new([]byte)
	}
	defer func() {
		if cap(*buf) <= 4*jws.DefaultMaxSize { // one large token does not hold its memory for good
			i.buffers.Put(buf)
		}
	}()
	now := c.IssuedAt
	if now.IsZero() {
		now = i.now()
	}
	b := append((*buf)[:0], i.issuer...)
	b = appendMember(b, "sub", c.Subject)
	b = append(b, `,"aud":`...)
	if len(c.Audience) == 1 {
		b = appendString(b, c.Audience[0])
	} else {
		b = appendStrings(b, c.Audience)
	}
	b = strconv.AppendInt(append(b, `,"exp":`...), now.Add(c.Life).Unix(), 10)
	b = strconv.AppendInt(append(b, `,"iat":`...), now.Unix(), 10)
	b = strconv.AppendInt(append(b, `,"nbf":`...), now.Unix(), 10)
	if c.ID != "" {
		b = appendMember(b, "jti", c.ID)
	} else {
		var id [16]byte
		rand.Read(id[:])
		b = append(b64.Append(append(b, `,"jti":"`...), id[:]), '"')
	}
	b = appendOptional(b, "sid", c.SessionID)
	b = appendOptional(b, "client_id", c.ClientID)
	if len(c.Scope) > 0 {
		b = append(b, `,"scope":"`...)
		for i, s := range c.Scope { // each of them isScope, which needs no escape
			if i > 0 {
				b = append(b, ' ')
			}
			b = append(b, s...)
		}
		b = append(b, '"')
	}
	if len(c.Roles) > 0 {
		b = appendStrings(append(b, `,"roles":`...), c.Roles)
	}
	if !c.AuthTime.IsZero() {
		b = strconv.AppendInt(append(b, `,"auth_time":`...), c.AuthTime.Unix(), 10)
	}
	if len(c.AuthMethods) > 0 {
		b = appendStrings(append(b, `,"amr":`...), c.AuthMethods)
	}
	b = appendOptional(b, "acr", c.ACR)
	if c.Custom != nil {
		var err error
		claims := len(b)
		if b, err = appendCustom(b, c.Custom); err != nil {
			return "", fmt.Errorf("jwt claims: %w", err)
		}
		if i.seal == nil && i.sensitive != nil && len(b) > claims {
			custom := append([]byte{'{'}, b[claims+1:]...)
			i.sensitive.look(append(custom, '}'))
		}
	}
	b = append(b, '}')
	*buf = b
	compact, err := i.signer.Sign(b)
	if err != nil {
		return "", fmt.Errorf("issuing: %w", err)
	}
	if i.seal != nil {
		if compact, err = jwe.Encrypt(i.seal, i.typ, sealedContent, []byte(compact)); err != nil {
			return "", fmt.Errorf("issuing: %w", err)
		}
	}
	if len(compact) > i.maxSize {
		return "", fmt.Errorf("issuing: the token has %d bytes, and verifiers take %d: put less into it", len(compact), i.maxSize)
	}
	return compact, nil
}

func (c *Claims) check() error {
	var faults []error
	fault := func(is bool, text string) {
		if is {
			faults = append(faults, errors.New(text))
		}
	}
	fault(c.Subject == "", "Subject is empty")
	fault(len(c.Audience) == 0, "Audience is empty: name the API that the token is for")
	fault(len(c.Audience) > maxAudiences, "Audience holds over 64 names")
	fault(len(c.Roles) > maxRoles, "Roles holds over 512 names")
	fault(len(c.AuthMethods) > maxMethods, "AuthMethods holds over 32 names")
	fault(!c.AuthTime.IsZero() && c.AuthTime.Unix() < 0, "AuthTime is before 1970")
	fault(c.Life < time.Second, "Life is under one second")
	fault(c.Life > MaxLife, "Life is over 24 hours")
	for _, s := range [...]string{c.Subject, c.ID, c.SessionID, c.ClientID, c.ACR} {
		fault(!utf8.ValidString(s), "Subject, ID, SessionID, ClientID or ACR is not UTF-8")
	}
	for _, list := range [...][]string{c.Audience, c.Roles, c.AuthMethods} {
		for _, s := range list {
			fault(s == "" || !utf8.ValidString(s), "Audience, Roles or AuthMethods holds an empty name or one that is not UTF-8")
		}
	}
	for _, s := range c.Scope {
		fault(!isScope(s), "Scope holds a name that is not printable ASCII without space, quote and backslash (RFC 6749 §3.3)")
	}
	return errors.Join(faults...)
}

// isScope reports whether s is a scope-token of RFC 6749 §3.3.
func isScope(s string) bool {
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c >= 0x7f || c == '"' || c == '\\' {
			return false
		}
	}
	return s != ""
}

func appendCustom(dst []byte, custom any) ([]byte, error) {
	text, err := json.Marshal(custom)
	if err != nil {
		return nil, fmt.Errorf("marshalling Custom: %w", err)
	}
	var room [16]strictjson.Member
	members, err := strictjson.Object(string(text), strictjson.MaxDepth, room[:0])
	if err != nil {
		return nil, fmt.Errorf("reading Custom: %w", err)
	}
	for _, m := range members {
		if isReserved(m.Name) {
			return nil, fmt.Errorf("reserved name %s in Custom", strictjson.Quote(m.Name))
		}
		dst = appendString(append(dst, ','), m.Name)
		dst = append(append(dst, ':'), m.Value...)
	}
	return dst, nil
}

// isReserved compares names whatever their case: another verifier may not tell
// "EXP" from "exp".
func isReserved(name string) bool {
	for _, r := range reserved {
		// A letter that folds to one of ASCII may take more bytes, never fewer.
		if len(name) >= len(r) && strings.EqualFold(name, r) {
			return true
		}
	}
	return false
}

func appendOptional(dst []byte, name, value string) []byte {
	if value == "" {
		return dst
	}
	return appendMember(dst, name, value)
}

// appendMember appends a member whose name is a constant of this package.
func appendMember(dst []byte, name, value string) []byte {
	dst = append(append(append(dst, `,"`...), name...), `":`...)
	return appendString(dst, value)
}

func appendStrings(dst []byte, list []string) []byte {
	dst = append(dst, '[')
	for i, s := range list {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendString(dst, s)
	}
	return append(dst, ']')
}

// appendString appends s, valid UTF-8, as a JSON string. It writes by itself
// only what needs no escape, and leaves everything else to encoding/json.
func appendString(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c >= 0x7f || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&' {
			text, _ := json.Marshal(s) // a string always marshals
			return append(dst, text...)
		}
	}
	return append(append(append(dst, '"'), s...), '"')
}

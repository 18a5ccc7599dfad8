package jwk

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/jotsmith/jotsmith/internal/b64"
	"github.com/jotsmith/jotsmith/internal/strictjson"
)

// maxJWK bounds the text of one key: a private RSA key of 8192 bits with a
// certificate chain fits.
const maxJWK = 32 << 10

// document is a JWK (RFC 7517 §4) as it is written. Members that no kind of key
// here knows are ignored, as §4 demands: certificates and their URLs among them.
type document struct {
	Kty string `json:"kty"`
	Use string `json:"use,omitempty"`
	Kid string `json:"kid,omitempty"`
	Alg string `json:"alg,omitempty"`
	Crv string `json:"crv,omitempty"`
	X   string `json:"x,omitempty"`
	Y   string `json:"y,omitempty"`
	N   string `json:"n,omitempty"`
	E   string `json:"e,omitempty"`
	K   string `json:"k,omitempty"`
	D   string `json:"d,omitempty"`
	P   string `json:"p,omitempty"`
	Q   string `json:"q,omitempty"`
	DP  string `json:"dp,omitempty"`
	DQ  string `json:"dq,omitempty"`
	QI  string `json:"qi,omitempty"`

	Enc []ContentEncryption `json:"enc,omitempty"` // of keys for encryption: see ParseDecryption

	keyOps   []string
	hasOps   bool
	hasKid   bool
	hasOther bool // "oth"
	private  bool // holds a member that only private and secret keys have
}

// errUnsupported marks keys of a kind that does not exist here: a set skips
// them (RFC 7517 §5).
var errUnsupported = errors.New("unsupported key")

// readJWK reads a text of any size, of which none is copied that is too large.
func readJWK(jwk []byte) (*document, error) {
	if err := checkSize(len(jwk)); err != nil {
		return nil, err
	}
	return readDocument(string(jwk))
}

func checkSize(n int) error {
	if n > maxJWK {
		return fmt.Errorf("JWK of %d bytes: at most %d", n, maxJWK)
	}
	return nil
}

func readDocument(text string) (*document, error) {
	if err := checkSize(len(text)); err != nil {
		return nil, err
	}
	members, err := strictjson.Object(text, strictjson.MaxDepth, nil)
	if err != nil {
		return nil, fmt.Errorf("malformed JWK: %w", err)
	}
	var d document
	fields := map[string]*string{
		"kty": &d.Kty, "use": &d.Use, "kid": &d.Kid, "alg": &d.Alg, "crv": &d.Crv, "x": &d.X, "y": &d.Y, "n": &d.N, "e": &d.E,
		"k": &d.K, "d": &d.D, "p": &d.P, "q": &d.Q, "dp": &d.DP, "dq": &d.DQ, "qi": &d.QI,
	}
	for _, m := range members {
		switch m.Name {
		case "k", "d", "p", "q", "dp", "dq", "qi", "priv": // "priv": of type AKP, RFC 9964
			d.private = true
		case "oth":
			d.private, d.hasOther = true, true
		case "key_ops":
			var ok bool
			if d.keyOps, ok = strictjson.Strings(m.Value, 16, nil); !ok {
				return nil, errors.New("malformed JWK: \"key_ops\" is not an array of strings")
			}
			for i, op := range d.keyOps {
				if slices.Contains(d.keyOps[:i], op) { // RFC 7517 §4.3
					return nil, errors.New("malformed JWK: \"key_ops\" says the same twice")
				}
			}
			d.hasOps = true
		case "enc":
			// Not a registered member: another system's of that name has no say.
			if names, ok := strictjson.Strings(m.Value, len(contents), nil); ok {
				for _, name := range names {
					if enc := ContentEncryption(name); enc.Known() {
						d.Enc = append(d.Enc, enc)
					}
				}
			}
		case "kid":
			d.hasKid = true
		}
		if field := fields[m.Name]; field != nil {
			var ok bool
			if *field, ok = strictjson.String(m.Value); !ok {
				return nil, fmt.Errorf("malformed JWK: %q is not a string", m.Name)
			}
		}
	}
	if d.Kty == "" {
		return nil, errors.New("malformed JWK: no \"kty\"")
	}
	if d.hasKid {
		if err := checkKeyID(d.Kid); err != nil {
			return nil, fmt.Errorf("malformed JWK: %w", err)
		}
	}
	return &d, nil
}

// algorithm decides which algorithm the key is for. "alg" decides where it
// stands; an EC or OKP key without it has the one algorithm of its curve (EdDSA
// for Ed25519), and an RSA key or a secret could have several, so that it must
// say.
func (d *document) algorithm() (Algorithm, error) {
	alg := Algorithm(d.Alg)
	if alg == "" {
		switch d.Kty + " " + d.Crv {
		case "EC P-256":
			alg = ES256
		case "EC P-384":
			alg = ES384
		case "EC P-521":
			alg = ES512
		case "OKP Ed25519":
			alg = EdDSA
		}
		if d.Kty == "RSA" || d.Kty == "oct" {
			return "", fmt.Errorf("JWK of type %s without \"alg\": say which algorithm it is for", d.Kty)
		}
	}
	if !alg.Known() {
		return "", fmt.Errorf("%w: kty %q, crv %q, alg %q", errUnsupported, clip(d.Kty), clip(d.Crv), clip(d.Alg))
	}
	kty, crv := "oct", ""
	if f, err := alg.pair(); err == nil {
		kty, crv = f.kind()
	}
	switch {
	case d.Kty != kty:
		return "", fmt.Errorf("JWK whose \"alg\" %s contradicts its type %q", alg, clip(d.Kty))
	case d.Crv != crv:
		return "", fmt.Errorf("JWK whose \"alg\" %s contradicts its curve %q", alg, clip(d.Crv))
	}
	return alg, nil
}

// purpose refuses a key that is not for signatures, or for none of the
// operations (RFC 7517 §4.2, §4.3).
func (d *document) purpose(ops ...string) error {
	if d.Use != "" && d.Use != "sig" {
		return fmt.Errorf("%w: its \"use\" is %q, not \"sig\"", errUnsupported, clip(d.Use))
	}
	if d.hasOps && !slices.ContainsFunc(ops, func(op string) bool { return slices.Contains(d.keyOps, op) }) {
		return fmt.Errorf("%w: its \"key_ops\" leave out %q", errUnsupported, ops)
	}
	return nil
}

// octets decodes the member called name, which must have exactly size bytes.
func (d *document) octets(name, value string, size int) ([]byte, error) {
	b, err := b64.Decode(nil, value)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", name, err)
	}
	if len(b) != size {
		return nil, fmt.Errorf("%q has %d bytes instead of %d", name, len(b), size)
	}
	return b, nil
}

// integer decodes a Base64urlUInt (RFC 7518 §2), which has no leading zeros.
func (d *document) integer(name, value string) (*big.Int, error) {
	b, err := b64.Decode(nil, value)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%q: %w", name, err)
	case len(b) == 0 || b[0] == 0:
		return nil, fmt.Errorf("%q is empty or begins with a zero byte", name)
	case len(b) > maxModulus/8:
		return nil, fmt.Errorf("%q has %d bytes: at most %d", name, len(b), maxModulus/8)
	}
	return new(big.Int).SetBytes(b), nil
}

// thumbprintInput is the JSON of RFC 7638 §3.2: the required members in the
// order of their names. All its values are base64url or constants.
func (d *document) thumbprintInput() []byte {
	switch d.Kty {
	case "RSA":
		return []byte(`{"e":"` + d.E + `","kty":"RSA","n":"` + d.N + `"}`)
	case "EC":
		return []byte(`{"crv":"` + d.Crv + `","kty":"EC","x":"` + d.X + `","y":"` + d.Y + `"}`)
	default: // OKP, RFC 8037 §2
		return []byte(`{"crv":"` + d.Crv + `","kty":"` + d.Kty + `","x":"` + d.X + `"}`)
	}
}

// ParsePublic reads one public JWK. A text with private members is refused, so
// that a private key that is handed around is noticed. RSA keys must say their
// "alg"; a key without "kid" gets its thumbprint.
func ParsePublic(jwk []byte) (*PublicKey, error) {
	d, err := readJWK(jwk)
	if err != nil {
		return nil, err
	}
	return d.public()
}

func (d *document) public() (*PublicKey, error) {
	if d.private || d.Kty == "oct" {
		return nil, errors.New("JWK with private or secret members where a public key is expected: it must not be handed around")
	}
	alg, f, err := d.pair("verify")
	if err != nil {
		return nil, err
	}
	key, err := f.readPublic(d)
	if err != nil {
		return nil, fmt.Errorf("%s JWK: %w", alg, err)
	}
	return newPublic(alg, key, d.Kid)
}

// pair decides which algorithm a key pair is for, which must be allowed to do op.
func (d *document) pair(op string) (Algorithm, family, error) {
	if err := d.purpose(op); err != nil {
		return "", nil, err
	}
	alg, err := d.algorithm()
	if err != nil {
		return "", nil, err
	}
	f, err := alg.pair()
	return alg, f, err
}

// ParsePrivate reads one private JWK and checks that its halves belong
// together.
func ParsePrivate(jwk []byte) (*PrivateKey, error) {
	d, err := readJWK(jwk)
	if err != nil {
		return nil, err
	}
	if d.Kty == "oct" {
		return nil, errors.New("JWK of a shared secret where a key pair is expected: use ParseSecret")
	}
	if d.D == "" {
		return nil, errors.New("JWK without its private member \"d\": it is a public key")
	}
	alg, f, err := d.pair("sign")
	if err != nil {
		return nil, err
	}
	key, err := f.readPrivate(d)
	if err != nil {
		return nil, fmt.Errorf("%s private JWK: %w", alg, err)
	}
	return newPrivate(alg, key, d.Kid)
}

// ParseSecret reads one JWK of type "oct". It must have "alg" and "kid".
func ParseSecret(jwk []byte) (*SecretKey, error) {
	d, err := readJWK(jwk)
	if err != nil {
		return nil, err
	}
	if d.Kty != "oct" {
		return nil, errors.New("JWK of a key pair where a shared secret is expected: use ParsePublic or ParsePrivate")
	}
	if err := d.purpose("sign", "verify"); err != nil {
		return nil, err
	}
	alg, err := d.algorithm()
	if err != nil {
		return nil, err
	}
	secret, err := b64.Decode(nil, d.K)
	if err != nil {
		return nil, fmt.Errorf("%s JWK: \"k\": %w", alg, err)
	}
	return NewHMAC(alg, secret, d.Kid)
}

// document returns the public JWK.
func (k *PublicKey) document() *document {
	d := &document{Use: "sig", Kid: k.kid, Alg: string(k.alg)}
	k.half.describe(d)
	return d
}

// MarshalJSON returns the public JWK with "kid", "alg" and "use".
func (k *PublicKey) MarshalJSON() ([]byte, error) { return json.Marshal(k.document()) }

// MarshalPrivateJWK returns the private JWK. Whoever has it can sign.
func (k *PrivateKey) MarshalPrivateJWK() ([]byte, error) {
	half, err := k.local()
	if err != nil {
		return nil, err
	}
	d := k.public.document()
	half.describe(d)
	return json.Marshal(d)
}

// MarshalSecretJWK returns the JWK of the secret. Whoever has it can sign.
func (k *SecretKey) MarshalSecretJWK() ([]byte, error) {
	return json.Marshal(&document{Kty: "oct", Use: "sig", Kid: k.kid, Alg: string(k.alg), K: b64.Encode(k.hmac.secret)})
}

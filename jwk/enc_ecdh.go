package jwk

import (
	"crypto"
	"crypto/aes"
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/jotsmith/jotsmith/internal/b64"
	"github.com/jotsmith/jotsmith/internal/strictjson"
)

// ecdhFamily is ECDH-ES (RFC 7518 §4.6, RFC 8037 §3.2), with a key wrap of so
// many bytes or, where that is 0, without.
type ecdhFamily struct {
	name KeyManagement
	wrap int
}

// ecdhCurves are the curves; size is that of a coordinate and of a private key.
var ecdhCurves = []*ecdhCurve{
	{"EC", "P-256", 32, ecdh.P256()},
	{"EC", "P-384", 48, ecdh.P384()},
	{"EC", "P-521", 66, ecdh.P521()},
	{"OKP", "X25519", 32, ecdh.X25519()},
}

type ecdhCurve struct {
	kty, crv string
	size     int
	curve    ecdh.Curve
}

func findCurve(kty, crv string) (*ecdhCurve, error) {
	for _, c := range ecdhCurves {
		if c.crv == crv && (kty == "" || kty == c.kty) {
			return c, nil
		}
	}
	return nil, fmt.Errorf("%w: curve %q: use P-256, P-384, P-521 or X25519", errUnsupported, clip(crv))
}

func curveOf(curve ecdh.Curve) *ecdhCurve {
	for _, c := range ecdhCurves {
		if c.curve == curve {
			return c
		}
	}
	return nil
}

func (*ecdhFamily) kind() string { return "EC" }

func (*ecdhFamily) generate(crv string) (crypto.PrivateKey, error) {
	if crv == "" {
		crv = "P-256"
	}
	c, err := findCurve("", crv)
	if err != nil {
		return nil, err
	}
	return c.curve.GenerateKey(rand.Reader)
}

func (f *ecdhFamily) public(key crypto.PublicKey) (encryptionHalf, error) {
	if k, ok := key.(*ecdsa.PublicKey); ok && k != nil && k.Curve != nil { // PEM has one form for both
		converted, err := k.ECDH()
		if err != nil {
			return nil, errors.New("point is not on the curve")
		}
		key = converted
	}
	k, ok := key.(*ecdh.PublicKey)
	if !ok || k == nil || k.Curve() == nil {
		return nil, fmt.Errorf("%T is not an ECDH public key", key)
	}
	c := curveOf(k.Curve())
	// With a point of small order the secret is the same whoever agrees, which
	// only ECDH itself finds out on X25519 (RFC 7748 §6.1).
	probe, err := c.curve.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	if _, err := probe.ECDH(k); err != nil {
		return nil, errors.New("point of small order: everybody would know the secret")
	}
	return &ecdhPublic{f, c, k}, nil
}

func (f *ecdhFamily) private(key crypto.PrivateKey) (decryptionHalf, crypto.PublicKey, error) {
	if k, ok := key.(*ecdsa.PrivateKey); ok && k != nil && k.Curve != nil { // from PEM
		converted, err := k.ECDH()
		if err != nil {
			return nil, nil, errors.New("private scalar out of range")
		}
		key = converted
	}
	k, ok := key.(*ecdh.PrivateKey)
	if !ok || k == nil || k.Curve() == nil {
		return nil, nil, fmt.Errorf("%T is not an ECDH private key", key)
	}
	return &ecdhPrivate{f, curveOf(k.Curve()), k}, k.PublicKey(), nil
}

func (*ecdhFamily) readPublic(d *document) (crypto.PublicKey, error) {
	c, err := findCurve(d.Kty, d.Crv)
	if err != nil {
		return nil, err
	}
	return c.point(d.X, d.Y)
}

// point reads the coordinates, always of full length (RFC 7518 §6.2.1.2).
func (c *ecdhCurve) point(x, y string) (*ecdh.PublicKey, error) {
	var room [1 + 2*66]byte
	bytes, coordinates := room[:0], []string{x}
	if c.kty == "EC" {
		bytes, coordinates = append(bytes, 4), []string{x, y} // uncompressed, SEC 1 §2.3.3
	}
	for i, value := range coordinates {
		start := len(bytes)
		var err error
		if bytes, err = b64.Decode(bytes, value); err != nil || len(bytes)-start != c.size {
			return nil, fmt.Errorf("%q is not base64url of %d bytes", "xy"[i:i+1], c.size)
		}
	}
	k, err := c.curve.NewPublicKey(bytes)
	if err != nil {
		return nil, errors.New("point is not on the curve")
	}
	return k, nil
}

func (f *ecdhFamily) readPrivate(d *document) (crypto.PrivateKey, error) {
	public, err := f.readPublic(d)
	if err != nil {
		return nil, err
	}
	c, err := findCurve(d.Kty, d.Crv)
	if err != nil {
		return nil, err
	}
	scalar, err := d.octets("d", d.D, c.size)
	if err != nil {
		return nil, err
	}
	key, err := c.curve.NewPrivateKey(scalar)
	if err != nil {
		return nil, errors.New("private scalar out of range")
	}
	if !key.PublicKey().Equal(public) {
		return nil, errors.New("\"d\" does not belong to the public members")
	}
	return key, nil
}

// describePoint fills in the members of a public key.
func (c *ecdhCurve) describePoint(d *document, k *ecdh.PublicKey) {
	d.Kty, d.Crv = c.kty, c.crv
	bytes := k.Bytes()
	if c.kty == "EC" {
		bytes = bytes[1:]
		d.Y = b64.Encode(bytes[c.size:])
	}
	d.X = b64.Encode(bytes[:c.size])
}

type ecdhPublic struct {
	f *ecdhFamily
	c *ecdhCurve
	k *ecdh.PublicKey
}

func (p *ecdhPublic) key() crypto.PublicKey { return p.k }

func (p *ecdhPublic) describe(d *document) { p.c.describePoint(d, p.k) }

// derive makes an ephemeral key, and of it and the recipient's one the key of so
// many bytes that both have.
func (p *ecdhPublic) derive(algorithm string, size int) ([]byte, WrappedKey, error) {
	ephemeral, err := p.c.curve.GenerateKey(rand.Reader)
	if err != nil {
		return nil, WrappedKey{}, fmt.Errorf("generating an ephemeral key: %w", err)
	}
	z, err := ephemeral.ECDH(p.k)
	if err != nil {
		return nil, WrappedKey{}, fmt.Errorf("agreeing on a key: %w", err)
	}
	var epk document
	p.c.describePoint(&epk, ephemeral.PublicKey())
	return concatKDF(z, algorithm, nil, nil, size), WrappedKey{EphemeralKey: string(epk.thumbprintInput())}, nil
}

func (p *ecdhPublic) agree(enc ContentEncryption) (*ContentKey, WrappedKey, error) {
	if p.f.wrap != 0 {
		return nil, WrappedKey{}, errNoAgreement
	}
	key, w, err := p.derive(string(enc), enc.keySize())
	if err != nil {
		return nil, w, err
	}
	content, err := newContentKey(enc, key)
	if err != nil {
		return nil, w, err
	}
	content.direct = true
	return content, w, nil
}

func (p *ecdhPublic) wrap(content *ContentKey) (WrappedKey, error) {
	if p.f.wrap == 0 {
		return WrappedKey{}, errors.New("a key for ECDH-ES encrypts for nobody else: leave it out, or use ECDH-ES+A128KW")
	}
	key, w, err := p.derive(string(p.f.name), p.f.wrap)
	if err != nil {
		return w, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return w, err
	}
	w.EncryptedKey = wrapAES(block, content.key)
	return w, nil
}

type ecdhPrivate struct {
	f *ecdhFamily
	c *ecdhCurve
	k *ecdh.PrivateKey
}

func (p *ecdhPrivate) key() crypto.PrivateKey { return p.k }

func (p *ecdhPrivate) describe(d *document) { d.D = b64.Encode(p.k.Bytes()) }

func (p *ecdhPrivate) unwrap(enc ContentEncryption, w WrappedKey) (*ContentKey, error) {
	ephemeral, err := p.c.readEphemeral(w.EphemeralKey)
	if err != nil {
		return nil, ErrDecryption
	}
	if p.f.wrap == 0 && len(w.EncryptedKey) != 0 || p.f.wrap != 0 && len(w.EncryptedKey) != enc.keySize()+8 {
		return nil, ErrDecryption
	}
	z, err := p.k.ECDH(ephemeral)
	if err != nil { // all zero: a point of small order
		return nil, ErrDecryption
	}
	if p.f.wrap == 0 {
		return newContentKey(enc, concatKDF(z, string(enc), w.PartyU, w.PartyV, enc.keySize()))
	}
	block, err := aes.NewCipher(concatKDF(z, string(p.f.name), w.PartyU, w.PartyV, p.f.wrap))
	if err != nil {
		return nil, ErrDecryption
	}
	return unwrapContentKey(block, enc, w.EncryptedKey)
}

// readEphemeral reads an "epk", which must be on the key's own curve and hold no
// private member (RFC 7518 §4.6.1.1).
func (c *ecdhCurve) readEphemeral(text string) (*ecdh.PublicKey, error) {
	var room [8]strictjson.Member
	members, err := strictjson.BoundedObject(text, strictjson.MaxDepth, 16, room[:0])
	if err != nil {
		return nil, err
	}
	var kty, crv, x, y string
	for _, m := range members {
		switch m.Name {
		case "kty":
			kty, _ = strictjson.String(m.Value)
		case "crv":
			crv, _ = strictjson.String(m.Value)
		case "x":
			x, _ = strictjson.String(m.Value)
		case "y":
			y, _ = strictjson.String(m.Value)
		case "d":
			return nil, errors.New("private member in an ephemeral key")
		}
	}
	if kty != c.kty || crv != c.crv {
		return nil, errors.New("ephemeral key on another curve")
	}
	return c.point(x, y)
}

// concatKDF is the derivation of RFC 7518 §4.6.2: the single step of NIST SP
// 800-56A §5.8.1 with SHA-256. algorithm is the "enc" of the message or the "alg"
// of a key that wraps; size is of the result, in bytes.
func concatKDF(z []byte, algorithm string, partyU, partyV []byte, size int) []byte {
	number := binary.BigEndian.AppendUint32
	input := make([]byte, 0, 5*4+len(z)+len(algorithm)+len(partyU)+len(partyV))
	out := make([]byte, 0, 2*sha256.Size)
	for round := uint32(1); len(out) < size; round++ {
		input = append(number(input[:0], round), z...)
		input = append(number(input, uint32(len(algorithm))), algorithm...)
		input = append(number(input, uint32(len(partyU))), partyU...)
		input = append(number(input, uint32(len(partyV))), partyV...)
		input = number(input, uint32(size*8)) // SuppPubInfo; there is no SuppPrivInfo
		sum := sha256.Sum256(input)
		out = append(out, sum[:]...)
	}
	return out[:size]
}

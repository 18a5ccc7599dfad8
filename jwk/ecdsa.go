package jwk

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/jotsmith/jotsmith/internal/b64"
)

// ecdsaFamily is ECDSA on one curve with one hash (RFC 7518 §3.4).
type ecdsaFamily struct {
	curve elliptic.Curve
	crv   string
	size  int // bytes of x, y, d, r and s
	hash  crypto.Hash
}

func (f *ecdsaFamily) kind() (kty, crv string) { return "EC", f.crv }

func (f *ecdsaFamily) options() crypto.SignerOpts { return f.hash }

func (f *ecdsaFamily) generate() (crypto.Signer, error) {
	return ecdsa.GenerateKey(f.curve, rand.Reader)
}

func (f *ecdsaFamily) public(key crypto.PublicKey) (publicHalf, error) {
	k, ok := key.(*ecdsa.PublicKey)
	if !ok || k == nil || k.Curve == nil {
		return nil, fmt.Errorf("%T is not an ECDSA public key", key)
	}
	if k.Curve != f.curve {
		return nil, fmt.Errorf("its curve is not %s", f.crv)
	}
	point, err := k.Bytes()
	if err != nil {
		return nil, errors.New("point is not on the curve")
	}
	own, err := ecdsa.ParseUncompressedPublicKey(f.curve, point)
	if err != nil {
		return nil, errors.New("point is not on the curve")
	}
	return &ecdsaPublic{f, own, point}, nil
}

func (f *ecdsaFamily) private(key crypto.PrivateKey) (localHalf, crypto.PublicKey, error) {
	k, ok := key.(*ecdsa.PrivateKey)
	if !ok || k == nil || k.Curve == nil {
		return nil, nil, fmt.Errorf("%T is not an ECDSA private key", key)
	}
	if k.Curve != f.curve {
		return nil, nil, fmt.Errorf("its curve is not %s", f.crv)
	}
	scalar, err := k.Bytes()
	if err != nil {
		return nil, nil, errors.New("private scalar out of range")
	}
	own, err := ecdsa.ParseRawPrivateKey(f.curve, scalar)
	if err != nil {
		return nil, nil, errors.New("private scalar out of range")
	}
	if !own.PublicKey.Equal(&k.PublicKey) {
		return nil, nil, errors.New("its public point belongs to another private key")
	}
	return &ecdsaPrivate{f, own}, &own.PublicKey, nil
}

func (f *ecdsaFamily) readPublic(d *document) (crypto.PublicKey, error) {
	point := []byte{4} // uncompressed, SEC 1 §2.3.3
	for _, c := range []struct{ name, value string }{{"x", d.X}, {"y", d.Y}} {
		// Always the full length of a coordinate: RFC 7518 §6.2.1.2.
		b, err := d.octets(c.name, c.value, f.size)
		if err != nil {
			return nil, err
		}
		point = append(point, b...)
	}
	key, err := ecdsa.ParseUncompressedPublicKey(f.curve, point)
	if err != nil {
		return nil, errors.New("point is not on the curve")
	}
	return key, nil
}

func (f *ecdsaFamily) readPrivate(d *document) (crypto.PrivateKey, error) {
	pub, err := f.readPublic(d)
	if err != nil {
		return nil, err
	}
	scalar, err := d.octets("d", d.D, f.size)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.ParseRawPrivateKey(f.curve, scalar)
	if err != nil {
		return nil, errors.New("private scalar out of range")
	}
	if !key.PublicKey.Equal(pub) {
		return nil, errors.New("\"d\" does not belong to \"x\" and \"y\"")
	}
	return key, nil
}

type ecdsaPublic struct {
	f     *ecdsaFamily
	k     *ecdsa.PublicKey
	point []byte
}

func (p *ecdsaPublic) key() crypto.PublicKey { return p.k }

func (p *ecdsaPublic) describe(d *document) {
	d.Kty, d.Crv = p.f.kind()
	d.X = b64.Encode(p.point[1 : 1+p.f.size])
	d.Y = b64.Encode(p.point[1+p.f.size:])
}

// verify takes r and s side by side, each of full length (RFC 7518 §3.4). Both
// values of s that a signature can have are accepted: the standard asks for
// neither, and nothing here takes a token's text for its identity.
func (p *ecdsaPublic) verify(message, signature []byte) error {
	if len(signature) != 2*p.f.size {
		return ErrSignature
	}
	var digestRoom [maxDigest]byte
	var derRoom [maxDER]byte
	digest := appendDigest(digestRoom[:0], p.f.hash, message)
	if !ecdsa.VerifyASN1(p.k, digest, appendDER(derRoom[:0], signature)) {
		return ErrSignature
	}
	return nil
}

type ecdsaPrivate struct {
	f *ecdsaFamily
	k *ecdsa.PrivateKey
}

func (p *ecdsaPrivate) key() crypto.PrivateKey { return p.k }

func (p *ecdsaPrivate) describe(d *document) {
	scalar, _ := p.k.Bytes()
	d.D = b64.Encode(scalar)
}

func (p *ecdsaPrivate) appendSignature(dst, message []byte) ([]byte, error) {
	var room [maxDigest]byte
	// Without a source of randomness the nonce is that of RFC 6979.
	der, err := p.k.Sign(nil, appendDigest(room[:0], p.f.hash, message), p.f.hash)
	if err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	return appendFixed(dst, der, p.f.size)
}

// maxDER is for P-521, whose sequence is the only one with a length in two bytes.
const maxDER = 3 + 2*(2+1+66)

// appendDER appends the ASN.1 form SEQUENCE { r INTEGER, s INTEGER } of r‖s.
func appendDER(dst, fixed []byte) []byte {
	r, s := unpadded(fixed[:len(fixed)/2]), unpadded(fixed[len(fixed)/2:])
	dst = append(dst, 0x30)
	length := lengthOf(r) + lengthOf(s)
	if length >= 0x80 {
		dst = append(dst, 0x81)
	}
	dst = append(dst, byte(length))
	for _, n := range [2][]byte{r, s} {
		dst = append(dst, 0x02, byte(lengthOf(n)-2))
		if lengthOf(n)-2 > len(n) {
			dst = append(dst, 0)
		}
		dst = append(dst, n...)
	}
	return dst
}

func unpadded(n []byte) []byte { return bytes.TrimLeft(n, "\x00") }

// lengthOf is the length of an INTEGER with its head; a zero byte stands before
// a first bit that is set, and for the number zero.
func lengthOf(n []byte) int {
	if len(n) == 0 || n[0]&0x80 != 0 {
		return 2 + 1 + len(n)
	}
	return 2 + len(n)
}

// appendFixed appends r‖s, size bytes each, of a signature in ASN.1 form. It
// takes exactly what [appendDER] writes, so that nothing is left over.
func appendFixed(dst, der []byte, size int) ([]byte, error) {
	malformed := errors.New("malformed ASN.1 of an ECDSA signature")
	rest := der
	if len(rest) < 2 || rest[0] != 0x30 {
		return nil, malformed
	}
	rest = rest[2:]
	if der[1] == 0x81 && len(rest) > 0 {
		rest = rest[1:]
	}
	start := len(dst)
	for range 2 {
		if len(rest) < 2 || rest[0] != 0x02 || rest[1] >= 0x80 || int(rest[1]) > len(rest)-2 {
			return nil, malformed
		}
		n := unpadded(rest[2 : 2+int(rest[1])])
		rest = rest[2+int(rest[1]):]
		if len(n) > size {
			return nil, malformed
		}
		for range size - len(n) {
			dst = append(dst, 0)
		}
		dst = append(dst, n...)
	}
	var room [maxDER]byte
	if !bytes.Equal(appendDER(room[:0], dst[start:]), der) {
		return nil, malformed
	}
	return dst, nil
}

package jwk

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/jotsmith/jotsmith/internal/b64"
)

// coordinate is the length of x, y, d, r and s on P-256.
const coordinate = 32

var ecdsaFamily = family{
	kty: "EC", crv: "P-256",
	generate: func(Algorithm) (crypto.Signer, error) {
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	},
	public: func(alg Algorithm, key crypto.PublicKey) (publicHalf, error) {
		k, ok := key.(*ecdsa.PublicKey)
		if !ok || k == nil || k.Curve == nil {
			return nil, fmt.Errorf("%T is not an ECDSA public key", key)
		}
		if k.Curve != elliptic.P256() {
			return nil, fmt.Errorf("%s needs the curve P-256", alg)
		}
		point, err := k.Bytes()
		if err != nil {
			return nil, errors.New("point is not on the curve")
		}
		own, err := ecdsa.ParseUncompressedPublicKey(k.Curve, point)
		if err != nil {
			return nil, errors.New("point is not on the curve")
		}
		return &ecdsaPublic{own, point}, nil
	},
	private: func(alg Algorithm, key crypto.PrivateKey) (privateHalf, crypto.PublicKey, error) {
		k, ok := key.(*ecdsa.PrivateKey)
		if !ok || k == nil || k.Curve == nil {
			return nil, nil, fmt.Errorf("%T is not an ECDSA private key", key)
		}
		if k.Curve != elliptic.P256() {
			return nil, nil, fmt.Errorf("%s needs the curve P-256", alg)
		}
		scalar, err := k.Bytes()
		if err != nil {
			return nil, nil, errors.New("private scalar out of range")
		}
		own, err := ecdsa.ParseRawPrivateKey(k.Curve, scalar)
		if err != nil {
			return nil, nil, errors.New("private scalar out of range")
		}
		if !own.PublicKey.Equal(&k.PublicKey) {
			return nil, nil, errors.New("its public point belongs to another private key")
		}
		return &ecdsaPrivate{own}, &own.PublicKey, nil
	},
	readPublic: readECDSAPublic, readPrivate: readECDSAPrivate,
}

func readECDSAPublic(_ Algorithm, d *document) (crypto.PublicKey, error) {
	point := []byte{4} // uncompressed, SEC 1 §2.3.3
	for _, c := range []struct{ name, value string }{{"x", d.X}, {"y", d.Y}} {
		// Always the full length of a coordinate: RFC 7518 §6.2.1.2.
		b, err := d.octets(c.name, c.value, coordinate)
		if err != nil {
			return nil, err
		}
		point = append(point, b...)
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		return nil, errors.New("point is not on the curve")
	}
	return key, nil
}

func readECDSAPrivate(alg Algorithm, d *document) (crypto.PrivateKey, error) {
	pub, err := readECDSAPublic(alg, d)
	if err != nil {
		return nil, err
	}
	scalar, err := d.octets("d", d.D, coordinate)
	if err != nil {
		return nil, err
	}
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar)
	if err != nil {
		return nil, errors.New("private scalar out of range")
	}
	if !key.PublicKey.Equal(pub) {
		return nil, errors.New("\"d\" does not belong to \"x\" and \"y\"")
	}
	return key, nil
}

type ecdsaPublic struct {
	k     *ecdsa.PublicKey
	point []byte
}

func (p *ecdsaPublic) key() crypto.PublicKey { return p.k }

func (p *ecdsaPublic) describe(d *document) {
	d.Crv = "P-256"
	d.X = b64.Encode(p.point[1 : 1+coordinate])
	d.Y = b64.Encode(p.point[1+coordinate:])
}

// verify takes r and s side by side, each of full length (RFC 7518 §3.4). Both
// values of s that a signature can have are accepted: the standard asks for
// neither, and nothing here takes a token's text for its identity.
func (p *ecdsaPublic) verify(message, signature []byte) error {
	if len(signature) != 2*coordinate {
		return ErrSignature
	}
	digest := sha256.Sum256(message)
	var room [maxDER]byte
	der := appendDER(room[:0], signature)
	if !ecdsa.VerifyASN1(p.k, digest[:], der) {
		return ErrSignature
	}
	return nil
}

type ecdsaPrivate struct{ k *ecdsa.PrivateKey }

func (p *ecdsaPrivate) key() crypto.PrivateKey { return p.k }

func (p *ecdsaPrivate) describe(d *document) {
	scalar, _ := p.k.Bytes()
	d.D = b64.Encode(scalar)
}

func (p *ecdsaPrivate) appendSignature(dst, message []byte) ([]byte, error) {
	digest := sha256.Sum256(message)
	// Without a source of randomness the nonce is that of RFC 6979.
	der, err := p.k.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	return appendFixed(dst, der)
}

const maxDER = 2 + 2*(2+1+coordinate)

// appendDER appends the ASN.1 form SEQUENCE { r INTEGER, s INTEGER } of r‖s.
func appendDER(dst, fixed []byte) []byte {
	dst = append(dst, 0x30, 0)
	start := len(dst)
	for _, n := range [2][]byte{fixed[:coordinate], fixed[coordinate:]} {
		n = bytes.TrimLeft(n, "\x00")
		if len(n) == 0 || n[0]&0x80 != 0 {
			dst = append(dst, 0x02, byte(len(n)+1), 0)
		} else {
			dst = append(dst, 0x02, byte(len(n)))
		}
		dst = append(dst, n...)
	}
	dst[start-1] = byte(len(dst) - start)
	return dst
}

// appendFixed appends r‖s of a signature in ASN.1 form.
func appendFixed(dst, der []byte) ([]byte, error) {
	malformed := errors.New("signing: malformed ECDSA signature")
	if len(der) < 2 || der[0] != 0x30 || int(der[1]) != len(der)-2 {
		return nil, malformed
	}
	der = der[2:]
	for range 2 {
		if len(der) < 2 || der[0] != 0x02 || int(der[1]) > len(der)-2 {
			return nil, malformed
		}
		n := bytes.TrimLeft(der[2:2+int(der[1])], "\x00")
		der = der[2+int(der[1]):]
		if len(n) > coordinate {
			return nil, malformed
		}
		var zero [coordinate]byte
		dst = append(append(dst, zero[len(n):]...), n...)
	}
	if len(der) != 0 {
		return nil, malformed
	}
	return dst, nil
}

package jwk

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"math/big"
	"slices"

	"github.com/jotsmith/jotsmith/internal/b64"
)

// The rule for Ed25519 (RFC 8032 leaves room, and libraries differ):
//
//   - a public key is the canonical encoding of a point on the curve that is
//     not of small order; anything else is refused when the key is made;
//   - a signature is accepted if S is below the group order and the encoding of
//     [S]B − [k]A equals R byte for byte, without the cofactor. So R that is not
//     canonical is refused, and R of small order or A of mixed order is no special
//     case.
//
// Integer arithmetic decides, and so the verdict is the same on every machine.
type ed25519Family struct{}

func (ed25519Family) kind() (kty, crv string) { return "OKP", "Ed25519" }

func (ed25519Family) options() crypto.SignerOpts { return crypto.Hash(0) }

func (ed25519Family) generate() (crypto.Signer, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	return key, err
}

func (ed25519Family) public(key crypto.PublicKey) (publicHalf, error) {
	k, ok := key.(ed25519.PublicKey)
	if !ok {
		return nil, fmt.Errorf("%T is not an Ed25519 public key", key)
	}
	if err := checkEd25519(k); err != nil {
		return nil, err
	}
	return ed25519Public(slices.Clone(k)), nil
}

func (ed25519Family) private(key crypto.PrivateKey) (localHalf, crypto.PublicKey, error) {
	k, ok := key.(ed25519.PrivateKey)
	if !ok || len(k) != ed25519.PrivateKeySize {
		return nil, nil, fmt.Errorf("%T is not an Ed25519 private key of %d bytes", key, ed25519.PrivateKeySize)
	}
	own := ed25519.NewKeyFromSeed(k.Seed())
	if !own.Equal(k) {
		return nil, nil, errors.New("its public half belongs to another private key")
	}
	return ed25519Private(own), own.Public(), nil
}

func (ed25519Family) readPublic(d *document) (crypto.PublicKey, error) {
	x, err := d.octets("x", d.X, ed25519.PublicKeySize)
	return ed25519.PublicKey(x), err
}

func (ed25519Family) readPrivate(d *document) (crypto.PrivateKey, error) {
	x, err := d.octets("x", d.X, ed25519.PublicKeySize)
	if err != nil {
		return nil, err
	}
	seed, err := d.octets("d", d.D, ed25519.SeedSize)
	if err != nil {
		return nil, err
	}
	key := ed25519.NewKeyFromSeed(seed)
	if !bytes.Equal(key[ed25519.SeedSize:], x) {
		return nil, errors.New("\"d\" does not belong to \"x\"")
	}
	return key, nil
}

// smallOrder are the y coordinates of the eight points whose order divides 8,
// little endian.
var smallOrder = func() (ys [][]byte) {
	for _, s := range []string{
		"0000000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000000",
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
	} {
		y, _ := hex.DecodeString(s)
		ys = append(ys, y)
	}
	return ys
}()

var (
	fieldPrime, _ = new(big.Int).SetString("7fffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffed", 16)
	curveD, _     = new(big.Int).SetString("52036cee2b6ffe738cc740797779e89800700a4d4141d8ab75eb4dca135978a3", 16)
)

func checkEd25519(k ed25519.PublicKey) error {
	if len(k) != ed25519.PublicKeySize {
		return fmt.Errorf("%d bytes instead of %d", len(k), ed25519.PublicKeySize)
	}
	le := slices.Clone(k)
	le[31] &= 0x7f // the sign of x
	for _, y := range smallOrder {
		if bytes.Equal(le, y) {
			return errors.New("point of small order: signatures would prove nothing")
		}
	}
	slices.Reverse(le)
	y := new(big.Int).SetBytes(le)
	if y.Cmp(fieldPrime) >= 0 {
		return errors.New("point is not in its canonical encoding")
	}
	// x² = (y² − 1) / (dy² + 1) has a root exactly where the product of both
	// has one (RFC 8032 §5.1.3).
	y2 := new(big.Int).Mul(y, y)
	u := new(big.Int).Sub(y2, big.NewInt(1))
	v := new(big.Int).Add(new(big.Int).Mul(curveD, y2), big.NewInt(1))
	uv := new(big.Int).Mod(u.Mul(u, v), fieldPrime)
	if big.Jacobi(uv, fieldPrime) == -1 {
		return errors.New("point is not on the curve")
	}
	return nil
}

type ed25519Public ed25519.PublicKey

func (p ed25519Public) key() crypto.PublicKey { return ed25519.PublicKey(p) }

func (p ed25519Public) describe(d *document) {
	d.Kty, d.Crv = ed25519Family{}.kind()
	d.X = b64.Encode(p)
}

func (p ed25519Public) verify(message, signature []byte) error {
	if !ed25519.Verify(ed25519.PublicKey(p), message, signature) {
		return ErrSignature
	}
	return nil
}

type ed25519Private ed25519.PrivateKey

func (p ed25519Private) key() crypto.PrivateKey { return ed25519.PrivateKey(p) }

func (p ed25519Private) describe(d *document) { d.D = b64.Encode(ed25519.PrivateKey(p).Seed()) }

func (p ed25519Private) appendSignature(dst, message []byte) ([]byte, error) {
	return append(dst, ed25519.Sign(ed25519.PrivateKey(p), message)...), nil
}

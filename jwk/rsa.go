package jwk

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"

	"github.com/jotsmith/jotsmith/internal/b64"
)

const (
	minModulus  = 2048 // RFC 7518 §3.3
	maxModulus  = 8192 // verification is quadratic: beyond this a key is a burden that its owner puts on others
	minExponent = 65537
)

// rsaFamily is RSASSA-PKCS1-v1_5 (RFC 7518 §3.3) or RSASSA-PSS (§3.5).
type rsaFamily struct {
	hash crypto.Hash
	pss  bool
}

// pssOptions ask for a salt as long as the hash, in signing and in verifying
// (RFC 7518 §3.5). The hash of MGF1 is the algorithm's own.
var pssOptions = rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}

func (rsaFamily) kind() (kty, crv string) { return "RSA", "" }

func (f rsaFamily) options() crypto.SignerOpts {
	if f.pss {
		return &rsa.PSSOptions{SaltLength: pssOptions.SaltLength, Hash: f.hash}
	}
	return f.hash
}

func (rsaFamily) generate() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, minModulus) }

func (f rsaFamily) public(key crypto.PublicKey) (publicHalf, error) {
	k, ok := key.(*rsa.PublicKey)
	if !ok || k == nil || k.N == nil {
		return nil, fmt.Errorf("%T is not an RSA public key", key)
	}
	if err := checkRSA(k); err != nil {
		return nil, err
	}
	return &rsaPublic{f, &rsa.PublicKey{N: new(big.Int).Set(k.N), E: k.E}}, nil
}

func (f rsaFamily) private(key crypto.PrivateKey) (localHalf, crypto.PublicKey, error) {
	k, ok := key.(*rsa.PrivateKey)
	if !ok || k == nil || k.N == nil || k.D == nil || len(k.Primes) != 2 || k.Primes[0] == nil || k.Primes[1] == nil {
		return nil, nil, fmt.Errorf("%T is not an RSA private key of two primes", key)
	}
	if err := checkRSA(&k.PublicKey); err != nil {
		return nil, nil, err
	}
	own := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: new(big.Int).Set(k.N), E: k.E},
		D:         new(big.Int).Set(k.D),
		Primes:    []*big.Int{new(big.Int).Set(k.Primes[0]), new(big.Int).Set(k.Primes[1])},
	}
	own.Precompute()
	if err := own.Validate(); err != nil {
		return nil, nil, errors.New("its members do not belong together")
	}
	return &rsaPrivate{f, own}, &own.PublicKey, nil
}

func (rsaFamily) readPublic(d *document) (crypto.PublicKey, error) {
	n, err := d.integer("n", d.N)
	if err != nil {
		return nil, err
	}
	e, err := d.integer("e", d.E)
	if err != nil {
		return nil, err
	}
	if e.BitLen() > 31 {
		return nil, errors.New("public exponent over 31 bits")
	}
	return &rsa.PublicKey{N: n, E: int(e.Int64())}, nil
}

// checkRSA refuses what is not an algorithm of RSA keys.
func (alg Algorithm) checkRSA() error {
	if f, err := alg.pair(); err != nil {
		return err
	} else if _, ok := f.(rsaFamily); !ok {
		return fmt.Errorf("%s is not an algorithm of RSA keys: use RS256 or PS256, as the issuer does", alg)
	}
	return nil
}

func checkRSA(k *rsa.PublicKey) error {
	switch bits := k.N.BitLen(); {
	case bits < minModulus || bits > maxModulus:
		return fmt.Errorf("modulus of %d bits: %d to %d are allowed", bits, minModulus, maxModulus)
	case k.N.Sign() <= 0 || k.N.Bit(0) == 0:
		return errors.New("even modulus")
	case k.E < minExponent || k.E&1 == 0 || k.E > 1<<31-1:
		return fmt.Errorf("public exponent %d: use 65537", k.E)
	case hasROCA(k.N):
		return errors.New("modulus with the fingerprint of the ROCA weakness (CVE-2017-15361): its primes can be found")
	}
	return nil
}

// readPrivate reads the two-prime form of RFC 7518 §6.3.2. The members for
// the Chinese remainder theorem must fit where they stand.
func (f rsaFamily) readPrivate(d *document) (crypto.PrivateKey, error) {
	if d.hasOther {
		return nil, errors.New("more than two primes (\"oth\")")
	}
	pub, err := f.readPublic(d)
	if err != nil {
		return nil, err
	}
	key := &rsa.PrivateKey{PublicKey: *pub.(*rsa.PublicKey)}
	var errs [3]error
	var p, q *big.Int
	key.D, errs[0] = d.integer("d", d.D)
	p, errs[1] = d.integer("p", d.P)
	q, errs[2] = d.integer("q", d.Q)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	if max(key.D.BitLen(), p.BitLen(), q.BitLen()) > maxModulus || min(p.BitLen(), q.BitLen()) < minModulus/4 {
		return nil, errors.New("prime or exponent of an impossible size")
	}
	key.Primes = []*big.Int{p, q}
	one := big.NewInt(1)
	for _, crt := range []struct {
		name, given string
		want        *big.Int
	}{
		{"dp", d.DP, new(big.Int).Mod(key.D, new(big.Int).Sub(p, one))},
		{"dq", d.DQ, new(big.Int).Mod(key.D, new(big.Int).Sub(q, one))},
		{"qi", d.QI, new(big.Int).ModInverse(q, p)},
	} {
		if crt.given == "" {
			continue
		}
		v, err := d.integer(crt.name, crt.given)
		if err != nil {
			return nil, err
		}
		if crt.want == nil || v.Cmp(crt.want) != 0 {
			return nil, fmt.Errorf("%q does not belong to the key", crt.name)
		}
	}
	return key, nil
}

type rsaPublic struct {
	f rsaFamily
	k *rsa.PublicKey
}

func (p *rsaPublic) key() crypto.PublicKey { return p.k }

func (p *rsaPublic) describe(d *document) {
	d.Kty, d.Crv = p.f.kind()
	d.N = b64.Encode(p.k.N.Bytes())
	d.E = b64.Encode(big.NewInt(int64(p.k.E)).Bytes())
}

func (p *rsaPublic) verify(message, signature []byte) error {
	var room [maxDigest]byte
	digest := appendDigest(room[:0], p.f.hash, message)
	var err error
	if p.f.pss {
		err = rsa.VerifyPSS(p.k, p.f.hash, digest, signature, &pssOptions)
	} else {
		err = rsa.VerifyPKCS1v15(p.k, p.f.hash, digest, signature)
	}
	if err != nil {
		return ErrSignature
	}
	return nil
}

type rsaPrivate struct {
	f rsaFamily
	k *rsa.PrivateKey
}

func (p *rsaPrivate) key() crypto.PrivateKey { return p.k }

func (p *rsaPrivate) describe(d *document) {
	d.D = b64.Encode(p.k.D.Bytes())
	d.P = b64.Encode(p.k.Primes[0].Bytes())
	d.Q = b64.Encode(p.k.Primes[1].Bytes())
	d.DP = b64.Encode(p.k.Precomputed.Dp.Bytes())
	d.DQ = b64.Encode(p.k.Precomputed.Dq.Bytes())
	d.QI = b64.Encode(p.k.Precomputed.Qinv.Bytes())
}

func (p *rsaPrivate) appendSignature(dst, message []byte) ([]byte, error) {
	var room [maxDigest]byte
	digest := appendDigest(room[:0], p.f.hash, message)
	var sig []byte
	var err error
	if p.f.pss {
		sig, err = rsa.SignPSS(rand.Reader, p.k, p.f.hash, digest, &pssOptions)
	} else {
		sig, err = rsa.SignPKCS1v15(nil, p.k, p.f.hash, digest)
	}
	if err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	return append(dst, sig...), nil
}

// rocaPrimes are the small primes of the ROCA fingerprint (Nemec et al., "The
// Return of Coppersmith's Attack", 2017, §3.2).
var rocaPrimes = []int64{11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157}

// hasROCA reports whether n is, modulo each of those primes, a power of 65537.
// The faulty library made only such moduli; of all others one in 2²⁷ is.
func hasROCA(n *big.Int) bool {
	for _, p := range rocaPrimes {
		r := new(big.Int).Mod(n, big.NewInt(p)).Int64()
		power, found := int64(1), false
		for range p {
			found = found || power == r
			power = power * 65537 % p
		}
		if !found {
			return false
		}
	}
	return true
}

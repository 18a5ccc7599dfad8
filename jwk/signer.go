package jwk

import (
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
)

// FromSigner makes a key of a private half that lives elsewhere: in an HSM, a
// smart card, a key management service, an agent. Its public half must fit alg
// as one given to New… must, and an empty kid stands for the thumbprint. The key
// cannot be written down: MarshalPrivateJWK and PrivatePEM fail.
//
// signer must be safe for concurrent use and should bound its own time, since
// crypto.Signer takes no context. It is asked as crypto/rsa, crypto/ecdsa and
// crypto/ed25519 would be: it gets the digest and the hash, for PS* an
// *rsa.PSSOptions with a salt as long as the hash, and for Ed25519 the message
// and no hash. ECDSA signatures in ASN.1 become the fixed form of RFC 7518 §3.4.
//
// Every signature is verified before it is handed out. One that a fault in the
// device has spoilt can give an RSA or Ed25519 private key away, and one by
// another key (another slot, another version of a key that was rotated) would
// reach users as a token that nobody accepts. It costs less than the way to any
// device. No signature is asked for here, so that making a key leaves no trace
// in the device's log.
func FromSigner(alg Algorithm, signer crypto.Signer, kid string) (*PrivateKey, error) {
	f, err := alg.pair()
	if err != nil {
		return nil, err
	}
	if signer == nil {
		return nil, fmt.Errorf("%s key: no signer", alg)
	}
	public, err := newPublic(alg, signer.Public(), kid)
	if err != nil {
		return nil, fmt.Errorf("signer's public half: %w", err)
	}
	return &PrivateKey{public: public, half: &remoteHalf{f, public.half, signer}}, nil
}

// remoteHalf is a private key in another place.
type remoteHalf struct {
	f      family
	public publicHalf
	signer crypto.Signer
}

func (h *remoteHalf) appendSignature(dst, message []byte) ([]byte, error) {
	input, opts := message, h.f.options()
	if hash := opts.HashFunc(); hash != 0 {
		input = appendDigest(nil, hash, message)
	}
	signature, err := h.signer.Sign(rand.Reader, input, opts)
	if err != nil {
		return nil, fmt.Errorf("signing with the external signer: %w", err)
	}
	start := len(dst)
	if f, ok := h.f.(*ecdsaFamily); ok {
		if dst, err = appendFixed(dst, signature, f.size); err != nil {
			return nil, fmt.Errorf("external signer: %w", err)
		}
	} else {
		dst = append(dst, signature...)
	}
	if h.public.verify(message, dst[start:]) != nil {
		return nil, errors.New("the external signer's signature does not verify with its public key: it signs with another key or has a fault")
	}
	return dst, nil
}

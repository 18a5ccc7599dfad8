package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jotsmith/jotsmith/jwk"
)

// encryptionAlgorithms are those that --alg takes beside the ones of signatures.
func encryptionAlgorithms() string {
	var names []string
	for _, alg := range jwk.KeyManagements() {
		names = append(names, string(alg))
	}
	return strings.Join(names, ",")
}

// contentEncryptions are all that --enc takes.
func contentEncryptions() string {
	var names []string
	for _, enc := range jwk.ContentEncryptions() {
		names = append(names, string(enc))
	}
	return strings.Join(names, ",")
}

// ownedKey is a key with its private part: one that signs or one that decrypts.
type ownedKey interface{ KeyID() string }

// owned reads a private key or a shared secret, of either use.
func (r keyReading) owned(text []byte) (ownedKey, error) {
	if r.encrypts(text) {
		return orNone[ownedKey](r.decrypter(text))
	}
	return orNone[ownedKey](r.signer(text))
}

// encrypts says whether a key is one for encryption, by what it says itself or by
// what is said about it. What says neither is for signatures.
func (r keyReading) encrypts(raw []byte) bool {
	alg := string(r.alg)
	if isJWK(raw) {
		has := values(raw)
		if use, _ := text(has["use"]); use == "enc" {
			return true
		}
		if said, ok := text(has["alg"]); ok {
			alg = said
		}
	}
	return jwk.KeyManagement(alg).Known() || jwk.ContentEncryption(alg).Known()
}

// decrypter reads the private half of a key for encryption, or a shared one.
func (r keyReading) decrypter(text []byte) (jwk.Decrypter, error) {
	if !isJWK(text) {
		return orNone[jwk.Decrypter](jwk.ParseDecryptionPEM(jwk.KeyManagement(r.alg), r.kid, text))
	}
	text, shared, err := r.complete(text)
	switch {
	case err != nil:
		return nil, err
	case shared:
		return orNone[jwk.Decrypter](jwk.ParseShared(text))
	}
	return orNone[jwk.Decrypter](jwk.ParseDecryption(text))
}

// encrypter reads what others encrypt with: a public key, the public half of a
// private one, or a shared key.
func (r keyReading) encrypter(text []byte) (jwk.Encrypter, error) {
	if !r.encrypts(text) {
		return nil, errNotForEncryption
	}
	if isPublic(text) {
		return orNone[jwk.Encrypter](r.publicEncryption(text))
	}
	key, err := r.decrypter(text)
	switch key := key.(type) {
	case *jwk.DecryptionKey:
		return key.Public(), nil
	case *jwk.SharedKey:
		return key, nil
	}
	return nil, err
}

var errNotForEncryption = hint(errors.New("it is not a key for encryption, or does not say so"),
	"'jotsmith key generate --use enc' makes one; --alg says what a key in PEM, or of another program, is for, such as ECDH-ES+A128KW")

func (r keyReading) publicEncryption(text []byte) (*jwk.EncryptionKey, error) {
	if !isJWK(text) {
		return jwk.ParseEncryptionPEM(jwk.KeyManagement(r.alg), r.kid, text)
	}
	text, _, err := r.complete(text)
	if err != nil {
		return nil, err
	}
	return jwk.ParseEncryption(text)
}

// publicEncryptionHalf answers the public key that text is, or whose private key
// it is.
func publicEncryptionHalf(text []byte, r keyReading) (*jwk.EncryptionKey, error) {
	key, err := r.encrypter(text)
	if err != nil {
		return nil, err
	}
	public, ok := key.(*jwk.EncryptionKey)
	if !ok {
		return nil, errors.New("a shared key has no public half: whoever encrypts with it can decrypt with it")
	}
	return public, nil
}

// generate makes a key for encryption.
func (cmd *keyGenerateCmd) generate(alg jwk.KeyManagement) (ownedKey, error) {
	var encs []jwk.ContentEncryption
	for _, enc := range cmd.Enc {
		encs = append(encs, jwk.ContentEncryption(enc))
	}
	elliptic := strings.HasPrefix(string(alg), "ECDH-ES")
	switch {
	case cmd.Curve != "" && !elliptic:
		return nil, usagef("--curve is for ECDH-ES and its variants")
	case alg.Symmetric() && cmd.Format == "pem":
		return nil, hint(usagef("a shared key has no PEM form"), "--format jwk")
	case alg == jwk.Direct && len(encs) > 1:
		return nil, usagef("a key for dir is the key of one content encryption")
	case cmd.Format == "pem" && len(encs) > 0:
		return nil, usagef("PEM does not say which content encryptions a key allows: --enc is for a JWK")
	case alg == jwk.Direct && len(encs) == 0:
		encs = []jwk.ContentEncryption{jwk.A256GCM}
	}
	if alg.Symmetric() {
		return orNone[ownedKey](jwk.GenerateShared(alg, encs...))
	}
	return orNone[ownedKey](jwk.GenerateDecryption(alg, cmd.Curve, encs...))
}

// chosen answers which algorithm a new key is for, by --use and --alg.
func (cmd *keyGenerateCmd) chosen() (signs jwk.Algorithm, encrypts jwk.KeyManagement, err error) {
	signs, encrypts = jwk.Algorithm(cmd.Alg), jwk.KeyManagement(cmd.Alg)
	switch {
	case cmd.Use == "sig" && encrypts.Known():
		return "", "", usagef("%s is an algorithm of keys for encryption: --use enc", cmd.Alg)
	case cmd.Use == "enc" && signs.Known():
		return "", "", usagef("%s is an algorithm of signatures: with --use enc, ECDH-ES+A128KW or RSA-OAEP-256", cmd.Alg)
	case cmd.Use == "enc" && cmd.Alg == "":
		encrypts = jwk.ECDHESA128KW
	case cmd.Alg == "":
		signs = jwk.ES256
	}
	if encrypts.Known() {
		return "", encrypts, nil
	}
	if cmd.Curve != "" || len(cmd.Enc) > 0 {
		return "", "", usagef("--curve and --enc are for keys for encryption: --use enc")
	}
	return signs, "", nil
}

// aboutEncryption says of a key for encryption what --json prints, or nothing of
// another.
func aboutEncryption(key ownedKey) (about keyFileJSON, ok bool) {
	d, ok := key.(jwk.Decrypter)
	if !ok {
		return about, false
	}
	about = keyFileJSON{Use: "enc", Algorithm: string(d.Algorithm()), ID: d.KeyID()}
	for _, enc := range d.Encryptions() {
		about.Encryptions = append(about.Encryptions, string(enc))
	}
	if pair, ok := key.(*jwk.DecryptionKey); ok {
		about.Thumbprint = pair.Public().Thumbprint()
	}
	return about, true
}

// marshalEncryption is marshal for a key for encryption.
func marshalEncryption(key ownedKey, format string) ([]byte, error) {
	switch key := key.(type) {
	case *jwk.SharedKey:
		if format == "pem" {
			return nil, hint(errors.New("a shared key has no PEM form"), "--format jwk")
		}
		return withLine(key.MarshalSharedJWK())
	case *jwk.DecryptionKey:
		if format == "pem" {
			return key.PrivatePEM()
		}
		return withLine(key.MarshalDecryptionJWK())
	}
	return nil, fmt.Errorf("a key of type %T cannot be written", key)
}

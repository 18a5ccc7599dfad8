package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/jotsmith/jotsmith/jwk"
)

// writeSecretFile writes a file that only its owner may read, whole or not at
// all, durably, and over what is there only where replace says so.
func writeSecretFile(path string, data []byte, replace bool) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".jotsmith-*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(data)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	if replace {
		// Renaming would put a file in the place of a device.
		if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
			return fmt.Errorf("%s is not a regular file; nothing was written", path)
		}
		err = os.Rename(f.Name(), path)
	} else {
		err = os.Link(f.Name(), path) // fails where the name is taken
	}
	if err != nil {
		return err
	}
	if dir, err := os.Open(filepath.Dir(path)); err == nil {
		dir.Sync() // the name is durable, too
		dir.Close()
	}
	return nil
}

// maxKeyFile is what a key set may have.
const maxKeyFile = 256 << 10

// readKeyFile reads keys from a file, or from standard input where path is "-".
func readKeyFile(path string, c *console) ([]byte, error) {
	in := c.in
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("reading keys: %w", err)
		}
		defer f.Close()
		in = f
	}
	raw, err := io.ReadAll(io.LimitReader(in, maxKeyFile+1))
	if err == nil && len(raw) > maxKeyFile {
		err = fmt.Errorf("%s has more than %d bytes", keyAt(path), maxKeyFile)
	}
	return raw, wrap(err, "reading keys")
}

// keyAt names a key by where it was read.
func keyAt(path string) string {
	if path == "-" {
		return "key from standard input"
	}
	return "key " + path
}

// A keyReading is what a reader of a key adds where the key does not say it.
type keyReading struct {
	alg jwk.Algorithm
	kid string
}

// signer reads a private key or a shared secret: a JWK, or a PEM private key.
func (r keyReading) signer(text []byte) (jwk.Signer, error) {
	if !isJWK(text) {
		alg, err := r.algorithm(text)
		if err != nil {
			return nil, err
		}
		return orNone[jwk.Signer](jwk.ParsePrivatePEM(alg, r.kid, text))
	}
	text, secret, err := r.complete(text)
	switch {
	case err != nil:
		return nil, err
	case secret:
		return orNone[jwk.Signer](jwk.ParseSecret(text))
	}
	return orNone[jwk.Signer](jwk.ParsePrivate(text))
}

// verifier reads a public key or a shared secret: a JWK, or a PEM public key.
func (r keyReading) verifier(text []byte) (jwk.Verifier, error) {
	if !isJWK(text) {
		alg, err := r.algorithm(text)
		if err != nil {
			return nil, err
		}
		return orNone[jwk.Verifier](jwk.ParsePublicPEM(alg, r.kid, text))
	}
	text, secret, err := r.complete(text)
	switch {
	case err != nil:
		return nil, err
	case secret:
		return orNone[jwk.Verifier](jwk.ParseSecret(text))
	}
	return orNone[jwk.Verifier](jwk.ParsePublic(text))
}

// orNone keeps a nil pointer from becoming a key.
func orNone[I, K any](key K, err error) (I, error) {
	var none I
	if err != nil {
		return none, err
	}
	return any(key).(I), nil
}

func isJWK(text []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) }

// complete puts "alg" and "kid" into a JWK that lacks them; many programs leave
// them out. It also tells whether the key is a shared secret. The text is not
// written anew: package jwk shall see all that is wrong with it.
func (r keyReading) complete(raw []byte) (_ []byte, secret bool, err error) {
	raw = bytes.TrimSpace(raw)
	has := values(raw)
	kind, _ := text(has["kty"])
	for _, m := range []struct{ name, value string }{{"alg", string(r.alg)}, {"kid", r.kid}} {
		said, ok := text(has[m.name])
		switch {
		case m.value == "" || said == m.value:
		case has[m.name] == nil:
			value, _ := json.Marshal(m.value) // a string always marshals
			raw = slices.Concat([]byte(`{"`+m.name+`":`), value, []byte(","), raw[1:])
		case ok:
			return nil, false, fmt.Errorf("the key says itself that its %q is %q, not %q", m.name, said, m.value)
		}
	}
	if kind == "oct" && has["kid"] == nil && r.kid == "" {
		return nil, true, hint(errors.New("JWK of a shared secret without \"kid\""), "--key-id names it")
	}
	return raw, kind == "oct", nil
}

// algorithm answers which algorithm a PEM key is for, which it cannot say: an
// EC or Ed25519 key has one by its curve. A text that is no key stays for
// package jwk to explain.
func (r keyReading) algorithm(text []byte) (jwk.Algorithm, error) {
	first, _ := pem.Decode(text)
	switch {
	case first == nil:
		return "", errors.New("neither a JWK nor a PEM block")
	case r.alg != "":
		return r.alg, nil
	}
	var key any
	for block, rest := pem.Decode(text); block != nil && key == nil; block, rest = pem.Decode(rest) {
		switch block.Type {
		case "PRIVATE KEY":
			key, _ = x509.ParsePKCS8PrivateKey(block.Bytes)
		case "PUBLIC KEY":
			key, _ = x509.ParsePKIXPublicKey(block.Bytes)
		case "EC PRIVATE KEY":
			key, _ = x509.ParseECPrivateKey(block.Bytes)
		case "RSA PRIVATE KEY", "RSA PUBLIC KEY":
			key = new(rsa.PublicKey)
		case "CERTIFICATE":
			if cert, err := x509.ParseCertificate(block.Bytes); err == nil {
				key = cert.PublicKey
			}
		}
	}
	curve := ""
	switch key := key.(type) {
	case *rsa.PrivateKey, *rsa.PublicKey:
		return "", hint(errors.New("an RSA key in PEM does not say which algorithm it is for"), "say it with --alg, such as RS256 or PS256")
	case ed25519.PrivateKey, ed25519.PublicKey:
		return jwk.EdDSA, nil
	case *ecdsa.PrivateKey:
		curve = key.Curve.Params().Name
	case *ecdsa.PublicKey:
		curve = key.Curve.Params().Name
	}
	switch curve {
	case "P-384":
		return jwk.ES384, nil
	case "P-521":
		return jwk.ES512, nil
	}
	return jwk.ES256, nil
}

// ownKey reads a key that is used from where it lies, so that only its owner
// may have been able to read it.
func ownKey(path string, r keyReading) (jwk.Signer, error) {
	text, err := readSecretFile(path, "key", maxKeyFile)
	if err != nil {
		return nil, err
	}
	key, err := r.signer(text)
	return key, wrap(err, keyAt(path))
}

// marshal writes a key as a JWK or as PEM, with its private part.
func marshal(key ownedKey, format string) ([]byte, error) {
	switch key := key.(type) {
	case *jwk.SecretKey:
		if format == "pem" {
			return nil, hint(errors.New("a shared secret has no PEM form"), "--format jwk")
		}
		return withLine(key.MarshalSecretJWK())
	case *jwk.PrivateKey:
		if format == "pem" {
			return key.PrivatePEM()
		}
		return withLine(key.MarshalPrivateJWK())
	}
	return marshalEncryption(key, format)
}

func withLine(text []byte, err error) ([]byte, error) { return append(text, '\n'), err }

// outFlags say where a private key goes. It is never printed.
type outFlags struct {
	Out   string `required:"" placeholder:"PATH" help:"Write the key to this file, which only you may read (0600)."`
	Force bool   `help:"Write over the file, where there is one. The key in it is lost."`
	JSON  bool   `help:"Print JSON about the key, without its private part."`
}

// keyFileJSON is a key in a file as --json prints it.
type keyFileJSON struct {
	File        string   `json:"file"`
	Use         string   `json:"use"` // sig or enc
	Algorithm   string   `json:"algorithm"`
	Encryptions []string `json:"content_encryptions,omitempty"`
	ID          string   `json:"id"`
	Thumbprint  string   `json:"thumbprint,omitempty"` // of a shared secret, it would tell a guesser when the guess is right
}

// write writes key and tells about it.
func (f outFlags) write(c *console, key ownedKey, format string) error {
	text, err := marshal(key, format)
	if err != nil {
		return err
	}
	err = writeSecretFile(f.Out, text, f.Force)
	switch {
	case errors.Is(err, fs.ErrExist):
		return hint(fmt.Errorf("%s is there already; nothing was written", f.Out), "name another file, or replace it with --force")
	case err != nil:
		return fmt.Errorf("writing the key: %w", err)
	}
	about, encrypts := aboutEncryption(key)
	if signer, ok := key.(jwk.Signer); ok {
		about = keyFileJSON{Use: "sig", Algorithm: string(signer.Algorithm()), ID: key.KeyID()}
	}
	if pair, ok := key.(*jwk.PrivateKey); ok {
		about.Thumbprint = pair.Public().Thumbprint()
	}
	about.File = f.Out
	if f.JSON {
		return c.json(about)
	}
	fmt.Fprintf(c.out, "%s\n  algorithm   %s\n  key id      %s\n", printable(about.File), about.Algorithm, printable(about.ID))
	switch {
	case encrypts && about.Thumbprint == "":
		fmt.Fprintln(c.out, "Whoever encrypts with this key can decrypt with it: share it with nobody who only sends.")
		return nil
	case about.Thumbprint == "":
		fmt.Fprintln(c.out, "Whoever verifies with this secret can sign with it: share it with nobody who only verifies.")
		return nil
	}
	fmt.Fprintf(c.out, "  thumbprint  %s\nTo hand out its public half: jotsmith key public %s\n", about.Thumbprint, printable(f.Out))
	return nil
}

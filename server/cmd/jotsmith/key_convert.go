package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/jotsmith/jotsmith/jwk"
)

// readingFlags say about a key what it does not say itself.
type readingFlags struct {
	Alg   string `default:"" enum:",${algorithms},${encryption_algorithms}" placeholder:"ALG" help:"The key's algorithm, where the key does not say it: for RSA in PEM, for a JWK without \"alg\", and for PEM that is for encryption."`
	KeyID string `name:"key-id" placeholder:"ID" help:"The key's id, where the key does not say it; by default the thumbprint of a key pair."`
}

func (f readingFlags) reading() keyReading {
	return keyReading{alg: jwk.Algorithm(f.Alg), kid: f.KeyID}
}

type keyImportCmd struct {
	File string `arg:"" default:"-" help:"The key: a private JWK, or a PEM file (PKCS #8, PKCS #1, SEC 1) that is not encrypted; '-' or nothing reads it from standard input."`
	readingFlags
	outFlags
}

func (keyImportCmd) Help() string {
	return "The key is checked, and refused where it is weak or its halves do not belong together. What is written is a JWK with its algorithm and key id. " + filesHelp
}

func (cmd *keyImportCmd) Run(_ context.Context, c *console, _ *commandLine) error {
	if isTerminal(c.in) && cmd.File == "-" {
		fmt.Fprintln(c.err, "Paste the key, then press Enter and Ctrl-D.")
	}
	text, err := readKeyFile(cmd.File, c)
	if err != nil {
		return err
	}
	key, err := cmd.reading().owned(text)
	if err != nil {
		return fmt.Errorf("%s: %w", keyAt(cmd.File), err)
	}
	return cmd.write(c, key, "jwk")
}

type keyExportCmd struct {
	File   string `arg:"" help:"The key: a private JWK or PEM file."`
	Format string `default:"pem" enum:"jwk,pem" placeholder:"FORM" help:"pem, which is PKCS #8, or jwk (${default})."`
	readingFlags
	outFlags
}

func (keyExportCmd) Help() string {
	return "Writes a private key in the form that another program reads. To hand out its public half, 'jotsmith key public'. " + filesHelp
}

func (cmd *keyExportCmd) Run(_ context.Context, c *console, _ *commandLine) error {
	text, err := readSecretFile(cmd.File, "key", maxKeyFile)
	if err != nil {
		return err
	}
	key, err := cmd.reading().owned(text)
	if err != nil {
		return fmt.Errorf("%s: %w", keyAt(cmd.File), err)
	}
	return cmd.write(c, key, cmd.Format)
}

type keyPublicCmd struct {
	Files  []string `arg:"" name:"file" help:"Private or public keys, JWK or PEM; '-' is standard input. Several make a key set."`
	Format string   `default:"jwk" enum:"jwk,jwks,pem" placeholder:"FORM" help:"jwk, jwks, which is a key set, or pem (${default})."`
	readingFlags
}

func (keyPublicCmd) Help() string {
	return "Prints what may be handed to everybody: the public half. A shared secret has none. " + filesHelp
}

func (cmd *keyPublicCmd) Run(_ context.Context, c *console, _ *commandLine) error {
	if len(cmd.Files) > 1 && cmd.Format != "jwks" {
		return hint(usagef("several keys make a key set"), "--format jwks")
	}
	var keys []jwk.Verifier
	var encryption []*jwk.EncryptionKey
	for _, path := range cmd.Files {
		text, err := readKeyFile(path, c)
		if err != nil {
			return err
		}
		if r := cmd.reading(); r.encrypts(text) {
			var key *jwk.EncryptionKey
			key, err = publicEncryptionHalf(text, r)
			encryption = append(encryption, key)
		} else {
			var key *jwk.PublicKey
			key, err = publicHalf(text, r)
			keys = append(keys, key)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", keyAt(path), err)
		}
	}
	switch {
	case len(keys) > 0 && len(encryption) > 0:
		return usagef("keys for signatures and keys for encryption make two key sets, so that none is taken for the other")
	case len(encryption) > 0:
		return printPublic(c, cmd.Format, encryption[0], func() (any, error) { return jwk.NewEncryptionSet(encryption...) })
	}
	return printPublic(c, cmd.Format, keys[0].(*jwk.PublicKey), func() (any, error) { return jwk.NewSet(keys...) })
}

// printPublic prints one public key, or the set that there is of several.
func printPublic(c *console, format string, key interface{ PEM() ([]byte, error) }, set func() (any, error)) error {
	switch format {
	case "jwks":
		all, err := set()
		if err != nil {
			return err
		}
		return c.json(all)
	case "pem":
		text, err := key.PEM()
		if err != nil {
			return err
		}
		_, err = c.out.Write(text)
		return err
	}
	return c.json(key)
}

// publicHalf answers the public key that text is, or whose private key it is.
func publicHalf(text []byte, r keyReading) (*jwk.PublicKey, error) {
	if isPublic(text) {
		key, err := r.verifier(text)
		public, _ := key.(*jwk.PublicKey)
		return public, err
	}
	key, err := r.signer(text)
	if err != nil {
		return nil, err
	}
	pair, ok := key.(*jwk.PrivateKey)
	if !ok {
		return nil, errors.New("a shared secret has no public half: whoever verifies with it can sign with it")
	}
	return pair.Public(), nil
}

// isPublic says whether raw claims to hold no more than a public key.
func isPublic(raw []byte) bool {
	if !isJWK(raw) {
		return !bytes.Contains(raw, []byte("PRIVATE KEY-----"))
	}
	has := values(raw)
	kind, _ := text(has["kty"])
	return kind != "oct" && has["d"] == nil
}

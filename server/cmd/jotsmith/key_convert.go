package main

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/jotsmith/jotsmith/jwk"
)

// readingFlags say about a key what it does not say itself.
type readingFlags struct {
	Alg   string `default:"" enum:",${algorithms}" placeholder:"ALG" help:"The key's algorithm, where the key does not say it: for RSA in PEM, and for a JWK without \"alg\"."`
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

func (cmd *keyImportCmd) Run(c *console) error {
	if isTerminal(c.in) && cmd.File == "-" {
		fmt.Fprintln(c.err, "Paste the key, then press Enter and Ctrl-D.")
	}
	text, err := readKeyFile(cmd.File, c)
	if err != nil {
		return err
	}
	key, err := cmd.reading().signer(text)
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

func (cmd *keyExportCmd) Run(c *console) error {
	key, err := ownKey(cmd.File, cmd.reading())
	if err != nil {
		return err
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

func (cmd *keyPublicCmd) Run(c *console) error {
	if len(cmd.Files) > 1 && cmd.Format != "jwks" {
		return hint(usagef("several keys make a key set"), "--format jwks")
	}
	var keys []jwk.Verifier
	for _, path := range cmd.Files {
		text, err := readKeyFile(path, c)
		if err != nil {
			return err
		}
		key, err := publicHalf(text, cmd.reading())
		if err != nil {
			return fmt.Errorf("%s: %w", keyAt(path), err)
		}
		keys = append(keys, key)
	}
	switch cmd.Format {
	case "jwks":
		set, err := jwk.NewSet(keys...)
		if err != nil {
			return err
		}
		return c.json(set)
	case "pem":
		text, err := keys[0].(*jwk.PublicKey).PEM()
		if err != nil {
			return err
		}
		_, err = c.out.Write(text)
		return err
	}
	return c.json(keys[0])
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

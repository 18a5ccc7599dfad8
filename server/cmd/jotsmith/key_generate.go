package main

import (
	"context"
	"strings"

	"github.com/jotsmith/jotsmith/jwk"
)

// algorithms are those of signatures that --alg takes.
func algorithms() string {
	var names []string
	for _, alg := range jwk.Algorithms() {
		names = append(names, string(alg))
	}
	return strings.Join(names, ",")
}

type keyGenerateCmd struct {
	Use    string   `default:"" enum:",sig,enc" placeholder:"USE" help:"What the key is for: sig, signatures, or enc, encryption; by default what its algorithm is for."`
	Alg    string   `default:"" enum:",${algorithms},${encryption_algorithms}" placeholder:"ALG" help:"Its algorithm. For signatures HS, RS, PS or ES with 256, 384 or 512, EdDSA or Ed25519, by default ES256; for encryption ECDH-ES, ECDH-ES+A128KW or +A256KW, RSA-OAEP-256, A128KW, A256KW, A128GCMKW, A256GCMKW or dir, by default ECDH-ES+A128KW."`
	Curve  string   `default:"" enum:",P-256,P-384,P-521,X25519" placeholder:"CURVE" help:"For ECDH-ES and its variants: P-256, P-384, P-521 or X25519; by default P-256."`
	Enc    []string `enum:"${content_encryptions}" placeholder:"ENC" help:"For encryption: a content encryption that the key allows; repeat it or separate by commas, the first is encrypted with. By default A256GCM."`
	Format string   `default:"jwk" enum:"jwk,pem" placeholder:"FORM" help:"jwk or pem (${default}). A JWK says its algorithm and key id, a PEM file neither."`
	outFlags
}

func (keyGenerateCmd) Help() string {
	return "The key is a pair, or with HS256 and the like a secret that its verifiers share, or with A256KW and the like a key that its senders share. " +
		"A key is for signatures or for encryption, never for both. " + filesHelp
}

func (cmd *keyGenerateCmd) Run(_ context.Context, c *console, _ *commandLine) error {
	alg, encryption, err := cmd.chosen()
	if err != nil {
		return err
	}
	var key ownedKey
	switch {
	case encryption != "":
		key, err = cmd.generate(encryption)
	case alg.Symmetric() && cmd.Format == "pem":
		return hint(usagef("a shared secret has no PEM form"), "--format jwk")
	case alg.Symmetric():
		key, err = orNone[ownedKey](jwk.GenerateSecret(alg))
	default:
		key, err = orNone[ownedKey](jwk.Generate(alg))
	}
	if err != nil {
		return wrap(err, "generating a key")
	}
	return cmd.write(c, key, cmd.Format)
}

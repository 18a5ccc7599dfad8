package main

import (
	"fmt"
	"strings"

	"github.com/jotsmith/jotsmith/jwk"
)

// algorithms are all that --alg takes.
func algorithms() string {
	var names []string
	for _, alg := range jwk.Algorithms() {
		names = append(names, string(alg))
	}
	return strings.Join(names, ",")
}

type keyGenerateCmd struct {
	Alg    string `default:"ES256" enum:"${algorithms}" placeholder:"ALG" help:"What the key is for: HS, RS, PS or ES with 256, 384 or 512, EdDSA or Ed25519 (${default})."`
	Format string `default:"jwk" enum:"jwk,pem" placeholder:"FORM" help:"jwk or pem (${default}). A JWK says its algorithm and key id, a PEM file neither."`
	outFlags
}

func (keyGenerateCmd) Help() string {
	return "The key is a pair, or with an HS algorithm a secret that its verifiers share. " + filesHelp
}

func (cmd *keyGenerateCmd) Run(c *console) error {
	alg := jwk.Algorithm(cmd.Alg)
	secret := strings.HasPrefix(cmd.Alg, "HS")
	if secret && cmd.Format == "pem" {
		return hint(usagef("a shared secret has no PEM form"), "--format jwk")
	}
	var key jwk.Signer
	var err error
	if secret {
		key, err = jwk.GenerateSecret(alg)
	} else {
		key, err = jwk.Generate(alg)
	}
	if err != nil {
		return fmt.Errorf("generating a key: %w", err)
	}
	return cmd.write(c, key, cmd.Format)
}

package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwt"
)

var measured = []string{"HS256", "RS256", "PS256", "ES256", "EdDSA"}

func oneKey(k keys) *jwk.Set {
	set, err := jwk.NewSet(k.verifier)
	check(err)
	return set
}

// signing and verifying of one algorithm, by every library and by the bare
// cryptography over the same message.
func algorithmSubjects(alg string) (subjects []*subject) {
	k, err := newKeys(alg)
	check(err)
	sign, err := ourSigner(k)
	check(err)
	compact, err := sign()
	check(err)
	limit := bareOf(k)
	message := []byte(compact[:strings.LastIndexByte(compact, '.')])
	signature := limit.sign(message)
	subjects = append(subjects,
		&subject{group: "verify " + alg, name: "bare", run: func(n int) {
			for range n {
				if !limit.verify(message, signature) {
					panic("a good signature is refused")
				}
			}
		}},
		&subject{group: "sign " + alg, name: "bare", run: func(n int) {
			for range n {
				limit.sign(message)
			}
		}})
	for _, l := range libraries {
		verify, err := l.verifier(k)
		check(err)
		subjects = append(subjects, &subject{group: "verify " + alg, name: l.name, run: func(n int) {
			for range n {
				check(verify(compact))
			}
		}})
		if l.signer == nil {
			continue
		}
		sign, err := l.signer(k)
		check(err)
		subjects = append(subjects, &subject{group: "sign " + alg, name: l.name, run: func(n int) {
			for range n {
				_, err := sign()
				check(err)
			}
		}})
	}
	return append(subjects, decodeSubject(k, compact))
}

// decodeSubject verifies and decodes the claims into a type of the caller's,
// which the other rows of ours do not.
func decodeSubject(k keys, compact string) *subject {
	v, err := jwt.NewVerifier(policyOf(k))
	check(err)
	return &subject{group: "verify " + k.alg, name: ours + " and own claim type", run: func(n int) {
		for range n {
			t, err := v.Verify(context.Background(), compact)
			check(err)
			_, err = jwt.Decode[custom](t)
			check(err)
		}
	}}
}

func check(err error) {
	if err != nil {
		panic(fmt.Sprintf("measuring: %v", err))
	}
}

package session_test

import (
	"crypto/rand"
	"errors"
	"os"
	"os/exec"
	"testing"
	"testing/iotest"

	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
	"github.com/jotsmith/jotsmith/server/internal/session"
)

// Where the system has no random numbers, the process ends before it has made
// a token, an id, a salt or a key of less. It is another process that ends here.
func TestFLT06RandomFails(t *testing.T) {
	const asked = "JOTSMITH_TEST_RANDOM_FAILS"
	acts := map[string]func(h *house, a account.Account){
		"a session":     func(h *house, a account.Account) { h.start(a, session.StartRequest{}) },
		"an account":    func(*house, account.Account) { account.NewID() },
		"a root key":    func(*house, account.Account) { keyring.NewRootKey() },
		"nothing asked": func(*house, account.Account) {},
	}
	if act := os.Getenv(asked); act != "" {
		h := newHouse(t)
		a := h.account()
		rand.Reader = iotest.ErrReader(errors.New("no random numbers"))
		acts[act](h, a)
		os.Exit(0)
	}
	t.Parallel()
	for act := range acts {
		t.Run(act, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(os.Args[0], "-test.run=^TestFLT06RandomFails$")
			cmd.Env = append(os.Environ(), asked+"="+act)
			out, err := cmd.CombinedOutput()
			if ended := err != nil; ended != (act != "nothing asked") {
				t.Errorf("the process ended with %v:\n%s", err, out)
			}
		})
	}
}

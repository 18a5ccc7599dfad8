package account

import "context"

// A Hasher computes password hashes. Each holds a core for tens of milliseconds,
// and tens of megabytes.
type Hasher interface {
	// Matches says whether a password is the one of a stored hash, of any kind
	// that an account may have.
	Matches(ctx context.Context, stored, password string) (bool, error)

	// Hash makes the PHC string of a normalized password.
	Hash(ctx context.Context, p HashParams, password string) (string, error)
}

// inProcess hashes where it is called.
type inProcess struct{}

func (inProcess) Matches(_ context.Context, stored, password string) (bool, error) {
	h, err := readHash(stored)
	if err != nil {
		return false, err
	}
	return h.matches(password), nil
}

func (inProcess) Hash(_ context.Context, p HashParams, password string) (string, error) {
	return newHash(p, password).String(), nil
}

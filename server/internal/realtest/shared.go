package realtest

import (
	"slices"
	"sync"
	"testing"
)

var shared struct {
	mu       sync.Mutex
	postgres *Postgres
	end      []func()
}

// SharedPostgres answers the one server of a test binary, for tests that leave
// it running and make a database of their own each. The binary's TestMain calls
// Main.
func SharedPostgres(t testing.TB) *Postgres {
	t.Helper()
	shared.mu.Lock()
	defer shared.mu.Unlock()
	if shared.postgres == nil {
		shared.postgres = StartPostgres(binary{t})
	}
	return shared.postgres
}

// binary is a test whose clean-up waits for the end of the test binary.
type binary struct{ testing.TB }

func (binary) Cleanup(f func()) { shared.end = append(shared.end, f) }

// Main runs the tests, ends what they shared, and answers the exit code.
func Main(m *testing.M) int {
	code := m.Run()
	for _, f := range slices.Backward(shared.end) {
		f()
	}
	return code
}

package mint

import (
	"sync"
	"sync/atomic"

	"github.com/jotsmith/jotsmith/jwk"
)

// Counts are how many tokens were made. Several Mints may share them.
type Counts struct{ byAlgorithm sync.Map } // jwk.Algorithm → *atomic.Int64

// Tokens answers how many tokens were made, by the algorithm that signed them.
func (c *Counts) Tokens() map[jwk.Algorithm]int64 {
	all := make(map[jwk.Algorithm]int64)
	c.byAlgorithm.Range(func(alg, n any) bool {
		all[alg.(jwk.Algorithm)] = n.(*atomic.Int64).Load()
		return true
	})
	return all
}

func (c *Counts) minted(alg jwk.Algorithm) {
	n, ok := c.byAlgorithm.Load(alg)
	if !ok {
		n, _ = c.byAlgorithm.LoadOrStore(alg, new(atomic.Int64))
	}
	n.(*atomic.Int64).Add(1)
}

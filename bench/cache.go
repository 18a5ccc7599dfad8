package main

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/revocation"
)

func warmGroup(distinct int) string { return fmt.Sprintf("warm, %s tokens", thousands(distinct)) }

// warmSubjects measure tokens that were verified before, beside the bare limit
// of that: a map that is asked for the whole text. Each text that is looked for
// is a copy, as each request brings its own.
func warmSubjects(distinct int) []*subject {
	k, err := newKeys("HS256")
	check(err)
	policy := policyOf(k)
	policy.CacheSize = max(8<<20, distinct*4<<10)
	set := revocation.NewSet(0)
	policy.Revocations = set
	v, err := jwt.NewVerifier(policy)
	check(err)
	sign, err := ourSigner(k)
	check(err)
	ctx := context.Background()
	asked := make([]string, distinct)
	known := make(map[string]*jwt.Token, distinct)
	kept := 0
	for i := range asked {
		compact, err := sign()
		check(err)
		t, err := v.Verify(ctx, compact)
		check(err)
		known[compact] = t
		asked[i] = strings.Clone(compact)
	}
	for _, compact := range asked {
		if v.Cached(compact) {
			kept++
		}
	}
	group := warmGroup(distinct)
	fmt.Printf("# %s: %.2f%% of them are in the cache\n", group, 100*float64(kept)/float64(distinct))

	warm := func(n int) {
		for i := range n {
			_, err := v.Verify(ctx, asked[i%distinct])
			check(err)
		}
	}
	return []*subject{
		{group: group, name: "bare", run: func(n int) {
			for i := range n {
				if known[asked[i%distinct]] == nil {
					panic("lost")
				}
			}
		}},
		{group: group, name: ours, run: warm},
		{group: group, name: ours + ", all cores", run: func(n int) {
			onAllCores(n, func(from, to int) {
				for i := from; i < to; i++ {
					_, err := v.Verify(ctx, asked[i%distinct])
					check(err)
				}
			})
		}},
		{group: group, name: ours + ", while facts of revocation arrive", run: func(n int) {
			stop := revoke(set)
			defer stop()
			warm(n)
		}},
	}
}

const missedGroup = "8 MiB of cache, 20,000 tokens in turn"

// missedSubjects are the opposite of a warm cache: several times more tokens than
// it holds, so that most are verified anew and take another's place.
func missedSubjects() []*subject {
	const distinct = 20_000
	k, err := newKeys("HS256")
	check(err)
	policy := policyOf(k)
	policy.CacheSize = 0
	cached, err := jwt.NewVerifier(policy)
	check(err)
	cold, err := ourVerifier(k)
	check(err)
	sign, err := ourSigner(k)
	check(err)
	asked := make([]string, distinct)
	for i := range asked {
		asked[i], err = sign()
		check(err)
	}
	at := 0
	return []*subject{
		{group: missedGroup, name: ours + ", no cache", run: func(n int) {
			for range n {
				at++
				check(cold(asked[at%distinct]))
			}
		}},
		{group: missedGroup, name: ours, run: func(n int) {
			for range n {
				at++
				_, err := cached.Verify(context.Background(), asked[at%distinct])
				check(err)
			}
		}},
	}
}

// onAllCores splits n operations between as many goroutines as there are cores.
func onAllCores(n int, run func(from, to int)) {
	cores := runtime.GOMAXPROCS(0)
	var all sync.WaitGroup
	for c := range cores {
		all.Go(func() { run(c*n/cores, (c+1)*n/cores) })
	}
	all.Wait()
}

// revoke adds a hundred facts about other tokens every millisecond until stop
// is called.
func revoke(set *revocation.Set) (stop func()) {
	var done atomic.Bool
	var stopped sync.WaitGroup
	stopped.Go(func() {
		next := uint64(0)
		for !done.Load() {
			entries := make([]revocation.Entry, 100)
			for i := range entries {
				next++
				sum := sha256.Sum256(binary.BigEndian.AppendUint64(nil, next))
				entries[i] = revocation.Entry{Fact: jwt.Fact(sum[:16]), Expires: time.Now().Add(time.Hour)}
			}
			check(set.Add(entries...))
			time.Sleep(time.Millisecond)
		}
	})
	return func() { done.Store(true); stopped.Wait() }
}

func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

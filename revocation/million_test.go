package revocation

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jwt"
)

// A follower that takes a snapshot of a million facts, as a server tells it,
// needs less than 100 MB at any time, all of its process included. A process of
// its own is measured: the kernel knows its peak.
func TestAMillionFactsInUnder100MB(t *testing.T) {
	t.Parallel()
	if raceEnabled {
		t.Skip("the race detector needs memory of its own")
	}
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("needs /proc: ", err)
	}
	const child = "JOTSMITH_TEST_MILLION"
	if os.Getenv(child) == "" {
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), child+"=1", "GOGC=100", "GOMEMLIMIT=off")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		_, figures, _ := strings.Cut(string(out), "took ")
		figures, _, _ = strings.Cut(figures, "\n")
		t.Log(figures)
		return
	}
	const facts, page = 1_000_000, 20_000
	key := newKey(t)
	told := 0
	feed := transport(func(r *http.Request) (*http.Response, error) {
		if told == facts {
			<-r.Context().Done() // nothing more happens
			return nil, r.Context().Err()
		}
		a := delta("e", uint64(told), uint64(told+page))
		a.Snapshot, a.More = told == 0, told+page < facts
		for range page {
			told++
			var n [8]byte
			binary.BigEndian.PutUint64(n[:], uint64(told))
			sum := sha256.Sum256(n[:])
			a.Entries = append(a.Entries, Entry{Fact: jwt.Fact(sum[:16]), Expires: time.Now().Add(time.Hour)})
		}
		return response(200, MediaType, a.compact(t, key)), nil
	})
	f, err := NewFollower(FollowerConfig{URL: feedURL, Issuer: issuerName, Keys: keySet(t, key), Client: &http.Client{Transport: feed}, Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	began := time.Now()
	go func() { f.Run(ctx); close(done) }()
	<-f.Ready()
	took := time.Since(began)
	cancel()
	<-done
	peak := resident(t)
	fmt.Printf("took %v and %d MB at most for %d facts\n", took.Round(time.Millisecond), peak>>20, f.Len())
	if f.Len() != facts || peak > 100e6 {
		t.Errorf("%d facts, %d bytes at most", f.Len(), peak)
	}
}

// resident is the most memory that this process has had.
func resident(t *testing.T) (peak int) {
	raw, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range bytes.Lines(raw) {
		if rest, ok := bytes.CutPrefix(line, []byte("VmHWM:")); ok {
			kb, err := strconv.Atoi(strings.Fields(string(rest))[0])
			if err != nil {
				t.Fatal(err)
			}
			return kb << 10
		}
	}
	t.Fatal("no peak in /proc/self/status")
	return 0
}

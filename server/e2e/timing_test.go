package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/wire"
)

// tries is how often each user name is tried, which is less than what throttles
// an account.
const tries = 60

// Nobody learns from a refused log-in whether there is an account: not from the
// answer, and not from how long it takes. JOTSMITH_TIMING_PAIRS is the number of
// tries of each kind; from a thousand on, Welch's t of their times must stay
// below 4.5.
func TestBRT03TimingTellsNothing(t *testing.T) {
	t.Parallel()
	pairs := 20
	if s := os.Getenv("JOTSMITH_TIMING_PAIRS"); s != "" {
		var err error
		if pairs, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	data := filepath.Join(t.TempDir(), "data")
	addr := freeAddr(t)
	issuer := "http://" + addr
	const password = "correct horse battery"
	mustRun(t, password+"\n", "account", "create", "root", "--role", "admin", "--password-stdin", "--data", data)
	// Behind a proxy, so that each try can come from elsewhere: the test must
	// not be throttled.
	startServe(t, addr, data, "--issuer", issuer, "--behind-proxy", "--log-level", "error")
	admin := tokens(t, want(t, 200, "POST", issuer+"/v1/login", "", wire.LoginRequest{Username: "root", Password: password, Audience: issuer + wire.PathAdmin})).AccessToken
	for n := range pairs/tries + 1 {
		for _, kind := range []string{"known", "disabled"} {
			a := account(t, want(t, 201, "POST", issuer+wire.PathAdmin+"/accounts", admin, wire.AccountCreate{Username: name(kind, n), Password: password}))
			if kind == "disabled" {
				want(t, 200, "POST", issuer+wire.PathAdmin+"/accounts/"+a.ID+"/disable", admin, nil)
			}
		}
	}

	kinds := []struct{ name, user, password string }{
		{"unknown", "unknown", "battery horse correct"},
		{"known, wrong password", "known", "battery horse correct"},
		{"disabled, right password", "disabled", password},
	}
	took := make([][]float64, len(kinds))
	answers := map[string]bool{}
	order := []int{0, 1, 2}
	for i := range pairs {
		rand.Shuffle(len(order), func(a, b int) { order[a], order[b] = order[b], order[a] })
		for _, k := range order {
			d, answer := tryLogin(t, issuer, i*len(kinds)+k, name(kinds[k].user, i/tries), kinds[k].password)
			answers[answer] = true
			took[k] = append(took[k], d.Seconds()*1000)
		}
	}
	if len(answers) != 1 {
		t.Errorf("there are %d different answers: %v", len(answers), answers)
	}
	// What the machine did beside the log-in tells nothing; the slowest
	// twentieth of all is left out.
	all := slices.Sorted(slices.Values(slices.Concat(took...)))
	most := all[len(all)*19/20]
	for k := range took {
		took[k] = slices.DeleteFunc(took[k], func(ms float64) bool { return ms > most })
	}
	for k := 1; k < len(kinds); k++ {
		v := welch(took[0], took[k])
		m0, _ := moments(took[0])
		m, _ := moments(took[k])
		t.Logf("%s against %s: t = %.2f, %.3f ms and %.3f ms, %d pairs", kinds[0].name, kinds[k].name, v, m0, m, pairs)
		if pairs >= 1000 && math.Abs(v) >= 4.5 {
			t.Errorf("%s is told from %s by time: t = %.2f", kinds[k].name, kinds[0].name, v)
		}
	}
}

func name(kind string, n int) string { return kind + strconv.Itoa(n) + "." }

func account(t testing.TB, body []byte) wire.Account {
	t.Helper()
	var a wire.Account
	if err := json.Unmarshal(body, &a); err != nil {
		t.Fatal(err)
	}
	return a
}

// tryLogin logs in from the nth address prefix and answers how long that took,
// and all of the answer but its id and date.
func tryLogin(t testing.TB, issuer string, n int, username, password string) (time.Duration, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), "POST", issuer+"/v1/login", strings.NewReader(fmt.Sprintf(`{"username":%q,"password":%q}`, username, password)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Forwarded-For", fmt.Sprintf("10.%d.%d.1", n>>8&0xff, n&0xff))
	began := time.Now()
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	d := time.Since(began)
	resp.Body.Close()
	var p wire.Problem
	if err := errors.Join(err, json.Unmarshal(body, &p)); err != nil || resp.StatusCode != http.StatusUnauthorized || p.ID == "" {
		t.Fatalf("%d, %v: %s", resp.StatusCode, err, body)
	}
	resp.Header.Del("Date")
	return d, fmt.Sprint(resp.StatusCode, resp.Header, strings.ReplaceAll(string(body), p.ID, ""))
}

// welch is Welch's t of two samples.
func welch(a, b []float64) float64 {
	ma, va := moments(a)
	mb, vb := moments(b)
	return (ma - mb) / math.Sqrt(va/float64(len(a))+vb/float64(len(b)))
}

// moments are the mean and the variance.
func moments(x []float64) (mean, variance float64) {
	for _, v := range x {
		mean += v
	}
	mean /= float64(len(x))
	for _, v := range x {
		variance += (v - mean) * (v - mean)
	}
	return mean, variance / float64(len(x)-1)
}

package e2e

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	loadgen "github.com/jotsmith/jotsmith/server/internal/load"
	"github.com/jotsmith/jotsmith/server/internal/realtest"
	"github.com/jotsmith/jotsmith/wire"
)

// TestGrowth measures what each operation costs where so many sessions live:
// JOTSMITH_GROWTH=1000,1000000 in both stores, JOTSMITH_GROWTH_ROUNDS times, and
// writes the medians to JOTSMITH_GROWTH_OUT. The servers of all sizes run at the
// same time and are asked in turn, so that what else the machine does meanwhile
// falls on all of them. Without JOTSMITH_GROWTH it only shows that it works.
func TestGrowth(t *testing.T) {
	sizes, rounds, count := []int{100, 300}, 1, 100
	settle := time.Duration(0) // until what was recorded has been chained
	stores := []string{"SQLite"}
	if list := os.Getenv("JOTSMITH_GROWTH"); list != "" {
		sizes, rounds, count, settle = nil, 5, 2000, 1200*time.Millisecond
		for _, n := range strings.Split(list, ",") {
			size, err := strconv.Atoi(n)
			if err != nil {
				t.Fatal(err)
			}
			sizes = append(sizes, size)
		}
		stores = []string{"SQLite", "PostgreSQL"}
	}
	if n, err := strconv.Atoi(os.Getenv("JOTSMITH_GROWTH_ROUNDS")); err == nil {
		rounds = n
	}
	var out strings.Builder
	fmt.Fprintln(&out, "store\toperation\tsessions\tserver_cpu_ms\tdatabase_cpu_ms\tanswers_per_second")
	for _, store := range stores {
		var grown []*grownServer
		var database *realtest.Postgres
		if store == "PostgreSQL" {
			database = realtest.StartPostgres(t)
		}
		for _, n := range sizes {
			grown = append(grown, growServer(t, database, n))
		}
		for round := range rounds + 1 { // the first to warm up
			for _, op := range growthOps {
				for _, g := range grown {
					if c := g.measure(t, op, count, settle); round > 0 {
						g.costs[op.name] = append(g.costs[op.name], c)
					}
				}
			}
		}
		for _, op := range growthOps {
			base := median(grown[0].costs[op.name], func(c cost) float64 { return c.server + c.database })
			for _, g := range grown {
				all := g.costs[op.name]
				server := median(all, func(c cost) float64 { return c.server })
				database := median(all, func(c cost) float64 { return c.database })
				rate := median(all, func(c cost) float64 { return c.rate })
				fmt.Fprintf(&out, "%s\t%s\t%d\t%.4f\t%.4f\t%.0f\n", store, op.name, g.sessions, server, database, rate)
				t.Logf("%-10s %-26s %8d sessions: %.3f ms server, %.3f ms database, %.2f of the smallest; %.0f/s",
					store, op.name, g.sessions, server, database, (server+database)/base, rate)
			}
		}
		for _, g := range grown {
			usage, err := loadgen.ReadUsage(g.proc.cmd.Process.Pid)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%-10s %8d sessions: ready %v after its start, %d MB of memory at the end", store, g.sessions, g.ready, usage.Resident>>20)
			fmt.Fprintf(&out, "%s\tstart to ready\t%d\t%.1f\t0\t0\n", store, g.sessions, g.ready.Seconds()*1000)
			g.proc.stop(t)
		}
	}
	if path := os.Getenv("JOTSMITH_GROWTH_OUT"); path != "" {
		if err := os.WriteFile(path, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// A cost is CPU time in milliseconds for each answer, and answers a second.
type cost struct{ server, database, rate float64 }

// A grownServer is a server with many sessions, some of which we hold.
type grownServer struct {
	sessions int
	issuer   string
	admin    string
	basic    string
	serve    func() *proc // starts it
	proc     *proc
	ready    time.Duration
	database *realtest.Postgres // nil where there is none
	client   *http.Client
	held     []wire.TokenResponse // of living sessions
	started  []wire.TokenResponse // by the measurement itself
	next     int                  // of held: where to go on all in turn
	costs    map[string][]cost
}

const (
	active    = 1000   // sessions that are used all the time
	inTurn    = 20_000 // sessions that are used one after the other, more than any cache holds
	perHolder = 10     // sessions of one account
)

// A growthOp is an operation, done with so many sessions, or where there are
// none, with new ones. Where it is first, a server that has just been started is
// asked for each of them once, so that it has kept nothing, whatever the size of
// its store: what grows there is the store's work alone.
type growthOp struct {
	name     string
	distinct int
	first    bool
	request  func(g *grownServer, session int) *http.Request
	keep     func(g *grownServer, session int, body []byte)
}

// growthOps are measured one after the other. Sessions that are started are
// ended again.
var growthOps = []growthOp{
	{"introspect, the first time", active, true, introspectionOf, nil},
	{"me, the first time", active, true, meOf, nil},
	{"refresh", active, false, refreshOf, refreshed},
	{"refresh, all in turn", inTurn, false, refreshOf, refreshed},
	{"introspect", active, false, introspectionOf, nil},
	{"introspect, all in turn", inTurn, false, introspectionOf, nil},
	{"me", active, false, meOf, nil},
	{"me, all in turn", inTurn, false, meOf, nil},
	{"list sessions", active, false, func(g *grownServer, i int) *http.Request { return g.get("/v1/sessions", i) }, nil},
	{"client credentials", active, false, func(g *grownServer, _ int) *http.Request {
		return request("POST", g.issuer+"/oauth/token", g.basic, "application/x-www-form-urlencoded", []byte("grant_type=client_credentials"))
	}, nil},
	{"log in, without the hash", 0, false, func(g *grownServer, i int) *http.Request { return g.start(fmt.Sprintf("new-%d", i%200)) }, func(g *grownServer, i int, body []byte) {
		json.Unmarshal(body, &g.started[i])
	}},
	{"log out", 0, false, func(g *grownServer, i int) *http.Request {
		return request("POST", g.issuer+"/v1/logout", "Bearer "+g.started[i].AccessToken, "", nil)
	}, nil},
}

func refreshOf(g *grownServer, i int) *http.Request {
	return request("POST", g.issuer+"/v1/refresh", "", "application/json", []byte(`{"refresh_token":"`+g.held[i].RefreshToken+`"}`))
}

// refreshed keeps the access token that there was: it is as good, and verified
// already wherever it was shown.
func refreshed(g *grownServer, i int, body []byte) {
	var next wire.TokenResponse
	json.Unmarshal(body, &next)
	g.held[i].RefreshToken = next.RefreshToken
}

func meOf(g *grownServer, i int) *http.Request { return g.get("/v1/me", i) }

func introspectionOf(g *grownServer, i int) *http.Request {
	token := g.held[i].AccessToken
	return request("POST", g.issuer+"/oauth/introspect", "Bearer "+token, "application/x-www-form-urlencoded", []byte("token="+token))
}

func (g *grownServer) get(path string, i int) *http.Request {
	return request("GET", g.issuer+path, "Bearer "+g.held[i].AccessToken, "", nil)
}

// start begins a session without a password, as for somebody whom another
// system has checked.
func (g *grownServer) start(subject string) *http.Request {
	return request("POST", g.issuer+wire.PathAdmin+"/sessions", "Bearer "+g.admin, "application/json", []byte(`{"subject":"`+subject+`"}`))
}

// ask wants a success and answers its body.
func (g *grownServer) ask(r *http.Request) ([]byte, error) {
	resp, err := g.client.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= 300 {
		err = &loadgen.Refusal{Status: resp.StatusCode, Code: string(body)}
	}
	return body, err
}

// growServer makes a store of n sessions and starts a server on it.
func growServer(t *testing.T, database *realtest.Postgres, n int) *grownServer {
	const password = "correct horse battery"
	addr, data := freeAddr(t), filepath.Join(t.TempDir(), "data")
	g := &grownServer{
		sessions: n, issuer: "http://" + addr, database: database, costs: map[string][]cost{},
		client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections}},
	}
	t.Cleanup(g.client.CloseIdleConnections)
	held := min(n, inTurn)
	var at []string
	began := time.Now()
	if database != nil {
		url := g.database.NewDatabase(t)
		at = []string{"--store", url}
		mustRun(t, password+"\n", append([]string{"account", "create", "ada", "--role", "admin", "--password-stdin", "--data", data}, at...)...)
		const step = 100_000 // rows at a time, each within the minute that Exec has
		for from := 0; from < n-held; from += step {
			g.database.Exec(t, url, strings.Split(fmt.Sprintf(fillPostgres, from+1, min(from+step, n-held)), ";")...)
		}
	} else {
		mustRun(t, password+"\n", "account", "create", "ada", "--role", "admin", "--password-stdin", "--data", data)
		fillSQLite(t, filepath.Join(data, "jotsmith.db"), n-held)
	}
	filled := time.Since(began)

	args := append([]string{"--rate-exempt", "127.0.0.0/8", "--access-life", "24h"}, at...)
	g.serve = func() *proc { return startServe(t, addr, data, args...) }
	for range 3 { // the last one stays
		if g.proc != nil {
			g.proc.stop(t)
		}
		began := time.Now()
		g.proc = g.serve()
		if took := time.Since(began); g.ready == 0 || took < g.ready {
			g.ready = took
		}
	}
	admin := tokens(t, want(t, 200, "POST", g.issuer+"/v1/login", "", wire.LoginRequest{Username: "ada", Password: password, Audience: g.issuer + wire.PathAdmin}))
	g.admin = admin.AccessToken
	id, secret := newApp(t, g.issuer, password)
	g.basic = basicOf(id, secret)
	began = time.Now()
	g.held = make([]wire.TokenResponse, held)
	g.run(t, held, func(i int) *http.Request { return g.start(fmt.Sprintf("held-%d", i/perHolder)) }, func(i int, body []byte) { json.Unmarshal(body, &g.held[i]) })
	rand.Shuffle(held, func(i, j int) { g.held[i], g.held[j] = g.held[j], g.held[i] })
	if g.database != nil {
		g.database.Exec(t, at[1], "VACUUM ANALYZE")
	}
	t.Logf("%8d sessions: %d filled in within %v, %d started within %v; ready after %v",
		n, n-held, filled.Round(time.Millisecond), held, time.Since(began).Round(time.Millisecond), g.ready)
	return g
}

// run sends n requests on all connections.
func (g *grownServer) run(t *testing.T, n int, send func(i int) *http.Request, keep func(i int, body []byte)) loadgen.Report {
	t.Helper()
	var next atomic.Int64
	report, err := loadgen.Run(t.Context(), loadgen.Config{Connections: min(connections, n), Count: int64(n), Ops: []loadgen.Op{{
		Name: "op", Weight: 1,
		Do: func(context.Context, int) error {
			i := int(next.Add(1) - 1)
			body, err := g.ask(send(i))
			if err == nil && keep != nil {
				keep(i, body)
			}
			return err
		},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	if report.All.Failed > 0 {
		t.Fatalf("%d of %d failed: %v", report.All.Failed, n, report.All.Errors)
	}
	return report
}

// measure does an operation so many times. Where it is recorded, that includes
// what the server does a second later, when it chains the records.
func (g *grownServer) measure(t *testing.T, op growthOp, count int, settle time.Duration) cost {
	t.Helper()
	from, distinct := 0, min(op.distinct, len(g.held))
	switch {
	case op.first: // of sessions that lie anywhere in the store
		count = distinct
		g.client.CloseIdleConnections()
		g.proc.stop(t)
		g.proc = g.serve()
	case distinct == 0:
		distinct = count
		if len(g.started) < count {
			g.started = make([]wire.TokenResponse, count)
		}
	case op.distinct == inTurn: // as long as can be after it was asked the last time
		from = g.next
		g.next += count
	default:
		from = rand.IntN(distinct)
	}
	session := func(i int) int { return (from + i) % distinct }
	if op.distinct == active && op.keep == nil && !op.first {
		g.run(t, distinct, func(i int) *http.Request { return op.request(g, i) }, nil) // as they are when they are used all the time
	}
	server, database := used{g.proc.cmd.Process.Pid, g.database}.cpu(t)
	report := g.run(t, count, func(i int) *http.Request { return op.request(g, session(i)) }, func(i int, body []byte) {
		if op.keep != nil {
			op.keep(g, session(i), body)
		}
	})
	if op.distinct == 0 && settle > 0 {
		<-time.After(settle)
	}
	server2, database2 := used{g.proc.cmd.Process.Pid, g.database}.cpu(t)
	each := func(d time.Duration) float64 { return d.Seconds() * 1000 / float64(count) }
	return cost{each(server2 - server), each(database2 - database), report.All.PerSecond}
}

func median[T any](all []T, of func(T) float64) float64 {
	var numbers []float64
	for _, one := range all {
		numbers = append(numbers, of(one))
	}
	slices.Sort(numbers)
	return numbers[len(numbers)/2]
}

// fillSQLite adds n sessions that nobody holds a token of, ten to an account.
func fillSQLite(t *testing.T, file string, n int) {
	t.Helper()
	if n == 0 {
		return
	}
	db, err := sql.Open("sqlite", file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	for _, statement := range strings.Split(fmt.Sprintf(fillSQL, n, max(n/perHolder, 1)), ";") {
		if _, err := db.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// Ids are as long as real ones, and as random.
const (
	fillSQL = `
PRAGMA synchronous = OFF; PRAGMA cache_size = -500000; BEGIN;
WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < %[2]d)
INSERT INTO account (id, username, display_name, roles, password_hash, disabled, version, created_at, updated_at, password_changed_at, external, claims)
SELECT 'acc_fill' || n, 'acc_fill' || n, 'Filled in', '', '', 0, 1, a.created_at, a.created_at, 0, 1, '' FROM i, account a WHERE a.username = 'ada';
WITH RECURSIVE i(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM i WHERE n < %[1]d)
INSERT INTO session (id, account, account_version, client, transport, audience, scope, device, address, generation, mac_key, forgiven, token_life, created_at, rotated_at, expires_at, ended_at, end_reason, claims)
SELECT 'ses_' || substr(hex(randomblob(11)), 1, 22), 'acc_fill' || (1 + n %% %[2]d), 1, 'app_first_party', 'body', 'https://tasks.example', '', 'Mozilla/5.0 Firefox/140.0', '192.0.2.1', 1, '00000001', 0, 900000000,
  a.created_at, a.created_at, a.created_at + 2592000000000 + n, 0, '', '' FROM i, account a WHERE a.username = 'ada';
COMMIT`

	fillPostgres = `SET session_replication_role = replica;
INSERT INTO account (id, username, display_name, roles, password_hash, disabled, version, created_at, updated_at, password_changed_at, external, claims)
SELECT 'acc_fill' || n, 'acc_fill' || n, 'Filled in', '', '', false, 1, a.created_at, a.created_at, 0, true, '' FROM generate_series(%[1]d / 10, %[2]d / 10) n, account a WHERE a.username = 'ada' ON CONFLICT DO NOTHING;
INSERT INTO session (id, account, account_version, client, transport, audience, scope, device, address, generation, mac_key, forgiven, token_life, created_at, rotated_at, expires_at, ended_at, end_reason, claims)
SELECT 'ses_' || substr(md5(random()::text || n), 1, 22), 'acc_fill' || n / 10, 1, 'app_first_party', 'body', 'https://tasks.example', '', 'Mozilla/5.0 Firefox/140.0', '192.0.2.1', 1, '00000001', 0, 900000000,
  a.created_at, a.created_at, a.created_at + 2592000000000 + n, 0, '', '' FROM generate_series(%[1]d, %[2]d) n, account a WHERE a.username = 'ada'`
)

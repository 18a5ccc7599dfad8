package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/crypto/argon2"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwt"
	accounts "github.com/jotsmith/jotsmith/server/internal/account"
	loadgen "github.com/jotsmith/jotsmith/server/internal/load"
	"github.com/jotsmith/jotsmith/server/internal/realtest"
	"github.com/jotsmith/jotsmith/wire"
)

// floorOf names the environment variable that makes this program the floor that
// the server is measured beside: a bare handler that does the operation's
// cryptography, keeps nothing, and answers as many bytes.
const floorOf = "JOTSMITH_E2E_FLOOR"

func serveFloor() error {
	key, err := jwk.Generate(jwk.ES256)
	if err != nil {
		return err
	}
	issuer, err := jwt.NewIssuer(jwt.IssuerConfig{Issuer: "http://127.0.0.1:8080", Key: key})
	if err != nil {
		return err
	}
	set, err := jwk.NewSet(key.Public())
	if err != nil {
		return err
	}
	jwks, err := json.Marshal(set)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /jwks", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/jwk-set+json")
		w.Write(jwks)
	})
	mux.HandleFunc("POST /token", func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		token, _ := issuer.Issue(jwt.Claims{Subject: "app_floor", Audience: []string{"http://127.0.0.1:8080"}, Life: 15 * time.Minute, ClientID: "app_floor"})
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, `{"access_token":"`+token+`","token_type":"Bearer","expires_in":900}`)
	})
	// Of the size of an answer to a question about oneself; nothing is looked up.
	answer := []byte(`{"about":"` + strings.Repeat("x", 300) + `"}`)
	mux.HandleFunc("/answer", func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "application/json")
		w.Write(answer)
	})
	slots := make(chan struct{}, runtime.GOMAXPROCS(0))
	mux.HandleFunc("POST /hash", func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		slots <- struct{}{}
		argon2.IDKey([]byte("correct horse battery"), []byte("sixteen bytes..."), accounts.DefaultHash.Time, accounts.DefaultHash.Memory, accounts.DefaultHash.Threads, 32)
		<-slots
		w.Write(answer)
	})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	os.Stdout.WriteString("http://" + l.Addr().String() + "\n")
	return http.Serve(l, mux)
}

// BenchmarkServer measures answers a second, and the server's CPU time for each,
// over loopback on 16 connections in a closed loop, beside the floor in the
// same run, on SQLite and on PostgreSQL. The load generator has the same cores.
func BenchmarkServer(b *testing.B) {
	floor, bare := startFloor(b)
	form := "application/x-www-form-urlencoded"
	nobody := func(int, []byte) {}
	for name, send := range map[string]func(int) *http.Request{
		"jwks": func(int) *http.Request { return request("GET", bare+"/jwks", "", "", nil) },
		"client_credentials": func(int) *http.Request {
			return request("POST", bare+"/token", "Basic eDp5", form, []byte("grant_type=client_credentials"))
		},
		"answer": func(int) *http.Request {
			return request("POST", bare+"/answer", "", form, bytes.Repeat([]byte("x"), 600))
		},
	} {
		b.Run("floor/"+name, func(b *testing.B) { measure(b, used{floor, nil}, send, nobody) })
	}
	b.Run("SQLite", func(b *testing.B) { benchmarkServer(b, nil) })
	b.Run("PostgreSQL", func(b *testing.B) {
		database := realtest.StartPostgres(b)
		b.Run("bare_update", func(b *testing.B) { bareUpdate(b, database) })
		benchmarkServer(b, database)
	})
}

// startFloor runs this program as the floor.
func startFloor(b *testing.B) (pid int, url string) {
	floor := exec.Command(os.Args[0])
	floor.Env = append(os.Environ(), floorOf+"=1")
	out, err := floor.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := floor.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { floor.Process.Kill(); floor.Wait() })
	line := make([]byte, 64)
	n, err := out.Read(line)
	if err != nil {
		b.Fatal(err)
	}
	return floor.Process.Pid, strings.TrimSpace(string(line[:n]))
}

// benchServe starts a server that counts nobody's requests, with ada, who may
// do all, in the store.
func benchServe(b *testing.B, database *realtest.Postgres, password string) (issuer string, p *proc) {
	data, addr := filepath.Join(b.TempDir(), "data"), freeAddr(b)
	var at []string
	if database != nil {
		at = []string{"--store", database.NewDatabase(b)}
	}
	mustRun(b, password+"\n", append([]string{"account", "create", "ada", "--role", "admin", "--password-stdin", "--data", data}, at...)...)
	p = startServe(b, addr, data, append([]string{"--rate-exempt", "127.0.0.0/8"}, at...)...)
	return "http://" + addr, p
}

func benchmarkServer(b *testing.B, database *realtest.Postgres) {
	const password = "correct horse battery"
	issuer, p := benchServe(b, database, password)
	by := used{p.cmd.Process.Pid, database}
	ada := login(b, issuer, "ada", password)
	id, secret := newApp(b, issuer, password)
	basic := basicOf(id, secret)
	grant := []byte("grant_type=client_credentials")
	bearer := "Bearer " + ada.AccessToken
	sessions := make([]wire.TokenResponse, connections)
	for i := range sessions {
		sessions[i] = login(b, issuer, "ada", password)
	}
	form := "application/x-www-form-urlencoded"
	for _, c := range []struct {
		name string
		send func(i int) *http.Request
	}{
		{"jwks", func(int) *http.Request { return request("GET", issuer+"/.well-known/jwks.json", "", "", nil) }},
		{"client_credentials", func(int) *http.Request { return request("POST", issuer+"/oauth/token", basic, form, grant) }},
		{"introspect", func(int) *http.Request {
			return request("POST", issuer+"/oauth/introspect", bearer, form, []byte("token="+ada.AccessToken))
		}},
		{"me", func(int) *http.Request { return request("GET", issuer+"/v1/me", bearer, "", nil) }},
		{"refresh", func(i int) *http.Request {
			return request("POST", issuer+"/v1/refresh", "", "application/json", []byte(`{"refresh_token":"`+sessions[i].RefreshToken+`"}`))
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			measure(b, by, c.send, func(i int, body []byte) {
				if c.name == "refresh" {
					json.Unmarshal(body, &sessions[i])
				}
			})
		})
	}
}

// BenchmarkServerInTurn measures JWKS and client credentials beside their floors,
// second by second, since a machine that others share is not the same a minute
// later; and what asks about a session. The medians of b.N rounds.
func BenchmarkServerInTurn(b *testing.B) {
	_, bare := startFloor(b)
	b.Run("SQLite", func(b *testing.B) { benchmarkInTurn(b, nil, bare) })
	b.Run("PostgreSQL", func(b *testing.B) { benchmarkInTurn(b, realtest.StartPostgres(b), bare) })
}

func benchmarkInTurn(b *testing.B, database *realtest.Postgres, bare string) {
	const password, form = "correct horse battery", "application/x-www-form-urlencoded"
	grant := []byte("grant_type=client_credentials")
	issuer, _ := benchServe(b, database, password)
	id, secret := newApp(b, issuer, password)
	ada := login(b, issuer, "ada", password)
	bearer := "Bearer " + ada.AccessToken
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections}}
	defer client.CloseIdleConnections()
	rate := func(send func() *http.Request) float64 {
		op := loadgen.Op{Name: "op", Weight: 1, Do: func(context.Context, int) error {
			resp, err := client.Do(send())
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			if _, err = io.Copy(io.Discard, resp.Body); err == nil && resp.StatusCode != http.StatusOK {
				err = &loadgen.Refusal{Status: resp.StatusCode}
			}
			return err
		}}
		r, err := loadgen.Run(b.Context(), loadgen.Config{Ops: []loadgen.Op{op}, Connections: connections, Duration: time.Second})
		if err != nil || r.All.Failed > 0 {
			b.Fatal(err, r.All.Errors)
		}
		return r.All.PerSecond
	}
	ops := []struct {
		name        string
		floor, send func() *http.Request
	}{
		{"jwks",
			func() *http.Request { return request("GET", bare+"/jwks", "", "", nil) },
			func() *http.Request { return request("GET", issuer+"/.well-known/jwks.json", "", "", nil) }},
		{"client",
			func() *http.Request { return request("POST", bare+"/token", "Basic eDp5", form, grant) },
			func() *http.Request { return request("POST", issuer+"/oauth/token", basicOf(id, secret), form, grant) }},
		{"me", nil,
			func() *http.Request { return request("GET", issuer+"/v1/me", bearer, "", nil) }},
		{"introspect", nil,
			func() *http.Request {
				return request("POST", issuer+"/oauth/introspect", bearer, form, []byte("token="+ada.AccessToken))
			}},
	}
	rates, shares := make(map[string][]float64), make(map[string][]float64)
	for _, op := range ops {
		rate(op.send) // once, to be warm
	}
	b.ResetTimer()
	for range b.N {
		for _, op := range ops {
			if op.floor == nil {
				rates[op.name] = append(rates[op.name], rate(op.send))
				continue
			}
			floor := rate(op.floor)
			r := rate(op.send)
			rates[op.name], shares[op.name] = append(rates[op.name], r), append(shares[op.name], r/floor)
		}
	}
	number := func(n float64) float64 { return n }
	for name, all := range rates {
		b.ReportMetric(median(all, number), name+"/s")
	}
	for name, all := range shares {
		b.ReportMetric(median(all, number), name+"/floor")
	}
	b.ReportMetric(0, "ns/op")
}

// bareUpdate is what a refresh asks of the database, alone: one row changed by
// one statement, durable, on as many connections.
func bareUpdate(b *testing.B, database *realtest.Postgres) {
	url := database.NewDatabase(b)
	database.Exec(b, url, `CREATE TABLE bare (id int PRIMARY KEY, n bigint, text text) WITH (fillfactor = 70)`,
		`INSERT INTO bare SELECT i, 0, repeat('x', 300) FROM generate_series(1, 1000) i`)
	var all [connections]*pgx.Conn
	for i := range all {
		c, err := pgx.Connect(b.Context(), url)
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close(context.Background())
		all[i] = c
	}
	var left atomic.Int64
	left.Store(int64(b.N))
	before := postgresCPU(b, database)
	b.ResetTimer()
	var wg sync.WaitGroup
	for i, c := range all {
		wg.Go(func() {
			for n := int64(0); left.Add(-1) >= 0; {
				if err := c.QueryRow(b.Context(), `UPDATE bare SET n = n + 1 WHERE id = $1 RETURNING n`, 1+i).Scan(&n); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "answers/s")
	b.ReportMetric((postgresCPU(b, database)-before).Seconds()*1000/float64(b.N), "database-cpu-ms/op")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkLogIns measures log-ins beside the bare hash, what they do to all
// others, and memory. One round takes twenty seconds for each store.
func BenchmarkLogIns(b *testing.B) {
	_, bare := startFloor(b)
	b.Run("SQLite", func(b *testing.B) { benchmarkLogIns(b, nil, bare) })
	b.Run("PostgreSQL", func(b *testing.B) { benchmarkLogIns(b, realtest.StartPostgres(b), bare) })
}

func benchmarkLogIns(b *testing.B, database *realtest.Postgres, bare string) {
	const password, part = "correct horse battery", 5 * time.Second
	issuer, p := benchServe(b, database, password)
	<-time.After(time.Second)
	idle := resident(b, p)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 2 * connections}}
	defer client.CloseIdleConnections()
	ada := login(b, issuer, "ada", password)
	ask := func(r *http.Request, out any) error {
		resp, err := client.Do(r)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err == nil && resp.StatusCode >= 300 {
			return &loadgen.Refusal{Status: resp.StatusCode, Code: string(body)}
		}
		if err == nil && out != nil {
			err = json.Unmarshal(body, out)
		}
		return err
	}
	op := func(name string, send func() *http.Request) loadgen.Op {
		return loadgen.Op{Name: name, Weight: 1, Do: func(context.Context, int) error { return ask(send(), nil) }}
	}
	started := make([]wire.TokenResponse, connections)
	logIn := loadgen.Op{Name: "login", Weight: 1,
		Do: func(_ context.Context, i int) error {
			return ask(request("POST", issuer+"/v1/login", "", "application/json", []byte(`{"username":"ada","password":"`+password+`"}`)), &started[i])
		},
		After: func(_ context.Context, i int) {
			ask(request("POST", issuer+"/v1/logout", "Bearer "+started[i].AccessToken, "", nil), nil)
		},
	}
	hash := op("hash", func() *http.Request { return request("POST", bare+"/hash", "", "", nil) })
	me := op("me", func() *http.Request { return request("GET", issuer+"/v1/me", "Bearer "+ada.AccessToken, "", nil) })
	run := func(op loadgen.Op, rate float64, connections int) loadgen.Report {
		r, err := loadgen.Run(b.Context(), loadgen.Config{Ops: []loadgen.Op{op}, Connections: connections, Duration: part, Rate: rate})
		if err != nil || r.All.Failed > 0 {
			b.Fatal(err, r.All.Errors)
		}
		return r
	}
	var hashes, logIns, share, alone, beside []float64
	most := idle
	for range b.N {
		h := run(hash, 0, connections).All.PerSecond
		l := run(logIn, 0, connections).All.PerSecond
		hashes, logIns, share = append(hashes, h), append(logIns, l), append(share, l/h)
		most = max(most, resident(b, p))
		// Seldom enough that none waits for another.
		alone = append(alone, run(me, 100, connections).All.Times.Quantile(0.99).Seconds()*1000)
		var both sync.WaitGroup
		both.Go(func() { run(logIn, 0, connections) })
		beside = append(beside, run(me, 100, connections).All.Times.Quantile(0.99).Seconds()*1000)
		both.Wait()
		most = max(most, resident(b, p))
	}
	number := func(n float64) float64 { return n }
	b.ReportMetric(median(hashes, number), "hashes/s")
	b.ReportMetric(median(logIns, number), "logins/s")
	b.ReportMetric(median(share, number), "logins/hash")
	b.ReportMetric(median(alone, number), "p99-ms-alone")
	b.ReportMetric(median(beside, number), "p99-ms-beside-logins")
	b.ReportMetric(idle, "MB-idle")
	b.ReportMetric(most, "MB-under-load")
	b.ReportMetric(0, "ns/op")
}

// resident is the memory of a server in megabytes.
func resident(b *testing.B, p *proc) float64 {
	u, err := loadgen.ReadUsage(p.cmd.Process.Pid)
	if err != nil {
		b.Fatal(err)
	}
	return float64(u.Resident) / (1 << 20)
}

const connections = 16

// measure sends b.N requests on all connections and reports what they cost.
func measure(b *testing.B, by used, send func(i int) *http.Request, received func(i int, body []byte)) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections}}
	defer client.CloseIdleConnections()
	var left atomic.Int64
	left.Store(int64(b.N))
	server, database := by.cpu(b)
	b.ResetTimer()
	var wg sync.WaitGroup
	for i := range connections {
		wg.Go(func() {
			var body bytes.Buffer
			for left.Add(-1) >= 0 {
				resp, err := client.Do(send(i))
				if err != nil {
					b.Error(err)
					return
				}
				body.Reset()
				body.ReadFrom(resp.Body)
				resp.Body.Close()
				if resp.StatusCode != http.StatusOK {
					b.Errorf("%d: %s", resp.StatusCode, &body)
					return
				}
				received(i, body.Bytes())
			}
		})
	}
	wg.Wait()
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "answers/s")
	server2, database2 := by.cpu(b)
	b.ReportMetric((server2-server).Seconds()*1000/float64(b.N), "server-cpu-ms/op")
	if by.database != nil {
		b.ReportMetric((database2-database).Seconds()*1000/float64(b.N), "database-cpu-ms/op")
	}
	b.ReportMetric(0, "ns/op")
}

// used is what is measured: a process, and the database that it asks, if any.
type used struct {
	pid      int
	database *realtest.Postgres
}

// cpu is what they have used so far; 0 where that is not known.
func (u used) cpu(t testing.TB) (server, database time.Duration) {
	server, _ = loadgen.CPUTime(u.pid)
	if u.database != nil {
		database = postgresCPU(t, u.database)
	}
	return server, database
}

// basicOf follows RFC 6749 §2.3.1.
func basicOf(id, secret string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(id)+":"+url.QueryEscape(secret)))
}

func request(method, url, authorization, contentType string, body []byte) *http.Request {
	req, _ := http.NewRequest(method, url, bytes.NewReader(body))
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	return req
}

// newApp makes an app over the administration API.
func newApp(b testing.TB, issuer, password string) (id, secret string) {
	admin := tokens(b, want(b, 200, "POST", issuer+"/v1/login", "", wire.LoginRequest{Username: "ada", Password: password, Audience: issuer + wire.PathAdmin}))
	var made wire.AppWithSecret
	if err := json.Unmarshal(want(b, 201, "POST", issuer+wire.PathAdmin+"/apps", admin.AccessToken, wire.AppCreate{Name: "bench"}), &made); err != nil {
		b.Fatal(err)
	}
	return made.App.ID, made.Secret
}

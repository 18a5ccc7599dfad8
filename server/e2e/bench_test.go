package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/jwt"
	loadgen "github.com/jotsmith/jotsmith/server/internal/load"
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
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	os.Stdout.WriteString("http://" + l.Addr().String() + "\n")
	return http.Serve(l, mux)
}

// BenchmarkServer measures answers a second, and the server's CPU time for each,
// over loopback on 16 connections in a closed loop, beside the floor in the
// same run. The load generator has the same cores.
func BenchmarkServer(b *testing.B) {
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
	bare := strings.TrimSpace(string(line[:n]))

	data := filepath.Join(b.TempDir(), "data")
	addr := freeAddr(b)
	issuer := "http://" + addr
	const password = "correct horse battery"
	mustRun(b, password+"\n", "account", "create", "ada", "--role", "admin", "--password-stdin", "--data", data)
	p := startServe(b, addr, data)
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
		pid  int
		send func(i int) *http.Request
	}{
		{"jwks/floor", floor.Process.Pid, func(int) *http.Request { return request("GET", bare+"/jwks", "", "", nil) }},
		{"jwks/ours", p.cmd.Process.Pid, func(int) *http.Request { return request("GET", issuer+"/.well-known/jwks.json", "", "", nil) }},
		{"client_credentials/floor", floor.Process.Pid, func(int) *http.Request { return request("POST", bare+"/token", basic, form, grant) }},
		{"client_credentials/ours", p.cmd.Process.Pid, func(int) *http.Request { return request("POST", issuer+"/oauth/token", basic, form, grant) }},
		{"introspect/floor", floor.Process.Pid, func(int) *http.Request {
			return request("POST", bare+"/answer", bearer, form, []byte("token="+ada.AccessToken))
		}},
		{"introspect/ours", p.cmd.Process.Pid, func(int) *http.Request {
			return request("POST", issuer+"/oauth/introspect", bearer, form, []byte("token="+ada.AccessToken))
		}},
		{"me/floor", floor.Process.Pid, func(int) *http.Request { return request("GET", bare+"/answer", bearer, "", nil) }},
		{"me/ours", p.cmd.Process.Pid, func(int) *http.Request { return request("GET", issuer+"/v1/me", bearer, "", nil) }},
		{"refresh/ours", p.cmd.Process.Pid, func(i int) *http.Request {
			return request("POST", issuer+"/v1/refresh", "", "application/json", []byte(`{"refresh_token":"`+sessions[i].RefreshToken+`"}`))
		}},
	} {
		b.Run(c.name, func(b *testing.B) {
			measure(b, c.pid, c.send, func(i int, body []byte) {
				if strings.HasPrefix(c.name, "refresh") {
					json.Unmarshal(body, &sessions[i])
				}
			})
		})
	}
}

const connections = 16

// measure sends b.N requests on all connections and reports what they cost.
func measure(b *testing.B, pid int, send func(i int) *http.Request, received func(i int, body []byte)) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections}}
	defer client.CloseIdleConnections()
	var left atomic.Int64
	left.Store(int64(b.N))
	before := cpuTime(pid)
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
	b.ReportMetric((cpuTime(pid)-before).Seconds()*1000/float64(b.N), "server-cpu-ms/op")
	b.ReportMetric(0, "ns/op")
}

// cpuTime is what a process has used so far, by the kernel's account; 0 where
// that is not known.
func cpuTime(pid int) time.Duration {
	used, _ := loadgen.CPUTime(pid)
	return used
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

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/jotsmith/jotsmith/client"
	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/httpapi"
	adminapi "github.com/jotsmith/jotsmith/server/internal/httpapi/admin"
	"github.com/jotsmith/jotsmith/wire"
)

// targetFlags say whom a command speaks to: a running server, or the data of
// one that is stopped.
type targetFlags struct {
	Server string `env:"JOTSMITH_SERVER" placeholder:"URL" help:"Act on this running server, where 'jotsmith login' has logged in. By default, and where --data is given, on the data directory of a stopped one."`
	dataFlags
}

const targetHelp = "These commands act on a running server (--server), or on the data directory of one that is stopped or has not run yet."

// A remote is the administration API, of a running server or of this process:
// commands see no difference.
type remote struct {
	base  string
	login *client.Client // has the token for each call; nil where none is needed
	http  *http.Client
	node  *node // of this process; nil for a running server
}

// open finds the server that is meant.
func (f targetFlags) open(ctx context.Context, c *console, l *commandLine) (*remote, error) {
	if f.remote(l) {
		return openRemote(ctx, f.Server)
	}
	return f.here(openOffline(ctx, f.dataFlags, c))
}

// openOrMake is open, and makes a data directory where there is none.
func (f targetFlags) openOrMake(ctx context.Context, c *console, l *commandLine) (*remote, error) {
	if f.remote(l) {
		return openRemote(ctx, f.Server)
	}
	return f.here(openOfflineOrMake(ctx, f.dataFlags, c))
}

// remote says whether a running server is meant. A data directory that is named
// on the command line comes before a server that the environment names.
func (f targetFlags) remote(l *commandLine) bool {
	return f.Server != "" && (l.gives("server") || !l.gives("data"))
}

// gives says whether a flag stands on the command line itself.
func (l *commandLine) gives(flag string) bool {
	f := l.chosen.Flags().Lookup(flag)
	return f != nil && f.Changed
}

// here is the administration API of a node that nobody else can reach.
func (targetFlags) here(n *node, err error) (*remote, error) {
	if err != nil {
		return nil, err
	}
	mux := http.NewServeMux()
	adminapi.Routes(mux, n.admin, adminapi.DangerouslyTrustEverybody(operator()))
	h, err := httpapi.New(mux, httpapi.Config{Realm: "operator"})
	if err != nil {
		n.Close()
		return nil, err
	}
	return &remote{base: "http://localhost", http: &http.Client{Transport: inProcess{h}}, node: n}, nil
}

// inProcess is a transport that calls a handler.
type inProcess struct{ handler http.Handler }

func (t inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	asked := r.Clone(r.Context())
	if asked.Body == nil {
		asked.Body = http.NoBody
	}
	w := &written{header: http.Header{}, status: http.StatusOK}
	t.handler.ServeHTTP(w, asked)
	return &http.Response{
		StatusCode: w.status, Header: w.header, Request: r,
		Body: io.NopCloser(&w.body), ContentLength: int64(w.body.Len()),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}, nil
}

type written struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (w *written) Header() http.Header         { return w.header }
func (w *written) WriteHeader(status int)      { w.status = status }
func (w *written) Write(b []byte) (int, error) { return w.body.Write(b) }

const (
	remoteTimeout = 30 * time.Second
	maxAnswer     = 16 << 20
	userAgent     = "jotsmith"
)

// serverURL checks where a token and a password may be sent.
func serverURL(server string) (string, error) {
	u, err := url.Parse(server)
	if err != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil || u.Scheme != "https" && u.Scheme != "http" {
		return "", usagef("--server %q is no URL such as https://auth.example.com", server)
	}
	address, _ := netip.ParseAddr(u.Hostname())
	if u.Scheme == "http" && u.Hostname() != "localhost" && !address.IsLoopback() {
		return "", usagef("--server %q: passwords and tokens are sent over https only, save to this machine itself", server)
	}
	return strings.TrimSuffix(u.String(), "/"), nil
}

// newHTTPClient follows no redirect: a server that moves its API is asked for
// by its new name.
func newHTTPClient() *http.Client {
	return &http.Client{
		Timeout:       remoteTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

func (r *remote) Close() {
	if r.node != nil {
		r.node.Close()
	}
}

// do sends in, where it is not nil, as JSON and reads the answer into out,
// where that is not nil. path begins with a slash.
func (r *remote) do(ctx context.Context, method, path string, in, out any) error {
	if in == nil {
		return r.send(ctx, method, path, "", nil, out)
	}
	text, err := json.Marshal(in)
	if err != nil {
		return err
	}
	return r.send(ctx, method, path, "application/json", text, out)
}

// send sends a body of a media type and reads the answer as do does.
func (r *remote) send(ctx context.Context, method, path, mediaType string, body []byte, out any) error {
	answer, err := r.ask(ctx, method, path, mediaType, body)
	if err != nil {
		return err
	}
	defer answer.Close()
	text, err := io.ReadAll(io.LimitReader(answer, maxAnswer))
	if err != nil {
		return fmt.Errorf("reading the answer of %s: %w", r.base, err)
	}
	if out == nil || len(text) == 0 { // no content
		return nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("the answer of %s is not understood: %w", r.base, err)
	}
	return nil
}

// fetch answers a body that is read as it comes.
func (r *remote) fetch(ctx context.Context, path string) (io.ReadCloser, error) {
	return r.ask(ctx, "GET", path, "", nil)
}

// ask answers the body of a success.
func (r *remote) ask(ctx context.Context, method, path, mediaType string, body []byte) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, method, r.base+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if mediaType != "" {
		req.Header.Set("Content-Type", mediaType)
	}
	req.Header.Set("User-Agent", userAgent)
	if r.login != nil {
		t, err := r.login.Token(ctx) // renewed, as in a long export
		if err != nil {
			return nil, told(r.base, err)
		}
		req.Header.Set("Authorization", "Bearer "+t.AccessToken)
	}
	resp, err := r.http.Do(req)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // without the URL, which is said once
		}
		return nil, hint(fmt.Errorf("asking %s: %w", r.base, err), "is it running, and is --server right?")
	}
	if resp.StatusCode < 300 {
		return resp.Body, nil
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("reading the answer of %s: %w", r.base, err)
	}
	return nil, refusedBy(r.base, resp.StatusCode, text)
}

// A refusal is a problem document that a server has answered.
type refusal struct {
	wire.Problem
	Bad []wire.BadLine `json:"bad"`
}

func (r refusal) Error() string {
	if r.Detail != "" {
		return r.Detail
	}
	return strings.TrimSuffix(strings.ToLower(r.Title[:1])+r.Title[1:], ".")
}

// Is tells a refusal as the domain packages tell it.
func (r refusal) Is(target error) bool {
	return target == fault.ErrNotFound && r.Code == wire.CodeNotFound ||
		target == fault.ErrExists && r.Code == wire.CodeAlreadyExists
}

func refusedBy(base string, status int, text []byte) error {
	var r refusal
	if json.Unmarshal(text, &r) != nil || r.Code == "" || r.Title == "" {
		return notJotsmith(base, status)
	}
	return explained(base, r)
}

func notJotsmith(base string, status int) error {
	return hint(fmt.Errorf("%s answers %d, not as a Jotsmith server does", base, status), "is --server right?")
}

// explained adds what to do about it.
func explained(base string, r refusal) error {
	switch {
	case slices.Contains([]wire.Code{wire.CodeTokenExpired, wire.CodeTokenRevoked, wire.CodeTokenInvalid, wire.CodeTokenMissing}, r.Code):
		return hint(r, "'jotsmith login --server %s' logs in again", base)
	case r.Code == wire.CodeForbidden:
		return hint(r, "an administrator can give you a role that has the permission, such as admin")
	case r.Code == wire.CodeInternal:
		return hint(r, "the server's log says more at id %s", r.ID)
	}
	return r
}

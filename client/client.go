// Package client signs programs in at a Jotsmith server and lets them forget
// that there are tokens: services, by client credentials, and command-line
// tools, by a person's user name and password.
//
//	c, err := client.New(client.Config{Issuer: "https://auth.example.com", Audience: "https://tasks.example.com",
//		Origins: []string{"https://tasks.example.com"}, ClientID: id, ClientSecret: secret})
//	…
//	resp, err := c.HTTP().Get("https://tasks.example.com/tasks")
//
// [Client.HTTP] and [Client.Transport] put an access token on each request, renew
// it before it expires and once more when a 401 says invalid_token. [Client.Token]
// hands it out, for what is no HTTP and for other packages' token sources.
// Whoever needs a token at the same moment waits for one renewal, whose caller may
// go away without anybody noticing. How long a token lives is what the server
// says in expires_in, counted from the question: a clock that is wrong, or set,
// does not matter.
//
// What keeps somebody signed in is in a [Store]: [Memory], or [File], which
// several processes may share. The server gives processes that renew at once the
// same successor, so that a store's lock only spares them the trouble.
//
// It refuses to send a token to an origin that it was not told of, whatever
// redirects; to send a request twice whose body cannot be had again; to renew
// more than once for one answer; and to write a token or a password into an error
// or a log. Names on the wire are package wire; those who verify tokens want
// package guard.
package client

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/jotsmith/jotsmith/wire"
)

// Config says where to sign in, and where tokens may go.
type Config struct {
	// Issuer is the server's URL: https, or http on this machine itself. Required.
	Issuer string
	// Audience is the API that tokens are for; empty: the server's default.
	Audience string
	// Scope is what tokens may do, space separated; empty: all that can be had.
	Scope string
	// Origins are those that tokens may be sent to, such as
	// https://tasks.example.com, besides the issuer's own.
	Origins []string
	// ClientID and ClientSecret are for a service, which needs no Login.
	ClientID, ClientSecret string
	// Store keeps what keeps one signed in; nil: a new [Memory].
	Store Store
	// Transport carries all requests; nil: one of this client's own, with
	// time-outs.
	Transport http.RoundTripper
	// UserAgent is how a person finds the session in a list; empty: the
	// default of net/http.
	UserAgent string
}

// Client keeps one account or app signed in. It is safe for concurrent use.
type Client struct {
	c       Config
	issuer  string          // without a slash at its end
	origins map[string]bool // that tokens may be sent to
	http    *http.Client    // adds no token and follows no redirect
	turn    chan struct{}   // held by whoever is changing what is stored

	mu     sync.Mutex
	held   Token
	spent  string    // an access token that was answered with invalid_token
	pause  time.Time // until which a renewal that failed is not tried again
	flight *flight   // nil while nobody is renewing
}

// New makes a client. It asks nobody yet.
func New(c Config) (*Client, error) {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }
	issuer, err := origin(c.Issuer, true)
	if err != nil {
		fault("Issuer %w", err)
	}
	origins := map[string]bool{}
	for _, o := range c.Origins {
		name, err := origin(o, false)
		if err != nil {
			fault("Origins: %w", err)
		}
		origins[name] = true
	}
	if (c.ClientID == "") != (c.ClientSecret == "") {
		fault("ClientID and ClientSecret need each other")
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("client: %w", err)
	}
	origins[issuer] = true
	if c.Store == nil {
		c.Store = new(Memory)
	}
	if c.Transport == nil {
		c.Transport = newTransport()
	}
	return &Client{
		c: c, issuer: strings.TrimSuffix(c.Issuer, "/"), origins: origins, turn: make(chan struct{}, 1),
		http: &http.Client{Transport: c.Transport, CheckRedirect: noRedirect},
	}, nil
}

// origin is scheme, host and port of a URL that secrets may be sent to.
func origin(text string, path bool) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || !path && strings.Trim(u.Path, "/") != "" {
		return "", fmt.Errorf("%q is no URL such as https://auth.example.com", text)
	}
	if u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())) {
		return "", fmt.Errorf("%q: secrets are sent over https only, save to this machine itself", text)
	}
	return originOf(u), nil
}

func originOf(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + strings.ToLower(u.Hostname()) + ":" + port
}

func loopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return strings.EqualFold(host, "localhost") || err == nil && address.Unmap().IsLoopback()
}

// noRedirect: a server that moves its API is asked for by its new name.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

func newTransport() http.RoundTripper {
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: 10 * time.Second}).DialContext, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: time.Minute, IdleConnTimeout: 90 * time.Second,
		ExpectContinueTimeout: time.Second, MaxIdleConnsPerHost: 16, MaxResponseHeaderBytes: 64 << 10,
	}
}

// Login signs a person in, in place of whoever was signed in before, whose session
// goes on at the server: Logout ends it. A wrong password is an [*Error] of code
// invalid_credentials, too many tries one of rate_limited.
func (c *Client) Login(ctx context.Context, username, password string) (Token, error) {
	if c.c.ClientID != "" {
		return Token{}, errors.New("client: one with a ClientID signs in by itself")
	}
	return c.change(ctx, func(s *State) (Token, error) {
		in := wire.LoginRequest{Username: username, Password: password, Audience: c.c.Audience, Scope: c.c.Scope}
		if s.Username == username {
			in.DeviceToken = s.DeviceToken
		}
		asked := time.Now()
		var out wire.TokenResponse
		if err := c.ask(ctx, call{method: "POST", path: "/v1/login", body: in, out: &out}); err != nil {
			return Token{}, fmt.Errorf("logging in: %w", err)
		}
		*s = State{Username: username, DeviceToken: cmp.Or(out.DeviceToken, in.DeviceToken)}
		return s.take(out, asked)
	})
}

// Logout ends the session at the server and forgets it here. It is forgotten
// also where the server cannot be told, which is an error: there, the session goes
// on. Who is not signed in is as it was wanted.
func (c *Client) Logout(ctx context.Context) error { return c.leave(ctx, "/v1/logout") }

// LogoutEverywhere ends all sessions of the account, and forgets this one here.
// Nothing is forgotten where the server cannot be told.
func (c *Client) LogoutEverywhere(ctx context.Context) error {
	if err := c.Call(ctx, "POST", "/v1/logout-all", nil, nil); err != nil {
		return fmt.Errorf("logging out everywhere: %w", err)
	}
	return c.leave(ctx, "")
}

// leave forgets the session and tells the server at path, if there is one.
func (c *Client) leave(ctx context.Context, path string) error {
	var left State
	_, err := c.change(ctx, func(s *State) (Token, error) {
		left = *s
		*s = State{Username: s.Username, DeviceToken: s.DeviceToken}
		return Token{}, nil
	})
	if err != nil {
		return fmt.Errorf("logging out: %w", err)
	}
	if path == "" || left.AccessToken == "" {
		return nil
	}
	switch {
	case c.c.ClientID != "":
		err = c.revoke(ctx, left.AccessToken)
	default:
		err = c.ask(ctx, call{method: "POST", path: path, bearer: left.AccessToken})
		// The key of a token that expired long since may be gone.
		if e, ok := errors.AsType[*Error](err); ok && e.Status == http.StatusUnauthorized && left.RefreshToken != "" {
			err = c.revoke(ctx, left.RefreshToken)
		}
	}
	if err != nil {
		return fmt.Errorf("logging out: forgotten here, but the session may go on at the server: %w", err)
	}
	return nil
}

// revoke implements RFC 7009 §2.1.
func (c *Client) revoke(ctx context.Context, token string) error {
	return c.ask(ctx, call{method: "POST", path: "/oauth/revoke", form: url.Values{"token": {token}}})
}

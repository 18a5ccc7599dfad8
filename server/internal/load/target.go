package load

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jotsmith/jotsmith/jwt"
	"github.com/jotsmith/jotsmith/wire"
)

// The bounds of a target.
const (
	MaxAccounts  = 1000
	MaxFollowers = 1000

	// perAccount is how many sessions of one account are kept at once, well
	// below what a server lets live.
	perAccount = 50
)

// A TargetConfig names a server and says how much is made there.
type TargetConfig struct {
	Base        string // URL, without a slash at its end
	Accounts    int    // 1 to MaxAccounts, for at most 50 connections each
	Connections int    // as in the Config of the runs

	// Administer calls the administration API, in the name of somebody who may
	// make accounts, apps and end sessions. path begins with a slash.
	Administer func(ctx context.Context, method, path string, in, out any) error
}

// A Target is a server with accounts to ask it with. It is made ready once, and
// cleaned up once, whatever became of it meanwhile.
type Target struct {
	TargetConfig
	client   *http.Client
	name     string // that all accounts begin with
	password string
	made     []wire.Account
	app      wire.AppWithSecret
	lines    []line
	verifier *jwt.Verifier

	followers sync.WaitGroup
	polls     atomic.Int64
	halt      context.CancelFunc
}

// A line is what one connection holds.
type line struct {
	username string
	held     wire.TokenResponse
	until    time.Time // when the access token is replaced
	spare    wire.TokenResponse
}

// NewTarget checks c. Nothing is asked yet.
func NewTarget(c TargetConfig) (*Target, error) {
	var faults []error
	if c.Accounts < 1 || c.Accounts > MaxAccounts {
		faults = append(faults, fmt.Errorf("accounts: 1 to %d", MaxAccounts))
	}
	if c.Connections < 1 || c.Connections > MaxConnections {
		faults = append(faults, fmt.Errorf("connections: 1 to %d", MaxConnections))
	}
	if c.Connections > c.Accounts*perAccount {
		faults = append(faults, fmt.Errorf("%d accounts are too few for %d connections, at most %d each", c.Accounts, c.Connections, perAccount))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return &Target{
		TargetConfig: c,
		client:       newClient(c.Connections),
		name:         "bench-" + strings.ToLower(rand.Text()[:8]),
		password:     rand.Text(),
		lines:        make([]line, c.Connections),
		halt:         func() {},
	}, nil
}

// Prepare makes accounts and an app, and logs in for each connection.
func (t *Target) Prepare(ctx context.Context) error {
	for i := range t.Accounts {
		var a wire.Account
		err := t.Administer(ctx, "POST", wire.PathAdmin+"/accounts", wire.AccountCreate{
			Username: fmt.Sprintf("%s-%d", t.name, i+1), DisplayName: "made by jotsmith bench", Password: t.password,
		}, &a)
		if err != nil {
			return fmt.Errorf("making an account: %w", err)
		}
		t.made = append(t.made, a)
	}
	if err := t.Administer(ctx, "POST", wire.PathAdmin+"/apps", wire.AppCreate{Name: t.name, SecretExpiresIn: int64(MaxDuration/time.Second) + 3600}, &t.app); err != nil {
		return fmt.Errorf("making an app: %w", err)
	}
	for i := range t.lines {
		t.lines[i].username = t.made[i%len(t.made)].Username
		if err := t.logIn(ctx, i, &t.lines[i].held); err != nil {
			return fmt.Errorf("logging in as %s: %w", t.lines[i].username, err)
		}
		t.lines[i].renewed()
	}
	return t.prepareVerifier(ctx)
}

// CleanUp ends what Prepare and the runs began, and says what stays.
func (t *Target) CleanUp(ctx context.Context) (stays []string, err error) {
	t.halt()
	t.followers.Wait()
	defer t.client.CloseIdleConnections()
	var faults []error
	for _, a := range t.made {
		// Its sessions end with it.
		if err := t.Administer(ctx, "POST", wire.PathAdmin+"/accounts/"+a.ID+"/disable", nil, nil); err != nil {
			faults = append(faults, fmt.Errorf("disabling %s: %w", a.Username, err))
		}
	}
	if len(t.made) > 0 {
		which := "1 disabled account, " + t.made[0].Username
		if n := len(t.made); n > 1 {
			which = fmt.Sprintf("%d disabled accounts, %s to %s", n, t.made[0].Username, t.made[n-1].Username)
		}
		stays = append(stays, which, "what the audit log says of that")
	}
	if id := t.app.App.ID; id != "" {
		if err := t.Administer(ctx, "DELETE", wire.PathAdmin+"/apps/"+id, nil, nil); err != nil {
			faults = append(faults, fmt.Errorf("deleting the app %s: %w", id, err))
		}
	}
	return stays, errors.Join(faults...)
}

func (t *Target) logIn(ctx context.Context, connection int, into *wire.TokenResponse) error {
	return t.ask(ctx, request{method: "POST", path: "/v1/login", contentType: "application/json",
		body: fmt.Appendf(nil, `{"username":%q,"password":%q}`, t.lines[connection].username, t.password)}, into)
}

// renewed notes when the access token is to be replaced: a little before it
// expires.
func (l *line) renewed() {
	life := time.Duration(l.held.ExpiresIn) * time.Second
	l.until = time.Now().Add(life - min(life/4, time.Minute))
}

func (t *Target) refresh(ctx context.Context, connection int) error {
	l := &t.lines[connection]
	var next wire.TokenResponse
	err := t.ask(ctx, request{method: "POST", path: "/v1/refresh", contentType: "application/json",
		body: []byte(`{"refresh_token":"` + l.held.RefreshToken + `"}`)}, &next)
	if err != nil {
		return err
	}
	l.held = next
	l.renewed()
	return nil
}

// fresh replaces an access token that is about to expire.
func (t *Target) fresh(ctx context.Context, connection int) error {
	if time.Now().Before(t.lines[connection].until) {
		return nil
	}
	return t.refresh(ctx, connection)
}

// prepareVerifier gets the keys that an API would verify with. It keeps no
// verified tokens, so that each verification is a whole one.
func (t *Target) prepareVerifier(ctx context.Context) error {
	var about wire.Introspection
	if err := t.introspect(ctx, 0, &about); err != nil {
		return fmt.Errorf("asking about a token: %w", err)
	}
	var set json.RawMessage
	if err := t.ask(ctx, request{method: "GET", path: pathJWKS}, &set); err != nil {
		return fmt.Errorf("getting the key set: %w", err)
	}
	keys, err := parseKeys(set)
	if err != nil {
		return err
	}
	t.verifier, err = jwt.NewVerifier(jwt.Policy{
		Issuer: about.Issuer, Audiences: slices.Clone(about.Audience), Keys: keys, CacheSize: -1,
		DangerouslyIgnoreRevocation: true, // nothing is let in by it
	})
	return err
}

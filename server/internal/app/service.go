package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/claims"
	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
	"github.com/jotsmith/jotsmith/server/internal/mint"
	"github.com/jotsmith/jotsmith/server/internal/status"
)

// Config is what a Service is made of. All but Log, Status, Sensitive and Minted
// are required.
type Config struct {
	Store   Store
	Ring    *keyring.Ring
	Catalog *catalog.Live
	Issuer  string
	Now     func() time.Time // the store's time
	Log     *slog.Logger

	Status    *status.Lists // nil: tokens name no status list
	Sensitive []string      // names of claims, as mint.Config.Sensitive
	Minted    *mint.Counts  // nil: nobody reads them
}

// A Service may be used by many goroutines.
type Service struct {
	Config
	mints *mint.Mint
	cache cache
}

// New checks c and reports every fault at once.
func New(c Config) (*Service, error) {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Store == nil || c.Ring == nil || c.Catalog == nil || c.Issuer == "" || c.Now == nil {
		return nil, errors.New("apps: store, key ring, catalog, issuer and time are required")
	}
	mints, err := mint.New(mint.Config{Ring: c.Ring, Issuer: c.Issuer, Log: c.Log, Sensitive: c.Sensitive, Counts: c.Minted})
	if err != nil {
		return nil, err
	}
	return &Service{Config: c, mints: mints}, nil
}

var (
	// ErrInvalid wraps what is wrong with an app.
	ErrInvalid = errors.New("not valid")

	// ErrSecrets says that an app has as many living secrets as it may.
	ErrSecrets = fmt.Errorf("it has %d living secrets already; revoke one first", MaxSecrets)
)

// NewApp is what an app is made of.
type NewApp struct {
	Name          string
	Roles         []string
	Audiences     []string // in any spelling; none: the default API
	Life          time.Duration
	SecretExpires time.Duration // from now; 0: never
	Claims        json.RawMessage
}

// Create makes an app with one secret, which is answered here and never again.
// ErrInvalid.
func (s *Service) Create(ctx context.Context, actor audit.Actor, n NewApp) (App, string, error) {
	a := App{ID: NewID(), Name: n.Name, Roles: n.Roles, Audiences: n.Audiences, Life: n.Life, Claims: n.Claims}
	if len(a.Audiences) == 0 {
		a.Audiences = []string{""}
	}
	if err := s.complete(&a); err != nil {
		return App{}, "", err
	}
	if n.SecretExpires < 0 {
		return App{}, "", fmt.Errorf("%w: a secret that expires before it is made", ErrInvalid)
	}
	var text string
	made, err := s.Store.CreateApp(ctx, func(now time.Time) (App, audit.Event, error) {
		var kept Secret
		text, kept = newSecret(now, after(now, n.SecretExpires))
		a.Secrets = []Secret{kept}
		return a, withRoles(event("app.create", a.ID, actor), a.Roles), nil
	})
	if err != nil {
		return App{}, "", fmt.Errorf("creating an app: %w", err)
	}
	return made, text, nil
}

// Get reads an app. fault.ErrNotFound.
func (s *Service) Get(ctx context.Context, id ID) (App, error) {
	a, _, err := s.Store.App(ctx, id)
	if err != nil {
		return App{}, fmt.Errorf("app %s: %w", id.shown(), err)
	}
	return a, nil
}

// List lists apps by id, those after the given one.
func (s *Service) List(ctx context.Context, after ID, limit int) ([]App, error) {
	return s.Store.Apps(ctx, after, limit)
}

// An Edit is one act on an app. Nil fields stay as they are.
type Edit struct {
	Name      *string
	Roles     *[]string
	Audiences *[]string
	Life      *time.Duration
	Claims    *json.RawMessage
}

// Set changes an app. Tokens that live keep what they say; those that are made
// from now on say what stands. ErrInvalid, fault.ErrNotFound.
func (s *Service) Set(ctx context.Context, actor audit.Actor, id ID, e Edit) (App, error) {
	return s.change(ctx, id, func(a App, _ time.Time) (Step, error) {
		assign(&a.Name, e.Name)
		assign(&a.Roles, e.Roles)
		assign(&a.Audiences, e.Audiences)
		assign(&a.Life, e.Life)
		assign(&a.Claims, e.Claims)
		err := s.complete(&a)
		return Step{App: a, Event: withRoles(event("app.change", id, actor), a.Roles)}, err
	})
}

// SetDisabled forbids or allows an app to have tokens. Disabling revokes those
// that it has.
func (s *Service) SetDisabled(ctx context.Context, actor audit.Actor, id ID, disabled bool) (App, error) {
	return s.change(ctx, id, func(a App, now time.Time) (Step, error) {
		was := a.Disabled
		a.Disabled = disabled
		switch {
		case !disabled:
			return Step{App: a, Event: event("app.enable", id, actor)}, nil
		case was: // no token was made since
			return Step{App: a, Event: event("app.disable", id, actor)}, nil
		}
		return revoke(a, now, event("app.disable", id, actor)), nil
	})
}

// Delete deletes an app and revokes its tokens.
func (s *Service) Delete(ctx context.Context, actor audit.Actor, id ID) error {
	_, err := s.change(ctx, id, func(a App, now time.Time) (Step, error) {
		step := revoke(a, now, event("app.delete", id, actor))
		step.Delete = true
		return step, nil
	})
	return err
}

// AddSecret makes another secret, which is answered here and never again.
// Expired ones are dropped. ErrSecrets, fault.ErrNotFound.
func (s *Service) AddSecret(ctx context.Context, actor audit.Actor, id ID, expires time.Duration) (App, string, error) {
	if expires < 0 {
		return App{}, "", fmt.Errorf("%w: a secret that expires before it is made", ErrInvalid)
	}
	var text string
	a, err := s.change(ctx, id, func(a App, now time.Time) (Step, error) {
		a.Secrets = slices.DeleteFunc(slices.Clone(a.Secrets), func(s Secret) bool { return !s.Living(now) })
		if len(a.Secrets) >= MaxSecrets {
			return Step{}, ErrSecrets
		}
		var kept Secret
		text, kept = newSecret(now, after(now, expires))
		a.Secrets = append(a.Secrets, kept)
		e := event("app.secret.add", id, actor)
		e.Targets["secret"] = kept.ID
		return Step{App: a, Event: e}, nil
	})
	if err != nil {
		return App{}, "", err
	}
	return a, text, nil
}

// RevokeSecret ends a secret and, since nobody can tell which tokens it was
// used for, all tokens that the app has: whoever holds another secret asks for
// new ones. fault.ErrNotFound.
func (s *Service) RevokeSecret(ctx context.Context, actor audit.Actor, id ID, secret string) (App, error) {
	return s.change(ctx, id, func(a App, now time.Time) (Step, error) {
		i := slices.IndexFunc(a.Secrets, func(s Secret) bool { return s.ID == secret })
		if i < 0 {
			return Step{}, fmt.Errorf("secret %s: %w", shownSecret(secret), fault.ErrNotFound)
		}
		a.Secrets = slices.Delete(slices.Clone(a.Secrets), i, i+1)
		e := event("app.secret.revoke", id, actor)
		e.Targets["secret"] = secret
		return revoke(a, now, e), nil
	})
}

// revoke is a step that ends all tokens which a has been given until now.
// Tokens date to the second, so those of this second end with them; ValidFrom
// dates the next ones after it. Where an earlier revocation has done that
// already, those that it let date ahead end too.
func revoke(a App, now time.Time, e audit.Event) Step {
	latest := now.Truncate(time.Second)
	if a.ValidFrom.After(latest) {
		latest = a.ValidFrom
	}
	a.ValidFrom = latest.Add(time.Second)
	return Step{App: a, RevokeBefore: a.ValidFrom, FactLife: factLife, Event: e}
}

// factLife outlasts every token that is issued before the fact: the longest
// life, the largest leeway of a verifier, and time to spare.
const factLife = catalog.MaxLife + 10*time.Minute + 2*time.Minute

func (s *Service) change(ctx context.Context, id ID, act func(App, time.Time) (Step, error)) (App, error) {
	defer s.cache.drop(id)
	a, err := s.Store.ChangeApp(ctx, id, act)
	if err != nil {
		return App{}, fmt.Errorf("app %s: %w", id.shown(), err)
	}
	return a, nil
}

// Bounds on an app.
const (
	maxRoles     = 32
	maxAudiences = 32
	maxName      = 128
)

// complete checks a and gives its audiences their registered spelling.
func (s *Service) complete(a *App) error {
	var faults []error
	bad := func(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }
	if a.Name == "" || len(a.Name) > maxName || slices.ContainsFunc([]rune(a.Name), bad) {
		faults = append(faults, fmt.Errorf("name %q: 1 to %d bytes that can be printed", a.Name, maxName))
	}
	template, err := claims.Parse(a.Claims)
	if err != nil {
		faults = append(faults, err)
	}
	a.Claims = template
	a.Roles = slices.Compact(slices.Sorted(slices.Values(a.Roles)))
	for _, r := range a.Roles {
		if err := catalog.ValidRole(r); err != nil {
			faults = append(faults, err)
		}
	}
	if len(a.Roles) > maxRoles || len(a.Audiences) == 0 || len(a.Audiences) > maxAudiences {
		faults = append(faults, fmt.Errorf("%d roles and %d audiences: at most %d and 1 to %d", len(a.Roles), len(a.Audiences), maxRoles, maxAudiences))
	}
	now := s.Catalog.Now()
	var audiences []string
	for _, asked := range a.Audiences {
		api, err := now.API(asked)
		if err != nil {
			faults = append(faults, fmt.Errorf("%w %q", err, asked))
		} else if !slices.Contains(audiences, api.Audience) {
			audiences = append(audiences, api.Audience)
		}
	}
	a.Audiences = audiences
	if a.Life != 0 && (a.Life < time.Second || a.Life > catalog.MaxLife || a.Life%time.Second != 0) {
		faults = append(faults, fmt.Errorf("token life %v is outside 1s to %v, or no whole seconds", a.Life, catalog.MaxLife))
	}
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return nil
}

func after(now time.Time, d time.Duration) time.Time {
	if d == 0 {
		return time.Time{}
	}
	return now.Add(d)
}

func assign[T any](to *T, from *T) {
	if from != nil {
		*to = *from
	}
}

// withRoles says which roles an app has from then on.
func withRoles(e audit.Event, roles []string) audit.Event {
	e.Targets["roles"] = strings.Join(roles, " ")
	return e
}

func event(act string, id ID, actor audit.Actor) audit.Event {
	return audit.Event{Act: act, Outcome: audit.OK, Targets: map[string]string{"app": string(id)}, Actor: actor}
}

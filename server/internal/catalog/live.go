package catalog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/claims"
	"github.com/jotsmith/jotsmith/server/internal/fault"
)

// Kept is all that is registered, as it is kept. The built-in API and roles
// are not.
type Kept struct {
	Version uint64 // raised by every change
	APIs    []API
	Roles   []Role
	Issuer  string        // what the server was called when it ran last; "" before
	Longest time.Duration // the longest life that any token was given since the store was made
}

// A Store keeps APIs and roles. Each method that changes something is one
// transaction, durable when it returns. Errors are those of package fault.
type Store interface {
	// LoadCatalog reads everything as of one moment.
	LoadCatalog(ctx context.Context) (Kept, error)

	// SaveAPI inserts a where its Version is 0, ErrExists where the audience
	// is registered; else replaces the one of that version, ErrChanged where
	// it is another by now or gone. Where a is the default, no other one is
	// afterwards.
	SaveAPI(ctx context.Context, a API, e audit.Event) error

	// DeleteAPI deletes by the registered spelling. ErrNotFound.
	DeleteAPI(ctx context.Context, audience string, e audit.Event) error

	// SaveRole is SaveAPI for a role, by its name.
	SaveRole(ctx context.Context, r Role, e audit.Event) error

	// DeleteRole deletes by name. ErrNotFound.
	DeleteRole(ctx context.Context, name string, e audit.Event) error

	// KeepServer notes Kept.Issuer, where it is not empty, and raises
	// Kept.Longest to at least life. It is no change of what is registered.
	KeepServer(ctx context.Context, issuer string, life time.Duration) error
}

// Poll is how often a node should Reload, to follow what other processes have
// changed.
const Poll = 2 * time.Second

var (
	// ErrBuiltIn says that what is built in cannot be changed.
	ErrBuiltIn = errors.New("it is built in and cannot be changed")

	// ErrDefault says that there must be a default API.
	ErrDefault = errors.New("it is the default API; make another one the default first")

	// ErrInvalid wraps what is wrong with an API or a role.
	ErrInvalid = errors.New("not valid")
)

// Config is what a Live is made of.
type Config struct {
	Store  Store         // required
	Issuer string        // names the built-in API; empty: as when the server ran last
	Life   time.Duration // of tokens for APIs that have none of their own; 0 means DefaultLife
	Log    *slog.Logger  // nil means none
}

// A Live is the catalog as it stands now. It may be used by many goroutines.
type Live struct {
	store   Store
	issuer  string
	life    time.Duration
	log     *slog.Logger
	changes sync.Mutex // one change at a time, from the look at what stands to its commit
	loading sync.Mutex
	version uint64 // of what now holds
	now     atomic.Pointer[Catalog]
}

// Open reads what is kept.
func Open(ctx context.Context, c Config) (*Live, error) {
	if c.Life == 0 {
		c.Life = DefaultLife
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Store == nil || c.Life < time.Second || c.Life > MaxLife {
		return nil, fmt.Errorf("catalog: a store and a token life of 1s to %v are required", MaxLife)
	}
	l := &Live{store: c.Store, issuer: c.Issuer, life: c.Life, log: c.Log}
	return l, l.Reload(ctx)
}

// Fixed is a Live that never changes and keeps nothing.
func Fixed(c *Catalog) *Live {
	l := &Live{}
	l.now.Store(c)
	return l
}

// Issuer is what the server is called, or was when it ran last; "" where it
// never ran.
func (l *Live) Issuer() string {
	l.loading.Lock()
	defer l.loading.Unlock()
	return l.issuer
}

// Now answers the catalog. One decision asks one catalog.
func (l *Live) Now() *Catalog { return l.now.Load() }

// Reload reads what is kept. Where nothing has changed, Now stays the same.
func (l *Live) Reload(ctx context.Context) error {
	l.loading.Lock()
	defer l.loading.Unlock()
	kept, err := l.store.LoadCatalog(ctx)
	if err != nil {
		return fmt.Errorf("reading APIs and roles: %w", err)
	}
	if l.now.Load() != nil && kept.Version == l.version {
		return nil
	}
	if l.issuer == "" {
		l.issuer = kept.Issuer
	}
	c, err := New(l.issuer, kept.APIs, kept.Roles)
	if err != nil {
		return fmt.Errorf("reading APIs and roles: %w", err)
	}
	for i, a := range c.kept {
		c.apis[i] = a.complete(l.life)
	}
	c.longest = kept.Longest
	l.now.Store(c)
	l.version = kept.Version
	return nil
}

// SaveAPI registers a where its Version is 0, and else changes the one that
// has it. ErrInvalid, ErrBuiltIn; fault.ErrExists, fault.ErrChanged.
func (l *Live) SaveAPI(ctx context.Context, actor audit.Actor, a API) (API, error) {
	l.changes.Lock()
	defer l.changes.Unlock()
	now := l.Now()
	old, err := now.Registered(a.Audience)
	switch {
	case err == nil && old.BuiltIn:
		return API{}, fmt.Errorf("API %q: %w", a.Audience, ErrBuiltIn)
	case err == nil && a.Version == 0:
		return API{}, fmt.Errorf("API %q: %w", a.Audience, fault.ErrExists)
	case err == nil && old.Default && !a.Default:
		return API{}, fmt.Errorf("API %q: %w", a.Audience, ErrDefault)
	case a.Version == 0 && len(now.kept) >= maxAPIs:
		return API{}, fmt.Errorf("%w: %d APIs are registered, at most %d", ErrInvalid, len(now.kept), maxAPIs)
	}
	a.BuiltIn = false
	a.Permissions = set(a.Permissions)
	if _, err := now.API(""); err != nil {
		a.Default = true // the first one
	}
	template, err := claims.Parse(a.Claims)
	if err := errors.Join(a.check(), err); err != nil {
		return API{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	a.Claims = template
	if a, err = a.normalized(); err != nil {
		return API{}, err
	}
	if err := l.store.KeepServer(ctx, "", a.Life); err != nil {
		return API{}, err
	}
	if err := l.store.SaveAPI(ctx, a, a.encrypting(giving(event(act("api", a.Version), "api", a.Audience, actor), a.Permissions))); err != nil {
		return API{}, fmt.Errorf("API %q: %w", a.Audience, err)
	}
	if err := l.Reload(ctx); err != nil {
		return API{}, err
	}
	return l.Now().Registered(a.Audience)
}

// DeleteAPI withdraws an API: from now on no token is made for it. ErrBuiltIn,
// ErrDefault, ErrUnknownAPI.
func (l *Live) DeleteAPI(ctx context.Context, actor audit.Actor, audience string) error {
	l.changes.Lock()
	defer l.changes.Unlock()
	now := l.Now()
	a, err := now.Registered(audience)
	switch {
	case err != nil:
		return fmt.Errorf("API %q: %w", audience, err)
	case a.BuiltIn:
		return fmt.Errorf("API %q: %w", a.Audience, ErrBuiltIn)
	case a.Default && slices.ContainsFunc(now.kept, func(b API) bool { return !b.BuiltIn && !b.Default }):
		return fmt.Errorf("API %q: %w", a.Audience, ErrDefault)
	}
	if err := l.store.DeleteAPI(ctx, a.Audience, event("api.delete", "api", a.Audience, actor)); err != nil {
		return fmt.Errorf("API %q: %w", a.Audience, err)
	}
	return l.Reload(ctx)
}

// SaveRole registers r where its Version is 0, and else changes the one that
// has it. ErrInvalid, ErrBuiltIn; fault.ErrExists, fault.ErrChanged.
func (l *Live) SaveRole(ctx context.Context, actor audit.Actor, r Role) (Role, error) {
	l.changes.Lock()
	defer l.changes.Unlock()
	now := l.Now()
	old, ok := now.Role(r.Name)
	switch {
	case ok && old.BuiltIn:
		return Role{}, fmt.Errorf("role %q: %w", r.Name, ErrBuiltIn)
	case r.Version == 0 && len(now.roles) >= maxRoles:
		return Role{}, fmt.Errorf("%w: %d roles are registered, at most %d", ErrInvalid, len(now.roles), maxRoles)
	}
	r.BuiltIn = false
	r.Permissions = set(r.Permissions)
	template, err := claims.Parse(r.Claims)
	if err := errors.Join(r.check(), err); err != nil {
		return Role{}, fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	r.Claims = template
	if err := l.store.SaveRole(ctx, r, giving(event(act("role", r.Version), "role", r.Name, actor), r.Permissions)); err != nil {
		return Role{}, fmt.Errorf("role %q: %w", r.Name, err)
	}
	if err := l.Reload(ctx); err != nil {
		return Role{}, err
	}
	saved, _ := l.Now().Role(r.Name)
	return saved, nil
}

// DeleteRole deletes a role: whoever holds it has nothing of it in the next
// token. ErrBuiltIn, fault.ErrNotFound.
func (l *Live) DeleteRole(ctx context.Context, actor audit.Actor, name string) error {
	if old, ok := l.Now().Role(name); ok && old.BuiltIn {
		return fmt.Errorf("role %q: %w", name, ErrBuiltIn)
	}
	if err := l.store.DeleteRole(ctx, name, event("role.delete", "role", name, actor)); err != nil {
		return fmt.Errorf("role %q: %w", name, err)
	}
	return l.Reload(ctx)
}

// Seed registers what is absent of apis and roles, and changes nothing that is
// there: what was registered before is changed by an operator's act alone.
// APIs that name no permissions get those of the roles that are registered
// with them.
func (l *Live) Seed(ctx context.Context, apis []API, roles []Role) (err error) {
	for range 10 {
		err = l.seed(ctx, apis, roles)
		if !errors.Is(err, fault.ErrExists) && !errors.Is(err, fault.ErrChanged) {
			return err
		}
		// Another node that starts now registers the same.
		if err := l.Reload(ctx); err != nil {
			return err
		}
	}
	return err
}

func (l *Live) seed(ctx context.Context, apis []API, roles []Role) error {
	system := audit.Actor{Kind: audit.KindSystem}
	if err := l.store.KeepServer(ctx, l.issuer, l.life); err != nil {
		return err
	}
	var all, added []string
	for _, r := range roles {
		all = append(all, r.Permissions...)
		old, ok := l.Now().Role(r.Name)
		switch {
		case ok && (old.BuiltIn || !slices.Equal(old.Permissions, set(r.Permissions))):
			l.log.WarnContext(ctx, "a role is registered with other permissions, which stay; 'jotsmith role set' changes them",
				"role", r.Name, "permissions", strings.Join(old.Permissions, " "))
		case !ok:
			if _, err := l.SaveRole(ctx, system, r); err != nil {
				return err
			}
			added = append(added, r.Permissions...)
		}
	}
	own := func(permissions []string) []string {
		return slices.DeleteFunc(slices.Clone(permissions), func(p string) bool { return strings.HasPrefix(p, Reserved) })
	}
	for _, a := range apis {
		fresh := a.Permissions == nil
		if old, err := l.Now().Registered(a.Audience); err == nil && !old.BuiltIn {
			if !fresh || len(own(added)) == 0 {
				continue
			}
			old.Permissions = append(slices.Clone(old.Permissions), own(added)...)
			a = old
		} else if fresh {
			a.Permissions = own(all)
		}
		if _, err := l.SaveAPI(ctx, system, a); err != nil {
			return err
		}
	}
	return l.Reload(ctx)
}

func act(kind string, version int64) string {
	if version == 0 {
		return kind + ".create"
	}
	return kind + ".change"
}

func event(act, kind, id string, actor audit.Actor) audit.Event {
	return audit.Event{Act: act, Outcome: audit.OK, Targets: map[string]string{kind: id}, Actor: actor}
}

// giving says which permissions an API or a role has from then on.
func giving(e audit.Event, permissions []string) audit.Event {
	e.Targets["permissions"] = strings.Join(permissions, " ")
	return e
}

func set(all []string) []string { return slices.Compact(slices.Sorted(slices.Values(all))) }

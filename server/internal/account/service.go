package account

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/claims"
	"github.com/jotsmith/jotsmith/server/internal/fault"
)

// Config is what a Service is made of.
type Config struct {
	Store   Store      // required
	Limiter Limiter    // required
	Hash    HashParams // of new passwords; zero means [DefaultHash]
	Hasher  Hasher     // nil hashes within this process
	Slots   int        // hashes at once; zero means one for each CPU, at most 8
	Log     *slog.Logger
}

// A Service may be used by many goroutines.
type Service struct {
	store   Store
	limiter Limiter
	hasher  Hasher
	params  HashParams
	dummy   hash
	slots   *slots
	most    int // slots
	counts  counts
	log     *slog.Logger
}

// queuePerSlot is how many may wait for each slot. At some 50 ms a hash, the
// last one waits under two seconds.
const queuePerSlot = 32

// New checks c and reports every fault at once.
func New(c Config) (*Service, error) {
	if c.Hash == (HashParams{}) {
		c.Hash = DefaultHash
	}
	if c.Slots == 0 {
		c.Slots = min(runtime.GOMAXPROCS(0), strictBurst-2) // see [Service.try]
	}
	if c.Hasher == nil {
		c.Hasher = inProcess{}
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	var faults []error
	if c.Store == nil {
		faults = append(faults, errors.New("accounts: no store"))
	}
	if c.Limiter == nil {
		faults = append(faults, errors.New("accounts: no limiter"))
	}
	if c.Slots < 0 || c.Slots > 1024 {
		faults = append(faults, fmt.Errorf("accounts: %d hash slots, at least 1 and at most 1024", c.Slots))
	}
	if err := c.Hash.check(); err != nil {
		faults = append(faults, err)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return &Service{
		store:   c.Store,
		limiter: c.Limiter,
		hasher:  c.Hasher,
		params:  c.Hash,
		dummy:   dummyHash(c.Hash),
		slots:   newSlots(c.Slots, c.Slots*queuePerSlot),
		most:    c.Slots,
		log:     c.Log,
	}, nil
}

// NewAccount is what an account is made of.
type NewAccount struct {
	Username    string
	DisplayName string // empty: the user name as it was given
	Password    string
	Roles       []string
}

var (
	// ErrCredentials says that there is no account of that user name and
	// password that may log in. It does not say what is wrong.
	ErrCredentials = errors.New("wrong user name or password")

	// ErrDisplayName says what a display name must not be.
	ErrDisplayName = errors.New("malformed display name")
)

// Create makes an account. [ErrUsername], [ErrWeakPassword], [ErrDisplayName],
// fault.ErrExists; all but the last joined where there are several.
func (s *Service) Create(ctx context.Context, actor audit.Actor, n NewAccount) (Account, error) {
	username, err1 := newUsername(n.Username)
	if n.DisplayName == "" {
		n.DisplayName = n.Username
	}
	display, err2 := displayName(n.DisplayName)
	password, err3 := newPassword(n.Password, username)
	if err := errors.Join(err1, err2, err3); err != nil {
		return Account{}, err
	}
	h, err := s.hash(ctx, netip.Addr{}, password)
	if err != nil {
		return Account{}, err
	}
	a := Account{ID: NewID(), Username: username, DisplayName: display, Roles: roleSet(n.Roles), Version: 1}
	return s.store.CreateAccount(ctx, a, h, withRoles(event("account.create", a.ID, actor), a.Roles))
}

// Get reads an account. fault.ErrNotFound.
func (s *Service) Get(ctx context.Context, id ID) (Account, error) { return s.store.Account(ctx, id) }

// Find reads the account of a user name in any spelling, or the external one
// that is called so. fault.ErrNotFound.
func (s *Service) Find(ctx context.Context, username string) (Account, error) {
	if subject, external := strings.CutPrefix(username, externalPrefix); external {
		a, err := s.store.Account(ctx, ID(subject))
		if err == nil && !a.External {
			err = fault.ErrNotFound
		}
		return a, err
	}
	name, err := Canonical(username)
	if err != nil {
		return Account{}, fmt.Errorf("account %q: %w", username, fault.ErrNotFound)
	}
	a, _, err := s.store.AccountByUsername(ctx, name)
	return a, err
}

// List lists accounts by user name, those after the given one.
func (s *Service) List(ctx context.Context, after string, limit int) ([]Account, error) {
	return s.store.Accounts(ctx, after, limit)
}

// SetDisplayName changes how people see the account. [ErrDisplayName].
func (s *Service) SetDisplayName(ctx context.Context, actor audit.Actor, id ID, name string) (Account, error) {
	name, err := displayName(name)
	if err != nil {
		return Account{}, err
	}
	return s.store.ChangeAccount(ctx, id, Change{DisplayName: &name}, event("account.display_name", id, actor))
}

// SetPassword sets a password without asking for the present one and ends all
// of the account's sessions. [ErrWeakPassword], [ErrExternal].
func (s *Service) SetPassword(ctx context.Context, actor audit.Actor, id ID, password string) error {
	a, err := s.store.Account(ctx, id)
	if err != nil {
		return err
	}
	if a.External {
		return ErrExternal
	}
	password, err = newPassword(password, a.Username)
	if err != nil {
		return err
	}
	h, err := s.hash(ctx, netip.Addr{}, password)
	if err != nil {
		return err
	}
	c := Change{PasswordHash: &h, EndSessions: true, EndReason: "password_set"}
	_, err = s.store.ChangeAccount(ctx, id, c, event("account.set_password", id, actor))
	return err
}

// SetDisabled forbids or allows to log in. Disabling ends all sessions.
func (s *Service) SetDisabled(ctx context.Context, actor audit.Actor, id ID, disabled bool) (Account, error) {
	c := Change{Disabled: &disabled}
	act := "account.enable"
	if disabled {
		c.EndSessions, c.EndReason = true, "account_disabled"
		act = "account.disable"
	}
	return s.store.ChangeAccount(ctx, id, c, event(act, id, actor))
}

// SetRoles replaces the roles. No token that is made after this carries the old
// roles. Those that live keep them to their end, unless endSessions is true:
// then all sessions end, and they with them.
func (s *Service) SetRoles(ctx context.Context, actor audit.Actor, id ID, roles []string, endSessions bool) (Account, error) {
	roles = roleSet(roles)
	c := Change{Roles: &roles}
	e := withRoles(event("account.set_roles", id, actor), roles)
	if endSessions {
		c.EndSessions, c.EndReason = true, "roles_changed"
		e.Rule = "sessions end"
	}
	return s.store.ChangeAccount(ctx, id, c, e)
}

// SetClaims replaces the template of the account's custom claims; an empty one
// takes them away. Sessions go on: the next token carries the new claims.
// claims.ErrTemplate.
func (s *Service) SetClaims(ctx context.Context, actor audit.Actor, id ID, template []byte) (Account, error) {
	kept, err := claims.Parse(template)
	if err != nil {
		return Account{}, err
	}
	return s.store.ChangeAccount(ctx, id, Change{Claims: &kept}, event("account.set_claims", id, actor))
}

// hash makes the PHC string of a normalized password, in a slot.
func (s *Service) hash(ctx context.Context, from netip.Addr, password string) (string, error) {
	if err := s.slots.acquire(ctx, Origin(from)); err != nil {
		return "", err
	}
	defer s.slots.release()
	return s.hasher.Hash(ctx, s.params, password)
}

func event(act string, id ID, actor audit.Actor) audit.Event {
	return audit.Event{Act: act, Outcome: audit.OK, Targets: map[string]string{"account": string(id)}, Actor: actor}
}

// withRoles says which roles an account has from then on.
func withRoles(e audit.Event, roles []string) audit.Event {
	e.Targets["roles"] = strings.Join(roles, " ")
	return e
}

func roleSet(roles []string) []string {
	set := slices.Clone(roles)
	slices.Sort(set)
	return slices.Compact(set)
}

// displayName refuses what could pretend to be something else on a page or a
// terminal: control characters and those that change the direction of text.
func displayName(name string) (string, error) {
	name = strings.TrimSpace(name)
	bad := strings.ContainsFunc(name, func(r rune) bool {
		return r == utf8.RuneError || unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
	})
	switch {
	case name == "":
		return "", fmt.Errorf("%w: it is empty", ErrDisplayName)
	case len(name) > 256:
		return "", fmt.Errorf("%w: more than 256 bytes", ErrDisplayName)
	case bad:
		return "", fmt.Errorf("%w: control characters", ErrDisplayName)
	}
	return name, nil
}

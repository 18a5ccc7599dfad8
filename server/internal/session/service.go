package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
	"github.com/jotsmith/jotsmith/server/internal/mint"
	"github.com/jotsmith/jotsmith/server/internal/status"
)

// Config is what a Service is made of. Store, Ring, Catalog and Issuer are
// required.
type Config struct {
	Store   Store
	Ring    *keyring.Ring
	Catalog *catalog.Live
	Issuer  string // iss of access tokens, and bound into refresh tokens

	Idle     time.Duration // a session unused for so long has ended; 0 means 7 days
	Absolute time.Duration // from its start to its end; 0 means 30 days
	Grace    time.Duration // see Limits; 0 means 30 s, negative none

	// PerAccount is how many sessions of one account may live at once, 1 to
	// 1,000; 0 means 100. A log-in beyond that ends the one that was used
	// longest ago.
	PerAccount int

	Log       *slog.Logger // nil means none
	Sensitive []string     // names of claims, as mint.Config.Sensitive

	Status *status.Lists // nil: tokens name no status list

	Counts *Counts      // nil: nobody reads them
	Minted *mint.Counts // nil: nobody reads them
}

// A Service starts, refreshes and ends sessions. It may be used by many
// goroutines.
type Service struct {
	store    Store
	ring     *keyring.Ring
	catalog  *catalog.Live
	issuer   string
	absolute time.Duration
	most     int // living sessions of one account
	limits   Limits
	minter   minter     // of refresh tokens
	mints    *mint.Mint // access tokens
	status   *status.Lists
	counts   *Counts
	log      *slog.Logger
}

// New checks c and reports every fault at once.
func New(c Config) (*Service, error) {
	c.Idle = orDefault(c.Idle, 7*24*time.Hour)
	c.Absolute = orDefault(c.Absolute, 30*24*time.Hour)
	c.Grace = max(orDefault(c.Grace, 30*time.Second), 0)
	if c.PerAccount == 0 {
		c.PerAccount = 100
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	var faults []error
	if c.Store == nil || c.Ring == nil || c.Catalog == nil {
		faults = append(faults, errors.New("store, key ring and catalog are required"))
	}
	if c.Issuer == "" || len(c.Issuer) > 1024 {
		faults = append(faults, errors.New("an issuer of 1 to 1024 bytes is required"))
	}
	if c.Idle < time.Minute || c.Idle > c.Absolute {
		faults = append(faults, fmt.Errorf("idle limit %v is outside 1m to the absolute limit %v", c.Idle, c.Absolute))
	}
	if c.Grace > 10*time.Minute || c.Grace >= c.Idle {
		// Within the grace a stolen predecessor is not told from a retry.
		faults = append(faults, fmt.Errorf("grace %v is longer than 10m or the idle limit", c.Grace))
	}
	if c.PerAccount < 1 || c.PerAccount > maxPerAccount {
		faults = append(faults, fmt.Errorf("%d sessions for one account: 1 to %d", c.PerAccount, maxPerAccount))
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("sessions: %w", errors.Join(faults...))
	}
	if c.Counts == nil {
		c.Counts = new(Counts)
	}
	mints, err := mint.New(mint.Config{Ring: c.Ring, Issuer: c.Issuer, Log: c.Log, Sensitive: c.Sensitive, Counts: c.Minted})
	if err != nil {
		return nil, err
	}
	return &Service{
		mints: mints, status: c.Status, counts: c.Counts,
		store: c.Store, ring: c.Ring, catalog: c.Catalog, issuer: c.Issuer,
		absolute: c.Absolute,
		most:     c.PerAccount,
		limits:   Limits{Idle: c.Idle, Grace: c.Grace},
		minter:   minter{c.Issuer, newest(c.Ring)},
		log:      c.Log,
	}, nil
}

// newest looks for a MAC key and, where another node may have made it just now,
// once more in the ring as it is by then.
func newest(ring *keyring.Ring) func(id string) (*jwk.SecretKey, bool) {
	return func(id string) (*jwk.SecretKey, bool) {
		key, ok := ring.MACKey(id)
		if !ok {
			ring.CatchUp(context.Background()) // which bounds itself
			key, ok = ring.MACKey(id)
		}
		return key, ok
	}
}

func orDefault(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}

// Standing answers the session of id where it lives and its account is enabled:
// whoever holds a token of it may still be served. ErrEnded or ErrDisabled
// otherwise.
func (s *Service) Standing(ctx context.Context, id ID) (Row, error) {
	row, now, err := s.store.Session(ctx, id)
	switch {
	case errors.Is(err, fault.ErrNotFound):
		return Row{}, ErrEnded
	case err != nil:
		return Row{}, fmt.Errorf("reading session %s: %w", id, err)
	}
	switch standing(row, s.limits.Idle, now) {
	case Ended:
		return Row{}, ErrEnded
	case Barred:
		return Row{}, ErrDisabled
	}
	return row, nil
}

// Get answers the row of id, whether the session lives or not, and whether it
// does. fault.ErrNotFound.
func (s *Service) Get(ctx context.Context, id ID) (row Row, lives bool, err error) {
	row, now, err := s.store.Session(ctx, id)
	if err != nil {
		return Row{}, false, fmt.Errorf("reading session %s: %w", id, err)
	}
	return row, standing(row, s.limits.Idle, now) == 0, nil
}

// List answers the living sessions of an account by id, those after the given
// one, at most limit.
func (s *Service) List(ctx context.Context, holder account.ID, after ID, limit int) ([]Session, error) {
	return s.store.Sessions(ctx, holder, s.limits.Idle, after, limit)
}

// End ends a session. One that has ended already, or never was, stays as it is.
func (s *Service) End(ctx context.Context, actor audit.Actor, id ID, reason string) error {
	_, err := s.store.EndSessions(ctx, Selection{ID: id}, reason, audit.Event{
		Act: "session.end", Outcome: audit.OK, Rule: reason,
		Targets: map[string]string{"session": string(id)}, Actor: actor,
	})
	if err != nil {
		return fmt.Errorf("ending session %s: %w", id, err)
	}
	return nil
}

// EndOwn is End for a session of holder's; fault.ErrNotFound where it is
// somebody else's or never was.
func (s *Service) EndOwn(ctx context.Context, actor audit.Actor, holder account.ID, id ID, reason string) error {
	row, _, err := s.store.Session(ctx, id)
	switch {
	case err != nil:
		return fmt.Errorf("ending session %s: %w", id, err)
	case row.Account != holder:
		return fmt.Errorf("ending session %s: %w", id, fault.ErrNotFound)
	}
	// A session never changes hands, so what was read still holds.
	return s.End(ctx, actor, id, reason)
}

// EndPresented ends the session that a refresh token belongs to, which needs
// not be the newest. What is no token of a living session is as it was wanted;
// ErrRefused where the session was begun by another client or another way.
func (s *Service) EndPresented(ctx context.Context, actor audit.Actor, token string, p Presented, reason string) error {
	p = p.complete()
	presented, err := s.minter.parseRefresh(token)
	if err != nil {
		return nil
	}
	id := NewID(presented.handle)
	row, _, err := s.store.Session(ctx, id)
	switch {
	case errors.Is(err, fault.ErrNotFound):
		return nil
	case err != nil:
		return fmt.Errorf("ending session %s: %w", id, err)
	case row.Client != p.Client || row.Transport != p.Transport:
		return fmt.Errorf("%w: %v", ErrRefused, Foreign)
	}
	return s.End(ctx, actor, id, reason)
}

// Presented answers the session that a genuine refresh token belongs to.
// ErrRefused.
func (s *Service) Presented(token string) (ID, error) {
	presented, err := s.minter.parseRefresh(token)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrRefused, err)
	}
	return NewID(presented.handle), nil
}

// EndAll ends the sessions of holder but for except, where that is not empty,
// and answers how many.
func (s *Service) EndAll(ctx context.Context, actor audit.Actor, holder account.ID, except ID, reason string) (int, error) {
	targets := map[string]string{"account": string(holder)}
	if except != "" {
		targets["kept"] = string(except)
	}
	n, err := s.store.EndSessions(ctx, Selection{Account: holder, Except: except}, reason, audit.Event{
		Act: "session.end_all", Outcome: audit.OK, Rule: reason, Targets: targets, Actor: actor,
	})
	if err != nil {
		return 0, fmt.Errorf("ending the sessions of %s: %w", holder, err)
	}
	return n, nil
}

// NewDeviceToken makes a token that proves an earlier log-in of holder on the
// device that keeps it.
func (s *Service) NewDeviceToken(holder account.ID) (string, error) {
	key, err := s.ring.MAC()
	if err != nil {
		return "", fmt.Errorf("making a device token: %w", err)
	}
	return s.minter.device(key, holder)
}

// CheckDeviceToken answers what a genuine device token says.
func (s *Service) CheckDeviceToken(token string) (holder account.ID, device string, ok bool) {
	holder, device, err := s.minter.parseDevice(token)
	return holder, device, err == nil
}

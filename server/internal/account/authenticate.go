package account

import (
	"context"
	"errors"
	"net/netip"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/timing"
)

// An Attempt is somebody who says who they are.
type Attempt struct {
	Username, Password string
	Address            netip.Addr
	Device             *KnownDevice // nil where no good device token was shown
}

// A KnownDevice is what a device token says that this server made at an
// earlier log-in.
type KnownDevice struct {
	Holder ID
	Device string
}

// Authenticate checks a user name and a password. An unknown user, a wrong
// password and a disabled account are told alike, by [ErrCredentials], after
// the same work; the audit event of the failure says which it was. Beyond
// that: *[Throttled] where nothing was checked, [ErrBusy], errors of package
// fault.
func (s *Service) Authenticate(ctx context.Context, actor audit.Actor, a Attempt) (_ Account, err error) {
	outcome := failed
	defer func() { s.counts.logIn(outcome, err) }()
	holder, stored, err := s.look(ctx, a.Username)
	if err != nil {
		return Account{}, err
	}
	device := ""
	if a.Device != nil && holder.ID != "" && a.Device.Holder == holder.ID {
		device = a.Device.Device
	}
	refusal, better, err := s.try(ctx, holder, stored, a.Password, a.Address, device)
	switch {
	case err != nil:
		return Account{}, err
	case refusal != "":
		outcome = refused
		return Account{}, s.refuse(ctx, "account.authenticate", refusal, holder, actor)
	}
	outcome = succeeded
	if better != "" {
		if err := s.store.Rehash(ctx, holder.ID, stored, better); err != nil {
			s.log.WarnContext(ctx, "keeping a stronger password hash", "account", holder.ID, "error", err)
		}
	}
	return holder, nil
}

// ChangePassword changes an account's own password. The present one is asked
// for, throttled like a log-in: *[Throttled], [ErrCredentials],
// [ErrWeakPassword]. All sessions but keepSession end in the same transaction.
func (s *Service) ChangePassword(ctx context.Context, actor audit.Actor, id ID, current, new, keepSession string, address netip.Addr) error {
	a, err := s.store.Account(ctx, id)
	if err != nil {
		return err
	}
	if a.External {
		return ErrCredentials // there is none
	}
	// Without the present password nothing is told of the new one.
	holder, stored, err := s.look(ctx, a.Username)
	if err != nil {
		return err
	}
	refusal, _, err := s.try(ctx, holder, stored, current, address, "session "+keepSession)
	switch {
	case err != nil:
		return err
	case refusal != "":
		return s.refuse(ctx, "account.change_password", refusal, holder, actor)
	}
	new, err = newPassword(new, holder.Username)
	if err != nil {
		return err
	}
	h, err := s.hash(ctx, address, new)
	if err != nil {
		return err
	}
	c := Change{
		PasswordHash: &h, IfPasswordHash: &stored,
		EndSessions: true, KeepSession: keepSession, EndReason: "password_changed",
	}
	_, err = s.store.ChangeAccount(ctx, id, c, event("account.change_password", id, actor))
	if errors.Is(err, fault.ErrChanged) {
		// While the new one was hashed, an operator has set another, which must
		// not be replaced by somebody who knew the old one.
		return s.refuse(ctx, "account.change_password", "password", holder, actor)
	}
	return err
}

// look finds an account and its hash. Where there is none, or none can be, the
// account has no ID, its Username is what to count by, and the hash is "".
func (s *Service) look(ctx context.Context, username string) (Account, string, error) {
	name, err := Canonical(username)
	if err != nil {
		return Account{}, "", nil
	}
	holder, stored, err := s.store.AccountByUsername(ctx, name)
	if errors.Is(err, fault.ErrNotFound) {
		return Account{Username: name}, "", nil
	}
	return holder, stored, err
}

// try counts and checks one password. refusal says what was wrong, for the
// audit log alone; where it is empty the password is right, and better is as
// [Service.check] says.
func (s *Service) try(ctx context.Context, holder Account, stored, password string, address netip.Addr, device string) (refusal, better string, err error) {
	from := Origin(address)
	tokens := buckets(holder.Username, from, device)
	if err := s.ask(ctx, tokens); err != nil {
		return "", "", err // without waiting for it
	}
	if err := s.slots.acquire(ctx, from); err != nil {
		return "", "", err
	}
	// Only now, so that those of one account who wait with the right password
	// do not use up what is there for wrong ones.
	if err := s.take(ctx, tokens); err != nil {
		s.slots.release()
		return "", "", err
	}
	refusal, better, err = s.check(ctx, holder, stored, password)
	s.slots.release()
	if refusal == "" {
		s.give(ctx, tokens) // also where it could not be looked at
	}
	return refusal, better, err
}

// check hashes, whatever it was given. Where the password is right and its hash
// is another system's, or costs less than it should today, better is another
// hash of it.
func (s *Service) check(ctx context.Context, holder Account, stored, password string) (refusal, better string, err error) {
	defer timing.Start(ctx, timing.Hash).End()
	var h passwordHash = s.dummy
	known := false
	if stored != "" {
		read, err := readHash(stored)
		if err != nil {
			s.log.ErrorContext(ctx, "account cannot log in until its password is set anew", "account", holder.ID, "error", err)
		} else {
			h, known = read, true
		}
	}
	if !known {
		stored = s.dummy.String()
	}
	normal, ok := normalize(password)
	if !ok {
		normal = "" // matches nothing: no password is empty
	}
	right, err := s.hasher.Matches(ctx, stored, normal)
	own, ours := h.(hash)
	if err == nil && !ours && !right && ok && password != normal {
		right, err = s.hasher.Matches(ctx, stored, password) // other systems do not normalize
	}
	switch {
	case err != nil:
		return "", "", err
	case holder.ID == "":
		return "unknown", "", nil
	case holder.External:
		return "external", "", nil
	case !known:
		return "malformed_hash", "", nil
	case !ok || !right:
		return "password", "", nil
	case holder.Disabled:
		return "disabled", "", nil
	}
	if !ours || own.params.cheaper(s.params) {
		better, err = s.hasher.Hash(ctx, s.params, normal)
		if err != nil { // it is made at the next log-in
			s.log.WarnContext(ctx, "making a stronger password hash", "account", holder.ID, "error", err)
		}
	}
	return "", better, nil
}

// refuse records a failure, even where the caller has gone away meanwhile: who
// hangs up early is not forgotten. A user name that is no account's is not
// recorded, because people type their passwords there.
func (s *Service) refuse(ctx context.Context, act, rule string, holder Account, actor audit.Actor) error {
	e := audit.Event{Act: act, Outcome: audit.Refused, Rule: rule, Actor: actor}
	if holder.ID != "" {
		e.Targets = map[string]string{"account": string(holder.ID)}
		e.Actor.Name = holder.Username
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := s.store.Record(ctx, e); err != nil {
		return err
	}
	return ErrCredentials
}

package account

import (
	"context"
	"fmt"
	"net/netip"
	"time"
)

// A Limiter counts tries in buckets (see shared.Memory).
type Limiter interface {
	// Take takes one token out of the bucket of that name, which holds burst
	// tokens and gets one back each every, or says how long until there is
	// one; left is how many are in it then. Of many calls at once, exactly as
	// many get a token as there are.
	Take(ctx context.Context, name string, burst int, every time.Duration) (left int, wait time.Duration, err error)

	// Wait says what Take would, and takes nothing.
	Wait(ctx context.Context, name string, burst int, every time.Duration) (wait time.Duration, err error)

	// Give puts back a token that was taken.
	Give(ctx context.Context, name string, every time.Duration) error
}

// Throttled says that there were too many wrong passwords. Nothing was
// checked.
type Throttled struct {
	RetryAfter time.Duration
	Bucket     string // which one was empty, for the log

	// So many wrong passwords that one allows, and one more each Every.
	Burst int
	Every time.Duration
}

func (t *Throttled) Error() string {
	return fmt.Sprintf("too many failed log-ins: bucket %s is empty, next try in %v", t.Bucket, t.RetryAfter.Round(time.Second))
}

// How many wrong passwords are allowed at once, and how fast that comes back.
// A day thus holds some 1,400 guesses at an account from one address, and 400
// from all of the internet.
const (
	strictBurst, strictEvery   = 10, time.Minute
	accountBurst, accountEvery = 100, 5 * time.Minute
	addressBurst, addressEvery = 100, 10 * time.Second
)

// A bucket counts wrong passwords of one kind of origin.
type bucket struct {
	kind  string
	name  string
	burst int
	every time.Duration
}

// buckets says which buckets a try must find a token in. Who shows a device
// token of the account is counted by that device, and together with other such
// devices only: nobody else can use up their tries, from wherever they come.
func buckets(username string, from netip.Prefix, device string) []bucket {
	if device != "" {
		return []bucket{
			{"device", "device\x00" + username + "\x00" + device, strictBurst, strictEvery},
			{"devices", "devices\x00" + username, accountBurst, accountEvery},
		}
	}
	return []bucket{
		{"account and address", "strict\x00" + username + "\x00" + from.String(), strictBurst, strictEvery},
		{"address", "address\x00" + from.String(), addressBurst, addressEvery},
		{"account", "account\x00" + username, accountBurst, accountEvery},
	}
}

// ask says [Throttled] where one of the buckets is empty.
func (s *Service) ask(ctx context.Context, all []bucket) error {
	for _, b := range all {
		wait, err := s.limiter.Wait(ctx, b.name, b.burst, b.every)
		if err != nil {
			return fmt.Errorf("counting log-ins: %w", err)
		}
		if wait > 0 {
			return &Throttled{RetryAfter: wait, Bucket: b.kind, Burst: b.burst, Every: b.every}
		}
	}
	return nil
}

// take takes a token out of each bucket, or out of none: [Throttled]. Tokens
// are taken before the password is checked, so that of many tries at once no
// more are checked than there are tokens.
func (s *Service) take(ctx context.Context, all []bucket) error {
	for i, b := range all {
		_, wait, err := s.limiter.Take(ctx, b.name, b.burst, b.every)
		if err == nil && wait == 0 {
			continue
		}
		s.give(ctx, all[:i])
		if err != nil {
			return fmt.Errorf("counting log-ins: %w", err)
		}
		return &Throttled{RetryAfter: wait, Bucket: b.kind, Burst: b.burst, Every: b.every}
	}
	return nil
}

// give puts the tokens back, because the password was right or was never
// looked at.
func (s *Service) give(ctx context.Context, all []bucket) {
	ctx = context.WithoutCancel(ctx)
	for _, b := range all {
		if err := s.limiter.Give(ctx, b.name, b.every); err != nil {
			s.log.WarnContext(ctx, "putting back a log-in's token", "bucket", b.kind, "error", err)
		}
	}
}

// Origin is what tries are counted by: a /24 of IPv4, and a /64 of IPv6, of
// which one person has all addresses.
func Origin(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 64
	if a.Is4() {
		bits = 24
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Prefix{} // no address: a local act
	}
	return p
}

package account

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/claims"
	"github.com/jotsmith/jotsmith/server/internal/fault"
)

// An Importer takes many accounts at once. It is what a Store may do besides.
type Importer interface {
	// ImportAccounts inserts all accounts with the store's time and the event
	// of each, in one transaction: all of them or none. progress is told how
	// many are done. ErrExists where a user name is taken.
	ImportAccounts(ctx context.Context, all []Imported, event func(ID) audit.Event, progress func(done int)) error
}

// An Imported is an account as it is inserted, with its password hash.
type Imported struct {
	Account
	PasswordHash string
}

// An ImportLine is one account as another system knows it.
type ImportLine struct {
	Line         int // where it stands, for reports
	Username     string
	DisplayName  string // empty: the user name
	Roles        []string
	PasswordHash string // see docs/existing-accounts.md
	Disabled     bool
	Claims       []byte // template of custom claims; empty is none
}

// A LineError is what is wrong with one line. Its text holds no password hash.
type LineError struct {
	Line int
	Err  error
}

func (e LineError) Error() string { return fmt.Sprintf("line %d: %v", e.Line, e.Err) }
func (e LineError) Unwrap() error { return e.Err }

// An ImportError holds every line that cannot be imported, by line.
type ImportError []LineError

func (e ImportError) Error() string {
	return fmt.Sprintf("%d lines cannot be imported; the first is line %d: %v", len(e), e[0].Line, e[0].Err)
}

// ImportMode says what an import does besides checking.
type ImportMode struct {
	Dry bool // nothing
	// SkipExisting leaves out the lines whose user name an account has already,
	// which stays as it is, so that an import whose answer was lost can be sent
	// again.
	SkipExisting bool
}

// An ImportResult says what an import has done, or would do.
type ImportResult struct {
	Accounts int            // that were made
	Skipped  int            // lines that were left out
	Hashes   map[string]int // how many password hashes of each scheme
}

// Import makes an account of each line. Every line is checked first; where one
// is bad, an [ImportError] names all that are and nothing is imported. roles
// says what is wrong with roles. progress is told of each line that is checked,
// and again of each that is inserted; inserting begins anew at 1.
func (s *Service) Import(ctx context.Context, actor audit.Actor, lines []ImportLine, roles func([]string) error, mode ImportMode, progress func(inserting bool, done int)) (ImportResult, error) {
	importer, ok := s.store.(Importer)
	if !ok {
		return ImportResult{}, errors.New("this store cannot import accounts")
	}
	var bad ImportError
	result := ImportResult{Hashes: make(map[string]int)}
	at := make(map[string]int) // user name → line
	held := make(map[ID][]string)
	all := make([]Imported, 0, len(lines))
	for i, l := range lines {
		a, scheme, err := s.importable(ctx, l, roles)
		if errors.Is(err, errStore) {
			return ImportResult{}, err
		}
		progress(false, i+1)
		skip := mode.SkipExisting && errors.Is(err, fault.ErrExists)
		if skip {
			err = nil
		}
		if first, twice := at[a.Username]; twice && a.Username != "" {
			err = errors.Join(err, fmt.Errorf("user name %q stands in line %d already", a.Username, first))
		} else {
			at[a.Username] = l.Line
		}
		switch {
		case err != nil:
			bad = append(bad, LineError{l.Line, err})
		case skip:
			result.Skipped++
		default:
			result.Hashes[scheme]++
			all = append(all, a)
			held[a.ID] = a.Roles
		}
	}
	if len(bad) > 0 {
		slices.SortFunc(bad, func(a, b LineError) int { return cmp.Compare(a.Line, b.Line) })
		return ImportResult{}, bad
	}
	result.Accounts = len(all)
	if mode.Dry || len(all) == 0 {
		return result, nil
	}
	err := importer.ImportAccounts(ctx, all, func(id ID) audit.Event { return withRoles(event("account.import", id, actor), held[id]) },
		func(done int) { progress(true, done) })
	if err != nil {
		return ImportResult{}, fmt.Errorf("importing: %w; nothing was imported", err)
	}
	return result, nil
}

// errStore marks what is wrong with the store and not with a line.
var errStore = errors.New("store")

// importable answers the account of a line and the scheme of its hash.
func (s *Service) importable(ctx context.Context, l ImportLine, roles func([]string) error) (Imported, string, error) {
	username, err1 := newUsername(l.Username)
	if l.DisplayName == "" {
		l.DisplayName = l.Username
	}
	display, err2 := displayName(l.DisplayName)
	if err1 != nil && l.DisplayName == l.Username {
		err2 = nil // said already
	}
	h, err3 := readHash(l.PasswordHash)
	template, err4 := claims.Parse(l.Claims)
	if err := errors.Join(err1, err2, err3, err4, roles(l.Roles)); err != nil {
		return Imported{Account: Account{Username: username}}, "", err
	}
	switch _, _, err := s.store.AccountByUsername(ctx, username); {
	case err == nil:
		return Imported{Account: Account{Username: username}}, "", fmt.Errorf("user name %q: %w", username, fault.ErrExists)
	case !errors.Is(err, fault.ErrNotFound):
		return Imported{}, "", fmt.Errorf("%w: %w", errStore, err)
	}
	return Imported{
		Account: Account{
			ID: NewID(), Username: username, DisplayName: display, Roles: roleSet(l.Roles),
			Disabled: l.Disabled, Claims: template, Version: 1,
		},
		PasswordHash: l.PasswordHash,
	}, h.scheme(), nil
}

package catalog_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/fault"
)

// Two spellings of one audience that are registered at the same time do not
// both stand: a catalog that has both could not be read any more.
func TestOneAudienceAtTheSameTime(t *testing.T) {
	t.Parallel()
	store := newStore(t)
	l := open(t, catalog.Config{Store: store, Issuer: issuer})
	for i := range 20 {
		audience := fmt.Sprintf("https://%d.example", i)
		errs := make([]error, 2)
		var both sync.WaitGroup
		for j, spelled := range []string{audience, audience + "/"} {
			both.Go(func() { _, errs[j] = l.SaveAPI(t.Context(), operator, catalog.API{Audience: spelled}) })
		}
		both.Wait()
		if (errs[0] == nil) == (errs[1] == nil) || !errors.Is(errors.Join(errs...), fault.ErrExists) {
			t.Fatalf("registering both: %v", errs)
		}
	}
	open(t, catalog.Config{Store: store, Issuer: issuer})
}

// All that is registered is held in memory and listed whole, so it is bounded.
func TestCatalogIsBounded(t *testing.T) {
	t.Parallel()
	const most = 1000
	var apis []catalog.API
	var roles []catalog.Role
	for i := range most {
		apis = append(apis, catalog.API{Audience: fmt.Sprintf("https://%d.example", i), Version: 1})
		roles = append(roles, catalog.Role{Name: fmt.Sprintf("r%d", i), Version: 1})
	}
	full, err := catalog.New("", apis, roles)
	if err != nil {
		t.Fatal(err)
	}
	l := catalog.Fixed(full)
	if _, err := l.SaveAPI(t.Context(), operator, catalog.API{Audience: tasks}); !errors.Is(err, catalog.ErrInvalid) {
		t.Errorf("one API more: %v", err)
	}
	if _, err := l.SaveRole(t.Context(), operator, catalog.Role{Name: "more"}); !errors.Is(err, catalog.ErrInvalid) {
		t.Errorf("one role more: %v", err)
	}
}

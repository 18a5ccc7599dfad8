package admin

import (
	"cmp"
	"net/http"
	"slices"

	"github.com/jotsmith/jotsmith/server/internal/httpapi"
)

// pageOf is the page of all that a request asks for, in the order of their
// names, and what the next one goes on after; that is empty at the end. It is
// for what is held in memory anyway.
func pageOf[T any](r *http.Request, all []T, name func(T) string) (page []T, next string, err error) {
	var after, size string
	if err := httpapi.ReadQuery(r, map[string]*string{"after": &after, "limit": &size}); err != nil {
		return nil, "", err
	}
	limit, err := httpapi.Limit(size, usualLimit, mostLimit)
	if err != nil {
		return nil, "", err
	}
	slices.SortFunc(all, func(a, b T) int { return cmp.Compare(name(a), name(b)) })
	for _, one := range all {
		switch {
		case name(one) <= after:
		case len(page) == limit:
			return page, name(page[limit-1]), nil
		default:
			page = append(page, one)
		}
	}
	return page, "", nil
}

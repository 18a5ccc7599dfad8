package authz

import "slices"

// NeedsRequest reports whether rule looks at the request, itself or in any part.
func NeedsRequest(rule Rule) bool {
	switch r := rule.(type) {
	case all:
		return slices.ContainsFunc(r, NeedsRequest)
	case anyOf:
		return slices.ContainsFunc(r, NeedsRequest)
	}
	_, ok := rule.(RequestRule)
	return ok
}

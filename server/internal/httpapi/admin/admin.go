// Package admin serves the administration API under /v1/admin. One table names
// each route with the permission that it demands; there is no other way to add
// a route. It reads bodies and writes answers; acts are package admin's, which
// asks for the permission once more.
//
// Who calls is said by a [Gate]: the server's own guard for requests from the
// network, and the operator for a command that has the data directory.
package admin

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/jotsmith/jotsmith/server/internal/account"
	"github.com/jotsmith/jotsmith/server/internal/admin"
	"github.com/jotsmith/jotsmith/server/internal/app"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/claims"
	"github.com/jotsmith/jotsmith/server/internal/httpapi"
	"github.com/jotsmith/jotsmith/server/internal/mint"
	"github.com/jotsmith/jotsmith/server/internal/session"
	"github.com/jotsmith/jotsmith/wire"
)

// A Route is one route of the administration API.
type Route struct {
	Method     string
	Path       string // as in a pattern of http.ServeMux
	Permission string // a scope of the caller's token
}

// A Gate says who calls, where they have the permission, and refuses otherwise.
type Gate struct {
	check   func(c *httpapi.Call, r *http.Request, permission string) (admin.Caller, error)
	refused *refusals // nil: nobody is
}

// handler serves one route for a caller who may.
type handler func(c *httpapi.Call, r *http.Request, by admin.Caller) error

type act struct {
	Route
	serve handler
}

// Routes registers every route behind gate.
func Routes(mux httpapi.Router, service *admin.Service, gate Gate) {
	for _, a := range table(service) {
		if a.Permission == "" {
			panic("administration: " + a.Method + " " + a.Path + " demands no permission")
		}
		httpapi.Handle(mux, a.Method+" "+a.Path, httpapi.Quick, func(c *httpapi.Call, r *http.Request) error {
			by, err := gate.check(c, r, a.Permission)
			if err != nil {
				return err
			}
			if holdsSecret(r) {
				return httpapi.Refuse(wire.CodeNotFound, "", errSecret)
			}
			err = a.serve(c, r, by)
			if gate.refused != nil && (errors.Is(err, admin.ErrForbidden) || errors.Is(err, session.ErrReserved)) {
				if err := gate.refused.record(r.Context(), by.Actor, a.Permission+beyond); err != nil {
					return err
				}
			}
			return refusal(err)
		})
	}
}

// Table lists every route.
func Table() []Route {
	var all []Route
	for _, a := range table(nil) {
		all = append(all, a.Route)
	}
	return all
}

// table is the whole administration API.
func table(service *admin.Service) []act {
	s := server{service}
	var all []act
	for _, part := range [][]act{s.accounts(), s.sessions(), s.keys(), s.apis(), s.roles(), s.apps(), s.tokens(), s.auditLog()} {
		all = append(all, part...)
	}
	return all
}

type server struct{ admin *admin.Service }

// on is a line of the table. The method and the path below /v1/admin stand in
// one string, as in a pattern of http.ServeMux.
func on(pattern, permission string, serve handler) act {
	method, path, _ := strings.Cut(pattern, " ")
	return act{Route{method, wire.PathAdmin + path, permission}, serve}
}

// refusal answers what only this package's acts say, where the route itself has
// not answered.
func refusal(err error) error {
	if _, answered := errors.AsType[*httpapi.Refusal](err); answered {
		return err
	}
	switch {
	case errors.Is(err, admin.ErrForbidden):
		return httpapi.Refuse(wire.CodeForbidden, err.Error(), err)
	case errors.Is(err, admin.ErrToken), errors.Is(err, admin.ErrRoles), errors.Is(err, catalog.ErrInvalid), errors.Is(err, app.ErrInvalid):
		return httpapi.Refuse(wire.CodeInvalidRequest, err.Error(), err)
	case errors.Is(err, audit.ErrNoRecord), errors.Is(err, claims.ErrTemplate), errors.Is(err, account.ErrSubject), errors.Is(err, session.ErrAddress), errors.Is(err, mint.ErrTooLarge):
		return httpapi.Refuse(wire.CodeInvalidRequest, err.Error(), err)
	case errors.Is(err, session.ErrReserved):
		return httpapi.Refuse(wire.CodeForbidden, err.Error(), err)
	case errors.Is(err, account.ErrExternal), errors.Is(err, session.ErrDisabled):
		return httpapi.Refuse(wire.CodeConflict, err.Error(), err)
	case errors.Is(err, catalog.ErrUnknownAPI):
		return httpapi.Refuse(wire.CodeNotFound, "", err)
	case errors.Is(err, catalog.ErrBuiltIn), errors.Is(err, catalog.ErrDefault), errors.Is(err, app.ErrSecrets):
		return httpapi.Refuse(wire.CodeConflict, err.Error(), err)
	}
	return err
}

// Of one answer.
const (
	usualLimit = 100
	mostLimit  = 1000
)

// errSecret stands in the log for a path that is quoted nowhere.
var errSecret = errors.New("something that begins as a token or a secret stands in the place of an id")

// holdsSecret says whether somebody has put a token or a secret where an id
// belongs. Whatever says that there is no such id would quote it.
func holdsSecret(r *http.Request) bool {
	for part := range strings.SplitSeq(r.URL.Path, "/") {
		for _, begin := range []string{session.RefreshPrefix, "jsd_", "jsc_", "eyJ"} {
			if strings.HasPrefix(part, begin) {
				return true
			}
		}
	}
	return false
}

// maxID is as long as any id can be, in bytes.
const maxID = 512

func id(r *http.Request) (string, error) {
	id := r.PathValue("id")
	if len(id) > maxID {
		return "", httpapi.Refuse(wire.CodeNotFound, "", fmt.Errorf("an id of %d bytes", len(id)))
	}
	return id, nil
}

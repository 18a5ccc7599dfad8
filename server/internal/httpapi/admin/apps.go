package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/admin"
	"github.com/jotsmith/jotsmith/server/internal/app"
	"github.com/jotsmith/jotsmith/server/internal/httpapi"
	"github.com/jotsmith/jotsmith/wire"
)

func (s server) apps() []act {
	return []act{
		on("GET /apps", admin.AppsRead, s.listApps),
		on("POST /apps", admin.AppsWrite, s.createApp),
		on("GET /apps/{id}", admin.AppsRead, s.onApp(s.admin.App)),
		on("PATCH /apps/{id}", admin.AppsWrite, s.changeApp),
		on("DELETE /apps/{id}", admin.AppsWrite, s.deleteApp),
		on("POST /apps/{id}/disable", admin.AppsWrite, s.onApp(s.admin.DisableApp)),
		on("POST /apps/{id}/enable", admin.AppsWrite, s.onApp(s.admin.EnableApp)),
		on("POST /apps/{id}/secrets", admin.AppsWrite, s.addSecret),
		on("DELETE /apps/{id}/secrets/{secret}", admin.AppsWrite, s.revokeSecret),
	}
}

// listApps lists by id.
func (s server) listApps(c *httpapi.Call, r *http.Request, by admin.Caller) error {
	var after, size string
	if err := httpapi.ReadQuery(r, map[string]*string{"after": &after, "limit": &size}); err != nil {
		return err
	}
	limit, err := httpapi.Limit(size, usualLimit, mostLimit)
	if err != nil {
		return err
	}
	found, err := s.admin.ListApps(r.Context(), by, app.ID(after), limit)
	if err != nil {
		return err
	}
	answer := wire.AppList{Apps: []wire.App{}}
	for _, a := range found {
		answer.Apps = append(answer.Apps, appOf(a))
	}
	if len(found) == limit {
		answer.Next = string(found[limit-1].ID)
	}
	return c.JSON(http.StatusOK, answer)
}

func (s server) createApp(c *httpapi.Call, r *http.Request, by admin.Caller) error {
	var in wire.AppCreate
	err := c.ReadJSON(r, httpapi.Members{
		"name": &in.Name, "roles": &in.Roles, "audiences": &in.Audiences, "life": &in.Life,
		"claims": &in.Claims, "secret_expires_in": &in.SecretExpiresIn,
	})
	if err != nil {
		return err
	}
	a, secret, err := s.admin.CreateApp(r.Context(), by, app.NewApp{
		Name: in.Name, Roles: in.Roles, Audiences: in.Audiences, Life: seconds(in.Life),
		Claims: template(in.Claims), SecretExpires: seconds(in.SecretExpiresIn),
	})
	if err != nil {
		return err
	}
	c.Header().Set("Location", wire.PathAdmin+"/apps/"+string(a.ID))
	return c.JSON(http.StatusCreated, wire.AppWithSecret{App: appOf(a), Secret: secret})
}

func (s server) changeApp(c *httpapi.Call, r *http.Request, by admin.Caller) error {
	var in wire.AppPatch
	err := c.ReadJSON(r, httpapi.Members{
		"name": &in.Name, "roles": &in.Roles, "audiences": &in.Audiences, "life": &in.Life, "claims": &in.Claims,
	})
	if err != nil {
		return err
	}
	e := app.Edit{Name: in.Name, Roles: in.Roles, Audiences: in.Audiences}
	if in.Life != nil {
		life := seconds(*in.Life)
		e.Life = &life
	}
	if in.Claims != nil {
		claims := template(*in.Claims)
		e.Claims = &claims
	}
	return s.onApp(func(ctx context.Context, by admin.Caller, id app.ID) (app.App, error) {
		return s.admin.SetApp(ctx, by, id, e)
	})(c, r, by)
}

func (s server) deleteApp(c *httpapi.Call, r *http.Request, by admin.Caller) error {
	id, err := id(r)
	if err != nil {
		return err
	}
	if err := s.admin.DeleteApp(r.Context(), by, app.ID(id)); err != nil {
		return err
	}
	return c.NoContent()
}

func (s server) addSecret(c *httpapi.Call, r *http.Request, by admin.Caller) error {
	var in wire.AppSecretCreate
	if err := c.ReadJSON(r, httpapi.Members{"expires_in": &in.ExpiresIn}); err != nil {
		return err
	}
	id, err := id(r)
	if err != nil {
		return err
	}
	a, secret, err := s.admin.AddAppSecret(r.Context(), by, app.ID(id), seconds(in.ExpiresIn))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, wire.AppWithSecret{App: appOf(a), Secret: secret})
}

func (s server) revokeSecret(c *httpapi.Call, r *http.Request, by admin.Caller) error {
	return s.onApp(func(ctx context.Context, by admin.Caller, id app.ID) (app.App, error) {
		return s.admin.RevokeAppSecret(ctx, by, id, r.PathValue("secret"))
	})(c, r, by)
}

// onApp serves an act that answers what the app is or has become.
func (s server) onApp(do func(context.Context, admin.Caller, app.ID) (app.App, error)) handler {
	return func(c *httpapi.Call, r *http.Request, by admin.Caller) error {
		id, err := id(r)
		if err != nil {
			return err
		}
		a, err := do(r.Context(), by, app.ID(id))
		if err != nil {
			return err
		}
		return c.JSON(http.StatusOK, appOf(a))
	}
}

func appOf(a app.App) wire.App {
	w := wire.App{
		ID: string(a.ID), Name: a.Name, Roles: append([]string{}, a.Roles...), Audiences: append([]string{}, a.Audiences...),
		Life: int64(a.Life.Seconds()), Claims: a.Claims, Disabled: a.Disabled, Secrets: []wire.AppSecret{},
		CreatedAt: a.CreatedAt, UpdatedAt: a.UpdatedAt,
	}
	for _, s := range a.Secrets {
		w.Secrets = append(w.Secrets, wire.AppSecret{
			ID: s.ID, CreatedAt: s.CreatedAt, ExpiresAt: optional(s.ExpiresAt), LastUsedAt: optional(s.LastUsedAt),
		})
	}
	return w
}

// optional is nil for a time that is none.
func optional(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

package admin

import (
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/server/internal/admin"
	"github.com/jotsmith/jotsmith/server/internal/catalog"
	"github.com/jotsmith/jotsmith/server/internal/httpapi"
	"github.com/jotsmith/jotsmith/wire"
)

// An audience in a path is escaped: https:%2F%2Fapi.example.com.
func (s server) apis() []act {
	return []act{
		on("GET /apis", admin.APIsRead, s.listAPIs),
		on("POST /apis", admin.APIsWrite, s.createAPI),
		on("GET /apis/{audience}", admin.APIsRead, s.api),
		on("PATCH /apis/{audience}", admin.APIsWrite, s.changeAPI),
		on("DELETE /apis/{audience}", admin.APIsWrite, s.deleteAPI),
	}
}

// listAPIs lists by audience.
func (s server) listAPIs(c *httpapi.Call, r *http.Request, by admin.Caller) error {
	all, err := s.admin.ListAPIs(r.Context(), by)
	if err != nil {
		return err
	}
	page, next, err := pageOf(r, all, func(a catalog.API) string { return a.Audience })
	if err != nil {
		return err
	}
	answer := wire.APIList{APIs: []wire.API{}, Next: next}
	for _, a := range page {
		answer.APIs = append(answer.APIs, apiOf(a))
	}
	return c.JSON(http.StatusOK, answer)
}

func (s server) createAPI(c *httpapi.Call, r *http.Request, by admin.Caller) error {
	var in wire.APICreate
	err := c.ReadJSON(r, httpapi.Members{
		"audience": &in.Audience, "name": &in.Name, "permissions": &in.Permissions, "life": &in.Life,
		"algorithm": &in.Algorithm, "default": &in.Default, "claims": &in.Claims,
		"encryption_key": &in.EncryptionKey, "opaque": &in.Opaque,
	})
	if err != nil {
		return err
	}
	a, err := s.admin.SaveAPI(r.Context(), by, catalog.API{
		Audience: in.Audience, Name: in.Name, Permissions: in.Permissions, Life: seconds(in.Life),
		Algorithm: jwk.Algorithm(in.Algorithm), Default: in.Default, Claims: template(in.Claims),
		EncryptionKey: template(in.EncryptionKey), Opaque: in.Opaque,
	})
	if err != nil {
		return err
	}
	c.Header().Set("Location", wire.PathAdmin+"/apis/"+url.PathEscape(a.Audience))
	return c.JSON(http.StatusCreated, apiOf(a))
}

func (s server) api(c *httpapi.Call, r *http.Request, by admin.Caller) error {
	a, err := s.admin.API(r.Context(), by, r.PathValue("audience"))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, apiOf(a))
}

// changeAPI changes what it has read; where somebody else was faster it fails.
func (s server) changeAPI(c *httpapi.Call, r *http.Request, by admin.Caller) error {
	var in wire.APIPatch
	err := c.ReadJSON(r, httpapi.Members{
		"name": &in.Name, "permissions": &in.Permissions, "life": &in.Life,
		"algorithm": &in.Algorithm, "default": &in.Default, "claims": &in.Claims,
		"encryption_key": &in.EncryptionKey, "opaque": &in.Opaque,
	})
	if err != nil {
		return err
	}
	a, err := s.admin.ChangeAPI(r.Context(), by, r.PathValue("audience"), func(a *catalog.API) {
		set(&a.Name, in.Name)
		set(&a.Permissions, in.Permissions)
		set(&a.Default, in.Default)
		if in.Life != nil {
			a.Life = seconds(*in.Life)
		}
		if in.Algorithm != nil {
			a.Algorithm = jwk.Algorithm(*in.Algorithm)
		}
		if in.Claims != nil {
			a.Claims = template(*in.Claims)
		}
		if in.EncryptionKey != nil {
			a.EncryptionKey = template(*in.EncryptionKey)
		}
		set(&a.Opaque, in.Opaque)
	})
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, apiOf(a))
}

func (s server) deleteAPI(c *httpapi.Call, r *http.Request, by admin.Caller) error {
	if err := s.admin.DeleteAPI(r.Context(), by, r.PathValue("audience")); err != nil {
		return err
	}
	return c.NoContent()
}

func apiOf(a catalog.API) wire.API {
	return wire.API{
		Audience: a.Audience, Name: a.Name, Permissions: append([]string{}, a.Permissions...), Life: int64(a.Life.Seconds()),
		Algorithm: string(a.Algorithm), Default: a.Default, Claims: a.Claims, BuiltIn: a.BuiltIn,
		EncryptionKey: a.EncryptionKey, Opaque: a.Opaque,
	}
}

// seconds is a time that may be far beyond every bound.
func seconds(n int64) time.Duration {
	const most = 1 << 32
	return time.Duration(min(n, most)) * time.Second
}

// template is nil for an empty object, which stands for none.
func template(object json.RawMessage) json.RawMessage {
	var members map[string]json.RawMessage
	if json.Unmarshal(object, &members) == nil && len(members) == 0 {
		return nil
	}
	return object
}

func set[T any](to, from *T) {
	if from != nil {
		*to = *from
	}
}

package oauth

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/jotsmith/jotsmith/server/internal/app"
	"github.com/jotsmith/jotsmith/server/internal/audit"
	"github.com/jotsmith/jotsmith/server/internal/httpapi"
	"github.com/jotsmith/jotsmith/server/internal/session"
	"github.com/jotsmith/jotsmith/wire"
)

// How clients authenticate (RFC 6749 §2.3.1, RFC 8414 §2).
var (
	authMethods       = []string{"client_secret_basic", "client_secret_post"}
	publicAuthMethods = append(authMethods[:2:2], "none")
)

// A client is who calls an OAuth endpoint (RFC 6749 §2.1): an app that has
// shown its secret, or the first party's own apps, which can keep none.
type client struct {
	id    string
	app   *app.Client // nil: public
	actor audit.Actor
}

// readForm reads the parameters of a request to an OAuth endpoint: none comes
// twice, and what has no value was not sent (RFC 6749 §3.2).
func readForm(c *httpapi.Call, r *http.Request) (url.Values, error) {
	form, err := c.ReadForm(r)
	if err != nil {
		return nil, err
	}
	for name, values := range form {
		if len(values) != 1 {
			return nil, httpapi.Refuse(wire.CodeInvalidRequest, "a parameter comes twice", fmt.Errorf("parameter %.40q comes %d times", name, len(values)))
		}
		if values[0] == "" {
			delete(form, name)
		}
	}
	if err := httpapi.OneToken(form); err != nil {
		return nil, err
	}
	return form, nil
}

// asked reads a request to an OAuth endpoint and authenticates its client. It is
// counted by its address, and by the app where it is one.
func (d Deps) asked(c *httpapi.Call, r *http.Request) (url.Values, client, error) {
	if err := c.TakeAddress(r, httpapi.Address); err != nil {
		return nil, client{}, err
	}
	form, err := readForm(c, r)
	if err != nil {
		return nil, client{}, err
	}
	who, err := d.client(c, r, form)
	if err == nil && who.app != nil {
		err = c.Take(r, httpapi.Client, who.id)
	}
	return form, who, err
}

// basic says whether a request authenticates a client in its header.
func basic(r *http.Request) bool {
	scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.EqualFold(scheme, "Basic")
}

// client authenticates the client in the header or in the form, never in both.
func (d Deps) client(c *httpapi.Call, r *http.Request, form url.Values) (client, error) {
	id, secret := form.Get("client_id"), form.Get("client_secret")
	switch n := len(r.Header["Authorization"]); {
	case n > 1:
		return client{}, httpapi.Refuse(wire.CodeInvalidRequest, "more than one Authorization header", nil)
	case n == 1:
		name, password, ok := credentials(r)
		switch {
		case !ok:
			return client{}, fmt.Errorf("%w: the Authorization header is not Basic", app.ErrCredentials)
		case secret != "":
			return client{}, httpapi.Refuse(wire.CodeInvalidRequest, "more than one way to authenticate", nil)
		case id != "" && id != name:
			return client{}, httpapi.Refuse(wire.CodeInvalidRequest, "client_id differs from that in the Authorization header", nil)
		}
		id, secret = name, password
	case secret == "" && (id == "" || id == session.FirstParty):
		return client{id: session.FirstParty, actor: c.Anonymous(r)}, nil
	}
	shown, err := d.Apps.Authenticate(r.Context(), c.Anonymous(r), app.ID(id), secret)
	if err != nil {
		return client{}, err
	}
	c.About(id, "")
	return client{id, &shown, c.AppActor(r, shown.App)}, nil
}

// credentials reads HTTP Basic. Both halves are encoded as in a form before
// (RFC 6749 §2.3.1); ours are spelled the same either way.
func credentials(r *http.Request) (id, secret string, ok bool) {
	id, secret, ok = r.BasicAuth()
	if !ok {
		return "", "", false
	}
	id, err1 := url.QueryUnescape(id)
	secret, err2 := url.QueryUnescape(secret)
	return id, secret, err1 == nil && err2 == nil && id != "" && secret != ""
}

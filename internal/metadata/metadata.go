// Package metadata finds what an issuer says about itself: where its keys and
// its revocation feed are (RFC 8414, and OpenID Connect Discovery 1.0 for
// issuers that publish only that). A document that names another issuer is
// refused. It neither caches nor retries, and follows nothing that it reads;
// packages jwks and guard do.
package metadata

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/jotsmith/jotsmith/internal/fetch"
	"github.com/jotsmith/jotsmith/wire"
)

// ErrIssuer means that a document was found, but it belongs to another issuer.
// Trying again does not help.
var ErrIssuer = errors.New("metadata names another issuer")

const (
	maxSize = 256 << 10
	timeout = 10 * time.Second
)

// Fetch gets the metadata of issuer, whose spelling must be exactly the one in
// the document (RFC 8414 §3.3). A nil client means [fetch.Client] for issuer.
func Fetch(ctx context.Context, client *http.Client, issuer string) (*wire.Metadata, error) {
	places, err := places(issuer)
	if err != nil {
		return nil, fmt.Errorf("issuer %w", err)
	}
	if client == nil {
		if client, err = fetch.Client(issuer); err != nil {
			return nil, err
		}
		defer client.CloseIdleConnections()
	}
	var tried []error
	for _, place := range places {
		m, err := fetchOne(ctx, client, issuer, place)
		if err == nil || errors.Is(err, ErrIssuer) {
			return m, err
		}
		tried = append(tried, err)
		if _, answered := errors.AsType[*fetch.StatusError](err); !answered {
			break // nobody there; the other path would wait as long
		}
	}
	return nil, fmt.Errorf("reading metadata: %w", errors.Join(tried...))
}

func fetchOne(ctx context.Context, client *http.Client, issuer, place string) (*wire.Metadata, error) {
	r, err := fetch.Get(ctx, client, fetch.Request{
		URL: place, Types: []string{"application/json"}, MaxSize: maxSize, Timeout: timeout,
	})
	if err != nil {
		return nil, err
	}
	var m wire.Metadata
	if err := json.Unmarshal(r.Body, &m); err != nil {
		return nil, fmt.Errorf("%s is not metadata: %w", place, err)
	}
	if m.Issuer != issuer {
		return nil, fmt.Errorf("%w: %s says %q, configured is %q; they must be equal byte for byte", ErrIssuer, place, m.Issuer, issuer)
	}
	return &m, nil
}

// places lists where the document may be: the well-known path goes between host
// and path (RFC 8414 §3.1), or behind the path (OpenID Connect Discovery §4.1).
func places(issuer string) ([]string, error) {
	if err := fetch.CheckURL(issuer); err != nil {
		return nil, err
	}
	u, err := url.Parse(issuer)
	if err != nil {
		return nil, err
	}
	if u.RawQuery != "" || u.ForceQuery {
		return nil, fmt.Errorf("%q has a query (RFC 8414 §2)", u.Redacted())
	}
	origin, path := u.Scheme+"://"+u.Host, strings.TrimSuffix(u.EscapedPath(), "/")
	return []string{
		origin + wire.PathMetadata + path,
		origin + path + wire.PathOpenIDMetadata,
	}, nil
}

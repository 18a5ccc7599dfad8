package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/jotsmith/jotsmith/jwk"
	"github.com/jotsmith/jotsmith/server/internal/keyring"
	"github.com/jotsmith/jotsmith/wire"
)

// A certificate that ends within this time should have been renewed.
const renewal = 14 * 24 * time.Hour

// certificate examines the files of --tls-cert and --tls-key.
func (d *doctor) certificate() {
	if d.cmd.TLSCert == "" {
		return
	}
	pair, err := tls.LoadX509KeyPair(d.cmd.TLSCert, d.cmd.TLSKey)
	if err != nil {
		return // told with the configuration
	}
	d.expiry("certificate", pair.Leaf, "put a new one into "+d.cmd.TLSCert+" and send the server SIGHUP")
}

func (d *doctor) expiry(check string, leaf *x509.Certificate, remedy string) {
	ends := leaf.NotAfter.UTC().Format(day)
	host := ""
	if u, err := url.Parse(d.cmd.Issuer); err == nil {
		host = u.Hostname()
	}
	switch {
	case d.now.After(leaf.NotAfter):
		d.say(check, problem, remedy, "it expired at %s UTC", ends)
	case d.now.Before(leaf.NotBefore):
		d.say(check, problem, remedy, "it is not valid before %s UTC", leaf.NotBefore.UTC().Format(day))
	case host != "" && leaf.VerifyHostname(host) != nil:
		d.say(check, problem, remedy+", made for "+host, "it is not for %s, the host of the issuer", host)
	case leaf.NotAfter.Sub(d.now) < renewal:
		d.say(check, problem, remedy, "it expires %s, at %s UTC", relative(leaf.NotAfter, d.now), ends)
	default:
		d.say(check, fine, "", "it is valid until %s UTC", ends)
	}
}

// outside looks at the server by its public name, as a verifier would.
func (d *doctor) outside(ctx context.Context) {
	const check = "public URL"
	issuer := d.cmd.Issuer
	if issuer == "" {
		_, port, _ := net.SplitHostPort(d.cmd.Addr)
		if !onLoopback(d.cmd.Addr) || port == "0" {
			d.say(check, skipped, "", "it is not known without --issuer")
			return
		}
		scheme := "http"
		if d.cmd.TLSCert != "" {
			scheme = "https"
		}
		issuer = scheme + "://" + d.cmd.Addr
	}
	if !d.running {
		d.say(check, skipped, "", "no server works on this data, so nothing is asked of %s", issuer)
		return
	}
	var m wire.Metadata
	resp, err := d.get(ctx, strings.TrimSuffix(issuer, "/")+wire.PathMetadata, &m)
	switch {
	case err != nil:
		d.fault(check, err, "whoever verifies tokens has to reach "+issuer+": look at DNS, firewall, proxy and --issuer")
		return
	case m.Issuer != issuer:
		d.say(check, problem, "start the server with --issuer "+issuer+", or ask for the name that it has", "the server at %s calls itself %q", issuer, m.Issuer)
		return
	}
	d.say(check, fine, "", "%s is reached and calls itself so", issuer)
	if resp.TLS != nil {
		d.expiry("public TLS", resp.TLS.PeerCertificates[0], "renew the certificate where TLS ends")
	}
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		if off := time.Until(date).Abs(); off > 5*time.Second {
			d.say("clock", problem, "correct both clocks: verifiers refuse tokens from the future", "it differs from that of %s by %v", issuer, off.Round(time.Second))
		}
	}
	d.keySet(ctx, m.JWKSURI)
}

// keySet compares the published keys with those in the database.
func (d *doctor) keySet(ctx context.Context, uri string) {
	const check = "public keys"
	const remedy = "look for a cache or another server between: its answers must be those of this server"
	var raw json.RawMessage
	if _, err := d.get(ctx, uri, &raw); err != nil {
		d.fault(check, err, "whoever verifies tokens has to reach "+uri)
		return
	}
	set, err := jwk.ParseSet(raw)
	if err != nil {
		d.fault(check, fmt.Errorf("%s: %w", uri, err), remedy)
		return
	}
	var published []string
	for k := range set.All() {
		published = append(published, k.KeyID())
	}
	for _, k := range d.keys {
		if k.Purpose == keyring.Access && k.State != keyring.Revoked && !slices.Contains(published, k.ID) {
			d.say(check, problem, remedy, "%s does not hold the %s key %s", uri, k.State, k.ID)
			return
		}
	}
	d.say(check, fine, "", "%s holds %s", uri, plural(int64(len(published)), "key"))
}

// get reads a JSON document. Redirects are not followed: verifiers do not
// either.
func (d *doctor) get(ctx context.Context, from string, into any) (*http.Response, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, err
	}
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", from, err)
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s answers %d", from, resp.StatusCode)
	case json.Unmarshal(raw, into) != nil:
		return nil, errors.New(from + " does not answer JSON")
	}
	return resp, nil
}

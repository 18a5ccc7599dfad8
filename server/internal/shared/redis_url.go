package shared

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"

	"github.com/redis/rueidis"
)

// errURL repeats nothing of the URL, which may hold a password.
var errURL = errors.New("the URL of shared state must be such as redis://cache.example.com:6379, rediss:// with TLS; " +
	"with USER:PASSWORD@ before the host, a number after / for another database, ?addr=HOST:PORT&addr=HOST:PORT for more nodes of a Redis Cluster, " +
	"and with TLS sslrootcert=PATH for an authority of your own, sslcert=PATH&sslkey=PATH for a certificate of this client")

// ParseURL reads redis://[USER:PASSWORD@]HOST[:PORT][/NUMBER], with
// ?addr=HOST:PORT for each further node of a Redis Cluster, and rediss:// for
// the same with TLS. Certificates have to be those of each host, issued by an
// authority that the system trusts or, with sslrootcert=PATH, by one in that file
// alone; with sslcert=PATH and sslkey=PATH the client shows its own. The names are
// those of PostgreSQL's URLs, and the files are PEM. Nothing else: what weakens
// TLS does not exist.
func ParseURL(s string) (rueidis.ClientOption, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "redis" && u.Scheme != "rediss" || u.Hostname() == "" || u.Fragment != "" {
		return rueidis.ClientOption{}, errURL
	}
	o := rueidis.ClientOption{
		Dialer:           net.Dialer{Timeout: dialTime, KeepAlive: dialTime},
		ConnWriteTimeout: dialTime,
		DisableCache:     true,
		DisableRetry:     true, // the node's own memory is faster
		// Where a primary hangs, nothing else says that another took its place.
		ClusterOption: rueidis.ClusterOption{ShardsRefreshInterval: refreshTime},
		// What waits on a connection is sent together.
		PipelineMultiplex:   1,
		ReadBufferEachConn:  64 << 10,
		WriteBufferEachConn: 64 << 10,
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return rueidis.ClientOption{}, errURL
	}
	for key, values := range query {
		switch {
		case key == "addr":
		case (key == "sslrootcert" || key == "sslcert" || key == "sslkey") && u.Scheme == "rediss" && len(values) == 1 && values[0] != "":
		default:
			return rueidis.ClientOption{}, errURL
		}
	}
	addrs := append([]string{u.Host}, query["addr"]...)
	for _, a := range addrs {
		host, port, err := net.SplitHostPort(a)
		if err != nil {
			host, port = strings.Trim(a, "[]"), "6379"
		}
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || host == "" || strings.ContainsAny(host, "/@ ") {
			return rueidis.ClientOption{}, errURL
		}
		o.InitAddress = append(o.InitAddress, net.JoinHostPort(host, port))
	}
	if number := strings.TrimPrefix(u.Path, "/"); number != "" {
		n, err := strconv.ParseUint(number, 10, 16)
		if err != nil || n > 0 && len(addrs) > 1 { // a cluster has one
			return rueidis.ClientOption{}, errURL
		}
		o.SelectDB = int(n)
	}
	if u.User != nil {
		var set bool
		o.Username = u.User.Username()
		if o.Password, set = u.User.Password(); !set { // a password that stands in the user's place would be shown as a name
			return rueidis.ClientOption{}, errURL
		}
	}
	if u.Scheme == "rediss" {
		o.TLSConfig, err = newTLS(query.Get("sslrootcert"), query.Get("sslcert"), query.Get("sslkey"))
	}
	return o, err
}

// newTLS answers how to connect with certificates from files, "" for none.
func newTLS(roots, cert, key string) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if roots != "" {
		text, err := os.ReadFile(roots)
		if err != nil {
			return nil, fmt.Errorf("sslrootcert: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("sslrootcert: no certificate in %s; PEM is needed", roots)
		}
	}
	if cert == "" && key == "" {
		return c, nil
	}
	load := func() (tls.Certificate, error) {
		own, err := tls.LoadX509KeyPair(cert, key)
		if err != nil {
			err = fmt.Errorf("sslcert and sslkey: %w", err)
		}
		return own, err
	}
	// Anew for each connection: certificates that programs renew are short-lived.
	c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		own, err := load()
		return &own, err
	}
	_, err := load()
	return c, err
}

// advise says what to do about a certificate that is not trusted.
func advise(err error) error {
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return fmt.Errorf("%w; name the authority's certificate with ?sslrootcert=PATH, or have the system trust it", err)
	}
	if _, ok := errors.AsType[x509.HostnameError](err); ok {
		return fmt.Errorf("%w; name the host in the URL as its certificate does", err)
	}
	return err
}

// ACL is what a user of Redis needs, in its terms (ACL SETUSER).
const ACL = "resetkeys ~jotsmith:* resetchannels &jotsmith:* -@all +ping +hello +auth +select +eval +evalsha +script|load +time +get +set +del +publish +subscribe +cluster|slots +cluster|shards"

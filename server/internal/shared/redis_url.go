package shared

import (
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/redis/rueidis"
)

// errURL repeats nothing of the URL, which may hold a password.
var errURL = errors.New("the URL of shared state must be such as redis://cache.example.com:6379, rediss:// with TLS; " +
	"with USER:PASSWORD@ before the host, a number after / for another database, and ?addr=HOST:PORT&addr=HOST:PORT for more nodes of a Redis Cluster")

// ParseURL reads redis://[USER:PASSWORD@]HOST[:PORT][/NUMBER], with
// ?addr=HOST:PORT for each further node of a Redis Cluster, and rediss:// for
// the same with TLS, whose certificates those that the system trusts must have
// issued for each host. Nothing else: what weakens TLS does not exist.
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
		// What waits on a connection is sent together.
		PipelineMultiplex:   1,
		ReadBufferEachConn:  64 << 10,
		WriteBufferEachConn: 64 << 10,
	}
	addrs := []string{u.Host}
	for key, values := range u.Query() {
		if key != "addr" {
			return rueidis.ClientOption{}, errURL
		}
		addrs = append(addrs, values...)
	}
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
		o.Username = u.User.Username()
		o.Password, _ = u.User.Password()
	}
	if u.Scheme == "rediss" {
		o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	return o, nil
}

// ACL is what a user of Redis needs, in its terms (ACL SETUSER).
const ACL = "resetkeys ~jotsmith:* resetchannels &jotsmith:* -@all +ping +hello +auth +select +eval +evalsha +script|load +time +get +set +del +publish +subscribe +cluster|slots +cluster|shards"

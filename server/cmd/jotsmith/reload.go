package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
)

// A running is a server whose configuration is read again at SIGHUP. What can
// change while it runs is exchanged whole, between two requests; what cannot is
// named in the log and waits for the next start. A configuration with a fault
// changes nothing.
type running struct {
	line  *commandLine // in force
	node  *node
	addr  net.Addr
	level *slog.LevelVar

	handler atomic.Pointer[http.Handler]
	cert    atomic.Pointer[tls.Certificate]
}

func (r *running) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.drained(w)
	(*r.handler.Load()).ServeHTTP(w, req)
}

// drained ends connections once the node winds down (RFC 9112 §9.6, RFC 9113
// §6.8 by way of net/http), so that their clients go elsewhere.
func (r *running) drained(w http.ResponseWriter) {
	if r.node.stopping.Err() != nil {
		w.Header().Set("Connection", "close")
	}
}

// tls answers nil where somebody else does TLS.
func (r *running) tls() *tls.Config {
	if r.cert.Load() == nil {
		return nil
	}
	return &tls.Config{
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return r.cert.Load(), nil },
		MinVersion:     tls.VersionTLS12,
	}
}

// follow reloads at each signal until ctx ends.
func (r *running) follow(ctx context.Context, c *console, hangups <-chan os.Signal) {
	log := r.node.config.Log
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangups:
		}
		if err := r.reload(ctx, c); err != nil {
			log.Error("the configuration was not reloaded, and the one before stays in force", "err", err)
		}
	}
}

// hangups is asked for before anything else is done, since SIGHUP would end
// the process.
func hangups() (<-chan os.Signal, func()) {
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	return hup, func() { signal.Stop(hup) }
}

func (r *running) reload(ctx context.Context, c *console) error {
	next, err := parse(r.line.args, c)
	if err != nil {
		return err
	}
	serve := &next.commands.Serve
	cert, err := serve.check()
	if err != nil {
		return next.explain(err)
	}
	changed, waiting := r.line.takeOn(next)
	before := r.node.registered()
	handler, err := r.node.reconfigured(ctx, serve.live())
	if err != nil {
		return err
	}
	after, named := r.node.registered(), r.line.registers()
	r.line = next
	r.level.Set(min(r.level.Level(), serve.level())) // so that what follows is told
	defer r.level.Set(serve.level())
	r.handler.Store(&handler)
	if serve.TLSCert != "" {
		r.cert.Store(cert)
	}
	log := r.node.config.Log
	if len(waiting) > 0 {
		log.Warn("some of the configuration waits for the next start", "settings", strings.Join(waiting, " "))
	}
	// What is registered belongs to administrators from then on.
	if kept := without(named, next.registers()); len(kept) > 0 {
		log.Warn("what the configuration does not name any more stays registered; 'jotsmith api delete' and 'jotsmith role delete' remove it", "kept", strings.Join(kept, ", "))
	}
	changed = without(changed, []string{"apis", "roles"})
	log.Info("reloaded the configuration", "changed", strings.Join(changed, " "), "registered", strings.Join(without(after, before), ", "))
	return nil
}

// registered names the APIs and roles that there are.
func (n *node) registered() (all []string) {
	now := n.catalog.Now()
	for _, a := range now.APIs() {
		all = append(all, "API "+a.Audience)
	}
	for _, r := range now.Roles() {
		all = append(all, "role "+r.Name)
	}
	return all
}

// registers names the APIs and roles that the configuration does.
func (l *commandLine) registers() (all []string) {
	for _, audience := range l.commands.Serve.API {
		all = append(all, "API "+audience)
	}
	for _, r := range l.commands.Serve.Role {
		all = append(all, "role "+r.Name)
	}
	return all
}

// without answers what of all is not in those.
func without(all, those []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return slices.Contains(those, s) })
}

// takeOn names the settings in which next differs: those that can change while
// the server runs, and those that wait for the next start, which it puts back
// in next to what they are.
func (l *commandLine) takeOn(next *commandLine) (changed, waiting []string) {
	is, will := l.flags(), next.flags()
	tls := l.commands.Serve.TLSCert != ""
	sameTLS := tls == (next.commands.Serve.TLSCert != "") // one that does TLS has to go on doing it
	for _, s := range settings {
		old, coming := is[s.flag].field, will[s.flag].field
		switch {
		case reflect.DeepEqual(old.Interface(), coming.Interface()):
		case s.live && (s.kind != isPath || sameTLS):
			changed = append(changed, s.key)
		default:
			waiting = append(waiting, s.key)
			coming.Set(old)
		}
	}
	return changed, waiting
}

// reconfigured answers the routes of a node on the same base with other live
// settings. APIs and roles that are not registered yet are; those that are stay
// as they stand.
func (n *node) reconfigured(ctx context.Context, live liveConfig) (http.Handler, error) {
	if err := n.catalog.Seed(ctx, live.APIs, live.Roles); err != nil {
		return nil, err
	}
	next := &node{base: n.base, live: live}
	if err := next.openSessions(); err != nil {
		return nil, fmt.Errorf("reloading: %w", err)
	}
	if err := next.openRoutes(n.ready); err != nil {
		return nil, fmt.Errorf("reloading: %w", err)
	}
	return next.handler, nil
}

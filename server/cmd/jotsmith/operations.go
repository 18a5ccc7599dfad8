package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"strings"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/keyring"
	"github.com/jotsmith/jotsmith/server/internal/metrics"
	"github.com/jotsmith/jotsmith/server/internal/store/postgres"
	"github.com/jotsmith/jotsmith/server/internal/store/sqlite"
)

// adminFlags are of the listener for those who operate the server. It asks
// nobody who they are, so it is for this machine alone.
type adminFlags struct {
	AdminAddr            string `env:"JOTSMITH_ADMIN_ADDR" placeholder:"HOST:PORT" help:"Where /metrics (Prometheus), /livez and /readyz with its reasons are served, to whoever can reach it; by default nowhere. Loopback only."`
	AdminPprof           bool   `env:"JOTSMITH_ADMIN_PPROF" help:"Serve profiles of the process there too, under /debug/pprof/."`
	DangerouslyOpenAdmin bool   `env:"JOTSMITH_DANGEROUSLY_OPEN_ADMIN" help:"Let --admin-addr be an address of the network, such as that of a container which Prometheus reaches: close it to all others by other means."`
}

func (f adminFlags) check() (faults []error) {
	if f.AdminAddr == "" {
		if f.AdminPprof || f.DangerouslyOpenAdmin {
			faults = append(faults, errors.New("--admin-pprof and --dangerously-open-admin have no meaning without --admin-addr"))
		}
		return faults
	}
	faults = append(faults, checkAddr(f.AdminAddr, "--admin-addr"))
	switch {
	case onLoopback(f.AdminAddr) && f.DangerouslyOpenAdmin:
		faults = append(faults, fmt.Errorf("--dangerously-open-admin has no meaning where --admin-addr is %s", f.AdminAddr))
	case !onLoopback(f.AdminAddr) && !f.DangerouslyOpenAdmin:
		faults = append(faults, fmt.Errorf("--admin-addr %s would be open to the network, and it asks nobody who they are; use 127.0.0.1, or --dangerously-open-admin where something else closes it", f.AdminAddr))
	case !onLoopback(f.AdminAddr) && f.AdminPprof:
		faults = append(faults, errors.New("--admin-pprof is for loopback alone: profiles tell what the process does and slow it down"))
	}
	return faults
}

// profileTime bounds an answer of the admin listener: a profile of the CPU
// takes half a minute unless told otherwise.
const profileTime = 2 * time.Minute

// startAdmin serves what operators ask for, where they want that.
func (f adminFlags) startAdmin(ctx context.Context, all *servers, n *node) (net.Listener, error) {
	if f.AdminAddr == "" {
		return nil, nil
	}
	l, err := listen(ctx, f.AdminAddr, "--admin-addr")
	if err != nil {
		return nil, err
	}
	s := newHTTPServer(n.operations(onLoopback(f.AdminAddr), f.AdminPprof), n.config.Log)
	s.ReadTimeout, s.WriteTimeout = 10*time.Second, profileTime
	all.start(s, l)
	n.config.Log.Info("the admin listener is ready", "addr", l.Addr().String(), "pprof", f.AdminPprof)
	return l, nil
}

// operations are the routes of the admin listener. One on loopback answers to
// local names only, or any page could read it in its visitor's browser by a
// name of its own (DNS rebinding).
func (n *node) operations(local, profiles bool) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics.Handler(n.sources()))
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { tellHealth(w, nil) })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) { tellHealth(w, n.examine(r.Context())) })
	if profiles {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		if local && !isLoopbackHost(hostname(r.Host)) {
			http.Error(w, "this listener answers to localhost alone", http.StatusMisdirectedRequest)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.Trim(host, "[]"))
}

// tellHealth answers every part, and why it does not do.
func tellHealth(w http.ResponseWriter, parts []condition) {
	told := struct {
		Status string            `json:"status"`
		Parts  map[string]string `json:"parts,omitempty"`
	}{"ok", map[string]string{}}
	status := http.StatusOK
	for _, p := range parts {
		told.Parts[p.name] = "ok"
		if p.err != nil {
			status, told.Status, told.Parts[p.name] = http.StatusServiceUnavailable, "unready", p.err.Error()
		}
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(told) // to a writer that may have gone
}

// sources say where the metrics are read.
func (n *node) sources() *metrics.Sources {
	s := &metrics.Sources{
		Version:   readBuildInfo().Version,
		Traffic:   n.traffic,
		LogIns:    func() map[string]int64 { return n.accounts.Stats().LogIns },
		Refreshes: n.refreshes.Refreshes,
		Tokens: func() map[string]int64 {
			all := make(map[string]int64)
			for alg, count := range n.minted.Tokens() {
				all[string(alg)] = count
			}
			return all
		},
		Hashing: func() metrics.Hashing {
			st := n.accounts.Stats()
			return metrics.Hashing{Slots: st.Slots, Busy: st.Busy, Waiting: st.Waiting}
		},
		Feed: func() metrics.Feed {
			st := n.feed.Stats()
			return metrics.Feed{Position: st.Position, Facts: st.Facts, Age: st.Age, Waiting: int(st.Waiting), Streams: int(st.Streams)}
		},
		Keys:  n.keyMetrics,
		Store: n.storeMetrics,
		Sweep: func() metrics.Sweep {
			st := n.swept.stats()
			return metrics.Sweep{Deleted: st.Deleted, Last: st.Last, Took: st.Took, Rows: st.Sizes}
		},
		Clock: func() (time.Duration, bool) {
			now, err := n.store.Now()
			return time.Until(now), err == nil
		},
		Ready: func() map[string]bool {
			all := make(map[string]bool)
			for _, p := range n.examine(context.Background()) {
				all[p.name] = p.err == nil
			}
			return all
		},
	}
	if n.shared != nil {
		s.Shared = func() bool { return n.shared.Status().Up }
	}
	return s
}

func (n *node) keyMetrics() (all []metrics.Key) {
	now := n.now()
	for _, k := range n.ring.List() {
		one := metrics.Key{Purpose: k.Purpose, Algorithm: string(k.Algorithm), State: k.State}
		if k.State == keyring.Active {
			one.Age = now.Sub(k.ActiveAt)
		}
		all = append(all, one)
	}
	return all
}

func (n *node) storeMetrics() metrics.Store {
	switch s := n.store.(type) {
	case *sqlite.Store:
		st := s.Stats()
		return metrics.Store{Transactions: &st.Transactions, Batches: &st.Batches, Waiting: st.Waiting}
	case *postgres.Store:
		st := s.Stats()
		return metrics.Store{
			Transactions: &st.Transactions, Waiting: int(st.Waiting),
			Retries: &st.Retries, Uncertain: &st.Uncertain,
			Connections: &st.Connections, Busy: &st.Busy, MostConnections: &st.Most, ConnectionWaits: &st.Waits,
		}
	}
	return metrics.Store{}
}

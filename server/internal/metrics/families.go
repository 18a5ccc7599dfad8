package metrics

import (
	"maps"
	"slices"
	"time"

	"github.com/jotsmith/jotsmith/server/internal/timing"
)

// Sources are what the metrics are read from, each time that they are asked
// for. A nil function has nothing to tell.
type Sources struct {
	Version string
	Traffic *Traffic

	LogIns    func() map[string]int64 // by outcome
	Refreshes func() map[string]int64 // by case
	Tokens    func() map[string]int64 // by algorithm
	Hashing   func() Hashing
	Feed      func() Feed
	Keys      func() []Key
	Store     func() Store
	Sweep     func() Sweep
	Shared    func() (up bool) // nil where nodes share nothing
	Clock     func() (offset time.Duration, ok bool)
	Ready     func() map[string]bool // by part
}

// Hashing says how busy password hashing is.
type Hashing struct{ Slots, Busy, Waiting int }

// Feed says where the feed of revocations stands.
type Feed struct {
	Position         uint64
	Facts            int
	Age              time.Duration
	Waiting, Streams int
}

// A Key is one of the ring's.
type Key struct {
	Purpose, Algorithm, State string
	Age                       time.Duration // since it began to sign
}

// Store says how the store does. What a store does not have is nil.
type Store struct {
	Transactions                       *timing.Snapshot // seconds
	Batches                            *timing.Snapshot // transitions that shared a commit
	Waiting                            int              // transitions that wait for a connection or the writer
	Retries, Uncertain                 *int64
	Connections, Busy, MostConnections *int64
	ConnectionWaits                    *int64
}

// Sweep says what was swept and what there is.
type Sweep struct {
	Deleted map[string]int64 // rows by table
	Last    time.Time
	Took    time.Duration
	Rows    map[string]int64 // by table
}

var families = []Metric{
	{Name: "jotsmith_build_info", Type: "gauge", Help: "Always 1.", Labels: []string{"version"},
		read: func(s *Sources, put func(Sample)) { put(Sample{Labels: []string{s.Version}, Value: 1}) }},

	{Name: "jotsmith_http_requests_total", Type: "counter", Help: "Requests answered. No route: none matched. Class none: the client had gone.", Labels: []string{"method", "route", "class"},
		read: func(s *Sources, put func(Sample)) {
			s.Traffic.eachRoute(func(r *route) {
				for i := range r.classes {
					if n := r.classes[i].Load(); n > 0 {
						put(Sample{Labels: []string{r.method, r.path, r.class(i)}, Value: float64(n)})
					}
				}
			})
		}},
	{Name: "jotsmith_http_request_seconds", Type: "histogram", Help: "From a request's headers to the end of its answer. Long polls and streams take as long as they wait.", Labels: []string{"method", "route"},
		read: func(s *Sources, put func(Sample)) {
			s.Traffic.eachRoute(func(r *route) {
				h := r.seconds.Snapshot()
				put(Sample{Labels: []string{r.method, r.path}, Histogram: &h})
			})
		}},
	{Name: "jotsmith_http_requests_in_flight", Type: "gauge", Help: "Requests under way.",
		read: func(s *Sources, put func(Sample)) { put(Sample{Value: float64(s.Traffic.inFlight.Load())}) }},
	{Name: "jotsmith_rate_limited_total", Type: "counter", Help: "Requests refused with 429, by the count that was used up.", Labels: []string{"rate"},
		read: func(s *Sources, put func(Sample)) {
			s.Traffic.eachLimited(func(rate string, n int64) { put(Sample{Labels: []string{rate}, Value: float64(n)}) })
		}},

	{Name: "jotsmith_logins_total", Type: "counter", Help: "Passwords presented to log in: ok, refused, throttled (not looked at), busy (no room to wait), failed (the store, or what hashes).", Labels: []string{"outcome"},
		read: func(s *Sources, put func(Sample)) { byName(s.LogIns, put) }},
	{Name: "jotsmith_refreshes_total", Type: "counter", Help: "Refresh tokens presented, by what they came to. theft ends the session and is always worth a look; forgive is an answer that was lost; behind says that the store was restored or lags.", Labels: []string{"case"},
		read: func(s *Sources, put func(Sample)) { byName(s.Refreshes, put) }},
	{Name: "jotsmith_thefts_total", Type: "counter", Help: "Sessions ended since a used refresh token was presented again.",
		read: func(s *Sources, put func(Sample)) {
			if s.Refreshes != nil {
				put(Sample{Value: float64(s.Refreshes()["theft"])})
			}
		}},
	{Name: "jotsmith_tokens_total", Type: "counter", Help: "Access tokens made, by the algorithm that signs them.", Labels: []string{"alg"},
		read: func(s *Sources, put func(Sample)) { byName(s.Tokens, put) }},

	{Name: "jotsmith_hash_slots", Type: "gauge", Help: "Passwords that can be hashed at a time.", read: hashing(func(h Hashing) int { return h.Slots })},
	{Name: "jotsmith_hash_slots_busy", Type: "gauge", Help: "Passwords that are being hashed.", read: hashing(func(h Hashing) int { return h.Busy })},
	{Name: "jotsmith_hash_queue", Type: "gauge", Help: "Passwords that wait to be hashed.", read: hashing(func(h Hashing) int { return h.Waiting })},

	{Name: "jotsmith_feed_position", Type: "gauge", Help: "Where the feed of revocations stands on this node; the same on all, within a second.", read: feeding(func(f Feed) float64 { return float64(f.Position) })},
	{Name: "jotsmith_feed_facts", Type: "gauge", Help: "Revocations that this node keeps.", read: feeding(func(f Feed) float64 { return float64(f.Facts) })},
	{Name: "jotsmith_feed_age_seconds", Type: "gauge", Help: "Since this node has looked for revocations with success.", read: feeding(func(f Feed) float64 { return f.Age.Seconds() })},
	{Name: "jotsmith_feed_waiting", Type: "gauge", Help: "Followers that wait for news in a long poll.", read: feeding(func(f Feed) float64 { return float64(f.Waiting) })},
	{Name: "jotsmith_feed_streams", Type: "gauge", Help: "Followers that are told the news in a stream.", read: feeding(func(f Feed) float64 { return float64(f.Streams) })},

	{Name: "jotsmith_keys", Type: "gauge", Help: "Keys of the ring.", Labels: []string{"purpose", "state"},
		read: func(s *Sources, put func(Sample)) {
			if s.Keys == nil {
				return
			}
			count := make(map[[2]string]int)
			for _, k := range s.Keys() {
				count[[2]string{k.Purpose, k.State}]++
			}
			for of, n := range count {
				put(Sample{Labels: of[:], Value: float64(n)})
			}
		}},
	{Name: "jotsmith_key_age_seconds", Type: "gauge", Help: "Since the key that signs, MACs or encrypts now began to.", Labels: []string{"purpose", "alg"},
		read: func(s *Sources, put func(Sample)) {
			if s.Keys == nil {
				return
			}
			for _, k := range s.Keys() {
				if k.State == "active" {
					put(Sample{Labels: []string{k.Purpose, k.Algorithm}, Value: k.Age.Seconds()})
				}
			}
		}},

	{Name: "jotsmith_store_transaction_seconds", Type: "histogram", Help: "What the store took for a transaction, its commit included.",
		read: storing(func(st Store, put func(Sample)) { snapshot(st.Transactions, put) })},
	{Name: "jotsmith_store_batch_size", Type: "histogram", Help: "Changes of different callers that shared one commit (SQLite).",
		read: storing(func(st Store, put func(Sample)) { snapshot(st.Batches, put) })},
	{Name: "jotsmith_store_waiting", Type: "gauge", Help: "Callers that wait for the writer (SQLite) or a connection (PostgreSQL).",
		read: storing(func(st Store, put func(Sample)) { put(Sample{Value: float64(st.Waiting)}) })},
	{Name: "jotsmith_store_retries_total", Type: "counter", Help: "Transactions run again: another was faster, or a connection was lost before the commit (PostgreSQL).",
		read: storing(func(st Store, put func(Sample)) { number(st.Retries, put) })},
	{Name: "jotsmith_store_lost_answers_total", Type: "counter", Help: "Commits whose answer was lost, so that the caller was told that nobody knows (PostgreSQL).",
		read: storing(func(st Store, put func(Sample)) { number(st.Uncertain, put) })},
	{Name: "jotsmith_store_connections", Type: "gauge", Help: "Connections to the database (PostgreSQL).",
		read: storing(func(st Store, put func(Sample)) { number(st.Connections, put) })},
	{Name: "jotsmith_store_connections_busy", Type: "gauge", Help: "Connections to the database that are in use (PostgreSQL).",
		read: storing(func(st Store, put func(Sample)) { number(st.Busy, put) })},
	{Name: "jotsmith_store_connections_max", Type: "gauge", Help: "Connections to the database that there may be (PostgreSQL).",
		read: storing(func(st Store, put func(Sample)) { number(st.MostConnections, put) })},
	{Name: "jotsmith_store_connection_waits_total", Type: "counter", Help: "How often a connection had to be waited for (PostgreSQL).",
		read: storing(func(st Store, put func(Sample)) { number(st.ConnectionWaits, put) })},
	{Name: "jotsmith_table_rows", Type: "gauge", Help: "Rows of the tables that grow, as of the last sweep; on PostgreSQL the database's own estimate.", Labels: []string{"table"},
		read: sweeping(func(sw Sweep, put func(Sample)) { byName(func() map[string]int64 { return sw.Rows }, put) })},

	{Name: "jotsmith_swept_rows_total", Type: "counter", Help: "Rows that this node has deleted since they had ended.", Labels: []string{"table"},
		read: sweeping(func(sw Sweep, put func(Sample)) { byName(func() map[string]int64 { return sw.Deleted }, put) })},
	{Name: "jotsmith_sweep_seconds", Type: "gauge", Help: "What the last sweep took, its pauses included.",
		read: sweeping(func(sw Sweep, put func(Sample)) { put(Sample{Value: sw.Took.Seconds()}) })},
	{Name: "jotsmith_sweep_last_timestamp_seconds", Type: "gauge", Help: "When the last sweep ended, seconds since the epoch; 0 before the first.",
		read: sweeping(func(sw Sweep, put func(Sample)) {
			if sw.Last.IsZero() {
				put(Sample{})
				return
			}
			put(Sample{Value: float64(sw.Last.UnixMilli()) / 1000})
		})},

	{Name: "jotsmith_shared_up", Type: "gauge", Help: "1 while what nodes share (--shared) answers, 0 while this node counts alone.",
		read: func(s *Sources, put func(Sample)) {
			if s.Shared != nil {
				put(Sample{Value: boolean(s.Shared())})
			}
		}},
	{Name: "jotsmith_clock_offset_seconds", Type: "gauge", Help: "The store's time minus this machine's clock; missing while the store has no time, since a clock contradicts it.",
		read: func(s *Sources, put func(Sample)) {
			if s.Clock == nil {
				return
			}
			if offset, ok := s.Clock(); ok {
				put(Sample{Value: offset.Seconds()})
			}
		}},
	{Name: "jotsmith_ready", Type: "gauge", Help: "1 while this part lets the node do its work.", Labels: []string{"part"},
		read: func(s *Sources, put func(Sample)) {
			if s.Ready == nil {
				return
			}
			for part, ok := range s.Ready() {
				put(Sample{Labels: []string{part}, Value: boolean(ok)})
			}
		}},
}

func byName(read func() map[string]int64, put func(Sample)) {
	if read == nil {
		return
	}
	all := read()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		put(Sample{Labels: []string{name}, Value: float64(all[name])})
	}
}

func hashing(f func(Hashing) int) func(*Sources, func(Sample)) {
	return func(s *Sources, put func(Sample)) {
		if s.Hashing != nil {
			put(Sample{Value: float64(f(s.Hashing()))})
		}
	}
}

func feeding(f func(Feed) float64) func(*Sources, func(Sample)) {
	return func(s *Sources, put func(Sample)) {
		if s.Feed != nil {
			put(Sample{Value: f(s.Feed())})
		}
	}
}

func storing(f func(Store, func(Sample))) func(*Sources, func(Sample)) {
	return func(s *Sources, put func(Sample)) {
		if s.Store != nil {
			f(s.Store(), put)
		}
	}
}

func sweeping(f func(Sweep, func(Sample))) func(*Sources, func(Sample)) {
	return func(s *Sources, put func(Sample)) {
		if s.Sweep != nil {
			f(s.Sweep(), put)
		}
	}
}

func snapshot(h *timing.Snapshot, put func(Sample)) {
	if h != nil {
		put(Sample{Histogram: h})
	}
}

func number(n *int64, put func(Sample)) {
	if n != nil {
		put(Sample{Value: float64(*n)})
	}
}

func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

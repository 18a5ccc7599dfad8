// Package audit says what an act is and who performed it. An [Event] commits
// in the transaction of the act that it describes, or the act does not happen:
// every store method that changes something takes the event as an argument.
//
// An event is kept in two parts, what happened and who did it, each with its
// own random salt, so that the second part can be erased on request without
// touching the first. This package neither stores nor orders events.
package audit

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"
	"unicode/utf8"
)

// Kinds of actors.
const (
	KindAccount   = "account"   // somebody who is logged in
	KindAnonymous = "anonymous" // somebody who is not (a log-in, a refresh)
	KindOperator  = "operator"  // whoever may read and write the data directory
	KindSystem    = "system"    // the server itself
)

// An Actor is who performs an act. It is an argument of every act, never
// fished out of a context.
type Actor struct {
	Kind    string
	ID      string // account id, where Kind is KindAccount
	Name    string // user name, or the operating system's user name
	Address string // client address without port, empty for local acts
	Device  string // user agent
}

// Outcomes of an act.
const (
	OK      = "ok"
	Refused = "refused"
)

// An Event is one act, before it has been committed.
type Event struct {
	Act     string            // such as "session.start"
	Outcome string            // OK or Refused
	Rule    string            // the rule that decided, where one did
	Targets map[string]string // kind → id, such as "session" → "ses_…"
	Actor   Actor
}

// A Record is an Event in the two parts that are kept.
type Record struct {
	ID                string
	At                time.Time // the store's time, microseconds
	What, Who         []byte    // JSON objects
	WhatSalt, WhoSalt []byte    // 16 random bytes each
}

// what and who are the kept JSON. Ids stand in what; names, addresses and
// devices, which may have to be forgotten one day, stand in who.
type what struct {
	Act     string            `json:"act"`
	Outcome string            `json:"outcome"`
	Rule    string            `json:"rule,omitempty"`
	Targets map[string]string `json:"targets,omitempty"`
	Kind    string            `json:"actor_kind"`
	ID      string            `json:"actor_id,omitempty"`
}

type who struct {
	Name    string `json:"name,omitempty"`
	Address string `json:"address,omitempty"`
	Device  string `json:"device,omitempty"`
}

// maxText bounds each text that a caller can influence.
const maxText = 256

// Record seals the event with its time and a random id.
func (e Event) Record(at time.Time) (Record, error) {
	targets := maps.Clone(e.Targets)
	for kind, id := range targets {
		targets[kind] = bound(id)
	}
	w, err := json.Marshal(what{e.Act, e.Outcome, bound(e.Rule), targets, e.Actor.Kind, bound(e.Actor.ID)})
	if err != nil {
		return Record{}, fmt.Errorf("encoding audit event %s: %w", e.Act, err)
	}
	p, err := json.Marshal(who{bound(e.Actor.Name), bound(e.Actor.Address), bound(e.Actor.Device)})
	if err != nil {
		return Record{}, fmt.Errorf("encoding audit event %s: %w", e.Act, err)
	}
	r := Record{
		ID:       "evt_" + strings.ToLower(rand.Text()),
		At:       at.UTC().Truncate(time.Microsecond),
		What:     w,
		Who:      p,
		WhatSalt: make([]byte, 16),
		WhoSalt:  make([]byte, 16),
	}
	rand.Read(r.WhatSalt)
	rand.Read(r.WhoSalt)
	return r, nil
}

// bound cuts s to maxText bytes at a rune's edge.
func bound(s string) string {
	if len(s) <= maxText {
		return s
	}
	cut := maxText
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut]
}

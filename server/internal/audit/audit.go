// Package audit says what an act is and who performed it. An [Event] commits
// in the transaction of the act that it describes, or the act does not happen:
// every store method that changes something takes the event as an argument.
//
// An event is kept in two parts, what happened and who did it, each with its
// own random salt, so that the second part can be erased on request without
// touching the first. Events wait in an outbox until one appender puts them, in
// the order of their commits, into a chain of hashes (see [Head] and [Log]),
// which tells what was changed, left out or cut off afterwards; an [Export] of
// it is verified without the data that it came from.
//
// This package stores nothing and decides nothing. It cannot find what somebody
// changed who may write to the log and made all links anew, unless a head was
// noted where they could not.
package audit

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Kinds of actors.
const (
	KindAccount   = "account"   // somebody who is logged in
	KindApp       = "app"       // a service with a secret or a token of its own
	KindAnonymous = "anonymous" // somebody who is not (a log-in, a refresh)
	KindOperator  = "operator"  // whoever may read and write the data directory
	KindSystem    = "system"    // the server itself
)

// An Actor is who performs an act. It is an argument of every act, never
// fished out of a context.
type Actor struct {
	Kind    string
	ID      string // account id or app id, where Kind is KindAccount or KindApp
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

// saltSize is the size of a salt in bytes.
const saltSize = 16

const (
	// maxText bounds each text that a caller can influence.
	maxText = 256
	// maxTarget has room for all the roles that an account may have.
	maxTarget = 4096
)

// Record seals the event with its time and a random id.
func (e Event) Record(at time.Time) (Record, error) {
	targets := maps.Clone(e.Targets)
	for kind, id := range targets {
		targets[kind] = bound(id, maxTarget)
	}
	w, err := json.Marshal(what{e.Act, e.Outcome, bound(e.Rule, maxText), targets, e.Actor.Kind, bound(e.Actor.ID, maxText)})
	if err != nil {
		return Record{}, fmt.Errorf("encoding audit event %s: %w", e.Act, err)
	}
	p, err := json.Marshal(who{bound(e.Actor.Name, maxText), bound(e.Actor.Address, maxText), bound(e.Actor.Device, maxText)})
	if err != nil {
		return Record{}, fmt.Errorf("encoding audit event %s: %w", e.Act, err)
	}
	r := Record{
		ID:       "evt_" + strings.ToLower(rand.Text()),
		At:       at.UTC().Truncate(time.Microsecond),
		What:     escape(w),
		Who:      escape(p),
		WhatSalt: make([]byte, saltSize),
		WhoSalt:  make([]byte, saltSize),
	}
	rand.Read(r.WhatSalt)
	rand.Read(r.WhoSalt)
	return r, nil
}

// escape spells out in JSON what could command a terminal or mislead its
// reader, such as changes of the direction of text. The JSON says the same.
func escape(text []byte) []byte {
	if !bytes.ContainsFunc(text, unprintable) {
		return text
	}
	var b []byte
	for _, r := range string(text) {
		switch {
		case !unprintable(r):
			b = utf8.AppendRune(b, r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			b = fmt.Appendf(b, `\u%04x\u%04x`, high, low)
		default:
			b = fmt.Appendf(b, `\u%04x`, r)
		}
	}
	return b
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }

// bound cuts s to limit bytes at a rune's edge.
func bound(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	cut := limit
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut]
}

package audit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// A Filter selects entries; what is empty selects all.
type Filter struct {
	Act     string // an act, or the beginning of one with its dot: "session."
	Outcome string
	Actor   string // an actor's id, name or kind
	Target  string // an id among the targets
	Since   time.Time
	Until   time.Time // exclusive
}

// A Query is one page of a list, the newest entries first.
type Query struct {
	Filter
	Before uint64 // only entries before this number; 0 is all
	Limit  int
}

// A Page answers a Query. Next is the Before of the following page, 0 where
// there is none. A number never changes its entry, so that pages fit together
// whatever is recorded meanwhile.
type Page struct {
	Shown []Shown
	Next  uint64
}

// Shown is an Entry as people read it.
type Shown struct {
	Seq     uint64            `json:"seq"`
	ID      string            `json:"id"`
	At      time.Time         `json:"at"`
	Act     string            `json:"act"`
	Outcome string            `json:"outcome"`
	Rule    string            `json:"rule,omitempty"`
	Targets map[string]string `json:"targets,omitempty"`
	Actor   ShownActor        `json:"actor"`
}

// ShownActor is the Actor of a Shown.
type ShownActor struct {
	Kind    string `json:"kind"`
	ID      string `json:"id,omitempty"`
	Name    string `json:"name,omitempty"`
	Address string `json:"address,omitempty"`
	Device  string `json:"device,omitempty"`
	Erased  bool   `json:"erased,omitempty"` // names, address and device were
}

// Malformed is the outcome that is shown of an entry which cannot be read, so
// that it does not hide the others; [Verify] says more of it.
const Malformed = "malformed"

// Show opens an entry for reading. It verifies nothing.
func (e Entry) Show() Shown {
	var w what
	var p who
	err := json.Unmarshal(e.What, &w)
	if !e.Erased() {
		err = errors.Join(err, json.Unmarshal(e.Who, &p))
	}
	if err != nil {
		return Shown{Seq: e.Seq, ID: e.ID, At: e.At, Outcome: Malformed}
	}
	return Shown{e.Seq, e.ID, e.At, w.Act, w.Outcome, w.Rule, w.Targets,
		ShownActor{w.Kind, w.ID, p.Name, p.Address, p.Device, e.Erased()}}
}

// Match says whether f selects s.
func (f Filter) Match(s Shown) bool {
	switch {
	case f.Act != "" && s.Act != f.Act && !(strings.HasSuffix(f.Act, ".") && strings.HasPrefix(s.Act, f.Act)),
		f.Outcome != "" && s.Outcome != f.Outcome,
		f.Actor != "" && !slices.Contains([]string{s.Actor.ID, s.Actor.Name, s.Actor.Kind}, f.Actor),
		f.Target != "" && !slices.Contains(slices.Collect(maps.Values(s.Targets)), f.Target),
		!f.Since.IsZero() && s.At.Before(f.Since),
		!f.Until.IsZero() && !s.At.Before(f.Until):
		return false
	}
	return true
}

// maxExamined bounds the work for one page: one that selects little may have
// fewer entries than its limit, and a Next.
const maxExamined = 100_000

// List answers one page.
func List(ctx context.Context, log Log, q Query) (Page, error) {
	p := Page{Shown: []Shown{}}
	before := q.Before
	for examined := 0; examined < maxExamined; {
		page, err := log.AuditBefore(ctx, before, pageSize)
		if err != nil {
			return Page{}, fmt.Errorf("reading the audit log: %w", err)
		}
		for _, e := range page {
			s := e.Show()
			before = e.Seq
			if !q.Match(s) {
				continue
			}
			if p.Shown = append(p.Shown, s); len(p.Shown) >= q.Limit {
				if before > 1 {
					p.Next = before
				}
				return p, nil
			}
		}
		if len(page) < pageSize {
			return p, nil
		}
		examined += len(page)
	}
	p.Next = before
	return p, nil
}

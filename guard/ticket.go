package guard

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/jotsmith/jotsmith/authz"
	"github.com/jotsmith/jotsmith/jwt"
)

const (
	ticketLife = 30 * time.Second
	ticketSize = 26 // of rand.Text: 130 bits

	maxTickets          = 4096 // that nobody has used yet
	maxTicketsOfSubject = 64
)

var (
	errTicket         = errors.New("the ticket is unknown, used or over")
	errManyTickets    = errors.New("too many tickets of this subject wait to be used")
	errTicketsAreFull = errors.New("too many tickets wait to be used")
)

// Tickets answers a POST that carries a good token and satisfies the rules with
// a ticket, for browsers that cannot send a header with what they open, a
// WebSocket or an EventSource:
//
//	{"ticket":"…","expires_in":30}
//
// A ticket stands for the token at a [Guard.Stream] of this guard, once, within
// 30 s; what it leaves in logs is of no use to anybody. Tickets are kept in the
// memory of this process: where several serve one address, the two requests must
// reach the same one.
func (g *Guard) Tickets(rules ...authz.Rule) http.Handler {
	give := g.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ticket, err := g.tickets.give(Token(r), time.Now())
		if err != nil {
			g.Refuse(w, r, err)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		_ = json.NewEncoder(w).Encode(struct {
			Ticket    string `json:"ticket"`
			ExpiresIn int    `json:"expires_in"` // seconds
		}{ticket, int(ticketLife / time.Second)})
	}, rules...)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			g.Refuse(w, r, errNoPost)
			return
		}
		give.ServeHTTP(w, r)
	})
}

var errNoPost = errors.New("tickets are given to POST alone")

// tickets holds those that nobody has used yet, by a hash, so that looking one
// up tells nothing of the others.
type tickets struct {
	mu    sync.Mutex
	held  map[[sha256.Size]byte]ticket
	of    map[jwt.Fact]int // how many, by subject
	sweep time.Time        // when to look again for those that are over
}

type ticket struct {
	token *jwt.Token
	until time.Time
}

func subjectOf(t *jwt.Token) jwt.Fact {
	fact, _ := t.Fact(jwt.SubjectFact) // those without one share a limit
	return fact
}

func (s *tickets) give(t *jwt.Token, now time.Time) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held == nil {
		s.held, s.of = make(map[[sha256.Size]byte]ticket), make(map[jwt.Fact]int)
	}
	if !now.Before(s.sweep) {
		for id, held := range s.held {
			if !now.Before(held.until) {
				s.drop(id)
			}
		}
		s.sweep = now.Add(time.Second)
	}
	if s.of[subjectOf(t)] >= maxTicketsOfSubject {
		return "", fmt.Errorf("%w: subject %q", errManyTickets, t.Subject())
	}
	if len(s.held) >= maxTickets {
		return "", errTicketsAreFull
	}
	text := rand.Text()
	s.held[sha256.Sum256([]byte(text))] = ticket{t, now.Add(ticketLife)}
	s.of[subjectOf(t)]++
	return text, nil
}

// take returns the token that a ticket stands for, to one caller.
func (s *tickets) take(text string, now time.Time) (*jwt.Token, error) {
	if len(text) != ticketSize {
		return nil, errTicket
	}
	id := sha256.Sum256([]byte(text))
	s.mu.Lock()
	defer s.mu.Unlock()
	held, ok := s.held[id]
	if !ok {
		return nil, errTicket
	}
	s.drop(id)
	if !now.Before(held.until) {
		return nil, errTicket
	}
	return held.token, nil
}

func (s *tickets) drop(id [sha256.Size]byte) {
	subject := subjectOf(s.held[id].token)
	delete(s.held, id)
	if s.of[subject]--; s.of[subject] <= 0 {
		delete(s.of, subject)
	}
}

package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"

	"github.com/jotsmith/jotsmith/server/internal/fault"
	"github.com/jotsmith/jotsmith/server/internal/session"
)

const (
	// asking is how many statements ask for sessions at the same time. There is
	// one, so that many questions share it, until that is late: an answer that is
	// lost on its way must not hold everybody up.
	asking = 2

	// late is when a statement has taken so long that another one may begin
	// beside it, far beyond what a database nearby takes.
	late = 20 * time.Millisecond

	// together is how many questions a statement answers at most.
	together = 100

	// fewest is how many ids a statement for several names at least. PostgreSQL
	// takes a plan for any list to be one for ten: had it seen shorter ones, it
	// would plan each statement anew, which costs more than the reading.
	fewest = 10
)

// A question is a call of Session that waits.
type question struct {
	id       session.ID
	asked    time.Time
	answered chan struct{} // closed when row or err stands
	row      session.Row
	err      error
}

// questions are those that no statement asks yet. What comes while a statement
// is under way waits for it to end, or to be late, and goes with all that wait by
// then: nothing is answered by a statement that was sent before the question
// came, so that it sees every commit that was answered by then, on whichever node.
type questions struct {
	mu      sync.Mutex
	waiting []*question // those that came first in front
	running int         // who asks
	late    int         // those of them whose statements are
}

// full says that whoever asks now is to be waited for.
func (q *questions) full() bool { return q.running > q.late || q.running == asking }

// add reports whether somebody has to begin to ask.
func (q *questions) add(one *question) (begin bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) >= queue {
		return false, errBusy
	}
	q.waiting = append(q.waiting, one)
	if q.full() {
		return false, nil
	}
	q.running++
	return true, nil
}

// next takes those that one statement asks. Where there are none, or somebody
// else asks in time, whoever asked for them is done.
func (q *questions) next() []*question {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(len(q.waiting), together)
	if n == 0 || q.running-q.late > 1 {
		q.running--
		return nil
	}
	batch := slices.Clone(q.waiting[:n])
	q.waiting = slices.Delete(q.waiting, 0, n)
	return batch
}

// A statement is one that is under way.
type statement struct{ late, ended bool }

// isLate notes that a statement is late, and reports whether somebody has to
// begin to ask since it is.
func (q *questions) isLate(one *statement) (begin bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if one.ended {
		return false
	}
	one.late = true
	q.late++
	if q.full() || len(q.waiting) == 0 {
		return false
	}
	q.running++
	return true
}

func (q *questions) end(one *statement) {
	q.mu.Lock()
	defer q.mu.Unlock()
	one.ended = true
	if one.late {
		q.late--
	}
}

// drop reports whether one was still waiting, and lets it wait no longer.
func (q *questions) drop(one *question) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	i := slices.Index(q.waiting, one)
	if i < 0 {
		return false
	}
	q.waiting = slices.Delete(q.waiting, i, i+1)
	return true
}

// shared reads a session as it is at some moment after the call, by a statement
// that may answer others too.
func (s *Store) shared(ctx context.Context, id session.ID) (session.Row, error) {
	if strings.ContainsRune(string(id), 0) || !utf8.ValidString(string(id)) {
		return session.Row{}, fault.ErrNotFound // no text that could be in the table
	}
	one := &question{id: id, asked: time.Now(), answered: make(chan struct{})}
	begin, err := s.questions.add(one)
	if err != nil {
		return session.Row{}, err
	}
	if begin {
		go s.askAll()
	}
	enough := time.NewTimer(s.patience / 2)
	defer enough.Stop()
	select {
	case <-one.answered:
		return one.row, one.err
	case <-ctx.Done():
		s.questions.drop(one)
		return session.Row{}, ctx.Err()
	case <-enough.C:
		if s.questions.drop(one) {
			return session.Row{}, errBusy
		}
	}
	select { // has begun, and so ends within patience
	case <-one.answered:
		return one.row, one.err
	case <-ctx.Done():
		return session.Row{}, ctx.Err()
	}
}

// askAll asks statement by statement while questions wait.
func (s *Store) askAll() {
	for batch := s.questions.next(); batch != nil; batch = s.questions.next() {
		one := new(statement)
		wait := time.AfterFunc(late, func() {
			if s.questions.isLate(one) {
				s.askAll()
			}
		})
		s.answer(batch)
		wait.Stop()
		s.questions.end(one)
	}
}

// answer asks for those of a batch together and, where that fails for what one of
// them may be to blame for, such as a row that is damaged, for each by itself.
func (s *Store) answer(batch []*question) {
	var rows map[session.ID]session.Row
	err := errAlone
	if len(batch) > 1 {
		rows, err = s.sessions(batch)
	}
	for _, one := range batch {
		switch row, ok := rows[one.id]; {
		case ok:
			one.row = row
		case err == nil:
			one.err = fault.ErrNotFound
		case errors.Is(err, fault.ErrUnavailable):
			one.err = err
		default:
			one.err = s.run(context.Background(), one.asked, "", func(t *tx) (err error) {
				one.row, err = t.session(one.id)
				return err
			})
		}
		close(one.answered)
	}
}

var errAlone = errors.New("one question has its own statement")

func (s *Store) sessions(batch []*question) (rows map[session.ID]session.Row, err error) {
	ids := make([]string, max(len(batch), fewest))
	for i := range ids {
		ids[i] = string(batch[min(i, len(batch)-1)].id)
	}
	err = s.run(context.Background(), batch[0].asked, "", func(t *tx) error {
		rows = make(map[session.ID]session.Row, len(batch))
		// Each account is looked up by its id: for a join with so many sessions, all
		// of some thousand accounts would be read.
		return t.each(`SELECT `+sessionColumns+`, `+accountColumns+`
			FROM session s CROSS JOIN LATERAL (SELECT * FROM account WHERE id = s.account LIMIT 1) a WHERE s.id = ANY($1)`,
			func(found pgx.Rows) error {
				var r session.Row
				if err := found.Scan(rowFields(&r)...); err != nil {
					return fmt.Errorf("reading sessions: %w", err)
				}
				rows[r.ID] = r
				return nil
			}, ids)
	})
	if err != nil {
		return nil, err
	}
	return rows, nil
}

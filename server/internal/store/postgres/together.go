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
	// asking is how many statements ask for sessions at the same time. The fewer
	// they are, the more questions share each; but with one, an answer that is
	// lost on its way would hold everybody up.
	asking = 2

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

// questions are those that no statement asks yet. What comes while as many
// statements as may be are under way waits for one of them to end and goes with
// all that wait by then: nothing is answered by a statement that was sent before
// the question came, so that it sees every commit that was answered by then, on
// whichever node.
type questions struct {
	mu      sync.Mutex
	waiting []*question // those that came first in front
	running int
}

// add reports whether somebody has to begin to ask.
func (q *questions) add(one *question) (begin bool, err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.waiting) >= queue {
		return false, errBusy
	}
	q.waiting = append(q.waiting, one)
	if q.running == asking {
		return false, nil
	}
	q.running++
	return true, nil
}

// next takes those that one statement asks. Where there are none, whoever asked
// for them is done.
func (q *questions) next() []*question {
	q.mu.Lock()
	defer q.mu.Unlock()
	n := min(len(q.waiting), together)
	if n == 0 {
		q.waiting, q.running = nil, q.running-1
		return nil
	}
	batch := slices.Clone(q.waiting[:n])
	q.waiting = slices.Delete(q.waiting, 0, n)
	return batch
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
		go func() {
			for batch := s.questions.next(); batch != nil; batch = s.questions.next() {
				s.answer(batch)
			}
		}()
	}
	late := time.NewTimer(s.patience / 2)
	defer late.Stop()
	select {
	case <-one.answered:
		return one.row, one.err
	case <-ctx.Done():
		s.questions.drop(one)
		return session.Row{}, ctx.Err()
	case <-late.C:
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

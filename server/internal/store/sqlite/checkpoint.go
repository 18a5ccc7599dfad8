package sqlite

import "fmt"

// The log is folded into the file beside the writer, since the sync of some
// thousand scattered pages takes long enough for callers to notice. The writer
// itself folds only what came meanwhile, which lets the log begin anew.
const (
	foldAfter  = 500  // jobs, after which fold looks at the log
	foldFrom   = 2000 // pages in the log
	foldRest   = 300  // pages which the writer folds itself
	foldRounds = 4
)

// fold is a goroutine with a connection of its own.
func (s *Store) fold(c *conn) {
	defer close(s.folded)
	defer c.close()
	failed := 0 // pages in the log when it failed
	for range s.wrote {
		left, err := c.checkpoint("NOOP")
		if err != nil || left < foldFrom+failed {
			continue
		}
		for range foldRounds {
			if left, err = c.checkpoint("PASSIVE"); err != nil || left < foldRest {
				break
			}
		}
		if err == nil {
			ended := make(chan error, 1)
			select {
			case s.between <- func() { _, err := s.writer.checkpoint("PASSIVE"); ended <- err }:
				err = <-ended
			case <-s.stopped:
				return
			}
		}
		failed = 0
		if err != nil {
			s.log.Warn("the log could not be folded into the database; it will be tried again", "pages", left, "error", explain(err))
			failed = left
		}
	}
}

// checkpoint answers how many pages of the log are not yet in the file. The
// mode NOOP only counts.
func (c *conn) checkpoint(mode string) (left int, err error) {
	var busy, log, done int
	if err := c.row(`PRAGMA wal_checkpoint(`+mode+`)`).Scan(&busy, &log, &done); err != nil {
		return 0, fmt.Errorf("folding the log: %w", err)
	}
	return log - done, nil
}

package sqlite

import "fmt"

// The log is folded into the file beside the writer, since the sync of some
// thousand scattered pages takes long enough for callers to notice. The writer
// itself folds only the last few, which lets the log begin anew, and does that
// rarely, for its callers wait meanwhile.
//
// SQLite syncs the file only when the whole log has been folded, which is what
// the writer's part does: it would sync whatever was folded beside it. So that
// is synced before, through a descriptor of our own. Linux tells an error of that
// sync to SQLite's descriptors as well.
const (
	foldAfter  = 500  // rows that were changed, after which fold looks at the log
	foldFrom   = 2000 // pages of the log which are not yet in the file
	foldRest   = 300  // of them, which the writer folds itself
	foldRounds = 4    // until so few are left
	foldLength = 6000 // pages in the log, after which it is to begin anew; at twice as many, whatever is left
)

// fold is a goroutine with a connection of its own.
func (s *Store) fold(c *conn) {
	defer close(s.folded)
	defer c.close()
	failed := 0 // pages that were left when it failed
	for range s.wrote {
		length, left, err := c.checkpoint("NOOP")
		if err != nil || left < foldFrom+failed {
			continue
		}
		for n := 0; n < foldRounds && left >= foldRest && err == nil; n++ {
			if _, _, err = c.checkpoint("PASSIVE"); err == nil {
				err = s.file.Sync()
			}
			if err == nil { // what PASSIVE answers leaves out what was written meanwhile
				length, left, err = c.checkpoint("NOOP")
			}
		}
		if err == nil && length >= foldLength && (left < foldRest || length >= 2*foldLength) {
			ended := make(chan error, 1)
			select {
			case s.between <- func() { _, _, err := s.writer.checkpoint("PASSIVE"); ended <- err }:
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

// checkpoint answers how many pages the log has, and how many of them were not
// yet in the file when it ended, those aside that were written since it began.
// The mode NOOP only counts.
func (c *conn) checkpoint(mode string) (length, left int, err error) {
	var busy, done int
	if err := c.row(`PRAGMA wal_checkpoint(`+mode+`)`).Scan(&busy, &length, &done); err != nil {
		return 0, 0, fmt.Errorf("folding the log: %w", err)
	}
	return length, length - done, nil
}

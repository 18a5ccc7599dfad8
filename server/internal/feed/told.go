package feed

import (
	"slices"

	"github.com/jotsmith/jotsmith/revocation"
)

// told is the number by which a position is told.
func (s *state) told(position uint64) uint64 {
	for _, start := range slices.Backward(s.starts) {
		if position > start.After {
			return position + start.Added
		}
	}
	return position
}

// place is the position that a cursor names, unless this feed never told it.
func (s *state) place(c revocation.Cursor) (position uint64, known bool) {
	if c.Epoch != s.head.Epoch {
		return 0, false
	}
	last := s.head.Position
	for _, start := range slices.Backward(s.starts) {
		if start.After < last && c.Position > start.After+start.Added {
			return c.Position - start.Added, c.Position <= last+start.Added
		}
		last = min(last, start.After)
	}
	// What is older than the starts that are kept may be anything.
	return c.Position, c.Position <= last && len(s.starts) < MaxStarts
}

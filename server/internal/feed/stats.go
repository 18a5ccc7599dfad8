package feed

import "time"

// Stats say where a Feed stands.
type Stats struct {
	Position uint64        // of the head that it knows
	Facts    int           // that stood when last pruned, and since
	Age      time.Duration // since it began to look at the store last with success; negative before
	Waiting  int64         // calls of Answer that may wait for news
	Streams  int64         // calls of Stream that run
}

// Stats may be called at any time.
func (f *Feed) Stats() Stats {
	st := Stats{Age: -1, Waiting: f.waiting.count(), Streams: f.streams.count()}
	if s := f.state.Load(); s != nil {
		st.Position, st.Facts, st.Age = s.head.Position, len(s.facts), time.Since(s.seen)
	}
	return st
}

package feed

import (
	"context"
	"fmt"
	"time"

	"github.com/jotsmith/jotsmith/revocation"
)

const (
	// Heartbeat is how often a stream says that nothing has happened: as often
	// as who takes a feed for cut off after 20 s needs to hear it.
	Heartbeat = 10 * time.Second

	// MaxStream is how long a stream lasts. Who follows comes back, to another
	// node perhaps, so that new nodes get their share.
	MaxStream = 10 * time.Minute
)

// Stream calls send with what Answer would answer, first for after and then
// each time for where the last one led: at once when there is news, and every
// Heartbeat when there is none. It ends with ctx, whose error it answers, with
// an error of send, after MaxStream with nil, and with Answer's errors. Who asks
// is counted as by Answer; ErrStreams, ErrOwnStreams.
func (f *Feed) Stream(ctx context.Context, who, after string, send func(*Document) error) error {
	cursor, err := parse(after)
	if err != nil {
		return err
	}
	if err := f.streams.take(who); err != nil {
		return err
	}
	defer f.streams.leave(who)
	wait := time.Duration(0) // the first answer confirms where the feed stands
	for end := time.Now().Add(MaxStream); time.Now().Before(end); wait = Heartbeat {
		d, err := f.next(ctx, cursor, wait)
		if err != nil {
			return err
		}
		if err := send(d); err != nil {
			return err
		}
		cursor = d.Next()
	}
	return nil
}

func parse(after string) (c revocation.Cursor, err error) {
	if after == "" {
		return c, nil
	}
	if c, err = revocation.ParseCursor(after); err != nil {
		return c, fmt.Errorf("%w: EPOCH.POSITION as an earlier answer named it", ErrCursor)
	}
	return c, nil
}

// Package fault holds the few things that a store can say besides yes. Every
// domain package declares its own store interface; the answers "there is no
// such thing", "it exists already" and "somebody was faster" mean the same in
// all of them and are told apart with errors.Is.
package fault

import (
	"errors"
	"fmt"
)

var (
	// ErrNotFound says that what was asked for does not exist.
	ErrNotFound = errors.New("not found")

	// ErrExists says that something of that name exists already.
	ErrExists = errors.New("exists already")

	// ErrChanged says that a compare-and-swap lost: what was read has been
	// changed since. Nothing was written; read again.
	ErrChanged = errors.New("changed in the meantime")

	// ErrClock says that the node's clock contradicts the store's time, so
	// nothing may be signed or decided until somebody corrects the clock.
	ErrClock = errors.New("clock is behind the store's time")

	// ErrUnavailable says that the store cannot answer now: it is closed, its
	// disk is full, its file cannot be written. Nothing was committed, unless
	// it is ErrUncertain too.
	ErrUnavailable = errors.New("store unavailable")

	// ErrUncertain is an ErrUnavailable: the connection was lost between a
	// commit and its answer, so that nobody here knows whether what was asked
	// for has been done. It is not done a second time.
	ErrUncertain = fmt.Errorf("%w: whether the change was made is not known", ErrUnavailable)
)

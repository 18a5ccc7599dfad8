//go:build !linux

package load

import (
	"errors"
	"time"
)

var errUnknown = errors.New("what a process uses is not known on this system")

// ReadUsage reads the Usage of a process of this user. It works on Linux only.
func ReadUsage(int) (Usage, error) { return Usage{}, errUnknown }

// CPUTime is what all threads of a process have used so far. It works on Linux
// only.
func CPUTime(int) (time.Duration, error) { return 0, errUnknown }

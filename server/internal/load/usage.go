package load

import "time"

// A Usage is what a process has used so far, or uses now, by the kernel's
// account.
type Usage struct {
	CPU         time.Duration // of all its threads, and of the processes that it started
	Resident    int64         // bytes of memory; of those processes what is theirs alone
	Threads     int
	Descriptors int
}

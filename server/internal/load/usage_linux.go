package load

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ReadUsage reads the Usage of a process of this user.
func ReadUsage(pid int) (u Usage, err error) {
	if u.CPU, err = CPUTime(pid); err != nil {
		return Usage{}, err
	}
	for _, child := range Children(pid) {
		// One may end meanwhile: then it stands among those that have ended.
		spent, _ := CPUTime(child)
		u.CPU += spent
		u.Resident += private(child)
	}
	dir := "/proc/" + strconv.Itoa(pid)
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return Usage{}, fmt.Errorf("reading what process %d uses: %w", pid, err)
	}
	// After the name in parentheses, beginning with the third field, of proc(5).
	f := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(f) < 22 {
		return Usage{}, fmt.Errorf("reading what process %d uses: %d fields", pid, len(f))
	}
	number := func(field int) int64 {
		n, _ := strconv.ParseInt(f[field-3], 10, 64)
		return n
	}
	ended := time.Duration(number(16) + number(17)) // user and system, of children
	u.CPU += ended * time.Second / ticks
	u.Threads = int(number(20))
	u.Resident += number(24) * int64(os.Getpagesize())
	open, err := os.ReadDir(dir + "/fd")
	if err != nil {
		return Usage{}, fmt.Errorf("reading what process %d uses: %w", pid, err)
	}
	u.Descriptors = len(open)
	return u, nil
}

// ticks a second are how the kernel counts CPU time in stat, on every Linux.
const ticks = 100

// Children are the processes that pid has started and that run.
func Children(pid int) (all []int) {
	lists, _ := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*/children")
	for _, list := range lists {
		b, _ := os.ReadFile(list)
		for _, child := range strings.Fields(string(b)) {
			if n, err := strconv.Atoi(child); err == nil {
				all = append(all, n)
			}
		}
	}
	return all
}

// private is how many bytes a process has in memory that no other one shares.
func private(pid int) (sum int64) {
	b, _ := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/smaps_rollup")
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) == 3 && strings.HasPrefix(f[0], "Private_") {
			n, _ := strconv.ParseInt(f[1], 10, 64)
			sum += n << 10
		}
	}
	return sum
}

// CPUTime is what all threads of a process have used so far, to the nanosecond.
func CPUTime(pid int) (time.Duration, error) {
	const scheduled = 2 // CPUCLOCK_SCHED, as clock_getcpuclockid(3) makes it
	var t unix.Timespec
	if err := unix.ClockGettime(int32(^pid)<<3|scheduled, &t); err != nil {
		return 0, fmt.Errorf("reading the CPU time of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}

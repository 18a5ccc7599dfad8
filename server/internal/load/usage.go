package load

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// A Usage is what a process has used so far, or uses now, by the kernel's
// account.
type Usage struct {
	CPU         time.Duration // of all its threads, to 10 ms
	Resident    int64         // bytes of memory
	Threads     int
	Descriptors int
}

// ReadUsage reads the Usage of a process of this user. It works on Linux only.
func ReadUsage(pid int) (u Usage, err error) {
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
	u.CPU = time.Duration(number(14)+number(15)) * 10 * time.Millisecond
	u.Threads = int(number(20))
	u.Resident = number(24) * int64(os.Getpagesize())
	open, err := os.ReadDir(dir + "/fd")
	if err != nil {
		return Usage{}, fmt.Errorf("reading what process %d uses: %w", pid, err)
	}
	u.Descriptors = len(open)
	return u, nil
}

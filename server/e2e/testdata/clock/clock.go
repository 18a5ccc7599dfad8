// Package main is added to the command for tests of a machine whose clock is
// wrong: what its file says, named after the program with .clock behind, is added
// to the time of day, and to nothing else.
package main

import (
	"os"
	"strings"
	"time"
	_ "unsafe" // for linkname
)

// vdsoClockgettimeSym is what the runtime asks for the time.
//
//go:linkname vdsoClockgettimeSym runtime.vdsoClockgettimeSym
var vdsoClockgettimeSym uintptr

var rightClock, secondsOff uintptr // for wrongClock

func wrongClock()

func wrongClockAddress() uintptr

func init() {
	if vdsoClockgettimeSym == 0 {
		panic("the runtime does not ask the kernel's shared object for the time")
	}
	path, err := os.Executable()
	if err != nil {
		panic(err)
	}
	read := func() {
		text, _ := os.ReadFile(path + ".clock")
		if off, err := time.ParseDuration(strings.TrimSpace(string(text))); err == nil {
			secondsOff = uintptr(off / time.Second)
		}
	}
	read()
	rightClock = vdsoClockgettimeSym
	vdsoClockgettimeSym = wrongClockAddress()
	go func() {
		for range time.Tick(20 * time.Millisecond) {
			read()
		}
	}()
}

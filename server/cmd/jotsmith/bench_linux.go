package main

import "syscall"

// ownProcess keeps a child from getting the terminal's Control-C, and lets it
// stop when this process has ended, however that ends.
func ownProcess() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
}

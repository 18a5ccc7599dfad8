//go:build !linux

package main

import "syscall"

// ownProcess keeps a child from getting the terminal's Control-C.
func ownProcess() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }

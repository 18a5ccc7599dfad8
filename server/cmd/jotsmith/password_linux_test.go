package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestPasswordIsNotEchoed types a password on a pseudo-terminal, as soon as
// the program has switched echo off, and looks for it on the screen.
func TestPasswordIsNotEchoed(t *testing.T) {
	t.Parallel()
	screen, keyboard := pseudoTerminal(t)
	cmd := exec.Command("jotsmith", "account", "create", "ada", "--data", filepath.Join(t.TempDir(), "data"))
	cmd.Stdin, cmd.Stdout = keyboard, keyboard
	questions, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill() })
	asked := bufio.NewReader(questions)
	const password = "correct horse battery"
	for range 2 {
		if _, err := asked.ReadString(':'); err != nil {
			t.Fatal(err)
		}
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
			mode, err := unix.IoctlGetTermios(int(screen.Fd()), unix.TCGETS)
			if err != nil {
				t.Fatal(err)
			}
			if mode.Lflag&unix.ECHO == 0 {
				break
			}
			if time.Now().After(deadline) {
				t.Fatal("echo is on")
			}
		}
		fmt.Fprintln(screen, password)
	}
	var shown strings.Builder
	buf := make([]byte, 1024)
	for !strings.Contains(shown.String(), "ada: created") {
		n, err := screen.Read(buf)
		if err != nil {
			t.Fatalf("%v: %s", err, shown.String())
		}
		shown.Write(buf[:n])
	}
	if strings.Contains(shown.String(), "correct") {
		t.Errorf("the password was shown: %s", shown.String())
	}
}

func pseudoTerminal(t *testing.T) (screen, keyboard *os.File) {
	t.Helper()
	screen, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals: %v", err)
	}
	t.Cleanup(func() { screen.Close() })
	if err := unix.IoctlSetPointerInt(int(screen.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Skipf("no pseudo-terminals: %v", err)
	}
	n, err := unix.IoctlGetInt(int(screen.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Skipf("no pseudo-terminals: %v", err)
	}
	keyboard, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Skipf("no pseudo-terminals: %v", err)
	}
	t.Cleanup(func() { keyboard.Close() })
	return screen, keyboard
}

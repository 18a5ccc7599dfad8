package account

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// HashCommand is the argument with which the program is to call [ServeHashes],
// and nothing else.
const HashCommand = "hash-passwords"

const (
	// A process that has nothing to hash for so long ends, and its memory with it.
	unused = 15 * time.Second

	// The costliest hash that is read takes seconds, several times as long where
	// all cores are busy.
	longestHash = time.Minute
)

// HashProcesses hash passwords, each one at a time, as a [Hasher]. What hashes
// never pauses and fills tens of megabytes at a time: within the server's process
// everybody else waits, for a core and for the garbage collector. Here the kernel
// lets others go first, and the memory goes back with the process.
//
// There are as many processes as hashes were ever wanted at once, which is for
// the caller to bound. They get the environment of nobody, and end with the
// server however that ends. Where none can be started, or none gets as far as
// being ready, the server hashes within its own.
type HashProcesses struct {
	log     *slog.Logger
	command func() *exec.Cmd
	longest time.Duration // of one task

	mu     sync.Mutex
	idle   []*hashProcess // the last one was used last
	closed bool

	told, toldAbreast sync.Once
}

var _ Hasher = (*HashProcesses)(nil)

// NewHashProcesses starts nothing yet.
func NewHashProcesses(log *slog.Logger) *HashProcesses {
	return &HashProcesses{log: log, command: hashCommand, longest: longestHash}
}

// Matches is [Hasher]'s.
func (h *HashProcesses) Matches(ctx context.Context, stored, password string) (bool, error) {
	d, err := h.do(ctx, hashTask{Stored: stored, Password: []byte(password)})
	return d.Matches, err
}

// Hash is [Hasher]'s.
func (h *HashProcesses) Hash(ctx context.Context, p HashParams, password string) (string, error) {
	d, err := h.do(ctx, hashTask{Params: p, Password: []byte(password)})
	return d.Hash, err
}

// Close ends all that is idle, and what is not when it is done.
func (h *HashProcesses) Close() error {
	h.mu.Lock()
	idle := h.idle
	h.idle, h.closed = nil, true
	h.mu.Unlock()
	for _, p := range idle {
		p.end()
	}
	return nil
}

var errSlowHash = errors.New("hashing a password took too long")

// do has a task done, once more where the process that did it was ended by
// somebody.
func (h *HashProcesses) do(ctx context.Context, t hashTask) (hashDone, error) {
	for ended := 0; ; {
		p, err := h.take(ctx)
		if err != nil {
			h.told.Do(func() {
				h.log.WarnContext(ctx, "no process for password hashes can be started: they hold up other requests", "error", err)
			})
			return t.do(ctx)
		}
		d, err := p.ask(&t, h.longest)
		if err == nil {
			h.give(p)
			return d, d.err()
		}
		p.end()
		// One that was idle may have ended long ago.
		if p.fresh {
			ended++
		}
		if ended == 2 || errors.Is(err, errSlowHash) {
			return hashDone{}, err
		}
	}
}

func (h *HashProcesses) take(ctx context.Context) (*hashProcess, error) {
	h.mu.Lock()
	if n := len(h.idle); n > 0 {
		p := h.idle[n-1]
		h.idle = h.idle[:n-1]
		h.mu.Unlock()
		p.drop.Stop()
		p.fresh = false
		return p, nil
	}
	h.mu.Unlock()
	return h.start(ctx)
}

// start waits until the process is ready: where a limit on threads or a filter of
// system calls ends it at once, it would do so every time.
func (h *HashProcesses) start(ctx context.Context) (*hashProcess, error) {
	p, err := startHashProcess(h.command())
	if err != nil {
		return nil, err
	}
	ready, err := p.ask(nil, h.longest)
	if err != nil {
		p.end()
		return nil, fmt.Errorf("%w (%v)", err, p.cmd.ProcessState)
	}
	if err := ready.err(); err != nil {
		h.toldAbreast.Do(func() {
			h.log.WarnContext(ctx, "password hashes are not behind other requests", "error", err)
		})
	}
	return p, nil
}

func (h *HashProcesses) give(p *hashProcess) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		go p.end()
		return
	}
	h.idle = append(h.idle, p)
	p.drop = time.AfterFunc(unused, func() { h.remove(p) })
}

// remove ends a process that is idle still.
func (h *HashProcesses) remove(p *hashProcess) {
	h.mu.Lock()
	i := slices.Index(h.idle, p)
	if i >= 0 {
		h.idle = slices.Delete(h.idle, i, i+1)
	}
	h.mu.Unlock()
	if i >= 0 {
		p.end()
	}
}

// hashCommand is this very program, also where another has taken its place in
// the file system since it was started.
func hashCommand() *exec.Cmd {
	self := "/proc/self/exe"
	if runtime.GOOS != "linux" {
		self, _ = os.Executable() // "" cannot be started, which says so
	}
	return &exec.Cmd{
		Path: self,
		Args: []string{"jotsmith", HashCommand},
		// One core each, and no memory is collected but by [ServeHashes].
		Env: []string{"GOMAXPROCS=1", "GOGC=off"},
		// Control-C on a terminal is for the server, which still has to answer; and see
		// [letOthersFirst].
		SysProcAttr: &syscall.SysProcAttr{Setsid: true},
	}
}

// A hashProcess does one task at a time.
type hashProcess struct {
	cmd   *exec.Cmd
	in    *json.Encoder
	out   *json.Decoder
	drop  *time.Timer // ends it where it stays idle
	fresh bool        // has done nothing yet
}

func startHashProcess(cmd *exec.Cmd) (*hashProcess, error) {
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &hashProcess{cmd: cmd, in: json.NewEncoder(in), out: json.NewDecoder(out), fresh: true}, nil
}

// ask waits for the answer to a task or, without one, for the first answer, which
// says that the process is ready.
func (p *hashProcess) ask(t *hashTask, longest time.Duration) (d hashDone, err error) {
	late := time.AfterFunc(longest, func() { p.cmd.Process.Kill() })
	if t != nil {
		err = p.in.Encode(t)
	}
	if err == nil {
		err = p.out.Decode(&d)
	}
	switch slow := !late.Stop(); {
	case err == nil:
		return d, nil // where it was too late by a moment, the next task finds the process ended
	case slow:
		return hashDone{}, fmt.Errorf("%w: more than %v", errSlowHash, longest)
	}
	return hashDone{}, fmt.Errorf("hashing a password: the process for it has ended: %w", err)
}

// end ends the process, which keeps nothing that could be lost.
func (p *hashProcess) end() {
	p.cmd.Process.Kill()
	p.cmd.Wait()
}

// A hashTask is what a process is asked: whether Password is the one of Stored
// or, where Stored is empty, for a hash of it.
type hashTask struct {
	Stored   string     `json:",omitempty"`
	Params   HashParams `json:",omitzero"`
	Password []byte     // as it came: of other systems it need not be UTF-8
}

// A hashDone is its answer. One more comes first, when the process is ready, whose
// Error is of the priority.
type hashDone struct {
	Matches bool
	Hash    string `json:",omitempty"`
	Error   string `json:",omitempty"`
}

func (d hashDone) err() error {
	if d.Error == "" {
		return nil
	}
	return errors.New(d.Error)
}

// do does the task here.
func (t hashTask) do(ctx context.Context) (d hashDone, err error) {
	if t.Stored != "" {
		d.Matches, err = inProcess{}.Matches(ctx, t.Stored, string(t.Password))
	} else {
		d.Hash, err = inProcess{}.Hash(ctx, t.Params, string(t.Password))
	}
	return d, err
}

// behind is how far the kernel lets other processes go first, of nice(1).
const behind = 10

// letOthersFirst lowers the priority of all threads that there are; later ones
// are as those that start them. That counts within a session. Where Linux shares
// the cores between sessions first, such as ours and a database's, what counts is
// the priority of the process's own session (sched(7), autogroup).
func letOthersFirst() error {
	nice, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0)
	if runtime.GOOS == "linux" {
		nice = 20 - nice // as getpriority(2) has it
	}
	nice = min(nice+behind, 19)
	if err == nil {
		err = syscall.Setpriority(syscall.PRIO_PGRP, 0, nice)
	}
	if err != nil {
		return fmt.Errorf("letting others go first: %w", err)
	}
	go func() {
		// Only one such wish is heard in a tenth of a second, of anybody but root.
		for range 50 {
			if err := os.WriteFile("/proc/self/autogroup", []byte(strconv.Itoa(nice)), 0); !errors.Is(err, syscall.EAGAIN) {
				return // done, or there is no such thing
			}
			time.Sleep(120 * time.Millisecond)
		}
	}()
	return nil
}

// goFirst has a kernel without memory end this process before any other: what it
// does can be done again, and what the server does cannot. Where there is no such
// thing the kernel chooses.
func goFirst() {
	os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0) // proc(5): anybody may raise it
}

// ServeHashes does what a [HashProcesses] asks on in, to the end of it.
func ServeHashes(in io.Reader, out io.Writer) error {
	// The end of in is the only one: the server may still be answering.
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	var ready hashDone
	if err := letOthersFirst(); err != nil {
		ready.Error = err.Error() // a filter of system calls may forbid it
	}
	goFirst()
	tasks, answers := json.NewDecoder(in), json.NewEncoder(out)
	if err := answers.Encode(ready); err != nil {
		return fmt.Errorf("answering: %w", err)
	}
	for {
		var t hashTask
		switch err := tasks.Decode(&t); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("reading a task: %w", err)
		}
		d, err := t.do(context.Background())
		if err != nil {
			d.Error = err.Error()
		}
		if err := answers.Encode(d); err != nil {
			return fmt.Errorf("answering: %w", err)
		}
		// While the next one is awaited: the block goes back before it takes its own.
		runtime.GC()
	}
}

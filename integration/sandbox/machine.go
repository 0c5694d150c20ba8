//go:build linux

package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// machine is one booted system, seen from the host.
type machine struct {
	options  Options
	state    string    // the state folder: scripts, units, output, exit status; the keeper removes it
	keeper   *exec.Cmd // cleans up, see keeper.sh
	watch    *watch    // of the state folder
	started  chan struct{}
	lifeline *os.File // closed to end the sandbox
	ended    *os.File // at its end when the sandbox has ended
	console  *console
	terminal *terminal // nil without Options.Terminal
	outputs  []*output // empty with Options.Terminal
}

// start boots the system, which then starts the command by itself.
func start(o Options, command, env []string, stdout, stderr io.Writer) (m *machine, err error) {
	m = &machine{options: o}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.close())
		}
	}()

	if m.state, err = makeState(); err != nil {
		return m, err
	}
	if m.console, err = newConsole(o.Log); err != nil {
		return m, err
	}
	if o.Terminal != nil {
		if m.terminal, err = newTerminal(o); err != nil {
			return m, err
		}
	} else if m.outputs, err = newOutputs(o.Kind, m.state, stdout, stderr); err != nil {
		return m, err
	}
	if err = m.writeScripts(command, env); err != nil {
		return m, err
	}

	if err = m.watchStart(); err != nil {
		return m, err
	}

	lifelineInside, lifeline, err := os.Pipe()
	if err != nil {
		return m, err
	}
	defer lifelineInside.Close()
	m.lifeline = lifeline
	ended, endedInside, err := os.Pipe()
	if err != nil {
		return m, err
	}
	defer endedInside.Close()
	m.ended = ended

	cgroup, boot := "", []string(nil)
	files := []*os.File{endedInside}
	switch o.Kind {
	case Namespaces:
		hierarchy, err := cgroup2Mount()
		if err != nil {
			return m, err
		}
		cgroup = filepath.Join(hierarchy, filepath.Base(m.state))
		boot = bootNamespaces(m.state, cgroup)
	case UML:
		boot = bootUML(m.state, o)
		if m.terminal != nil {
			files = append(files, m.terminal.guest...)
		}
	}
	m.keeper = exec.Command("/bin/sh", append([]string{filepath.Join(m.state, "keeper"), m.state, cgroup}, boot...)...)
	m.keeper.Stdin = lifelineInside
	m.keeper.Stdout = m.console.slave
	m.keeper.Stderr = m.console.slave
	m.keeper.ExtraFiles = files
	// A session of its own: signals that the terminal or a shell sends to the caller's process group must not reach the keeper.
	m.keeper.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err = m.keeper.Start(); err != nil {
		m.keeper = nil
		return m, err
	}
	return m, nil
}

// makeState makes the state folder, in memory if there is room: UML writes output through to the disk.
func makeState() (string, error) {
	dir := os.TempDir()
	var shm unix.Statfs_t
	// Containers often have only 64 MiB there.
	if err := unix.Statfs("/dev/shm", &shm); err == nil && shm.Type == unix.TMPFS_MAGIC && shm.Bavail*uint64(shm.Bsize) > 256<<20 {
		dir = "/dev/shm"
	}
	state, err := os.MkdirTemp(dir, "msup-sandbox-")
	if err != nil {
		return "", err
	}
	return state, os.Mkdir(filepath.Join(state, "layers"), 0o755)
}

// wait returns when the sandbox has ended by itself. It ends it when ctx does, or when the command does not start in time.
func (m *machine) wait(ctx context.Context) error {
	ended := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, m.ended)
		close(ended)
	}()
	err := m.attend(ctx, ended)
	if err != nil {
		m.lifeline.Close()
		<-ended
	}
	return err
}

func (m *machine) attend(ctx context.Context, ended <-chan struct{}) error {
	boot := time.NewTimer(m.options.BootTimeout)
	defer boot.Stop()
	select {
	case <-m.started:
	case <-ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-boot.C:
		return fmt.Errorf("command did not start within %v", m.options.BootTimeout)
	}

	var escaped <-chan struct{}
	if m.terminal != nil {
		if err := m.terminal.start(); err != nil {
			return err
		}
		escaped = m.terminal.escaped
	}
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-escaped:
		return errors.New("ended by Ctrl-] three times")
	}
}

// watchStart makes m.started, which is closed when the command's script has made its file in the state folder.
func (m *machine) watchStart() (err error) {
	if m.watch, err = newWatch(m.state, unix.IN_CREATE); err != nil {
		return err
	}
	m.started = make(chan struct{})
	go func() {
		for m.watch.next() {
			if _, err := os.Stat(filepath.Join(m.state, startedName)); err == nil {
				close(m.started)
				return
			}
		}
	}()
	return nil
}

// hasStarted reports whether the command has.
func (m *machine) hasStarted() bool {
	select {
	case <-m.started:
		return true
	default:
		return false
	}
}

// exitStatus reads what the command's service has left.
func (m *machine) exitStatus() (int, error) {
	text, err := os.ReadFile(filepath.Join(m.state, exitName))
	if err != nil {
		return -1, errors.New("system ended before the command")
	}
	code, status, _ := strings.Cut(strings.TrimSpace(string(text)), " ")
	switch code {
	case "exited":
		return strconv.Atoi(status)
	case "killed", "dumped":
		if signal := unix.SignalNum("SIG" + status); signal != 0 {
			return 128 + int(signal), nil
		}
	}
	return -1, fmt.Errorf("cannot understand exit status %q", bytes.TrimSpace(text))
}

// close ends what is left, waits until the keeper has removed everything and all output is copied.
func (m *machine) close() error {
	var errs []error
	for _, o := range m.outputs {
		errs = append(errs, o.close())
	}
	if m.terminal != nil {
		errs = append(errs, m.terminal.close())
	}
	if m.lifeline != nil {
		m.lifeline.Close()
	}
	if m.keeper != nil {
		if err := m.keeper.Wait(); err != nil {
			errs = append(errs, fmt.Errorf("cannot clean up after sandbox: %w: %s", err, m.console.tail()))
		}
	} else if m.state != "" {
		errs = append(errs, os.RemoveAll(m.state))
	}
	if m.watch != nil {
		m.watch.Close()
	}
	if m.ended != nil {
		m.ended.Close()
	}
	if m.console != nil {
		m.console.close()
	}
	return errors.Join(errs...)
}

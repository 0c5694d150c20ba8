package units

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// Adopt implements [Forker].
func (StubForker) Adopt(pid int, unit string) (Child, error) {
	// Non-blocking, so that the runtime's poller waits for it (pidfd_open(2), Linux 5.10).
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("cannot find process %d: %w", pid, err)
	}
	c := &adopted{pid: pid, fd: os.NewFile(uintptr(fd), "pidfd")}
	// The number may be another process's by now. One that is in the unit is the unit's; and
	// if the descriptor is still good after the look, the look was at its process.
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err == nil && !inUnit(string(text), unit) {
		err = fmt.Errorf("it is not in %s", unit)
	}
	if err == nil {
		err = c.Signal(0)
	}
	if err != nil {
		c.fd.Close()
		return nil, fmt.Errorf("cannot find process %d: %w", pid, err)
	}
	return c, nil
}

// inUnit reports whether /proc/PID/cgroup names the unit in any hierarchy.
func inUnit(cgroup, unit string) bool {
	for line := range strings.Lines(cgroup) {
		if slices.Contains(strings.Split(strings.TrimSpace(line), "/"), unit) {
			return true
		}
	}
	return false
}

// adopted is a process that another supervisor has forked.
type adopted struct {
	pid int
	fd  *os.File
}

func (c *adopted) PID() int       { return c.pid }
func (c *adopted) Release() error { return nil }
func (c *adopted) Abort()         {}

func (c *adopted) Signal(signal int32) error {
	raw, err := c.fd.SyscallConn()
	if err != nil {
		return err
	}
	ctlErr := raw.Control(func(fd uintptr) { err = unix.PidfdSendSignal(int(fd), unix.Signal(signal), nil, 0) })
	if ctlErr != nil {
		return ctlErr
	}
	return os.NewSyscallError("pidfd_send_signal", err)
}

func (c *adopted) Wait() ChildStatus {
	defer c.fd.Close()
	raw, err := c.fd.SyscallConn()
	if err == nil {
		// A pidfd is readable when its process has ended.
		err = raw.Read(func(fd uintptr) bool {
			n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
			return n > 0 || (err != nil && err != unix.EINTR)
		})
	}
	if err != nil {
		return ChildStatus{Err: fmt.Errorf("cannot wait for process %d: %w", c.pid, err)}
	}
	return ChildStatus{Err: ErrUnknowable}
}

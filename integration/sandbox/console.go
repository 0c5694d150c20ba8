//go:build linux

package sandbox

import (
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// console is the terminal of the booted system's messages. It has to be one: systemd writes to no /dev/console that is not.
type console struct {
	master, slave *os.File
	done          chan struct{}

	mu   sync.Mutex
	last []byte // the last messages, for an error
}

// consoleTail is how many bytes of messages an error shows.
const consoleTail = 4096

func newConsole(log io.Writer) (*console, error) {
	master, slave, err := openPTY()
	if err != nil {
		return nil, err
	}
	c := &console{master: master, slave: slave, done: make(chan struct{})}
	if log == nil {
		log = io.Discard
	}
	go func() {
		defer close(c.done)
		_ = copyAll(io.MultiWriter(c, log), master)
	}()
	return c, nil
}

func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.last = append(c.last, p...)
	if over := len(c.last) - consoleTail; over > 0 {
		c.last = append(c.last[:0], c.last[over:]...)
	}
	return len(p), nil
}

func (c *console) tail() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return string(c.last)
}

// close returns when all messages are copied. Nobody has the terminal open any more.
func (c *console) close() {
	c.slave.Close()
	<-c.done // reading a terminal that nobody has open fails with EIO
	c.master.Close()
}

// openPTY makes a pair of terminals in raw mode. The name of the second is its path.
func openPTY() (master, slave *os.File, err error) {
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot open pseudo-terminal: %w", err)
	}
	master = os.NewFile(uintptr(fd), "/dev/ptmx")
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		master.Close()
		return nil, nil, fmt.Errorf("cannot open pseudo-terminal: %w", err)
	}
	return master, slave, nil
}

//go:build linux

package sandbox

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"time"

	"golang.org/x/sys/unix"
)

// terminal connects the caller's terminal with the command's. Inside, the command has a terminal that is its own, with a line
// discipline that turns Ctrl-C into SIGINT; the caller's only passes bytes, in raw mode, while the command runs. Until then it stays as it
// is, so that Ctrl-C interrupts the boot.
type terminal struct {
	user  *os.File
	saved *unix.Termios // nil while the user's terminal is not in raw mode

	keys   *os.File // what the user types goes here
	screen *os.File // what the command writes comes from here

	// In namespaces, keys and screen are one pseudo-terminal, and slave its other end, which is bound to /dev/tty1 inside.
	slave *os.File
	// In UML they are pipes, and guest their other ends, between which the kernel inside puts its tty1.
	guest []*os.File

	escaped chan struct{} // closed when the user has asked to end the sandbox
	wake    *os.File      // closed to end the reading of keys
	copied  chan error    // one for keys, one for the screen
	resized chan os.Signal
}

func newTerminal(o Options) (t *terminal, err error) {
	t = &terminal{user: o.Terminal, escaped: make(chan struct{}), copied: make(chan error, 2), resized: make(chan os.Signal, 1)}
	if _, err := unix.IoctlGetTermios(int(t.user.Fd()), unix.TCGETS); err != nil {
		return nil, fmt.Errorf("cannot use %s as terminal: %w", t.user.Name(), err)
	}
	if o.Kind == Namespaces {
		t.keys, t.slave, err = openPTY()
		t.screen = t.keys
		return t, err
	}
	keys, err := pipe(&t.keys)
	if err != nil {
		return nil, err
	}
	screen, guestScreen, err := os.Pipe()
	if err != nil {
		return nil, errors.Join(err, keys.Close(), t.keys.Close())
	}
	t.screen, t.guest = screen, []*os.File{keys, guestScreen}
	return t, nil
}

// pipe returns the reading end of a new pipe and sets write to the other.
func pipe(write **os.File) (*os.File, error) {
	r, w, err := os.Pipe()
	*write = w
	return r, err
}

// slavePath is the path of the command's terminal on the host, if it has one.
func (t *terminal) slavePath() string {
	if t == nil || t.slave == nil {
		return ""
	}
	return t.slave.Name()
}

// start puts the user's terminal into raw mode and copies, once the command has its terminal.
func (t *terminal) start() error {
	fd := int(t.user.Fd())
	saved, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return fmt.Errorf("cannot read terminal settings: %w", err)
	}
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, raw(*saved)); err != nil {
		return fmt.Errorf("cannot set terminal to raw mode: %w", err)
	}
	t.saved = saved

	if t.slave != nil {
		t.resize()
		signal.Notify(t.resized, unix.SIGWINCH)
		go func() {
			for range t.resized {
				t.resize()
			}
		}()
	}
	wakened, err := pipe(&t.wake)
	if err != nil {
		return err
	}
	go func() {
		t.copied <- t.copyKeys(wakened)
		wakened.Close()
	}()
	go func() {
		err := copyAll(t.user, t.screen)
		if errors.Is(err, unix.EIO) { // the end of a pseudo-terminal
			err = nil
		}
		t.copied <- err
	}()
	return nil
}

// resize gives the command's terminal the size of the user's, for which the kernel sends SIGWINCH inside. The terminals of UML take no size
// from outside.
func (t *terminal) resize() {
	rows, columns := size(t.user)
	_ = unix.IoctlSetWinsize(int(t.slave.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns})
}

// escapeKey is Ctrl-]. Three within a second end the sandbox, as in systemd-nspawn.
const escapeKey = 0x1d

// copyKeys copies what the user types until wakened is at its end. It polls since a terminal may not be read without blocking: the
// flag for it would be that of all processes that have it open, the user's shell too.
func (t *terminal) copyKeys(wakened *os.File) error {
	var escapes []time.Time
	buffer := make([]byte, 4096)
	ready := []unix.PollFd{
		{Fd: int32(t.user.Fd()), Events: unix.POLLIN},
		{Fd: int32(wakened.Fd()), Events: unix.POLLIN},
	}
	for {
		if _, err := unix.Poll(ready, -1); err == unix.EINTR {
			continue
		} else if err != nil {
			return os.NewSyscallError("poll", err)
		}
		if ready[1].Revents != 0 {
			return nil
		}
		n, err := unix.Read(int(t.user.Fd()), buffer)
		if err == unix.EINTR {
			continue
		}
		if err != nil || n == 0 {
			return nil // hung up; the caller gets SIGHUP
		}
		for _, key := range buffer[:n] {
			if key != escapeKey {
				escapes = nil
				continue
			}
			escapes = append(escapes, time.Now())
			if l := len(escapes); l >= 3 && escapes[l-1].Sub(escapes[l-3]) < time.Second {
				close(t.escaped)
				return nil
			}
		}
		if _, err := t.keys.Write(buffer[:n]); err != nil {
			return nil // the machine has ended
		}
	}
}

// close returns when all output is on the user's terminal, and the terminal is as it was. The command has ended.
func (t *terminal) close() error {
	// The copying of the screen ends when nobody has the other end.
	others := append([]*os.File{}, t.guest...)
	if t.slave != nil {
		signal.Stop(t.resized)
		close(t.resized)
		others = append(others, t.slave)
	}
	for _, f := range others {
		f.Close()
	}
	var errs []error
	if t.wake != nil {
		t.wake.Close()
		errs = append(errs, <-t.copied, <-t.copied)
	}
	if t.saved != nil {
		// Drained, as output that is still on its way needs the raw mode.
		if err := unix.IoctlSetTermios(int(t.user.Fd()), unix.TCSETSW, t.saved); err != nil {
			errs = append(errs, fmt.Errorf("cannot restore terminal: %w", err))
		}
	}
	for _, f := range []io.Closer{t.keys, t.screen} {
		f.Close()
	}
	return errors.Join(errs...)
}

// raw returns settings as cfmakeraw(3) makes them.
func raw(t unix.Termios) *unix.Termios {
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	t.Oflag &^= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cflag &^= unix.CSIZE | unix.PARENB
	t.Cflag |= unix.CS8
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	return &t
}

// size is the number of rows and columns of a terminal.
func size(tty *os.File) (rows, columns uint16) {
	if w, err := unix.IoctlGetWinsize(int(tty.Fd()), unix.TIOCGWINSZ); err == nil && w.Row > 0 && w.Col > 0 {
		return w.Row, w.Col
	}
	return 24, 80
}

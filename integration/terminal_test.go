//go:build linux

package integration

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/sys/unix"
)

// terminal is a terminal in which a script has started a command:
//
//	pty CMD…        starts CMD in a terminal of its own
//	screen REGEXP   waits until its output has a match
//	seen REGEXP     looks whether its output has a match so far
//	type TEXT       types TEXT, in which ^C is Ctrl-C
//	ended STATUS    waits until CMD has ended, with this exit status
//	hangup          closes the terminal's window
type terminal struct {
	master *os.File
	cmd    *exec.Cmd
	done   chan struct{} // closed when the command has ended
	read   chan struct{} // closed when all its output is read
	err    error         // of the command

	mu     sync.Mutex
	output []byte
}

// screenTime is how long screen and ended wait.
const screenTime = 15 * time.Second

func startTerminal(ts *testscript.TestScript, args []string) error {
	s := scriptOf(ts)
	s.endTerminal()
	cmd, err := prepare(context.Background(), ts, args)
	if err != nil {
		return err
	}
	master, slave, err := openPTY()
	if err != nil {
		return err
	}
	defer slave.Close()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setsid, cmd.SysProcAttr.Setctty = true, true
	if err := cmd.Start(); err != nil {
		return errors.Join(err, master.Close())
	}
	t := &terminal{master: master, cmd: cmd, done: make(chan struct{}), read: make(chan struct{})}
	go t.copy()
	go func() {
		t.err = cmd.Wait()
		close(t.done)
	}()
	s.tty = t
	return nil
}

func openPTY() (master, slave *os.File, err error) {
	if master, err = os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0); err != nil {
		return nil, nil, err
	}
	raw, err := master.SyscallConn()
	if err != nil {
		return nil, nil, errors.Join(err, master.Close())
	}
	number := 0
	ctlErr := raw.Control(func(fd uintptr) {
		if number, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN); err != nil {
			return
		}
		if err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err != nil {
			return
		}
		err = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: 40, Col: 120})
	})
	if err = errors.Join(ctlErr, err); err == nil {
		slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	}
	if err != nil {
		return nil, nil, errors.Join(err, master.Close())
	}
	return master, slave, nil
}

func (t *terminal) copy() {
	defer close(t.read)
	buf := make([]byte, 4096)
	for {
		n, err := t.master.Read(buf)
		t.mu.Lock()
		t.output = append(t.output, buf[:n]...)
		t.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (t *terminal) text() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.output)
}

func (s *script) terminal() (*terminal, error) {
	if s.tty == nil {
		return nil, errors.New("there is no terminal: pty starts one")
	}
	return s.tty, nil
}

func screen(ts *testscript.TestScript, args []string) error {
	return waitFor(ts, append([]string{"-t", screenTime.String(), "seen"}, args...))
}

func seen(ts *testscript.TestScript, args []string) error {
	t, err := scriptOf(ts).terminal()
	if err != nil {
		return err
	}
	if len(args) != 1 {
		return errors.New("usage: seen REGEXP")
	}
	re, err := regexp.Compile("(?m)" + args[0])
	if err != nil {
		return err
	}
	if text := t.text(); !re.MatchString(text) {
		return fmt.Errorf("no match for %q on the screen:\n%q", args[0], text)
	}
	return nil
}

func typeKeys(ts *testscript.TestScript, args []string) error {
	t, err := scriptOf(ts).terminal()
	if err != nil {
		return err
	}
	_, err = t.master.WriteString(strings.ReplaceAll(strings.Join(args, " "), "^C", "\x03"))
	return err
}

func terminalEnded(ts *testscript.TestScript, args []string) error {
	t, err := scriptOf(ts).terminal()
	if err != nil {
		return err
	}
	if len(args) != 1 {
		return errors.New("usage: ended STATUS")
	}
	want, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	select {
	case <-t.done:
	case <-time.After(screenTime):
		return fmt.Errorf("it has not ended after %v; on the screen:\n%s", screenTime, t.text())
	}
	select {
	case <-t.read: // nobody has the other end open any more
	case <-time.After(time.Second):
	}
	ts.Stdout().Write([]byte(t.text()))
	if got := t.cmd.ProcessState.ExitCode(); got != want {
		return fmt.Errorf("exit status %d (%v), want %d", got, t.err, want)
	}
	return nil
}

func hangUp(ts *testscript.TestScript, _ []string) error {
	t, err := scriptOf(ts).terminal()
	if err != nil {
		return err
	}
	return t.master.Close()
}

// endTerminal ends what is left of the last one.
func (s *script) endTerminal() {
	if s.tty == nil {
		return
	}
	_ = s.tty.cmd.Process.Kill() // it has mostly ended
	<-s.tty.done
	_ = s.tty.master.Close() // hangup may have done so
	s.tty = nil
}

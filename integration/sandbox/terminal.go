//go:build linux

package sandbox

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// size is the number of rows and columns of a terminal.
func size(tty *os.File) (rows, columns uint16) {
	if w, err := unix.IoctlGetWinsize(int(tty.Fd()), unix.TIOCGWINSZ); err == nil && w.Row > 0 && w.Col > 0 {
		return w.Row, w.Col
	}
	return 24, 80
}

type terminal struct {
	path  string
	guest []*os.File
}

func newTerminal(o Options) (*terminal, error) { return nil, errors.New("terminals not there yet") }
func (t *terminal) start()                     {}
func (t *terminal) close() error               { return nil }

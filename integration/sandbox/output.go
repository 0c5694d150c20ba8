//go:build linux

package sandbox

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// output copies one stream of the command from the state folder to a writer.
type output struct {
	read *os.File
	end  io.Closer // closed when nothing more will be written
	done chan error
}

// newOutputs makes the outputs of a command. Two writers that are the same get one stream, so that the order is kept.
func newOutputs(kind Kind, state string, stdout, stderr io.Writer) ([]*output, error) {
	names, writers := []string{stdoutName, stderrName}, []io.Writer{stdout, stderr}
	if same(stdout, stderr) {
		names, writers = names[:1], writers[:1]
	}
	var outputs []*output
	for i, name := range names {
		to := writers[i]
		if to == nil {
			to = io.Discard
		}
		make := newPipeOutput
		if kind == UML {
			make = newFileOutput
		}
		o, err := make(filepath.Join(state, name), to)
		if err != nil {
			return outputs, fmt.Errorf("cannot make output of command: %w", err)
		}
		outputs = append(outputs, o)
	}
	return outputs, nil
}

// same reports whether a and b are one writer.
func same(a, b io.Writer) bool {
	defer func() { _ = recover() }() // of types that cannot be compared
	return a == b
}

// newPipeOutput makes a named pipe, for a command on the same kernel.
func newPipeOutput(path string, to io.Writer) (*output, error) {
	if err := unix.Mkfifo(path, 0o622); err != nil {
		return nil, &fs.PathError{Op: "mkfifo", Path: path, Err: err}
	}
	read, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	// A writer of our own: without one, the pipe would be at its end before the command opens it.
	write, err := os.OpenFile(path, os.O_WRONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, errors.Join(err, read.Close())
	}
	o := &output{read: read, end: write, done: make(chan error, 1)}
	go func() { o.done <- copyAll(to, read) }()
	return o, nil
}

// newFileOutput makes a file that is read while it grows, for a command on another kernel.
func newFileOutput(path string, to io.Writer) (*output, error) {
	read, err := os.OpenFile(path, os.O_RDONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	watch, err := newWatch(path, unix.IN_MODIFY)
	if err != nil {
		return nil, errors.Join(err, read.Close())
	}
	o := &output{read: read, end: watch, done: make(chan error, 1)}
	go func() {
		for {
			// An error of to must not stop the reading of a watch that goes on; there is nobody to slow down.
			more := watch.next()
			if err := copyAll(to, read); err != nil || !more {
				o.done <- err
				return
			}
		}
	}()
	return o, nil
}

// copyAll is io.Copy, and goes on reading when to fails, so that a command does not hang on a full pipe.
func copyAll(to io.Writer, from io.Reader) error {
	_, err := io.Copy(to, from)
	if err != nil {
		_, _ = io.Copy(io.Discard, from)
		err = fmt.Errorf("cannot copy output of command: %w", err)
	}
	return err
}

// close returns when all is copied. The command and all that could write have ended.
func (o *output) close() error {
	return errors.Join(o.end.Close(), <-o.done, o.read.Close())
}

package probe

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Sink takes the output of a command that somebody else runs: a FIFO whose last line it
// keeps, however much comes.
type Sink struct {
	path string
	file *os.File
	wg   sync.WaitGroup

	tail []byte // the last bytes that came; of the reading goroutine until it has ended
}

// NewSink makes the FIFO, and the folder it is in.
func NewSink(path string) (*Sink, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	// One that is there was left behind, perhaps with somebody at its other end.
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err := unix.Mkfifo(path, 0o600); err != nil {
		return nil, fmt.Errorf("cannot make %s: %w", path, err)
	}
	// For reading and writing, so that the open waits for nobody and there is never an end.
	file, err := os.OpenFile(path, os.O_RDWR|unix.O_NONBLOCK|unix.O_NOFOLLOW, 0)
	if err != nil {
		os.Remove(path)
		return nil, err
	}
	// A command of another user may open its /dev/stdout again; the folder keeps all others out.
	if err := file.Chmod(0o666); err != nil {
		file.Close()
		os.Remove(path)
		return nil, err
	}
	s := &Sink{path: path, file: file}
	s.wg.Go(func() {
		buf := make([]byte, 8192)
		for {
			n, err := s.file.Read(buf)
			s.add(buf[:n])
			if err != nil {
				return
			}
		}
	})
	return s, nil
}

// maxPipe is what a pipe holds at most, unless root makes it larger: bytes.
const maxPipe = 1 << 20

// Path is where the command's output is to go.
func (s *Sink) Path() string { return s.path }

func (s *Sink) add(data []byte) {
	s.tail = append(s.tail, data...)
	// Twice what is kept: there may be empty lines behind the last one that is not.
	if extra := len(s.tail) - 4*MaxLine; extra > 0 {
		s.tail = append(s.tail[:0], s.tail[extra:]...)
	}
}

// Close returns the last line that has come, and removes the FIFO.
func (s *Sink) Close() string {
	defer s.file.Close()
	os.Remove(s.path)
	if s.file.SetReadDeadline(time.Unix(1, 0)) != nil { // the reader ends
		s.file.Close()
	}
	s.wg.Wait()
	// What has come since, without waiting for more.
	if raw, err := s.file.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			buf := make([]byte, 8192)
			for range maxPipe / len(buf) {
				n, err := unix.Read(int(fd), buf)
				if n <= 0 || err != nil {
					return
				}
				s.add(buf[:n])
			}
		})
	}
	return LastLine(s.tail)
}

package capture

import (
	"context"
	"errors"

	"golang.org/x/sys/unix"
)

// Place is a place in a file, which keeps its inode when it is rotated.
type Place struct {
	Inode  uint64 // 0 = there was no file
	Offset int64  // bytes
}

// Here finds the place in the file behind what is in the pipe now. It does not wait; the
// function it returns does, until these bytes are in the file and the journal has their
// last line, as [Stream.Drain] does. Call it after the program's end.
func (s *Stream) Here() func(context.Context) (Place, error) {
	r := &request{here: &Place{}}
	wait := s.submit(r, "drain "+s.cfg.FIFO)
	return func(ctx context.Context) (Place, error) {
		if err := wait(ctx); err != nil {
			return Place{}, err // r is still in use
		}
		return *r.here, nil
	}
}

var errNoPlace = errors.New("it is no regular file")

func (s *Stream) place() (Place, error) {
	t := s.target
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.fd < 0 {
		// Nothing was written yet, or somebody has moved the file.
		var st unix.Stat_t
		if err := unix.Lstat(t.path, &st); errors.Is(err, unix.ENOENT) {
			return Place{}, nil
		} else if err != nil || st.Mode&unix.S_IFMT != unix.S_IFREG {
			return Place{}, errNoPlace
		}
		return Place{Inode: st.Ino, Offset: st.Size}, nil
	}
	if !t.regular {
		return Place{}, errNoPlace
	}
	size, err := t.size()
	return Place{Inode: t.ino, Offset: size}, err
}

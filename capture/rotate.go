package capture

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// overMax is how much larger than allowed a file may become for the sake of a whole
	// line at its end.
	overMax = 1 << 20
	// rotatePause is the time between tries to rotate a file that cannot be rotated. It
	// grows meanwhile: bytes come first.
	rotatePause = 10 * time.Second
)

// Rotate moves what is in the pipe now to the file and makes the file FILE.1, whatever its
// size, unless it is empty. A line that the program has begun is completed from what is
// in the pipe, and cut if its end is not there, or nothing can be written.
func (s *Stream) Rotate(ctx context.Context) error {
	return s.ask(ctx, &request{rotate: true}, "rotate "+s.cfg.File)
}

// limit is the size at which the file is rotated; 0 = none.
func (r Rotation) limit() int64 {
	if r.TotalMax > 0 && r.MaxSize > 0 {
		return min(r.MaxSize, r.TotalMax)
	}
	return r.MaxSize
}

// room returns how many more bytes go into the file of that size before it is rotated; less
// than 0 if that should have been; false = any number. The file is open and t.mu held.
func (s *Stream) room(size int64, now time.Time) (int64, bool) {
	t := s.target
	switch {
	case len(s.due) == 0:
	case !t.regular:
		s.answer(fmt.Errorf("cannot rotate %s: it is not a regular file", t.path))
	case size == 0:
		s.answer(nil)
	default:
		if s.dueAt < 0 {
			s.dueAt = size
		}
		return s.dueAt - size, true
	}
	limit := t.rotation.limit()
	if limit == 0 || !t.regular || now.Before(t.rotateAt) {
		return 0, false
	}
	return limit - size, true
}

// fit returns how many of the n bytes in the pipe may be written to the file now; 0 after
// it has rotated the file, or tried to. The file is open and t.mu held.
//
// Far from the limit no byte is looked at. Near it, the last line end before it is found.
func (s *Stream) fit(n int, now time.Time) (int, error) {
	t := s.target
	if t.rotation.limit() == 0 && len(s.due) == 0 {
		return n, nil
	}
	size, err := t.size()
	if err != nil {
		return 0, err
	}
	room, limited := s.room(size, now)
	switch {
	case !limited || room >= int64(n):
		return n, nil
	case room > peekMax:
		return int(room - peekMax), nil
	}
	p, err := s.mover.peekers.get()
	if err != nil {
		return n, nil // no descriptor to look with: bytes come first
	}
	defer s.mover.peekers.put(p)
	data, err := p.peek(s.pipe, n)
	if err != nil || len(data) == 0 {
		return 0, err
	}
	take := beforeRotation(data, room, size > 0 && t.atLineEnd(size))
	if take == 0 {
		s.rotate(now)
	}
	return take, nil
}

// beforeRotation returns how much of data still goes into a file that has room for that
// many bytes (less than 0: it is already too large); 0 = rotate now.
func beforeRotation(data []byte, room int64, atLineEnd bool) int {
	if whole := bytes.LastIndexByte(data[:max(0, min(room, int64(len(data))))], '\n') + 1; whole > 0 || atLineEnd {
		return whole
	}
	// In the middle of a line: to its end, if that is not too far.
	end := int64(bytes.IndexByte(data, '\n') + 1)
	if end == 0 {
		end = int64(len(data))
	}
	return int(max(0, min(end, room+overMax)))
}

// rotateDue rotates the file for those who asked, where it is.
func (s *Stream) rotateDue(now time.Time) {
	if len(s.due) == 0 {
		return
	}
	t := s.target
	t.mu.Lock()
	defer t.mu.Unlock()
	err := t.prepare(now)
	var size int64
	if err == nil {
		size, err = t.size()
	}
	if err != nil {
		s.answer(err)
		return
	}
	if s.room(size, now); len(s.due) > 0 {
		s.rotate(now)
	}
}

// answer tells those who asked for a rotation how it went.
func (s *Stream) answer(err error) {
	for _, r := range s.due {
		r.done <- err
	}
	s.due, s.dueAt = nil, -1
}

// rotate rotates the file, which is not empty, with t.mu held. It answers and tells how it
// went; a file that cannot be rotated grows for a while.
func (s *Stream) rotate(now time.Time) {
	t := s.target
	err := t.rotate(now)
	if err != nil {
		err = fmt.Errorf("cannot rotate %s: %w", t.path, err)
		t.rotateAt = now.Add(rotatePause)
	}
	s.rotated(err, now)
	s.answer(err)
	s.mover.keeper.tidy(t)
}

// rotate makes the file FILE.1 and opens a new one.
//
// Whatever moment a kill comes at, each byte is in one of the files, and the next rotation
// or the keeper finishes what was begun.
func (t *target) rotate(now time.Time) error {
	dir, base, err := openFolder(t.path)
	if err != nil {
		return err
	}
	defer unix.Close(dir)
	var st unix.Stat_t
	err = unix.Fstatat(dir, base, &st, unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.ENOENT) || err == nil && (st.Ino != t.ino || st.Dev != t.dev) {
		t.close() // somebody else has rotated it
		return nil
	}
	if err != nil {
		return err
	}
	all, err := backups(dir, base)
	if err != nil {
		return err
	}
	if err := shift(dir, base, all); err != nil {
		return err
	}
	if err := rename(dir, base, backupName(base, 1, false)); err != nil {
		return fmt.Errorf("cannot rename %s: %w", base, err)
	}
	t.close()
	_ = t.open(now) // what fails is told when there is a byte for it
	t.rotateAt = time.Time{}
	if all, err = backups(dir, base); err != nil {
		return err
	}
	return prune(dir, all, t.rotation.Backups, t.rotation, t.rotation.limit(), now)
}

// size returns the size of the file as it is now.
func (t *target) size() (int64, error) {
	var st unix.Stat_t
	if err := unix.Fstat(t.fd, &st); err != nil {
		return 0, fmt.Errorf("cannot write %s: %w", t.path, err)
	}
	return st.Size, nil
}

// atLineEnd reports whether the file of that size ends in a newline, or is empty.
func (t *target) atLineEnd(size int64) bool {
	if size == 0 || !t.regular {
		return true
	}
	var b [1]byte
	n, err := unix.Pread(t.fd, b[:], size-1)
	return n != 1 || err != nil || b[0] == '\n' // unknown where it may not be read
}

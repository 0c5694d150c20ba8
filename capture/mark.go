package capture

import (
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Mark writes a line of our own to the file, behind what is in the pipe now and on a line of
// its own. It does not wait, and is not counted in [Stats]. If the file cannot be written
// there is no mark.
func (s *Stream) Mark(text string) {
	s.enqueue(&request{mark: strings.ReplaceAll(text, "\n", " ") + "\n"})
}

func (s *Stream) writeMark(line string, now time.Time) {
	t := s.target
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.prepare(now) != nil || t.enough(len(line), now) != nil {
		return
	}
	size, err := t.size()
	if err != nil {
		return
	}
	text := s.cfg.appendHead(nil, now)
	if !t.atLineEnd(size) {
		text = append([]byte{'\n'}, text...)
	}
	if _, err := t.write(append(text, line...)); err != nil && t.regular {
		_ = unix.Ftruncate(t.fd, size) // no half of a mark
	}
}

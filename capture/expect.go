package capture

import (
	"bytes"
	"regexp"
	"time"
)

// Expectation is a line that is waited for. While a stream has one, what is in its pipe is
// looked at before it is moved, and only whole lines are moved: so the line that is waited for
// is still in the pipe when Found is called, and a supervisor that takes over after a kill
// finds it again. Of a line only the first [ExpectMax] bytes are looked at, without the
// newline.
type Expectation struct {
	Pattern *regexp.Regexp
	// Found is told of the first line that matches, and nothing is moved until it has returned.
	// false = the stream shall end and leave the line in the pipe.
	Found func(line []byte) bool

	from uint64 // so many bytes have left the pipe when the first comes that is looked at
	long bool   // the next bytes belong to a line of which enough was seen
}

// ExpectMax is how much of a line is looked at, in bytes.
const ExpectMax = 8 << 10

// Expect has the stream look for a line in what is written from now on; nil = no more. It does
// not wait. An expectation is for one stream.
func (s *Stream) Expect(e *Expectation) {
	s.mu.Lock()
	if n, err := s.waiting(); e != nil && s.pipe >= 0 && err == nil {
		e.from = s.gone() + uint64(n)
	}
	s.mu.Unlock()
	if s.expected.Swap(e) != nil {
		s.kick() // the begin of a line may be held back
	}
}

// heldMax is the longest time between two looks at a line that has not ended yet.
const heldMax = 100 * time.Millisecond

// listen looks at what is in the pipe. Of n bytes in it and the staging FIFO free may be
// moved; long is what e.long is when they are. ok = false: the stream shall end.
func (s *Stream) listen(e *Expectation, n int) (free int, long, ok bool) {
	s.mu.Lock()
	gone := s.gone()
	s.mu.Unlock()
	if gone < e.from {
		return int(min(uint64(n), e.from-gone)), e.long, true
	}
	held := 0
	if s.stage != nil {
		held, _ = readable(s.stage.pipe) // it was looked at before it was put there
	}
	fresh := n - held
	if fresh <= 0 {
		return n, e.long, true
	}
	p, err := s.mover.peekers.get()
	if err != nil {
		return n, e.long, true // no descriptor for peeking: the file comes first
	}
	data, err := p.peek(s.pipe, fresh)
	if err != nil {
		s.mover.peekers.put(p)
		return n, e.long, true // the move will say what is wrong
	}
	free, line, long := e.scan(data, min(ExpectMax, s.pipeSize/2))
	line = bytes.Clone(line)
	s.mover.peekers.put(p)
	if line == nil {
		return held + free, long, true
	}
	if !e.Found(line) {
		return 0, false, false
	}
	s.expected.CompareAndSwap(e, nil)
	return n, false, true
}

// scan returns how many bytes of data may be moved, and the first line that matches, nil =
// none. A line without its end is held back as long as it is shorter than most bytes.
func (e *Expectation) scan(data []byte, most int) (free int, line []byte, long bool) {
	long = e.long
	for free < len(data) {
		rest := data[free:]
		i := bytes.IndexByte(rest, '\n')
		whole := i >= 0
		if !whole {
			if !long && len(rest) < most {
				return free, nil, false
			}
			i = len(rest)
		}
		if !long {
			line := bytes.TrimSuffix(rest[:min(i, most)], []byte{'\r'})
			if e.Pattern.Match(line) {
				return free, append([]byte{}, line...), false
			}
		}
		long = !whole
		free += i
		if whole {
			free++
		}
	}
	return free, nil, long
}

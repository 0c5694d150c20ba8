package capture

import (
	"context"
	"fmt"
	"math"
	"os"
	"time"
)

// request is something to do when all bytes that were in the pipe when it came are in the
// file.
type request struct {
	upTo   uint64 // count of bytes that have left the pipe by then
	set    bool   // upTo is known
	rotate bool   // rotate the file then
	done   chan error
}

// ask has r done and waits for it.
func (s *Stream) ask(ctx context.Context, r *request, what string) error {
	r.done = make(chan error, 1)
	s.mu.Lock()
	if s.pipe < 0 {
		s.mu.Unlock()
		return os.ErrClosed
	}
	s.drains = append(s.drains, r)
	s.mu.Unlock()
	s.kick()
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		return fmt.Errorf("cannot %s: %w", what, ctx.Err())
	}
}

// asked returns how many requests wait. Only the running goroutine takes any away.
func (s *Stream) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.drains)
}

// note tells the first requests, as many as asked, what they wait for, now that n bytes are
// in the pipe, and does those that have it. It reports whether any is left.
func (s *Stream) note(asked, n int) bool {
	s.mu.Lock()
	var reached []*request
	waiting := s.drains[:0]
	for i, r := range s.drains {
		if !r.set && i < asked {
			r.upTo, r.set = s.gone()+uint64(n), true
		}
		if r.set && s.gone() >= r.upTo {
			reached = append(reached, r)
		} else {
			waiting = append(waiting, r)
		}
	}
	s.drains = waiting
	if len(waiting) == 0 {
		s.drains = nil
	}
	s.mu.Unlock()
	for _, r := range reached {
		s.do(r)
	}
	return len(waiting) > 0
}

// next returns how many bytes may be moved before a request is reached for which the very
// byte matters.
func (s *Stream) next() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.drains {
		if r.rotate && r.set {
			return int(r.upTo - s.gone())
		}
	}
	return math.MaxInt
}

// gone is how many bytes have left the pipe, with s.mu held.
func (s *Stream) gone() uint64 { return s.stats.Bytes + s.stats.Lost }

// do answers a request whose bytes are where they belong.
func (s *Stream) do(r *request) {
	if r.rotate {
		s.due = append(s.due, r)
		return
	}
	if s.journal != nil {
		s.journal.flush(time.Now())
	}
	r.done <- nil
}

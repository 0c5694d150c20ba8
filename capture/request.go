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
	mark   string // a line to write then
	here   *Place // to be told where the file ends then
	done   chan error
}

// ask has r done and waits for it.
func (s *Stream) ask(ctx context.Context, r *request, what string) error {
	return s.submit(r, what)(ctx)
}

// submit has r done, and returns a function that waits for it.
func (s *Stream) submit(r *request, what string) func(context.Context) error {
	open := s.enqueue(r)
	return func(ctx context.Context) error {
		if !open {
			return os.ErrClosed
		}
		select {
		case err := <-r.done:
			return err
		case <-ctx.Done():
			return fmt.Errorf("cannot %s: %w", what, ctx.Err())
		}
	}
}

// enqueue has r done, unless the stream is closed.
func (s *Stream) enqueue(r *request) bool {
	r.done = make(chan error, 1)
	s.mu.Lock()
	open := s.pipe >= 0
	if open {
		if !s.busy {
			s.await(r)
		}
		s.drains = append(s.drains, r)
	}
	s.mu.Unlock()
	if open {
		s.kick()
	}
	return open
}

// asked returns how many requests wait. Only the running goroutine takes any away.
func (s *Stream) asked() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.drains)
}

// await tells r what it waits for, with s.mu held and no bytes on their way.
func (s *Stream) await(r *request) {
	if n, err := s.waiting(); err == nil {
		r.upTo, r.set = s.gone()+uint64(n), true
	}
}

// note tells the first requests, as many as asked, what they wait for, if they do not know
// yet, now that n bytes are in the pipe. It does those that have it, or wait only for the last
// held bytes.
func (s *Stream) note(asked, n, held int) {
	s.mu.Lock()
	var reached []*request
	waiting := s.drains[:0]
	for i, r := range s.drains {
		if !r.set && i < asked {
			r.upTo, r.set = s.gone()+uint64(n), true
		}
		if r.set && s.gone()+uint64(held) >= r.upTo {
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
}

// next returns how many bytes may be moved before a request is reached for which the very
// byte matters. From now on until they are counted, bytes are on their way.
func (s *Stream) next() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy = true
	for _, r := range s.drains {
		if r.set && (r.rotate || r.mark != "" || r.here != nil) {
			return int(r.upTo - s.gone())
		}
	}
	return math.MaxInt
}

// gone is how many bytes have left the pipe, with s.mu held.
func (s *Stream) gone() uint64 { return s.stats.Bytes + s.stats.Lost }

// do answers a request whose bytes are where they belong.
func (s *Stream) do(r *request) {
	switch {
	case r.rotate:
		s.due = append(s.due, r)
		return
	case r.mark != "":
		s.writeMark(r.mark, time.Now())
		return
	}
	if r.here != nil {
		var err error
		if *r.here, err = s.place(); err != nil {
			r.done <- err
			return
		}
	}
	if s.journal != nil {
		s.journal.flush(time.Now())
	}
	r.done <- nil
}

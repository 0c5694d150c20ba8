package capture

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// kick makes sure that a goroutine looks at the pipe from now on.
func (s *Stream) kick() {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.pipe < 0:
	case s.running:
		s.again = true
		select {
		case s.wake <- struct{}{}:
		default:
		}
	default:
		s.running = true
		go s.run()
	}
}

// run moves bytes until the pipe is empty. It lives only as long as there is something to
// do, so that a quiet stream has no stack.
func (s *Stream) run() {
	s.moved, s.last = 0, time.Now() // of another time
	for moves := 0; ; moves++ {
		if moves == busyAfter {
			s.mover.poll.disarm(s.pipe)
		}
		asked := s.asked() // before looking: what comes later may wait for later bytes
		n, err := readable(s.pipe)
		if err != nil { // cannot happen to a FIFO
			s.fail(fmt.Errorf("cannot read %s: %w", s.cfg.FIFO, err))
			continue
		}
		hurry := s.note(asked, n)
		if s.isClosing() {
			s.finish()
			return
		}
		if n == 0 {
			s.rotateDue(time.Now())
			if s.rest() {
				return
			}
			continue
		}
		if !hurry {
			n = s.gather(n)
		}
		now := time.Now()
		moved, err := s.move(n, now)
		s.wrote(moved, now)
		if moved > 0 {
			s.moved, s.took, s.last = moved, now.Sub(s.last), now
		}
		if err != nil {
			s.fail(err)
		}
	}
}

func (s *Stream) isClosing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	// Drains first: Close drains before it sets closing, others may have come since.
	return s.closing && len(s.drains) == 0
}

// rest ends the goroutine, its pipe being empty, unless somebody kicked meanwhile.
func (s *Stream) rest() bool {
	if s.target.stale.Load() || s.broken() {
		// Nothing to write, but the file can be opened (again): a moved one should not
		// be held, and an error that is over should not stay in the statistics.
		now := time.Now()
		if err := s.target.ready(now); err != nil {
			s.fail(err)
			return false
		}
		s.resumed(now)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.again || s.closing || len(s.drains) > 0 {
		s.again = false
		return false
	}
	if err := s.mover.poll.arm(s.pipe); err != nil {
		// Only for want of memory (epoll_ctl(2)): stay, and look again.
		_ = unix.Nanosleep(&unix.Timespec{Nsec: int64(gatherFor)}, nil)
		return false
	}
	s.running = false
	return true
}

// gather gives the program a moment to write more before n bytes are moved: a move costs
// about the same for one line as for a thousand. A pipe that is filling is not waited
// for, and is made larger first.
func (s *Stream) gather(n int) int {
	if n >= s.pipeSize/2 {
		s.pipeSize = growPipe(s.pipe, s.pipeSize)
		if n >= s.pipeSize/2 {
			return n
		}
	}
	// Not so long that a fast program fills the pipe and has to wait: by its last pace
	// half of the pipe is free then.
	pause := gatherFor
	if s.moved > 0 && s.took > 0 {
		pause = min(pause, time.Duration(float64(s.pipeSize/2-n)/float64(s.moved)*float64(s.took)))
	}
	if pause < gatherLeast {
		return n
	}
	// Not time.Sleep: Go's timers wake after whole milliseconds.
	_ = unix.Nanosleep(&unix.Timespec{Nsec: int64(pause)}, nil)
	if more, err := readable(s.pipe); err == nil {
		return more
	}
	return n
}

// busyAfter is after how many moves in a row a pipe leaves the epoll set for the time
// being: a watched pipe costs the program a wakeup call for each of its writes.
const busyAfter = 3

const (
	gatherFor   = time.Millisecond
	gatherLeast = 50 * time.Microsecond // the kernel's timer slack: no shorter sleep exists
)

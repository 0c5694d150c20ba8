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

// run moves bytes in batches until no more come. It lives only as long as there is
// something to do, so that a quiet stream has no stack.
func (s *Stream) run() {
	watched := true    // in the epoll set
	pause := gatherFor // before the next look
	credit := 0        // so many empty looks more before it rests
	held := gatherFor  // before the next look at a line that has not ended
	for wait := true; ; {
		began := time.Now()
		if wait {
			s.gather(pause)
		}
		asked := s.asked() // before looking: what comes later may wait for later bytes
		n, err := s.waiting()
		if err != nil { // cannot happen to a FIFO
			s.fail(fmt.Errorf("cannot read %s: %w", s.cfg.FIFO, err))
			continue
		}
		s.note(asked, n, 0)
		if s.isClosing() {
			s.finish()
			return
		}
		now := time.Now()
		if n == 0 {
			s.rotateDue(now)
			if err := s.reopen(now); err != nil {
				s.fail(err)
			} else if credit == 0 && s.rest() {
				return
			}
			wait, pause, credit = credit > 0, gatherFor, max(0, credit-1)
			continue
		}
		if wait {
			pause = pauseAfter(n, now.Sub(began), s.pipeSize)
		}
		much := n >= muchBytes
		if much {
			credit = min(credit+muchCredit, muchCreditMax)
			if watched {
				s.mover.poll.disarm(s.pipe)
				watched = false
			}
			if n >= s.pipeSize/2 {
				s.pipeSize = growPipe(s.pipe, s.pipeSize)
			}
		}
		free, expected, long := n, s.expected.Load(), false
		if expected != nil {
			var ok bool
			if free, long, ok = s.listen(expected, n); !ok {
				s.finish()
				return
			}
			if free == 0 {
				s.note(asked, n, n) // nothing more comes of it soon
				s.rotateDue(now)
				wait, pause, held = true, held, min(2*held, heldMax)
				continue
			}
			held = gatherFor
		}
		moved, err := s.move(free, now)
		if expected != nil && moved == free {
			expected.long = long
		}
		s.wrote(moved, now)
		if err != nil {
			s.fail(err)
		}
		// What is known to be there is not waited for, nor a program that writes little.
		wait = much && moved == free
	}
}

func (s *Stream) isClosing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	// Drains first: Close drains before it sets closing, others may have come since.
	return s.closing && len(s.drains) == 0
}

// reopen opens the file where that can be done while there is nothing to write: a moved
// one should not be held, and an error that is over should not stay in the statistics.
func (s *Stream) reopen(now time.Time) error {
	if !s.target.stale.Load() && !s.broken() {
		return nil
	}
	if err := s.target.ready(now); err != nil {
		return err
	}
	s.resumed(now)
	return nil
}

// rest ends the goroutine, its pipe being empty, unless somebody kicked meanwhile.
func (s *Stream) rest() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.again || s.closing || len(s.drains) > 0 {
		s.again = false
		return false
	}
	if err := s.mover.poll.arm(s.pipe); err != nil {
		// Only for want of memory (epoll_ctl(2)): stay, and look again.
		time.Sleep(gatherFor)
		return false
	}
	s.running = false
	return true
}

// A move costs about the same for one line as for a thousand, so the program gets a
// moment to write more before each.
//
// While a pipe is in an epoll set, each write into it calls the set, and wakes us if it is
// armed. So the pipe of a program that writes much is taken out, and looked at now and
// then even while it is empty: where there are more programs than CPUs, each of them is
// held up for tens of milliseconds between two bursts.
const (
	gatherFor   = 2 * time.Millisecond  // the longest wait, and so the delay of a single line
	gatherLeast = 50 * time.Microsecond // the kernel's timer slack: no shorter sleep exists

	muchBytes     = 4 << 10 // so many bytes at one look, and it is a program that writes much
	muchCredit    = 8       // empty looks that one such look buys
	muchCreditMax = 32
)

// pauseAfter returns how long to let bytes gather when n of them came during over: until
// half of a pipe of that size is full, so that the program need not wait. 0 = it fills
// too fast to wait at all.
func pauseAfter(n int, over time.Duration, size int) time.Duration {
	pause := float64(over) * float64(size/2) / float64(n)
	switch {
	case pause >= float64(gatherFor):
		return gatherFor
	case pause < float64(gatherLeast):
		return 0
	}
	return time.Duration(pause)
}

// gather lets bytes gather, unless or until somebody wants them in the file.
func (s *Stream) gather(pause time.Duration) {
	if pause == 0 || s.asked() > 0 || s.isClosing() {
		return
	}
	if pause < time.Millisecond {
		// Go's timers wake after whole milliseconds. This costs a thread, but few
		// programs can write that fast at the same time.
		_ = unix.Nanosleep(&unix.Timespec{Nsec: int64(pause)}, nil)
		return
	}
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-t.C:
	case <-s.wake:
	}
}

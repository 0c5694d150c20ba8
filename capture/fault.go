package capture

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// While the file cannot be written, bytes wait in the pipe, as many as it holds. Then the
// oldest are discarded, and counted, for the program goes on whatever happens to its log.

// Pauses between tries to write a file that cannot be written. Each is twice the last.
const (
	firstPause = 100 * time.Millisecond
	lastPause  = 2 * time.Second
	calm       = 10 * time.Second // without a failure: the next pause is the first again
)

const (
	// shedEvery is how often the pipe of a program that writes is looked at during a
	// pause: for so long the program may have to wait, once each time it fills the pipe.
	shedEvery = 2 * time.Millisecond
	// shedQuiet is after how many looks in vain the next write is waited for instead.
	shedQuiet = 5
	// shedLeast is how often the pipe is looked at all the same: before Linux 5.14 only a
	// write into an empty pipe is told.
	shedLeast = 250 * time.Millisecond
)

// fail keeps the error, lets nobody wait for what cannot be done, and pauses.
func (s *Stream) fail(err error) {
	s.failed(err, time.Now())
	s.mu.Lock()
	waiting := s.drains
	s.drains = nil
	closing := s.closing
	s.mu.Unlock()
	for _, r := range waiting {
		if r.rotate {
			s.due = append(s.due, r) // it may even make room
		} else {
			r.done <- err
		}
	}
	s.rotateDue(time.Now())
	if closing {
		return
	}
	if now := time.Now(); now.Sub(s.failedAt) > calm {
		s.pause = 0
	}
	s.pause = min(max(2*s.pause, firstPause), lastPause)
	s.hold(s.pause)
	s.failedAt = time.Now()
}

// hold keeps room in the pipe until the pause is over or there is a reason to try again.
func (s *Stream) hold(pause time.Duration) {
	s.pipeSize = growPipe(s.pipe, s.pipeSize)
	over := time.NewTimer(pause)
	defer over.Stop()
	look := time.NewTimer(0)
	defer look.Stop()
	last, quiet, watching := -1, 0, false
	watch := func(on bool) {
		if on {
			on = s.mover.poll.onWrite(s.pipe) == nil // else only for want of memory
		} else if watching {
			s.mover.poll.disarm(s.pipe)
		}
		watching = on
	}
	defer func() { watch(false) }()
	for {
		select {
		case <-over.C:
			return
		case <-s.wake:
			if s.called() {
				return
			}
		case <-look.C:
		}
		if n := s.shed(time.Now()); n != last {
			last, quiet = n, 0
			watch(false)
		} else if quiet++; quiet == shedQuiet {
			watch(true)
		}
		if watching {
			look.Reset(shedLeast)
		} else {
			look.Reset(shedEvery)
		}
	}
}

// called reports whether somebody wants the stream to try now.
func (s *Stream) called() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closing || len(s.drains) > 0 || s.target.stale.Load()
}

// shed makes room in a pipe that is filling and returns how many bytes are in it then. Small
// writes may fill all of its pages with few bytes.
func (s *Stream) shed(now time.Time) int {
	n, err := readable(s.pipe)
	all, err2 := s.waiting()
	if err != nil || err2 != nil || n <= s.pipeSize/2 && writable(s.pipe) {
		return all
	}
	s.mu.Lock()
	s.busy = true
	s.mu.Unlock()
	lost, err := s.discardLines(all-min(n/2, s.pipeSize/4), now)
	s.mu.Lock()
	s.stats.Lost += uint64(lost)
	s.busy = false
	s.mu.Unlock()
	if err != nil {
		s.failed(errors.Join(s.Stats().Err, err), now)
	}
	return all - lost
}

// discardLines takes n bytes out of the pipe, and the rest of the line in which they end.
func (s *Stream) discardLines(n int, now time.Time) (lost int, err error) {
	p, err := s.mover.peekers.get()
	if err != nil { // no descriptor to look with
		from := s.oldest()
		have, _ := readable(from)
		n = min(n, have)
		err = s.mover.discard(from, n)
		if s.journal != nil {
			s.journal.skip(n, now)
		}
		return n, err
	}
	defer s.mover.peekers.put(p)
	for lost < n {
		from := s.oldest()
		data, err := p.peek(from, peekMax)
		if err != nil || len(data) == 0 {
			return lost, err
		}
		data = throughLine(data, n-lost)
		if err := s.mover.discard(from, len(data)); err != nil {
			return lost, fmt.Errorf("cannot read %s: %w", s.cfg.FIFO, err)
		}
		lost += len(data)
		s.offer(data, now)
	}
	return lost, nil
}

// offer shows bytes that have left the pipe to the journal.
func (s *Stream) offer(data []byte, now time.Time) {
	switch {
	case s.journal == nil:
	case s.journal.wants(now):
		s.journal.feed(data, now)
	default:
		s.journal.skip(len(data), now)
	}
}

// throughLine returns the first n bytes of data and what is left of the last line of them;
// without any line end there, fewer whole lines; without any line end at all, n bytes.
func throughLine(data []byte, n int) []byte {
	if len(data) <= n {
		return data
	}
	if i := bytes.IndexByte(data[n-1:], '\n'); i >= 0 {
		return data[:n+i]
	}
	if i := bytes.LastIndexByte(data[:n], '\n'); i >= 0 {
		return data[:i+1]
	}
	return data[:n]
}

// writable reports whether a write into the pipe would not block.
func writable(pipe int) bool {
	fds := []unix.PollFd{{Fd: int32(pipe), Events: unix.POLLOUT}}
	n, err := unix.Poll(fds, 0)
	return err != nil || n == 1 && fds[0].Revents&unix.POLLOUT != 0
}

func (s *Stream) broken() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stats.Err != nil
}

// failed keeps and tells why nothing can be written.
func (s *Stream) failed(err error, now time.Time) {
	s.mu.Lock()
	fresh := s.stats.Err == nil || s.stats.Err.Error() != err.Error()
	if s.stats.Err == nil {
		s.stats.ErrSince, s.lostBefore = now, s.stats.Lost
	}
	s.stats.Err = err
	s.mu.Unlock()
	if fresh {
		s.mover.tell(Event{Stream: s, Kind: WriteFailed, Time: now, Err: err})
	}
}

// wrote counts n bytes. It is no end of an error if they were fewer than should have been
// written: a disk that is nearly full lets some bytes through now and then.
func (s *Stream) wrote(n int, now time.Time) {
	s.mu.Lock()
	s.stats.Bytes += uint64(n)
	s.busy = false
	over := s.stats.Err != nil && n > 0 && !s.short
	s.mu.Unlock()
	if over {
		s.resumed(now)
	}
}

// resumed tells that writing works again, if it did not.
func (s *Stream) resumed(now time.Time) {
	s.mu.Lock()
	over, since, lost := s.stats.Err != nil, s.stats.ErrSince, s.stats.Lost-s.lostBefore
	s.stats.Err, s.stats.ErrSince = nil, time.Time{}
	s.mu.Unlock()
	if over {
		s.mover.tell(Event{Stream: s, Kind: WriteResumed, Time: now, For: now.Sub(since), Lost: lost})
	}
}

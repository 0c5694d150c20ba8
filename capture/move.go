package capture

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// moveMax is the most one splice moves: the pipe's lock is held meanwhile, and the
	// program that writes waits for it.
	moveMax = 1 << 20
	// peekMax is the most that is looked at in one go, and the size of the buffer for it.
	peekMax = 128 << 10
)

// move moves up to n bytes of those in the pipe to the file and shows them to the
// journal. It returns how many bytes are in the file and no longer in the pipe.
func (s *Stream) move(n int, now time.Time) (int, error) {
	t := s.target
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.prepare(now); err != nil {
		return 0, err
	}
	next := s.next()
	if s.stage != nil {
		return s.moveStaged(n, next, now)
	}
	n, err := s.fit(min(n, next), now)
	if n == 0 || err != nil {
		return 0, err
	}
	if err := t.enough(n, now); err != nil {
		return 0, err
	}
	look := s.journal != nil && s.journal.wants(now)
	if !look && !t.copies {
		return s.pass(n, now)
	}

	p, err := s.mover.peekers.get()
	if err != nil {
		if t.copies {
			return 0, fmt.Errorf("cannot write %s: %w", t.path, err)
		}
		return s.pass(n, now) // no descriptor for peeking: the file comes first
	}
	defer s.mover.peekers.put(p)
	data, err := p.peek(s.pipe, n)
	if err != nil {
		return 0, fmt.Errorf("cannot read %s: %w", s.cfg.FIFO, err)
	}
	var moved int
	if t.copies {
		moved, err = t.write(data)
		if derr := s.mover.discard(s.pipe, moved); derr != nil {
			err = errors.Join(err, fmt.Errorf("cannot read %s: %w", s.cfg.FIFO, derr))
		}
	} else {
		moved, err = t.splice(s.pipe, len(data))
	}
	s.short = moved < len(data)
	if s.journal != nil {
		if look {
			s.journal.feed(data[:moved], now)
		} else {
			s.journal.skip(moved, now)
		}
	}
	return moved, err
}

// pass moves up to n bytes without a look at them.
func (s *Stream) pass(n int, now time.Time) (int, error) {
	n = min(n, moveMax)
	moved, err := s.target.splice(s.pipe, n)
	s.short = moved < n
	if s.journal != nil {
		s.journal.skip(moved, now)
	}
	return moved, err
}

// splice moves up to n bytes from the pipe to the end of the file. The kernel takes from
// the pipe exactly what it wrote, in one step as seen from a kill.
func (t *target) splice(pipe, n int) (int, error) {
	off, err := t.end()
	if err != nil {
		return 0, fmt.Errorf("cannot write %s: %w", t.path, err)
	}
	for {
		moved, err := unix.Splice(pipe, nil, t.fd, off, n, unix.SPLICE_F_NONBLOCK|unix.SPLICE_F_MOVE)
		switch err {
		case nil:
			return int(moved), nil
		case unix.EINTR:
			continue
		case unix.EINVAL, unix.ENOSYS:
			// A file system without splice (hostfs of user-mode Linux). Nothing was
			// moved; the next move copies.
			t.copies = true
			return 0, nil
		}
		return 0, fmt.Errorf("cannot write %s: %w", t.path, err)
	}
}

// write appends data to the file and returns how much of it is there.
func (t *target) write(data []byte) (int, error) {
	off, err := t.end()
	if err != nil {
		return 0, fmt.Errorf("cannot write %s: %w", t.path, err)
	}
	done := 0
	for done < len(data) {
		var n int
		if off != nil {
			n, err = unix.Pwrite(t.fd, data[done:], *off+int64(done))
		} else {
			n, err = unix.Write(t.fd, data[done:])
		}
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return done, fmt.Errorf("cannot write %s: %w", t.path, err)
		}
		done += n
	}
	return done, nil
}

// discard takes n bytes out of the pipe that were copied to a file. A kill between the
// copy and this doubles them: better than losing them, as reading first would.
func (m *Mover) discard(pipe, n int) error {
	for n > 0 {
		k, err := unix.Splice(pipe, nil, m.null, nil, n, unix.SPLICE_F_NONBLOCK)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		n -= int(k)
	}
	return nil
}

// peeker looks at bytes that stay in a pipe: tee(2) duplicates references to them into a
// pipe of its own, from which they are read.
type peeker struct {
	r, w int
	size int
	buf  []byte
	out  []byte // for who makes something else of it
}

// peek returns up to n of the bytes in the pipe, valid until the next peek.
func (p *peeker) peek(pipe, n int) ([]byte, error) {
	for {
		k, err := unix.Tee(pipe, p.w, min(n, p.size), unix.SPLICE_F_NONBLOCK)
		if err == unix.EINTR {
			continue
		}
		if err == unix.EAGAIN {
			return nil, nil // somebody else read the pipe
		}
		if err != nil {
			return nil, err
		}
		return p.buf[:k], p.fill(int(k))
	}
}

func (p *peeker) fill(k int) error {
	for done := 0; done < k; {
		n, err := unix.Read(p.r, p.buf[done:k])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		done += n
	}
	return nil
}

// peekers keeps the peekers that are not in use. Only a stream that moves bytes has one,
// so there are few of them whatever the number of streams.
type peekers struct {
	mu   sync.Mutex
	free []*peeker
}

// idlePeekers is how many unused peekers are kept.
const idlePeekers = 2

func (ps *peekers) get() (*peeker, error) {
	ps.mu.Lock()
	if n := len(ps.free); n > 0 {
		p := ps.free[n-1]
		ps.free = ps.free[:n-1]
		ps.mu.Unlock()
		return p, nil
	}
	ps.mu.Unlock()
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return nil, err
	}
	size := pipeSize(fds[1])
	if n, err := unix.FcntlInt(uintptr(fds[1]), unix.F_SETPIPE_SZ, peekMax); err == nil {
		size = n
	}
	size = min(size, peekMax)
	return &peeker{r: fds[0], w: fds[1], size: size, buf: make([]byte, size)}, nil
}

func (ps *peekers) put(p *peeker) {
	// What a failed read left behind must not be taken for the next stream's bytes.
	left, err := readable(p.r)
	if cap(p.out) > 1<<20 {
		p.out = nil // prefixes before many short lines
	}
	ps.mu.Lock()
	keep := len(ps.free) < idlePeekers && left == 0 && err == nil
	if keep {
		ps.free = append(ps.free, p)
	}
	ps.mu.Unlock()
	if !keep {
		p.close()
	}
}

func (ps *peekers) close() {
	ps.mu.Lock()
	defer ps.mu.Unlock()
	for _, p := range ps.free {
		p.close()
	}
	ps.free = nil
}

func (p *peeker) close() {
	unix.Close(p.r)
	unix.Close(p.w)
}

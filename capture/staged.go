package capture

import (
	"bytes"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// moveStaged moves at most n bytes by way of the staging FIFO, of them those before next, with
// t.mu held and the file open. It returns how many bytes of the program's are in the file.
func (s *Stream) moveStaged(n, next int, now time.Time) (int, error) {
	g, t := s.stage, s.target
	if done, err := s.settle(); done > 0 || err != nil {
		return done, err
	}
	held, err := s.load(n)
	if held == 0 || err != nil {
		return 0, err
	}
	p, err := s.mover.peekers.get()
	if err != nil {
		return 0, fmt.Errorf("cannot write %s: %w", t.path, err)
	}
	defer s.mover.peekers.put(p)
	data, err := p.peek(g.pipe, min(held, next))
	if err != nil {
		return 0, fmt.Errorf("cannot read %s: %w", g.path, err)
	}
	var size int64
	if t.regular {
		if size, err = t.size(); err != nil {
			return 0, err
		}
	}
	used, out := s.stamp(p, data, size, now)
	if used == 0 {
		s.rotate(now)
		return 0, nil
	}
	if err := t.enough(len(out), now); err != nil {
		return 0, err
	}
	err = g.put(record{State: writing, Dev: t.dev, Ino: t.ino, Offset: size, Length: int64(len(out)), Rest: int64(held - used)})
	if err != nil {
		return 0, err
	}
	if _, err := t.write(out); err != nil {
		if t.regular && unix.Ftruncate(t.fd, size) == nil {
			_ = g.state(none)
		}
		return 0, err
	}
	t.partial = s
	s.short = false
	if err := g.state(written); err != nil {
		return 0, err
	}
	if _, err := s.settle(); err != nil {
		return 0, err
	}
	s.offer(data[:used], now)
	return used, nil
}

// load puts up to n bytes into the staging FIFO if it is empty, and returns how many are in it.
func (s *Stream) load(n int) (int, error) {
	g := s.stage
	held, err := readable(g.pipe)
	if err != nil {
		return 0, fmt.Errorf("cannot read %s: %w", g.path, err)
	}
	for held == 0 {
		n, err := unix.Splice(s.pipe, nil, g.pipe, nil, min(n, peekMax), unix.SPLICE_F_NONBLOCK|unix.SPLICE_F_MOVE)
		switch err {
		case nil:
			return int(n), nil
		case unix.EINTR:
		case unix.EAGAIN:
			return 0, nil // somebody else read the pipe
		default:
			return 0, fmt.Errorf("cannot read %s: %w", s.cfg.FIFO, err)
		}
	}
	return held, nil
}

// stamp returns what to write for the first used bytes of data to a file of that size: all
// of them, or as many whole lines as it has room for; 0 = rotate it now.
func (s *Stream) stamp(p *peeker, data []byte, size int64, now time.Time) (used int, out []byte) {
	t := s.target
	atLineEnd := t.atLineEnd(size)
	lead := 0
	out = p.out[:0]
	fresh := atLineEnd
	if s.cfg.Stamped() && !atLineEnd && t.partial != nil && t.partial != s {
		// The last line is another program's: ours begins on a new one.
		out, lead, fresh = append(out, '\n'), 1, true
	}
	out = appendLines(out, data, s.cfg.appendHead(nil, now), fresh)
	p.out = out
	room, limited := s.room(size, now)
	if !limited || room >= int64(len(out)) {
		return len(data), out
	}
	take := beforeRotation(out, room, size > 0 && atLineEnd)
	switch {
	case take == len(out):
		return len(data), out
	case take == 0 || out[take-1] != '\n': // a cut in a line: nothing of this batch
		return 0, nil
	}
	return wholeLines(data, bytes.Count(out[lead:take], []byte{'\n'})), out[:take]
}

package capture

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"sync"
	"time"
)

// DefaultJournalSocket is where journald takes entries in its native protocol, one per
// datagram (https://systemd.io/JOURNAL_NATIVE_PROTOCOL).
const DefaultJournalSocket = "/run/systemd/journal/socket"

const (
	// queueMax is how many bytes may wait for journald, all streams together.
	queueMax = 1 << 20
	// patience is how long journald may leave its socket full before lines are dropped.
	patience = time.Second
	// retryEvery is the least time between tries to reach a journald that is not there.
	retryEvery = time.Second
)

// lineBatch is lines of one stream on their way to journald.
type lineBatch struct {
	stream *journalStream
	text   []byte
	ends   []int // end of each line in text
	notice bool  // a line of our own, not counted as the program's
}

func (b *lineBatch) add(line []byte) {
	b.text = append(b.text, line...)
	b.ends = append(b.ends, len(b.text))
}

func (b *lineBatch) lines() int { return len(b.ends) }

// size is what the batch costs while it waits.
func (b *lineBatch) size() int { return len(b.text) + 8*len(b.ends) }

// sender sends the lines of all streams, in a goroutine of its own, so that neither the
// cost of a datagram (some microseconds) nor a slow journald delays the files.
type sender struct {
	path string

	mu     sync.Mutex
	queue  []*lineBatch
	queued int // bytes in queue and in the batch being sent
	closed bool
	work   chan struct{} // capacity 1: queue is not empty, or closed
	stop   chan struct{} // give up what is queued
	done   chan struct{}

	// Used by run only.
	conn    *net.UnixConn
	retryAt time.Time // no sooner: journald is away, or its socket full for long
	buf     []byte
}

func newSender(path string) *sender {
	s := &sender{path: path, work: make(chan struct{}, 1), stop: make(chan struct{}), done: make(chan struct{})}
	go s.run()
	return s
}

// room reports whether another batch can be queued.
func (s *sender) room() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.closed && s.queued < queueMax
}

// submit queues b and reports whether there was room.
func (s *sender) submit(b *lineBatch) bool {
	if len(b.ends) == 0 {
		return true
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.queued >= queueMax { // may exceed it by one batch
		return false
	}
	s.queue = append(s.queue, b)
	s.queued += b.size()
	s.signal()
	return true
}

// note queues a line of our own about j, however full the queue is: there is at most one
// per stream and burst.
func (s *sender) note(j *journalStream, text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	b := &lineBatch{stream: j, notice: true}
	b.add([]byte(text))
	s.queue = append(s.queue, b)
	s.queued += b.size()
	s.signal()
}

func (s *sender) signal() {
	select {
	case s.work <- struct{}{}:
	default:
	}
}

func (s *sender) run() {
	defer close(s.done)
	for range s.work {
		for {
			s.mu.Lock()
			if len(s.queue) == 0 {
				s.queue = nil
				closed := s.closed
				s.mu.Unlock()
				if closed {
					if s.conn != nil {
						s.conn.Close()
					}
					return
				}
				break
			}
			b := s.queue[0]
			s.queue[0] = nil
			s.queue = s.queue[1:]
			s.mu.Unlock()

			sent := 0
			start := 0
			for _, end := range b.ends {
				if s.send(b, b.text[start:end]) {
					sent++
				}
				start = end
			}
			if !b.notice {
				b.stream.delivered(sent, len(b.ends)-sent)
			}
			s.mu.Lock()
			s.queued -= b.size()
			s.mu.Unlock()
		}
	}
}

// send gives one line to journald and reports whether it took it.
func (s *sender) send(b *lineBatch, line []byte) bool {
	select {
	case <-s.stop:
		return false
	default:
	}
	now := time.Now()
	if now.Before(s.retryAt) {
		return false
	}
	if s.conn == nil {
		conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: s.path, Net: "unixgram"})
		if err != nil {
			s.retryAt = now.Add(retryEvery)
			return false
		}
		s.conn = conn
	}
	s.buf = b.stream.entry(s.buf[:0], line, b.notice)
	// A full socket is waited for: this goroutine has nothing else to do, and its
	// queue is bounded.
	_ = s.conn.SetWriteDeadline(now.Add(patience))
	_, err := s.conn.Write(s.buf)
	if err == nil {
		return true
	}
	if !errors.Is(err, os.ErrDeadlineExceeded) {
		// journald is gone; its successor has a new socket at the same path.
		s.conn.Close()
		s.conn = nil
		if conn, derr := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: s.path, Net: "unixgram"}); derr == nil {
			s.conn = conn
			_ = conn.SetWriteDeadline(now.Add(patience))
			if _, err = conn.Write(s.buf); err == nil {
				return true
			}
		}
	}
	s.retryAt = time.Now().Add(retryEvery)
	return false
}

// close sends what is queued until ctx ends, and drops the rest.
func (s *sender) close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	s.signal()
	s.mu.Unlock()
	select {
	case <-s.done:
		return nil
	case <-ctx.Done():
		close(s.stop)
		return fmt.Errorf("cannot send all lines to the journal: %w", ctx.Err())
	}
}

// fields returns the fields that all lines of a stream share.
//
// journalctl -u UNIT matches OBJECT_SYSTEMD_UNIT= from uid 0; journalctl --user -u UNIT
// matches USER_UNIT= and OBJECT_SYSTEMD_USER_UNIT= from the user (systemd's
// logs-show.c, add_matches_for_unit and add_matches_for_user_unit, 247 to 257).
func fields(t JournalTarget) []byte {
	var b []byte
	if t.Identifier != "" {
		b = appendField(b, "SYSLOG_IDENTIFIER", []byte(t.Identifier))
	}
	if t.Unit != "" && t.UserManager {
		b = appendField(b, "USER_UNIT", []byte(t.Unit))
		b = appendField(b, "OBJECT_SYSTEMD_USER_UNIT", []byte(t.Unit))
	} else if t.Unit != "" {
		b = appendField(b, "OBJECT_SYSTEMD_UNIT", []byte(t.Unit))
	}
	if t.Program != "" {
		b = appendField(b, "MSUP_PROGRAM", []byte(t.Program))
	}
	if t.Name != "" {
		b = appendField(b, "MSUP_STREAM", []byte(t.Name))
	}
	return b
}

// entry appends the datagram of one line to b.
func (j *journalStream) entry(b, line []byte, notice bool) []byte {
	prio := j.prio
	switch {
	case notice:
		prio = '0' + PriorityStderr
	case len(line) >= 3 && line[0] == '<' && line[1] >= '0' && line[1] <= '7' && line[2] == '>':
		// The level prefix of sd-daemon(3), which systemd honours in its own streams
		// unless SyslogLevelPrefix= says no.
		prio, line = line[1], line[3:]
	}
	b = append(b, j.head...)
	b = append(b, "PRIORITY="...)
	b = append(b, prio, '\n')
	return appendField(b, "MESSAGE", line)
}

// appendField appends one field in the form that its value allows: a value with a newline
// in it is preceded by its length, 64 bits, little endian.
func appendField(b []byte, name string, value []byte) []byte {
	b = append(b, name...)
	if bytes.IndexByte(value, '\n') < 0 {
		b = append(b, '=')
	} else {
		b = append(b, '\n')
		b = binary.LittleEndian.AppendUint64(b, uint64(len(value)))
	}
	b = append(b, value...)
	return append(b, '\n')
}

func dropNotice(lines, skipped uint64) string {
	switch {
	case skipped == 0:
		return strconv.FormatUint(lines, 10) + " lines not sent to the journal"
	case lines == 0:
		return strconv.FormatUint(skipped, 10) + " bytes of lines not sent to the journal"
	}
	return fmt.Sprintf("%d lines and another %d bytes of lines not sent to the journal", lines, skipped)
}

package capture

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Config says from where to where one stream goes. It does not change.
type Config struct {
	FIFO string // path of the FIFO, in a folder that only we can write
	File string // absolute path of the file; several streams may name the same one
	// Journal says as what the lines go to the journal; nil = they do not.
	Journal *JournalTarget

	// Mode of a file that is made; 0 = 0644.
	Mode os.FileMode
	// Owner of a file that is made; nil = ours.
	Owner *Owner
	// Writer is who the program runs as: the FIFO becomes its own, so that it can open
	// /dev/stdout and /dev/stderr again. nil = ours.
	Writer *Owner

	// Rotation of the file. Streams that name one file must agree on it.
	Rotation Rotation

	// Expect is the line that is waited for from the very first byte on, as by [Stream.Expect].
	Expect *Expectation

	// Timestamps and Prefix stand before each line in the file.
	Timestamps Timestamps
	Prefix     string
}

// Owner is a user and a group by number.
type Owner struct{ UID, GID int }

// Rotation says when a file becomes FILE.1, FILE.1 becomes FILE.2 and so on, and what is
// kept. The zero value does nothing by itself; [Stream.Rotate] works all the same.
type Rotation struct {
	// MaxSize in bytes; 0 = no rotation for size. Lines longer than 128 KiB may exceed it
	// by their length, up to 1 MiB.
	MaxSize  int64
	Backups  int           // how many rotated files are kept; 0 = what is rotated is removed
	MaxAge   time.Duration // rotated files older than this are removed; 0 = never
	Compress bool          // gzip in the background: FILE.2.gz; FILE.1 stays plain
	TotalMax int64         // bytes of the file and its rotated ones together; 0 = no limit
	MinFree  int64         // bytes that stay free on the file system; 0 = none
}

// Timestamps is the format of the time before each line; "" = none.
type Timestamps string

const (
	RFC3339 Timestamps = "rfc3339" // local time to the millisecond: 2006-01-02T15:04:05.000+01:00
	Unix    Timestamps = "unix"    // seconds since 1970, to the millisecond: 1136214245.000
)

// Stats is what happened to a stream since it was opened.
type Stats struct {
	Bytes uint64 // written to the file
	Lost  uint64 // discarded: the file could not be written, and the pipe was full
	// Waiting is how many bytes are in the pipe now.
	Waiting int

	Err      error     // why nothing can be written now; nil = all is well
	ErrSince time.Time // when that began; zero while Err is nil

	RotateErr error // why the file could not be rotated when it should have been; nil = all is well

	JournalLines   uint64 // given to journald
	JournalDropped uint64 // lines counted as not sent to the journal
	JournalSkipped uint64 // bytes passed by the journal in a flood, their lines not counted
}

// Stream moves what is written into one FIFO. Its methods may be called from any
// goroutine.
type Stream struct {
	cfg     Config
	mover   *Mover
	target  *target
	stage   *stage         // nil = bytes go straight to the file
	journal *journalStream // nil = no journal; used by the running goroutine only
	wake    chan struct{}  // ends a pause of the running goroutine
	done    chan struct{}  // closed when the stream is no more

	expected atomic.Pointer[Expectation] // the line that is waited for; nil = none

	// Used by the running goroutine only, of which there is at most one.
	pipeSize int
	pause    time.Duration // before the next try after a failure
	failedAt time.Time     // when the last pause ended
	short    bool          // the last move wrote less than it tried
	due      []*request    // for a rotation, which comes at the next line end
	dueAt    int64         // size of the file when the first of them became due; -1 = not known yet

	// mu guards what follows and is never held while a disk is waited for.
	mu      sync.Mutex
	pipe    int  // -1 when closed
	running bool // a goroutine moves bytes
	again   bool // look once more before that goroutine ends
	closing bool
	busy    bool // bytes may be on their way: neither in the pipe nor counted
	drains  []*request
	stats   Stats
	// lostBefore is Stats.Lost when writing failed.
	lostBefore uint64
}

// Config returns what the stream was opened with.
func (s *Stream) Config() Config { return s.cfg }

// Stats returns what happened so far.
func (s *Stream) Stats() Stats {
	s.mu.Lock()
	st := s.stats
	if s.pipe >= 0 {
		st.Waiting, _ = s.waiting()
	}
	s.mu.Unlock()
	if s.journal != nil {
		st.JournalLines, st.JournalDropped, st.JournalSkipped = s.journal.counts()
	}
	return st
}

// Drain moves what is in the pipe now, and gives the journal the last line even if it
// does not end in a newline. Call it after the program's end, so that its last words are
// in the file before its end is told. What is written later is not waited for: a daemon
// left behind by the program may write for ever. When the file cannot be written Drain
// returns that error at once, and the bytes stay in the pipe.
func (s *Stream) Drain(ctx context.Context) error {
	return s.ask(ctx, &request{}, "drain "+s.cfg.FIFO)
}

// Reopen makes the stream open its file anew, for a log rotation from outside. It also
// notices a moved or truncated file by itself, within a quarter of a second.
func (s *Stream) Reopen() {
	s.target.stale.Store(true)
	s.kick()
}

// Close drains the stream and ends it. The FIFO stays: programs may have it open, and
// another supervisor may go on reading. A program that writes on waits once the pipe is
// full: only an open stream discards.
func (s *Stream) Close(ctx context.Context) error {
	err := s.Drain(ctx)
	if errors.Is(err, os.ErrClosed) {
		return err
	}
	s.mu.Lock()
	s.closing = true
	s.mu.Unlock()
	s.kick()
	select {
	case <-s.done:
		return err
	case <-ctx.Done():
		// The file's disk does not answer. The stream ends when it does.
		return errors.Join(err, fmt.Errorf("cannot close %s: %w", s.cfg.FIFO, ctx.Err()))
	}
}

// Remove closes the stream and deletes its FIFO. Bytes that could not be written are
// counted as lost.
func (s *Stream) Remove(ctx context.Context) error {
	same := s.Check() == nil
	keep, kerr := s.Descriptors()
	err := s.Close(ctx)
	if kerr == nil {
		for _, f := range keep {
			_ = control(f, func(fd int) error {
				left, err := readable(fd)
				s.mu.Lock()
				s.stats.Lost += uint64(left)
				s.mu.Unlock()
				return err
			})
			f.Close()
		}
	}
	if s.stage != nil {
		err = errors.Join(err, s.stage.remove(s.cfg.FIFO))
	}
	if !same {
		return err // somebody else's file is at that path, or none
	}
	if e := os.Remove(s.cfg.FIFO); e != nil && !errors.Is(e, os.ErrNotExist) {
		err = errors.Join(err, fmt.Errorf("cannot remove FIFO %s: %w", s.cfg.FIFO, bare(e)))
	}
	return err
}

// withPipe calls f with the pipe unless the stream is closed.
func (s *Stream) withPipe(f func(pipe int)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pipe >= 0 {
		f(s.pipe)
	}
}

// rotated keeps and tells whether the file could be rotated.
func (s *Stream) rotated(err error, now time.Time) {
	s.mu.Lock()
	fresh := err != nil && s.stats.RotateErr == nil
	s.stats.RotateErr = err
	s.mu.Unlock()
	if fresh {
		s.mover.tell(Event{Stream: s, Kind: RotateFailed, Time: now, Err: err})
	}
}

func (s *Stream) reportDropped(lines, bytes uint64) {
	s.mover.tell(Event{Stream: s, Kind: JournalDropped, Time: time.Now(), Lines: lines, Bytes: bytes})
}

// finish gives everything back. It runs in the running goroutine, the last thing it does.
func (s *Stream) finish() {
	s.mover.poll.remove(s.pipe)
	if s.journal != nil {
		s.journal.close()
	}
	s.mover.release(s.target)
	s.mu.Lock()
	unix.Close(s.pipe)
	s.pipe = -1
	if s.stage != nil {
		s.stage.close()
	}
	drains := s.drains
	s.drains = nil
	s.mu.Unlock()
	for _, d := range append(drains, s.due...) {
		d.done <- os.ErrClosed
	}
	close(s.done)
}

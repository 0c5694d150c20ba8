// Package capture moves the output of programs: from a FIFO to a file, byte for byte,
// and beside that line by line to the journal.
//
// A program writes into a FIFO that the supervisor holds open for reading and writing
// and whose descriptor systemd keeps too (file descriptor store), so neither the death
// of the program nor that of the supervisor breaks the pipe. Bytes go from the pipe to
// the file by splice(2): what was not written to the file is still in the pipe, and a
// supervisor that is killed at any moment loses and doubles nothing. Where the bytes
// must be looked at (the journal, a rotation near), tee(2) peeks at them first and the
// splice commits. Where something stands before each line, they go through a staging FIFO.
//
// While a file cannot be written, bytes wait in the pipe; when that is full the oldest are
// discarded and counted, for a program must not stop for its log.
//
// To file systems that cannot be spliced to, or where a write may hang for good (NFS,
// FUSE), bytes are copied, and a kill in the wrong moment doubles some.
//
// The file is the complete record; the journal gets what it can take: a slow, absent or
// flooded journald costs journal lines, which are counted, and never delays the file.
//
// One [Mover] serves all streams of a supervisor. A stream that is quiet costs one entry
// in an epoll set and no goroutine, timer or buffer.
package capture

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Options are what all streams of a [Mover] share. The zero value is good.
type Options struct {
	// JournalSocket is journald's socket of the native protocol; "" = [DefaultJournalSocket].
	JournalSocket string
	// Notify gets the events of all streams. It is called from the goroutine that moves
	// the bytes and, before Open returns, from Open; so it must hand the event on and
	// return. nil = nobody listens.
	Notify func(Event)
}

// Event says that something about a stream changed that an operator wants to know.
type Event struct {
	Stream *Stream
	Kind   EventKind
	Time   time.Time
	Err    error         // WriteFailed, RotateFailed: what is wrong, the path included
	For    time.Duration // WriteResumed: how long nothing could be written
	Lost   uint64        // WriteResumed: bytes discarded meanwhile
	Lines  uint64        // JournalDropped: lines counted as not sent in this burst
	Bytes  uint64        // JournalDropped: bytes passed by without counting their lines
}

// EventKind is the kind of an [Event].
type EventKind string

const (
	// WriteFailed: the file cannot be written; what the program writes waits in the
	// pipe, and when that is full the oldest lines of it are discarded: the program goes
	// on. Told once until WriteResumed, and again when the cause changes.
	WriteFailed EventKind = "write-failed"
	// WriteResumed: the file is written again, by itself.
	WriteResumed EventKind = "write-resumed"
	// RotateFailed: the file has reached its size and cannot be rotated; it grows, and
	// rotation is tried again every ten seconds. Told once until it works.
	RotateFailed EventKind = "rotate-failed"
	// JournalDropped: a burst of lines that the journal did not get is over, or has
	// lasted a minute. The file has them.
	JournalDropped EventKind = "journal-dropped"
)

// Mover moves the output of all its streams.
type Mover struct {
	notify  func(Event)
	poll    *poller
	journal *sender
	peekers peekers
	keeper  *keeper
	null    int // /dev/null, where bytes already copied to a file are spliced to

	mu      sync.Mutex
	targets map[string]*target // files by path: streams that name one file share it
}

// New starts a mover without streams.
func New(o Options) (*Mover, error) {
	null, err := unix.Open("/dev/null", unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open /dev/null: %w", err)
	}
	p, err := newPoller()
	if err != nil {
		unix.Close(null)
		return nil, fmt.Errorf("cannot watch pipes: %w", err)
	}
	if o.JournalSocket == "" {
		o.JournalSocket = DefaultJournalSocket
	}
	m := &Mover{
		notify:  o.Notify,
		poll:    p,
		journal: newSender(o.JournalSocket),
		null:    null,
		targets: map[string]*target{},
	}
	m.keeper = newKeeper(m)
	return m, nil
}

// Close ends the mover after its streams were closed. Lines that wait for journald are
// sent until ctx ends; a compression is broken off, and another mover will do it.
func (m *Mover) Close(ctx context.Context) error {
	m.poll.close()
	err := errors.Join(m.keeper.close(ctx), m.journal.close(ctx))
	m.peekers.close()
	unix.Close(m.null)
	return err
}

// Open starts to move what is written into the FIFO cfg.FIFO. kept are the descriptors from
// [Stream.Descriptors] that somebody kept (systemd's file descriptor store), in that order;
// Open takes them over. Where one is nil or missing, Open makes the FIFO or reuses the
// one that is there.
//
// A file that cannot be opened is no error here: the stream waits for it as it does
// whenever writing fails, see [Stats] and [WriteFailed].
func (m *Mover) Open(cfg Config, kept ...*os.File) (*Stream, error) {
	if cfg.File == "" {
		return nil, fmt.Errorf("cannot capture %s: no file to write to", cfg.FIFO)
	}
	kept = append(kept, nil, nil)
	pipe, err := openPipe(cfg.FIFO, kept[0], cfg.Writer)
	if err != nil {
		return nil, err
	}
	stage, err := openStage(cfg, kept[1])
	if err != nil {
		unix.Close(pipe)
		return nil, err
	}
	s := &Stream{
		stage:    stage,
		cfg:      cfg,
		mover:    m,
		pipe:     pipe,
		pipeSize: pipeSize(pipe),
		target:   m.acquire(cfg),
		dueAt:    -1,
		wake:     make(chan struct{}, 1),
		done:     make(chan struct{}),
	}
	s.expected.Store(cfg.Expect)
	if cfg.Journal != nil {
		s.journal = newJournalStream(m.journal, *cfg.Journal, s.reportDropped)
	}
	if err := s.target.ready(time.Now()); err != nil {
		s.failed(err, time.Now())
	}
	if err := m.poll.add(pipe, s); err != nil {
		m.release(s.target)
		unix.Close(pipe)
		if stage != nil {
			stage.close()
		}
		return nil, fmt.Errorf("cannot watch %s: %w", cfg.FIFO, err)
	}
	m.keeper.tidy(s.target)
	if s.broken() || s.stage != nil {
		s.kick() // to try again, or to go on with a batch
	}
	return s, nil
}

func (m *Mover) tell(e Event) {
	if m.notify != nil {
		m.notify(e)
	}
}

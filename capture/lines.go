package capture

import (
	"bytes"
	"sync"
	"time"
)

// JournalTarget says as what the lines of a stream go to the journal.
type JournalTarget struct {
	Unit string // the program's unit, "msup-web.service"
	// UserManager: Unit is one of the user manager.
	UserManager bool
	Identifier  string // SYSLOG_IDENTIFIER, what journalctl prints before each line
	// Priority of the lines (syslog(3)), unless a line brings its own as "<4>"
	// (sd-daemon(3)); [PriorityStdout], [PriorityStderr].
	Priority int
	Program  string // MSUP_PROGRAM
	Name     string // MSUP_STREAM: "stdout" or "stderr"
	// Budget is shared by the streams of a program; nil = no limit.
	Budget *Budget
}

// Priorities of what programs write (syslog(3)): info, and warning, since programs
// put much on stderr that is no error.
const (
	PriorityStdout = 6
	PriorityStderr = 4
)

// LineMax is the longest line in bytes; a longer one becomes several entries. It is
// journald's own default (journald.conf(5), LineMax=).
const LineMax = 48 << 10

// When a burst of dropped lines is told: after it was quiet for burstQuiet, or while it
// goes on every burstLong.
const (
	burstQuiet = 2 * time.Second
	burstLong  = time.Minute
)

// journalStream cuts the bytes of one stream into lines and queues them for journald.
// feed, skip, wants and flush belong to the stream's running goroutine.
type journalStream struct {
	sink   *sender
	head   []byte // fields before PRIORITY and MESSAGE, the same for all lines
	prio   byte
	report func(lines, bytes uint64)

	budget  *Budget
	partial []byte // a line without its end yet
	resync  bool   // bytes were passed by: drop up to the next newline

	mu      sync.Mutex // guards what follows
	sent    uint64
	dropped uint64
	skipped uint64
	told    [2]uint64 // dropped, skipped when last reported
	seen    [2]uint64 // … when the timer last looked
	since   time.Time // of the last report, or of the burst
	timer   *time.Timer
	closed  bool
}

func newJournalStream(sink *sender, t JournalTarget, report func(lines, bytes uint64)) *journalStream {
	return &journalStream{
		sink:   sink,
		head:   fields(t),
		prio:   byte('0' + t.Priority&7),
		report: report,
		budget: t.Budget,
	}
}

// wants reports whether the next bytes should be shown to feed. If not, they are counted
// with skip, and the stream costs what it costs without a journal.
func (j *journalStream) wants(now time.Time) bool { return j.budget.ready(now) }

// skip counts n bytes that went by unseen.
func (j *journalStream) skip(n int, now time.Time) {
	if n == 0 {
		return
	}
	j.partial, j.resync = nil, true
	j.mu.Lock()
	j.skipped += uint64(n)
	j.burst(now)
	j.mu.Unlock()
}

// feed cuts data into lines. data is only borrowed.
func (j *journalStream) feed(data []byte, now time.Time) {
	b := &lineBatch{stream: j}
	full := !j.sink.room() // then lines are only counted
	dropped, skipped := 0, 0
	add := func(line []byte) {
		line = bytes.TrimSuffix(line, []byte{'\r'})
		if len(line) == 0 {
			return // journald drops empty lines of its own streams too
		}
		if !j.budget.take(len(line)) || full {
			dropped++
			return
		}
		if b.text == nil {
			b.text = make([]byte, 0, len(line)+len(data))
		}
		b.add(line)
	}
	for len(data) > 0 {
		i := bytes.IndexByte(data, '\n')
		end := i >= 0
		if !end {
			i = len(data)
		}
		piece := data[:i]
		if end {
			data = data[i+1:]
		} else {
			data = nil
		}
		if j.resync {
			skipped += len(piece)
			if end {
				j.resync = false
				skipped++
			}
			continue
		}
		if len(j.partial) > 0 || !end {
			for room := LineMax - len(j.partial); len(piece) > room; room = LineMax {
				j.partial = append(j.partial, piece[:room]...)
				add(j.partial)
				j.partial = j.partial[:0]
				piece = piece[room:]
			}
			j.partial = append(j.partial, piece...)
			if end {
				add(j.partial)
				j.partial = nil
			}
			continue
		}
		for ; len(piece) > LineMax; piece = piece[LineMax:] {
			add(piece[:LineMax])
		}
		add(piece)
	}
	if j.sink.submit(b) {
		b = nil
	}
	j.mu.Lock()
	j.dropped += uint64(dropped)
	j.skipped += uint64(skipped)
	if b != nil {
		j.dropped += uint64(b.lines())
	}
	if dropped > 0 || skipped > 0 || b != nil {
		j.burst(now)
	}
	j.mu.Unlock()
}

// flush sends a line that has no newline: its program has ended.
func (j *journalStream) flush(now time.Time) {
	if len(j.partial) > 0 {
		j.feed([]byte{'\n'}, now)
	}
	j.resync = false
}

// delivered counts lines that journald took and lines that it did not.
func (j *journalStream) delivered(sent, dropped int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.sent += uint64(sent)
	j.dropped += uint64(dropped)
	if dropped > 0 {
		j.burst(time.Now())
	}
}

// burst makes sure that what was dropped will be told, with j.mu held. The timer exists
// only while a burst lasts.
func (j *journalStream) burst(now time.Time) {
	if j.timer == nil && !j.closed {
		j.since = now
		j.timer = time.AfterFunc(burstQuiet, j.tick)
	}
}

// tick tells the burst when it is over or long.
func (j *journalStream) tick() {
	j.mu.Lock()
	if j.closed || j.timer == nil {
		j.mu.Unlock()
		return
	}
	now := time.Now()
	total := [2]uint64{j.dropped, j.skipped}
	over := total == j.seen
	j.seen = total
	if !over && now.Sub(j.since) < burstLong {
		j.timer.Reset(burstQuiet)
		j.mu.Unlock()
		return
	}
	if over {
		j.timer = nil
	} else {
		j.timer.Reset(burstQuiet)
	}
	j.tell(now)
}

// tell reports what was dropped since the last report. It is called with j.mu held and
// releases it: the report leaves this package.
func (j *journalStream) tell(now time.Time) {
	lines, skipped := j.dropped-j.told[0], j.skipped-j.told[1]
	j.told = [2]uint64{j.dropped, j.skipped}
	j.since = now
	j.mu.Unlock()
	if lines == 0 && skipped == 0 {
		return
	}
	j.sink.note(j, dropNotice(lines, skipped))
	j.report(lines, skipped)
}

// close tells an unfinished burst.
func (j *journalStream) close() {
	j.mu.Lock()
	j.closed = true
	if j.timer != nil {
		j.timer.Stop()
		j.timer = nil
	}
	j.tell(time.Now())
}

func (j *journalStream) counts() (sent, dropped, skipped uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.sent, j.dropped, j.skipped
}

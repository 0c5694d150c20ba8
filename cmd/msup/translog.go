package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"msup/policy"
	"msup/units"

	"github.com/coreos/go-systemd/v22/journal"
	"golang.org/x/sys/unix"
)

// timeFormat is that of the transition log: RFC 3339 in local time, to the millisecond.
const timeFormat = "2006-01-02T15:04:05.000Z07:00"

// transitionLog writes records to the project's log file and to the journal, where they
// also show up under the program's unit. A goroutine of its own waits for disk and
// journald, so append never blocks.
type transitionLog struct {
	file     *os.File // nil = none configured, or it cannot be opened
	user     bool
	terminal bool // not a service: standard error is where somebody looks

	mu     sync.Mutex
	queue  []logEntry
	closed bool
	work   chan struct{}
	done   chan struct{}

	anew    atomic.Bool // the file shall be opened again
	path    string      // "" = none configured; only run's goroutine looks at it
	missing int         // lines that could not be written; only run's goroutine looks at it
	marker  *os.File    // holds the number of the last record in the file; nil = it cannot be had
}

// logEntry is a record to be written, or the file to go on in.
type logEntry struct {
	record units.Record
	move   bool
	path   string
}

// loggedName is the file in the runtime directory that says which record was logged last.
// The log's own end does not when somebody has rotated or emptied it.
const loggedName = "logged"

// openTransitionLog opens the log. Of the records that an earlier supervisor has written
// down it appends those that it could not log any more. With an error comes a log that
// writes to the journal only.
func openTransitionLog(project units.Project, user bool, saved *units.Saved, marker string) (*transitionLog, error) {
	l := &transitionLog{user: user, terminal: !asOwnUnit(project), path: project.Logfile, work: make(chan struct{}, 1), done: make(chan struct{})}
	var err error
	if project.Logfile != "" {
		if err = l.open(project.Logfile, saved, marker); err != nil {
			err = fmt.Errorf("cannot open the transition log: %w", err)
		}
	}
	go l.run()
	l.poke()
	return l, err
}

func (l *transitionLog) open(path string, saved *units.Saved, marker string) error {
	f, err := openLog(path)
	if err != nil {
		return err
	}
	l.file = f
	l.marker, _ = os.OpenFile(marker, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600) // the log's end tells most of it
	var records []units.Record
	if saved != nil {
		records = saved.Records
	}
	logged := l.marked()
	if n := len(records); n == 0 || records[n-1].Seq < logged {
		logged = 0 // it is of another state: the numbers have begun anew
		l.mark(0)
	}
	for _, r := range unlogged(mend(f), logged, records) {
		l.queue = append(l.queue, logEntry{record: r})
	}
	return nil
}

func openLog(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND|unix.O_NOFOLLOW, 0o644)
}

// marked and mark read and write the number of the last record in the file.
func (l *transitionLog) marked() (seq uint64) {
	if l.marker != nil {
		_, _ = fmt.Fscanf(io.NewSectionReader(l.marker, 0, 64), "%d", &seq) // 0 = not known
	}
	return seq
}

func (l *transitionLog) mark(seq uint64) {
	if l.marker != nil {
		_, _ = fmt.Fprintf(io.NewOffsetWriter(l.marker, 0), "%020d\n", seq) // as when opening
	}
}

// mend takes a line away that a kill has cut off, and returns the end of the log.
func mend(log *os.File) []byte {
	const enough = 1 << 20 // bytes; far more than records that were on their way
	st, err := log.Stat()
	if err != nil {
		return nil
	}
	tail := make([]byte, min(st.Size(), enough))
	if _, err := log.ReadAt(tail, st.Size()-int64(len(tail))); err != nil {
		return nil
	}
	if torn := len(tail) - 1 - bytes.LastIndexByte(tail, '\n'); torn > 0 && torn < len(tail) {
		_ = log.Truncate(st.Size() - int64(torn)) // else two lines stand in one
		tail = tail[:len(tail)-torn]
	}
	return tail
}

// unlogged returns the records, given in their order, that come after the one with the number
// logged and after the last one in tail.
func unlogged(tail []byte, logged uint64, records []units.Record) []units.Record {
	records = slices.DeleteFunc(slices.Clone(records), func(r units.Record) bool { return r.Seq <= logged })
	for i, r := range slices.Backward(records) {
		if bytes.Contains(tail, []byte(logLine(r))) {
			return records[i+1:]
		}
	}
	return records
}

func logLine(r units.Record) string { return r.Time.Format(timeFormat) + " " + r.String() + "\n" }

func (l *transitionLog) append(r units.Record) {
	l.enqueue(logEntry{record: r})
}

// note appends a line that is about no program.
func (l *transitionLog) note(text string) { l.append(units.Record{Time: time.Now(), Reason: text}) }

func (l *transitionLog) enqueue(e logEntry) {
	l.mu.Lock()
	l.queue = append(l.queue, e)
	l.mu.Unlock()
	l.poke()
}

// reopen makes the log open its file again, which somebody has moved away.
func (l *transitionLog) reopen() {
	l.anew.Store(true)
	l.poke()
}

// moveTo makes the log go on in another file, behind what was appended before; "" = in none.
func (l *transitionLog) moveTo(path string) { l.enqueue(logEntry{move: true, path: path}) }

// openAnew does what reopen and moveTo ask for. What cannot be opened leaves the log where it
// is.
func (l *transitionLog) openAnew() {
	var f *os.File
	if l.path != "" {
		var err error
		if f, err = openLog(l.path); err != nil {
			l.write(units.Record{Time: time.Now(), Reason: "cannot open the transition log again: " + err.Error()})
			return
		}
	}
	if l.file != nil {
		l.file.Close()
	}
	l.file = f
}

func (l *transitionLog) poke() {
	select {
	case l.work <- struct{}{}:
	default:
	}
}

// close writes what is queued.
func (l *transitionLog) close() {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.poke()
	<-l.done
	if l.file != nil {
		l.file.Close()
	}
	if l.marker != nil {
		l.marker.Close()
	}
}

func (l *transitionLog) run() {
	defer close(l.done)
	for range l.work {
		l.mu.Lock()
		entries, closed := l.queue, l.closed
		l.queue = nil
		l.mu.Unlock()
		if l.anew.Swap(false) {
			l.openAnew()
		}
		for _, e := range entries {
			if e.move {
				l.path = e.path
				l.openAnew()
				continue
			}
			r := e.record
			l.write(r)
			if r.Seq > 0 && l.file != nil && l.missing == 0 {
				l.mark(r.Seq)
			}
		}
		if closed {
			return
		}
	}
}

func (l *transitionLog) write(r units.Record) {
	line := logLine(r)
	if l.file != nil {
		l.toFile(line)
	}
	if l.terminal {
		fmt.Fprint(os.Stderr, line)
	}
	vars := map[string]string{"SYSLOG_IDENTIFIER": "msup"}
	if r.Program != "" {
		vars["MSUP_PROGRAM"] = r.Program
	}
	if r.To != "" {
		vars["MSUP_FROM"], vars["MSUP_STATE"] = string(r.From), string(r.To)
	}
	if r.Unit != "" {
		// Makes journalctl -u and systemctl status show the line under the program's unit.
		if l.user {
			vars["USER_UNIT"] = r.Unit
		} else {
			vars["OBJECT_SYSTEMD_UNIT"] = r.Unit
		}
	}
	_ = journal.Send(r.String(), priority(r), vars) // the file is the record; the journal may be down
}

// toFile appends a line. What a full disk takes is counted and told when there is room
// again; the journal has it.
func (l *transitionLog) toFile(line string) {
	if l.missing > 0 {
		line = fmt.Sprintf("%d lines are missing here, the journal has them: journalctl -t msup\n%s", l.missing, line)
	}
	n, err := l.file.WriteString(line)
	if err == nil {
		l.missing = 0
		return
	}
	if n > 0 {
		// No half lines: take back what was written of it.
		if st, statErr := l.file.Stat(); statErr == nil {
			_ = l.file.Truncate(st.Size() - int64(n)) // else the line stays torn
		}
	}
	if l.missing++; l.missing == 1 {
		text := fmt.Sprintf("cannot write the transition log: %v; the journal has what it misses", err)
		if l.terminal {
			fmt.Fprintln(os.Stderr, "msup: "+text)
		}
		_ = journal.Send(text, journal.PriErr, map[string]string{"SYSLOG_IDENTIFIER": "msup"}) // as below
	}
}

func priority(r units.Record) journal.Priority {
	switch r.To {
	case policy.Failed, policy.Killed:
		return journal.PriErr
	case policy.Backoff:
		return journal.PriWarning
	}
	return journal.PriInfo
}

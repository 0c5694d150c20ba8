package main

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"

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
	file     *os.File // nil = none configured
	user     bool
	terminal bool // not a service: standard error is where somebody looks

	mu     sync.Mutex
	queue  []units.Record
	closed bool
	work   chan struct{}
	done   chan struct{}
}

func openTransitionLog(project units.Project, user bool) (*transitionLog, error) {
	l := &transitionLog{user: user, terminal: !asOwnUnit(project), work: make(chan struct{}, 1), done: make(chan struct{})}
	if project.Logfile != "" {
		if err := os.MkdirAll(filepath.Dir(project.Logfile), 0o755); err != nil {
			return nil, fmt.Errorf("cannot open the transition log: %w", err)
		}
		f, err := os.OpenFile(project.Logfile, os.O_WRONLY|os.O_CREATE|os.O_APPEND|unix.O_NOFOLLOW, 0o644)
		if err != nil {
			return nil, fmt.Errorf("cannot open the transition log: %w", err)
		}
		l.file = f
	}
	go l.run()
	return l, nil
}

func (l *transitionLog) append(r units.Record) {
	l.mu.Lock()
	l.queue = append(l.queue, r)
	l.mu.Unlock()
	l.poke()
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
}

func (l *transitionLog) run() {
	defer close(l.done)
	for range l.work {
		l.mu.Lock()
		records, closed := l.queue, l.closed
		l.queue = nil
		l.mu.Unlock()
		for _, r := range records {
			l.write(r)
		}
		if closed {
			return
		}
	}
}

func (l *transitionLog) write(r units.Record) {
	line := r.Time.Format(timeFormat) + " " + r.String() + "\n"
	if l.file != nil {
		if _, err := l.file.WriteString(line); err != nil && l.terminal {
			fmt.Fprintf(os.Stderr, "msup: cannot write the transition log: %v\n", err)
		}
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

func priority(r units.Record) journal.Priority {
	switch r.To {
	case policy.Failed, policy.Killed:
		return journal.PriErr
	case policy.Backoff:
		return journal.PriWarning
	}
	return journal.PriInfo
}

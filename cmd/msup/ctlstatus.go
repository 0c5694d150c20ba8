package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"msup/policy"
)

// What supervisorctl prints of processes.

// supervisordState is a state in supervisord's words. KILLED it does not have: like FAILED,
// that is FATAL, unless the program had been RUNNING and is not to be restarted, which is
// EXITED there.
func supervisordState(p process) string {
	s := p.status.State
	switch {
	case s.Phase == "":
		return "UNKNOWN"
	case !s.Phase.GaveUp():
		return string(s.Phase)
	case p.program.Rules.Autorestart == policy.Never && !startFailed(p):
		return string(policy.Exited)
	}
	return "FATAL"
}

// startFailed reports whether the last end was that of a program that was not RUNNING yet.
func startFailed(p process) bool {
	last := p.status.State.Last
	if last == nil {
		return true // it could not be tried
	}
	switch last.Cause {
	case policy.CauseExec, policy.CauseStart, policy.CauseResources, policy.CauseProtocol:
		return true
	}
	return last.Final || endedEarly(p)
}

// endedEarly reports whether the last run was executed, and over before it counted as started.
func endedEarly(p process) bool {
	s := p.status.State
	return s.Last != nil && s.Last.Ran > 0 && s.Last.Ran < p.program.Rules.StartPeriod || s.Failures > 0
}

// isDead reports whether status ends with exit status 3 for it.
func isDead(state string) bool {
	return state == "STOPPED" || state == "EXITED" || state == "FATAL" || state == "UNKNOWN"
}

// isUpOrTried reports whether stop has something to do, and start has not: RUNNING, on the way
// there, or about to be tried again.
func isUpOrTried(s policy.State) bool {
	return s.Phase == policy.Running || s.Phase == policy.Starting || s.Phase == policy.Backoff
}

// statusLines is what status prints of processes.
func statusLines(all []process, now time.Time) []string {
	width := 30
	for _, p := range all {
		width = max(width, utf8.RuneCountInString(p.String()))
	}
	var lines []string
	for _, p := range all {
		lines = append(lines, fmt.Sprintf("%-*s%-10s%s", width+3, p, supervisordState(p), description(p, now)))
	}
	return lines
}

// description is the last column.
func description(p process, now time.Time) string {
	s := p.status.State
	switch supervisordState(p) {
	case "RUNNING":
		since := s.Active
		if since.IsZero() {
			since = s.Since
		}
		return fmt.Sprintf("pid %d, uptime %s", p.status.PID, timedelta(now.Sub(since)))
	case "STOPPED", "EXITED":
		if s.Started.IsZero() && s.Last == nil {
			return "Not started"
		}
		return s.Since.Local().Format("Jan 02 03:04 PM")
	case "FATAL", "BACKOFF":
		return spawnError(p)
	}
	return ""
}

// spawnError is why a program does not run: in supervisord's words where it has any.
func spawnError(p process) string {
	last := p.status.State.Last
	switch {
	case last == nil:
	case last.Cause == policy.CauseExec && noFile(p.program.Path):
		return fmt.Sprintf("can't find command '%s'", p.program.Argv[0])
	case (last.Cause == policy.CauseExit || last.Cause == policy.CauseSignal) && endedEarly(p):
		return "Exited too quickly (process log may have details)"
	}
	return strings.ReplaceAll(p.status.State.Reason, "\n", " ")
}

func noFile(path string) bool {
	_, err := os.Stat(path)
	return errors.Is(err, fs.ErrNotExist)
}

// timedelta is a time as Python prints it: 0:00:05, 26:00:00 is 1 day, 2:00:00.
func timedelta(d time.Duration) string {
	s := max(int64(d/time.Second), 0)
	text := fmt.Sprintf("%d:%02d:%02d", s/3600%24, s/60%60, s%60)
	switch days := s / 86400; days {
	case 0:
		return text
	case 1:
		return "1 day, " + text
	default:
		return fmt.Sprintf("%d days, %s", days, text)
	}
}

// availLine is a line of avail. There are no priorities: the order is that of the file.
func availLine(p process, inUse bool) string {
	use, start := "avail", "manual"
	if inUse {
		use = "in use"
	}
	if p.program.Autostart {
		start = "auto"
	}
	return fmt.Sprintf("%-32s %-9s %-9s %s", p, use, start, "-")
}

package doctor

import (
	"fmt"
	"strings"
	"time"
)

const (
	timeLayout = "2006-01-02 15:04:05"
	// clockSlack is by how much a file may be newer than now: file servers have clocks too.
	clockSlack = time.Minute
)

func names(l *list, f Facts) {
	if f.Names == nil {
		return
	}
	for _, text := range f.Names.Foreign {
		l.add(Problem, "names", "rename the program, or give the project another name: [msup] project = NAME", "%s", text)
	}
	if n := f.Names.Leftover; len(n) > 0 {
		l.add(Warning, "names", "systemctl"+f.scope()+" stop "+strings.Join(n, " "), "%s: of a program that the configuration does not have, and that no supervisor keeps", some(n))
	}
	if n := f.Names.Loaded; len(n) > 0 {
		l.add(Warning, "names", "msup up -d takes them over; msup down stops them", "%s: without a supervisor", some(n))
	}
}

func supervisor(l *list, f Facts) {
	s := f.Running
	if s == nil {
		if f.Systemd.Err == nil && f.Config != nil {
			l.add(Info, "supervisor", "msup up -d", "project %s is not running", f.project().Name)
		}
		return
	}
	switch {
	case !s.Active:
		l.add(Problem, "supervisor", "journalctl"+f.scope()+" -u "+s.Unit+" says why; msup up -d starts it again", "%s is loaded and does not run", s.Unit)
		return
	case !s.Answers && f.Runtime.Socket == nil:
		l.add(Problem, "supervisor", "journalctl"+f.scope()+" -u "+s.Unit+" says what it does", "%s runs and does not answer", s.Unit)
	default:
		l.add(OK, "supervisor", "", "%s runs since %s", s.Unit, s.Started.Format(timeLayout))
	}
	restart := "systemctl" + f.scope() + " restart " + s.Unit
	switch {
	case s.Replaced != nil && *s.Replaced:
		l.add(Info, "supervisor", restart+" (stops nothing)", "it runs from another executable than this msup: it was replaced, or is another copy")
	case s.Answers && s.Version != s.Mine:
		l.add(Info, "supervisor", restart+" (stops nothing)", "it has version %s, this msup %s", orUnknown(s.Version), s.Mine)
	}
	if s.Restarts > 0 {
		l.add(Warning, "supervisor", "journalctl"+f.scope()+" -u "+s.Unit+" says why", "systemd has restarted it %s since it was started", times(s.Restarts))
	}
	if s.Watchdog == 0 {
		l.add(Info, "supervisor", "WatchdogSec=60 in its unit", "it has no watchdog: one that hangs is not noticed")
	}
	changed(l, f, s)
}

// changed tells what runs by another configuration than the one that is there.
func changed(l *list, f Facts, s *Supervisor) {
	const fix = "msup diff shows what that means, msup reload applies it"
	c := f.Config
	since := c != nil && !c.Broken && !c.Modified.IsZero() && c.Modified.After(s.Started) && !c.Modified.After(f.Now.Add(clockSlack))
	switch {
	case s.Differs == nil && since:
		l.add(Info, "configuration", fix, "changed %s ago, after the supervisor started: what runs may differ", age(f.Now.Sub(c.Modified)))
	case s.Differs == nil || !*s.Differs:
	case since:
		l.add(Info, "configuration", fix, "what runs differs from it; it was changed %s ago", age(f.Now.Sub(c.Modified)))
	default:
		l.add(Info, "configuration", fix, "what runs differs from it")
	}
	if len(s.Changed) > 0 {
		l.add(Info, some(s.Changed), "msup restart "+strings.Join(s.Changed, " "), "runs by an older definition than the configuration's")
	}
	if len(s.Removed) > 0 {
		l.add(Info, some(s.Removed), "msup stop "+strings.Join(s.Removed, " "), "runs on, and is no longer in the configuration")
	}
}

func orUnknown(s string) string {
	if s == "" {
		return "unknown (older)"
	}
	return s
}

func times(n uint32) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

// age is a duration in its largest unit.
func age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return d.Round(time.Second).String()
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d days", d/(24*time.Hour))
}

//go:build linux

package torture

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"msup/policy"
)

// judge compares what msup says with the books.
func (r *run) judge() {
	all, err := readTransitions(r.log)
	if err != nil {
		r.fail("chain", "", time.Now(), "%v", err)
		return
	}
	tolerance := r.stalls.tolerance()
	ends, bytes := 0, int64(0)
	logs, lives := map[string][]transition{}, map[string][]*life{}
	for _, p := range r.programs {
		logs[p.name] = of(all, p.name)
		lives[p.name], _ = readBook(p.book) // one that cannot be read is told of below
	}
	for _, p := range r.programs {
		c := &caseOf{program: p, log: of(all, p.name), tolerance: tolerance, absences: r.absences, damaged: r.damaged, fail: r.fail}
		if p.book != "" {
			if c.lives, err = readBook(p.book); err != nil {
				r.fail("copies", p.name, time.Now(), "%v", err)
				continue
			}
		}
		c.judge()
		c.order(logs, lives, r.downs)
		c.times(r.downs)
		for _, l := range c.lives {
			if !l.over().IsZero() {
				ends++
			}
		}
		for _, o := range p.files {
			text, err := readRotated(o.path)
			if err != nil {
				r.fail("lines", p.name, time.Now(), "%v", err)
				continue
			}
			bytes += int64(len(text))
			if err := o.check(text, c.lives); err != nil {
				r.fail("lines", p.name, time.Now(), "%s: %v", filepath.Base(o.path), err)
			}
		}
	}
	r.lastWords()
	r.figure("%d programs, %d ends, %d transitions, %d steps, %.1f MiB of output", len(r.programs), ends, len(all), len(r.result.Schedule), float64(bytes)/(1<<20))
	r.knocks()
	r.figure("tolerance for what may be late: %s", tolerance.Round(time.Millisecond))
	for i := range r.result.Findings {
		r.result.Findings[i].Around = r.around(&r.result.Findings[i], all)
	}
}

// caseOf is what is known of one program: what it says itself, and what msup says.
type caseOf struct {
	program   *program
	lives     []*life
	log       []transition
	tolerance time.Duration
	absences  []absence
	damaged   time.Time // zero: the state was never damaged
	fail      func(check, program string, at time.Time, format string, args ...any)
}

func (c *caseOf) found(check string, at time.Time, format string, args ...any) {
	c.fail(check, c.program.name, at, format, args...)
}

func (c *caseOf) judge() {
	c.chain()
	if c.program.book == "" {
		return
	}
	for i, l := range c.lives {
		if l.trouble != "" {
			c.found("lines", l.start, "%v: %s", l, l.trouble)
		}
		if i > 0 {
			before := c.lives[i-1]
			if end := before.over(); end.After(l.start) {
				c.found("copies", l.start, "%v began before the end of %v", l, before)
			}
		}
	}
	exits := c.exits()
	c.restarts(exits)
	c.delays(exits)
}

// chain checks that each transition begins where the one before ended. Nothing is known of what came before a damage of the state.
func (c *caseOf) chain() {
	phase := policy.Stopped
	for _, t := range c.log {
		forgotten := !c.damaged.IsZero() && !t.at.Before(c.damaged)
		if t.from != phase && !forgotten {
			c.found("chain", t.at, "was %s, and then %s", phase, t.line)
		}
		if t.to == policy.Running && t.from != policy.Starting && !forgotten {
			c.found("chain", t.at, "was running and not known to: %s", t.line)
		}
		phase = t.to
	}
}

// slip is how much earlier than what it tells of a line of the log may seem to be: its time is to the millisecond, rounded down.
const slip = 2 * time.Millisecond

// exits checks that each end has one line in the log, and returns the lines by life, nil where there is none.
func (c *caseOf) exits() []*transition {
	lines := make([]*transition, len(c.lives))
	i := -1 // the life that the line before belongs to
	for n := range c.log {
		t := &c.log[n]
		if !t.exit() {
			continue
		}
		for i+1 < len(c.lives) && !c.lives[i+1].start.After(t.at) {
			i++
		}
		switch {
		case i < 0:
			c.unfounded(t, "before the first life")
		case lines[i] != nil:
			c.unfounded(t, fmt.Sprintf("%v has ended by %q already", c.lives[i], lines[i].line))
		case !c.lives[i].end.IsZero() && t.at.Before(c.lives[i].end.Add(-slip)):
			c.unfounded(t, fmt.Sprintf("before the end of %v", c.lives[i]))
		default:
			lines[i] = t
			c.cause(c.lives[i], t)
		}
	}
	for i, l := range c.lives {
		if lines[i] == nil && !c.forgotten(l.over()) && (!l.over().IsZero() || i < len(c.lives)-1) {
			c.found("exits", cmp.Or(l.over(), l.start), "not in the transition log: the end of %v", l)
		}
	}
	return lines
}

// forgotten reports whether the next supervisor could know nothing of an end: none was there, or
// just not any more, and the state that had the run was damaged.
func (c *caseOf) forgotten(end time.Time) bool {
	return !c.damaged.IsZero() && slices.ContainsFunc(c.absences, func(a absence) bool {
		return !a.from.Before(c.damaged) && a.from.Before(end.Add(c.tolerance)) && a.to.After(end)
	})
}

// earlyDeath matches the end of a run that was stopped before its program could say that it lives.
var earlyDeath = regexp.MustCompile(`SIGTERM|SIGKILL|was not running|has been stopped|exit status 0`)

func (c *caseOf) unfounded(t *transition, why string) {
	if !c.damaged.IsZero() && !t.at.Before(c.damaged) {
		return // of a run that the damaged state still had
	}
	if c.program.scope && strings.Contains(t.reason, "unknowable") {
		return // its supervisor was killed before it could let it become the program
	}
	if (t.from == policy.Stopping || t.from == policy.Starting) && (t.to == policy.Stopped || t.to == policy.Starting) && earlyDeath.MatchString(t.reason) {
		return
	}
	c.found("exits", t.at, "in the transition log is an exit that was none, %s: %s", why, t.line)
}

// unknowable says that msup may not know how a life ended: systemd does not know the exit status of a scope's program, and the
// supervisor whose child it was is gone.
func (c *caseOf) unknowable(l *life) (may, must bool) {
	if !c.program.scope {
		return false, false
	}
	if l.lastParent != 0 && l.lastParent != l.parent {
		return true, true
	}
	// Its supervisor was there at the end, but may have been killed before it could see it.
	end := l.over()
	may = slices.ContainsFunc(c.absences, func(a absence) bool { return a.to.After(end) && a.from.Before(end.Add(2*time.Second)) })
	return may, false
}

// cause checks that the line has the life's cause of death.
func (c *caseOf) cause(l *life, t *transition) {
	how := l.endedBy()
	want := "exit status " + how
	switch {
	case how == "" && c.program.role == deaf:
		want = "SIGKILL"
	case how == "":
		return
	case strings.HasPrefix(how, "SIG"):
		want = "killed by " + how
	}
	may, must := c.unknowable(l)
	switch {
	case t.from == policy.Stopping && strings.Contains(t.reason, "systemd has unloaded the unit"):
		// A stop that was asked for, and ended without anybody there to see it.
	case may && strings.Contains(t.reason, "unknowable"):
	case must || !containsWord(t.reason, want):
		c.found("exits", t.at, "%v; the transition log says %q", l, t.line)
	}
}

// containsWord is strings.Contains, but "exit status 2" is not in "exit status 200".
func containsWord(s, word string) bool {
	_, rest, ok := strings.Cut(s, word)
	return ok && (rest == "" || !strings.ContainsAny(rest[:1], "0123456789"))
}

// restarts checks that each end was answered as the policy says.
func (c *caseOf) restarts(exits []*transition) {
	rules, count := c.program.rules, 0
	known := true // count is
	life := map[*transition]*life{}
	for i, t := range exits {
		if t != nil {
			life[t] = c.lives[i]
		}
	}
	for n := range c.log {
		t := &c.log[n]
		switch {
		case !c.damaged.IsZero() && !t.at.Before(c.damaged):
			return
		case t.explicit():
			count, known = 0, true
		case t.to == policy.Stopping:
			if strings.HasPrefix(t.reason, "stopped with systemctl") && c.program.role != halted {
				c.found("stops", t.at, "nobody has stopped it: %s", t.line)
			}
		}
		l := life[t]
		if l == nil && t.exit() && t.to == policy.Backoff {
			count++ // of a start that failed
		}
		if l == nil || t.from == policy.Stopping {
			continue
		}
		if rules.RestartReset > 0 {
			switch lived := l.over().Sub(l.start); {
			case lived >= rules.RestartReset+c.tolerance+c.absent(l.start, l.over()):
				count = 0
			case lived >= rules.RestartReset-200*time.Millisecond:
				known = false // it depends on the moment
			}
		}
		to, reason := answer(rules, l, t, &count)
		if !known {
			_, reason, _ = strings.Cut(t.reason, ", restart ")
			_, _ = fmt.Sscan(reason, &count)
			known = true
			continue
		}
		if t.to != to || !strings.Contains(t.reason, reason) {
			c.found("restarts", t.at, "%v, %d restarts before; wanted %s, %q: %s", l, max(0, count-1), to, reason, t.line)
			_, reason, _ = strings.Cut(t.reason, ", restart ")
			_, _ = fmt.Sscan(reason, &count)
		}
	}
}

// answer is what the policy says to an end that nobody asked for: the state that follows, and what stands in its reason.
func answer(rules policy.Rules, l *life, t *transition, count *int) (policy.Phase, string) {
	how := l.endedBy()
	code, err := strconv.Atoi(how)
	ok := err == nil && rules.EndedWell(policy.Exit{Cause: policy.CauseExit, Code: code}) && !strings.Contains(t.reason, "unknowable")
	switch {
	case ok && rules.Autorestart != policy.Always:
		return policy.Exited, ""
	case rules.Autorestart == policy.Never:
		return policy.Failed, "autorestart is never"
	case rules.MaxRestarts > 0 && *count >= rules.MaxRestarts:
		return policy.Failed, "gave up after"
	}
	*count++
	of := ""
	if rules.MaxRestarts > 0 {
		of = fmt.Sprintf(" of %d", rules.MaxRestarts)
	}
	return policy.Backoff, fmt.Sprintf(", restart %d%s in ", *count, of)
}

// absent is how long of a time no supervisor was there.
func (c *caseOf) absent(from, to time.Time) (d time.Duration) {
	for _, a := range c.absences {
		if start, end := later(a.from, from), earlier(a.to, to); end.After(start) {
			d += end.Sub(start)
		}
	}
	return d
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// delays checks the time between an end and the start that answers it.
func (c *caseOf) delays(exits []*transition) {
	delay := c.program.rules.RestartDelay
	for i, t := range exits {
		if t == nil || t.to != policy.Backoff || i+1 >= len(c.lives) || c.lives[i].over().IsZero() {
			continue
		}
		after := c.log[slices.IndexFunc(c.log, func(x transition) bool { return x == *t })+1:]
		if len(after) == 0 || after[0].explicit() || after[0].to != policy.Starting {
			continue // somebody asked for a start, or for a stop
		}
		end, start := c.lives[i].over(), c.lives[i+1].start
		if slices.ContainsFunc(after, func(t transition) bool {
			return t.at.Before(start) && (t.to == policy.Stopping || t.to == policy.Stopped)
		}) {
			continue // it was stopped before it could begin
		}
		took, absent := start.Sub(end), c.absent(end, start)
		if took < delay-slip {
			c.found("delays", start, "started %s after %v, %s too early", took.Round(time.Millisecond), c.lives[i], (delay - took).Round(time.Millisecond))
		}
		if took > delay+absent+c.tolerance && len(c.program.needs) == 0 {
			c.found("delays", start, "started %s after %v; its delay is %s, and no supervisor was there for %s",
				took.Round(time.Millisecond), c.lives[i], delay, absent.Round(time.Millisecond))
		}
	}
}

// lastWords looks for supervisors that have ended by themselves.
func (r *run) lastWords() {
	s := command(r.ctx, time.Minute, "journalctl", "--no-pager", "-o", "short-precise", "-u", supervisorUnit)
	lines := strings.Split(s.text, "\n")
	quits := 0
	for i, line := range lines {
		switch {
		case strings.Contains(line, "panic: "), strings.Contains(line, "fatal error: "), strings.Contains(line, "DATA RACE"):
			r.fail("comeback", "", r.began, "%s", strings.Join(lines[max(0, i-3):min(len(lines), i+30)], "\n"))
			return
		case !strings.Contains(line, "Main process exited, code=exited"):
		case strings.Contains(line, "status=203"): // its binary was away
		case strings.Contains(line, "status=2/") && quits < r.quits:
			quits++
		default:
			r.fail("comeback", "", r.began, "a supervisor ended by itself:\n%s", strings.Join(lines[max(0, i-5):i+1], "\n"))
		}
	}
}

// around collects what the logs have about a finding.
func (r *run) around(f *Finding, all []transition) (lines []string) {
	for _, t := range all {
		if d := t.at.Sub(f.At); d.Abs() < 3*time.Second && (t.program == f.Program || t.program == "") {
			lines = append(lines, t.line)
		}
	}
	for _, s := range r.result.Schedule {
		at, err := time.ParseInLocation("2006-01-02 15:04:05.000", f.At.Format(time.DateOnly)+" "+s[:12], time.Local)
		if err == nil && at.Sub(f.At).Abs() < 3*time.Second {
			lines = append(lines, "schedule: "+s)
		}
	}
	if f.Program != "" {
		if p := r.program(f.Program); p.book != "" {
			lives, _ := readBook(p.book)
			for _, l := range lives {
				if l.start.Sub(f.At).Abs() < 6*time.Second || l.over().Sub(f.At).Abs() < 6*time.Second {
					lines = append(lines, "book: "+l.String())
				}
			}
		}
	}
	if over := len(lines) - 60; over > 0 {
		lines = append(lines[:30], append([]string{fmt.Sprintf("… %d lines …", over)}, lines[len(lines)-30:]...)...)
	}
	return lines
}

// readRotated reads a log with all that was rotated away, the oldest first.
func readRotated(path string) ([]byte, error) {
	old, err := filepath.Glob(path + ".*")
	if err != nil {
		return nil, err
	}
	number := func(name string) (n int) {
		_, _ = fmt.Sscanf(strings.TrimPrefix(name, path+"."), "%d", &n)
		return n
	}
	slices.SortFunc(old, func(a, b string) int { return number(b) - number(a) })
	var text []byte
	for i, name := range old {
		if number(name) == 0 || i > 0 && number(name) == number(old[i-1]) {
			return nil, fmt.Errorf("what is %s, beside %v?", filepath.Base(name), old[max(0, i-1)])
		}
		part, err := readMaybeCompressed(name)
		if err != nil {
			return nil, err
		}
		text = append(text, part...)
	}
	last, err := os.ReadFile(path)
	return append(text, last...), err
}

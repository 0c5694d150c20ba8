package units

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"msup/policy"
	"msup/property"
)

// A program with a schedule is started by the supervisor, when a timer of systemd's has elapsed:
// so the times are systemd's, also across a change of the clock and while no supervisor runs,
// and each run is an ordinary start by the policy, with the full definition. A timer that
// started the program's own unit would keep that loaded, and StartTransientUnit refuses a unit
// that is. So it starts a unit of its own, which does nothing, and the supervisor takes from
// the timer when it did so last.

// Schedule says at which times a program is started. Without Calendar and Every there is none.
type Schedule struct {
	// Calendar are calendar events (systemd.time(7)), each a time more.
	Calendar []string `json:"calendar,omitempty"`
	// Every is the time from one start to the next, the first one that long after the program
	// was armed; 0 = none. It is at least a second.
	Every time.Duration `json:"every,omitempty"`
	// Spread is how much later than its time chance may start it (RandomizedDelaySec=).
	Spread time.Duration `json:"spread,omitempty"`
	// CatchUp makes up for a time of Calendar that has passed while it was not armed, once, as
	// soon as it is (Persistent=).
	CatchUp bool `json:"catch_up,omitempty"`
}

// IsZero reports whether there is none.
func (s Schedule) IsZero() bool { return len(s.Calendar) == 0 && s.Every == 0 }

// String is the times in words, as the configuration has them: "*-*-* 03:00 or every 10m".
func (s Schedule) String() string {
	words := slices.Clone(s.Calendar)
	if s.Every > 0 {
		words = append(words, "every "+policy.Words(s.Every))
	}
	return strings.Join(words, " or ")
}

// accuracy is how much later than its time systemd may let a timer elapse, so that several do at
// once (AccuracySec=). An event may name each second.
func (s Schedule) accuracy() time.Duration {
	const usual = 100 * time.Millisecond
	if s.Every > 0 {
		return min(usual, s.Every/100)
	}
	return usual
}

// Settings are those of [Timer] in a unit file (systemd.timer(5)).
func (s Schedule) Settings() []property.Setting {
	var out []property.Setting
	span := policy.Words // which systemd reads too (systemd.time(7))
	for _, c := range s.Calendar {
		out = append(out, property.Setting{Name: "OnCalendar", Value: c})
	}
	if s.Every > 0 {
		out = append(out, property.Setting{Name: "OnActiveSec", Value: span(s.Every)}, property.Setting{Name: "OnUnitActiveSec", Value: span(s.Every)})
	}
	out = append(out, property.Setting{Name: "AccuracySec", Value: span(s.accuracy())})
	if s.Spread > 0 {
		out = append(out, property.Setting{Name: "RandomizedDelaySec", Value: span(s.Spread)})
	}
	if s.CatchUp {
		out = append(out, property.Setting{Name: "Persistent", Value: "yes"})
	}
	return out
}

// timerBase and calendarBase are the D-Bus types (st) and (ss) of TimersMonotonic and
// TimersCalendar.
type timerBase struct {
	Base string
	USec uint64
}

type calendarBase struct{ Base, Spec string }

// timer is the companion of a program that has a schedule.
type timer struct {
	def     Program
	project string
}

// dueMark stands in the names of timers and of the units that they start, and of no others.
const dueMark = ":due"

// TimerUnit is the name of the timer of a program, "msup-web:due.timer". No program's name holds
// a colon.
func (p Program) TimerUnit() string {
	return strings.TrimSuffix(p.Unit, "."+string(p.Type)) + dueMark + ".timer"
}

// Name implements [Companion].
func (t timer) Name() string { return t.def.TimerUnit() }

// Holds implements [Companion]: a run that somebody asks for needs no timer.
func (t timer) Holds(Program) bool { return false }

// TimerDescription is the Description= of the timer of a program.
func (p Program) TimerDescription() string { return timer{def: p}.description() }

// description says what the timer is made by, so that it tells whether another one is wanted.
func (t timer) description() string {
	text := fmt.Sprintf("schedule of msup program %s: %s", t.def.Name, t.def.Schedule)
	if s := t.def.Schedule.Spread; s > 0 {
		text += ", up to " + policy.Words(s) + " later"
	}
	if t.def.Schedule.CatchUp {
		text += ", missed times are made up for"
	}
	return text
}

// properties are those of the transient timer, and of the unit that it starts.
func (t timer) properties() (own []Property, due Aux) {
	s := t.def.Schedule
	own = []Property{
		{"Description", t.description()},
		{"After", []string{SupervisorUnit(t.project)}},
		{"StartLimitIntervalUSec", uint64(0)},
		{"AccuracyUSec", max(1, usec(s.accuracy()))},
		// Only with that it stays loaded when its last time is over.
		{"RemainAfterElapse", true},
	}
	if len(s.Calendar) > 0 {
		list := make([]calendarBase, len(s.Calendar))
		for i, c := range s.Calendar {
			list[i] = calendarBase{"OnCalendar", c}
		}
		own = append(own, Property{"TimersCalendar", list})
	}
	if s.Every > 0 {
		own = append(own, Property{"TimersMonotonic", []timerBase{{"OnActiveSec", usec(s.Every)}, {"OnUnitActiveSec", usec(s.Every)}}})
	}
	if s.Spread > 0 {
		own = append(own, Property{"RandomizedDelayUSec", usec(s.Spread)})
	}
	if s.CatchUp {
		own = append(own, Property{"Persistent", true})
	}
	return own, Aux{Unit: strings.TrimSuffix(t.Name(), ".timer") + ".service", Properties: []Property{
		{"Description", "msup starts program " + t.def.Name},
		{"Slice", SliceName(t.project)},
		{"After", []string{SupervisorUnit(t.project)}},
		{"Type", "oneshot"},
		// Whether it is there does not matter: it shall be started, and do nothing.
		{"ExecStart", []ExecCommand{{Path: "/bin/true", Argv: []string{"/bin/true"}, IgnoreFailure: true}}},
		{"StartLimitIntervalUSec", uint64(0)},
		{"CollectMode", "inactive-or-failed"},
		{"LogLevelMax", int32(4)}, // systemd tells of each of its starts
	}}
}

// Ensure implements [Companion].
func (t timer) Ensure(ctx context.Context, bus Bus) error {
	own, due := t.properties()
	f, err := bus.Read(ctx, t.Name())
	for tries := 0; ; tries++ {
		if err != nil {
			return err
		}
		if f.LoadState != "not-found" {
			if why := Foreign(f, t.project); why != "" {
				return errors.New(why)
			}
			same, err := t.isWanted(ctx, bus, f)
			if err != nil || same {
				return err
			}
			if err := t.remove(ctx, bus, f, due.Unit); err != nil {
				return err
			}
		}
		err = bus.Start(ctx, t.Name(), own, false, due)
		if !errors.Is(err, ErrUnitExists) || tries == timerTries {
			return err
		}
		// It, or the unit that it starts, is just being unloaded.
		waitFor(ctx, timerRetry)
		f, err = bus.Read(ctx, t.Name())
	}
}

const (
	timerTries = 50
	timerRetry = 20 * time.Millisecond
)

// isWanted reports whether the timer that is loaded is the one of the definition.
func (t timer) isWanted(ctx context.Context, bus Bus, f Facts) (bool, error) {
	if f.ActiveState != "active" && f.ActiveState != "activating" {
		return false, nil
	}
	has, err := bus.Properties(ctx, t.Name(), "Description")
	if errors.Is(err, ErrNoSuchUnit) {
		return false, nil
	}
	return has["Description"] == t.description(), err
}

func (t timer) remove(ctx context.Context, bus Bus, f Facts, due string) error {
	if f.ActiveState == "failed" {
		if err := bus.Reset(ctx, t.Name()); err != nil && !errors.Is(err, ErrNoSuchUnit) {
			return err
		}
		return nil
	}
	if err := stopAndWait(ctx, bus, t.Name()); err != nil {
		return err
	}
	return stopAndWait(ctx, bus, due)
}

// times is what is known of the times of a program with a schedule.
type times struct {
	SavedTimes
	next  time.Time // its next time; zero = none, or not known
	known bool      // next is
	// told is when the log was told last of times that were skipped, untold how many were since.
	told   time.Time
	untold int
}

// take takes the next time from the timer. While that starts what it has to, systemd has none yet.
func (t *times) take(f Facts) {
	t.next, t.known = time.Time{}, f.ActiveState == "active" && f.SubState != "running"
	if t.known {
		t.next = f.NextElapse
	}
}

// SavedTimes is what the next supervisor has to know of a schedule.
type SavedTimes struct {
	// Elapsed is when the timer has elapsed last, of those times that were answered, by the
	// monotonic clock in µs; 0 = never. At is that time by the wall clock.
	Elapsed uint64    `json:"elapsed,omitempty"`
	At      time.Time `json:"at,omitzero"`
	// Skipped is at how many times a run was under way, and so none was started.
	Skipped int `json:"skipped,omitempty"`
}

// timerOf finds the companion of p that is its timer, nil = it has none now.
func (p *program) timerOf() *companion {
	for _, c := range p.companions {
		if _, ok := c.def.(timer); ok && !c.leaving {
			return c
		}
	}
	return nil
}

// times reports whether the companion is the timer of its program.
func (c *companion) times() bool { return c.of != nil && c.of.timerOf() == c }

// observeTimer takes what systemd says of the timer of p.
func (s *Supervisor) observeTimer(p *program, f Facts) {
	switch {
	case f.ActiveState == "failed":
		s.step(p, timerEnded(f))
		return
	case f.ActiveState != "active":
		return
	}
	p.times.take(f)
	if f.Elapsed <= p.times.Elapsed {
		return
	}
	p.times.Elapsed, p.times.At = f.Elapsed, f.ElapsedAt
	s.touch(p)
	if !p.state.Armed || s.down {
		return
	}
	if p.state.Phase.Up() || p.state.Phase == policy.Backoff {
		s.skip(p)
		return
	}
	reason := "its time, " + clock(f.ElapsedAt)
	if late := time.Since(f.ElapsedAt); late > lateNews {
		reason += ", noticed " + policy.Words(late.Round(time.Second)) + " later"
	}
	s.startWith([]*program{p}, func(p *program) { s.step(p, policy.Triggered{By: reason}) }, reason)
}

// lateNews is how much later than it was the news of a time is worth a word: no supervisor was
// there.
const lateNews = 5 * time.Second

// skip passes over a time, because a run is under way. The log is told, but not of each second.
func (s *Supervisor) skip(p *program) {
	p.times.Skipped++
	p.times.untold++
	if time.Since(p.times.told) < time.Minute {
		return
	}
	more := ""
	if n := p.times.untold - 1; n > 0 {
		more = fmt.Sprintf(" (and %d before it)", n)
	}
	s.note(p, "skipped its time, %s%s: %s", clock(p.times.At), more, p.busy())
	p.times.told, p.times.untold = time.Now(), 0
}

// clock is a time of today or of some day.
func clock(t time.Time) string {
	t = t.Local()
	if y, d := time.Now().Year(), time.Now().YearDay(); t.Year() == y && t.YearDay() == d {
		return t.Format("15:04:05")
	}
	return t.Format("2006-01-02 15:04:05")
}

// busy says why no run can begin.
func (p *program) busy() string {
	run := "the run of " + clock(p.state.Started)
	switch p.state.Phase {
	case policy.Backoff:
		return run + " has failed and is tried again"
	case policy.Stopping:
		return run + " is being stopped"
	case policy.Starting:
		if words := waitWords(p.waits()); words != "" {
			return run + " " + words
		}
	}
	return run + " is not over"
}

// timerGone looks whether somebody has stopped the timer of a program.
func (s *Supervisor) timerGone(c *companion) {
	if !c.made {
		return // it is being made, or removed
	}
	s.read(c.def.Name(), func(f Facts, err error) {
		switch {
		case err != nil || !s.has(c) || !c.made || c.asked || c.leaving: // the list tells it, or who is about to make it
		case f.LoadState == "not-found" || f.ActiveState == "inactive":
			s.setBeside(c, false)
			s.step(c.of, timerEnded(Facts{Unit: c.def.Name()}))
		default:
			s.observeTimer(c.of, f)
		}
	})
}

// timerEnded says what the end of a timer means.
func timerEnded(f Facts) policy.Disarmed {
	if f.ActiveState == "failed" {
		return policy.Disarmed{Reason: fmt.Sprintf("%s has failed: %s", f.Unit, f.Result), Failed: true}
	}
	return policy.Disarmed{Reason: f.Unit + " was stopped with systemctl"}
}

// observeTimers takes what a list says of timers.
func (s *Supervisor) observeTimers(list []Facts) {
	for _, p := range s.programs {
		c := p.timerOf()
		if c == nil {
			continue
		}
		if i := slices.IndexFunc(list, func(f Facts) bool { return f.Unit == c.def.Name() }); i >= 0 && Foreign(list[i], s.cfg.Project.Name) == "" {
			s.observeTimer(p, list[i])
		}
	}
}

// ScheduleStatus is when a program with a schedule runs.
type ScheduleStatus struct {
	Armed   bool      `json:"armed"`
	Over    bool      `json:"over,omitempty"`   // there is no next time
	Next    time.Time `json:"next,omitzero"`    // its next time; zero = none, or not known yet
	Last    time.Time `json:"last,omitzero"`    // its last time, or zero
	Skipped int       `json:"skipped,omitzero"` // times at which a run was under way
}

// schedule is the status of the schedule of p.
func (p *program) schedule() *ScheduleStatus {
	if p.def.Schedule.IsZero() {
		return nil
	}
	out := &ScheduleStatus{Armed: p.state.Armed, Last: p.times.At, Skipped: p.times.Skipped}
	if p.state.Armed {
		out.Next, out.Over = p.times.next, p.times.known && p.times.next.IsZero()
	}
	return out
}

// reschedule puts another definition of p in force. What is up or has ended by itself waits for
// a new schedule; what waited for one that is gone is stopped.
func (s *Supervisor) reschedule(p *program, def Program, by string) {
	before := p.def
	if p.state.Armed && def.Rules.Awaits == "" && p.state.Phase == policy.Stopped {
		s.step(p, policy.StopRequested{By: by + ": nothing starts it any more"})
	}
	s.define(p, def)
	s.rearm(p, before.Rules.Awaits, by)
}

// rearm has p wait for what its definition says, where it awaited something else before.
func (s *Supervisor) rearm(p *program, awaited, by string) {
	if awaited == p.def.Rules.Awaits {
		return
	}
	s.touch(p)
	if p.state.Armed || awaited == "" && p.def.Autostart && p.state.Phase != policy.Stopped && p.state.Phase != policy.Stopping {
		s.step(p, policy.ArmRequested{By: by})
	}
}

// UnsupervisedSchedule is the schedule of a program when no supervisor runs: f are the facts of its
// timer, the zero value if that is not loaded.
func UnsupervisedSchedule(def Program, old SavedProgram, f Facts) *ScheduleStatus {
	p := program{def: def, state: old.State}
	if old.Times != nil {
		p.times.SavedTimes = *old.Times
	}
	p.times.take(f)
	return p.schedule()
}

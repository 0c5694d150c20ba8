package control

import (
	"time"

	"msup/units"
)

// ScheduleReport is when a program with a schedule runs.
type ScheduleReport struct {
	Calendar []string `json:"calendar"` // calendar events (systemd.time(7))
	Every    *float64 `json:"every"`    // seconds from one start to the next; null = none
	Spread   float64  `json:"spread"`   // seconds that chance may add
	Missed   string   `json:"missed"`   // "run" or "skip"
	Unit     string   `json:"unit"`     // the timer
	// Armed says that its times start it: it is up by msup up or msup start, and not stopped.
	Armed bool       `json:"armed"`
	Next  *time.Time `json:"next"` // its next time; null = there is none, or systemd is just being asked
	Over  bool       `json:"over"` // there is none
	Last  *time.Time `json:"last"` // its last time since the project came up
	// LastRun is when it was started last, at its time or on request.
	LastRun *time.Time `json:"last_run"`
	Skipped int        `json:"skipped"` // times at which a run was under way, since the project came up
}

func schedule(def units.Program, st units.Status) *ScheduleReport {
	s := def.Schedule
	if s.IsZero() {
		return nil
	}
	r := &ScheduleReport{Calendar: append([]string{}, s.Calendar...), Spread: s.Spread.Seconds(), Missed: "skip", Unit: def.TimerUnit(), Armed: st.State.Armed}
	if s.Every > 0 {
		r.Every = new(s.Every.Seconds())
	}
	if s.CatchUp {
		r.Missed = "run"
	}
	if !st.State.Started.IsZero() {
		r.LastRun = new(st.State.Started)
	}
	if st.Schedule == nil {
		return r
	}
	r.Skipped, r.Over = st.Schedule.Skipped, st.Schedule.Over
	if !st.Schedule.Next.IsZero() {
		r.Next = new(st.Schedule.Next)
	}
	if !st.Schedule.Last.IsZero() {
		r.Last = new(st.Schedule.Last)
	}
	return r
}

// Status is what it was made of.
func (r *ScheduleReport) Status() *units.ScheduleStatus {
	if r == nil {
		return nil
	}
	st := &units.ScheduleStatus{Armed: r.Armed, Over: r.Over, Skipped: r.Skipped}
	if r.Next != nil {
		st.Next = *r.Next
	}
	if r.Last != nil {
		st.Last = *r.Last
	}
	return st
}

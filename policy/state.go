package policy

import (
	"slices"
	"time"
)

// State is all the policy remembers about one program. The zero value is a program that
// was never started.
type State struct {
	Phase  Phase     `json:"phase"`
	Reason string    `json:"reason"` // why it is in this phase
	Since  time.Time `json:"since"`  // when it came into this phase
	// Restarts counts restarts in a row: since it was started on request, or was up for
	// Rules.RestartReset. See [Rules.Budget] for those that are used up.
	Restarts int `json:"restarts"`
	// Deadline is when the program wants a [DeadlineReached]; zero = never. In BACKOFF it is the
	// next start, in FAILED and KILLED the end of the cooldown, in STARTING the moment it counts
	// as started or is too late to be ready, in RUNNING the one its restarts are forgiven or its
	// max_age is over, whichever is first: the rules tell which.
	Deadline time.Time `json:"deadline"`
	Last     *Exit     `json:"last,omitempty"` // how it ended last
	// StartAgain says that the stop under way is the first half of a restart.
	StartAgain bool `json:"start_again,omitempty"`
	// Retiring says that nobody asked for the restart under way, which is for the age of the run
	// or for something it depends on: no count is cleared.
	Retiring bool `json:"retiring,omitempty"`

	Started time.Time `json:"started,omitzero"` // when its last start was asked for
	// Active is when the unit of the run under way became active; zero = it is not.
	Active time.Time `json:"active,omitzero"`
	// Draw is the chance that was drawn for the run under way, in [0,1): its share of
	// Rules.MaxAgeSpread.
	Draw float64 `json:"draw,omitempty"`
	// Ready is when a probe found the run under way ready; zero = it has not, or there is none.
	Ready time.Time `json:"ready,omitzero"`
	// Ending says in STOPPING why the program is being stopped, if that is an end nobody asked
	// for, which the rules answer when its unit is gone.
	Ending *Ending `json:"ending,omitempty"`
	// Used are the times of the restarts within Rules.RestartWindow, at most as many as it
	// may have.
	Used     []time.Time `json:"used,omitempty"`
	Failures int         `json:"failures,omitempty"` // retries of failed starts in a row
	Quick    int         `json:"quick,omitempty"`    // runs in a row that ended at once
	// Armed says that what the program awaits may start it, see Rules.Awaits. A start arms it,
	// a stop disarms it; how its runs end does neither.
	Armed bool `json:"armed,omitempty"`
	// Unmet says in FAILED that it was given up only because something it depends on has: it is
	// started again with that.
	Unmet bool `json:"unmet,omitempty"`
}

// Ending is an end that a probe has brought about: what the stop looks like to systemd does
// not count.
type Ending struct {
	Exit Exit `json:"exit"`
	// What the state was when it was decided.
	During Phase     `json:"during"`
	Active time.Time `json:"active"`
	Ready  time.Time `json:"ready,omitzero"`
}

func (e *Ending) equal(f *Ending) bool {
	return e == f || e != nil && f != nil && e.Exit == f.Exit && e.During == f.During && e.Active.Equal(f.Active) && e.Ready.Equal(f.Ready)
}

// Equal reports whether nothing tells s and t apart.
func (s State) Equal(t State) bool {
	return s.Phase == t.Phase && s.Reason == t.Reason && s.Restarts == t.Restarts && same(s.Last, t.Last) &&
		s.StartAgain == t.StartAgain && s.Retiring == t.Retiring && s.Draw == t.Draw && s.Armed == t.Armed && s.Failures == t.Failures && s.Quick == t.Quick && s.Unmet == t.Unmet &&
		s.Since.Equal(t.Since) && s.Deadline.Equal(t.Deadline) && s.Started.Equal(t.Started) && s.Active.Equal(t.Active) &&
		s.Ready.Equal(t.Ready) && s.Ending.equal(t.Ending) &&
		slices.EqualFunc(s.Used, t.Used, time.Time.Equal)
}

func same(e, f *Exit) bool { return e == f || e != nil && f != nil && *e == *f }

// IsActive reports whether the unit of a run under way has become active.
func (s State) IsActive() bool {
	return s.Phase == Running || s.Phase == Starting && !s.Active.IsZero()
}

// NextStart is when the program is started again, zero = never.
func (s State) NextStart() time.Time {
	if s.Phase == Backoff || s.Phase.GaveUp() {
		return s.Deadline
	}
	return time.Time{}
}

// to changes the phase. Deadline, StartAgain, Retiring, Active, Ready, Ending and Unmet belong to
// the phase that is left.
func (s State) to(p Phase, now time.Time, reason string) State {
	s.Phase, s.Since, s.Reason = p, now, reason
	s.Deadline, s.StartAgain, s.Retiring, s.Active = time.Time{}, false, false, time.Time{}
	s.Ready, s.Ending, s.Unmet = time.Time{}, nil, false
	return s
}

// launch has the unit started.
func (s State) launch(now time.Time, reason string) (State, Action) {
	s = s.to(Starting, now, reason)
	s.Started = now
	return s, StartUnit
}

// cleared is s with every count at zero.
func (s State) cleared() State {
	s.Restarts, s.Used, s.Failures, s.Quick = 0, nil, 0, 0
	return s
}

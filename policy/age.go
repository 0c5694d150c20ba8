package policy

import "time"

// This file is about how long a run may last, and how long a program must be up.

// Retires is when the run under way has come to its [Rules.MaxAge], and is replaced by
// another one; zero = never.
func (r Rules) Retires(s State) time.Time {
	if r.MaxAge <= 0 || r.Oneshot || s.Phase != Running {
		return time.Time{}
	}
	since := s.Active
	if since.IsZero() {
		since = s.Since // an older version has not written it down
	}
	return since.Add(r.MaxAge - time.Duration(float64(r.MaxAge)*r.MaxAgeSpread*s.Draw))
}

// forgives is when the restarts in a row of a program that runs are forgiven, zero = never.
// How long a oneshot takes says nothing of its health.
func (r Rules) forgives(s State) time.Time {
	if s.Restarts == 0 || r.RestartReset == 0 || r.Oneshot {
		return time.Time{}
	}
	since := later(s.Active, s.Ready) // time without being ready was not healthy
	if since.IsZero() {
		since = s.Since
	}
	return since.Add(r.RestartReset)
}

// upDeadline is the deadline of a program that runs: what comes first of the two, and at
// once where nobody was there to see it come.
func (r Rules) upDeadline(s State) time.Time {
	next, retires := r.forgives(s), r.Retires(s)
	if next.IsZero() || !retires.IsZero() && retires.Before(next) {
		next = retires
	}
	if !next.IsZero() && next.Before(s.Since) {
		next = s.Since
	}
	return next
}

// startPeriod is how long it must stay up to count as started. A oneshot runs as soon as it
// is executed, and counts when it has ended.
func (r Rules) startPeriod() time.Duration {
	if r.Oneshot {
		return 0
	}
	return r.StartPeriod
}

// mature answers the deadline of a program that runs.
func (s State) mature(r Rules, now time.Time) (State, Action) {
	if at := r.forgives(s); !at.IsZero() && !at.After(now) {
		s.Restarts = 0
	}
	if at := r.Retires(s); !at.IsZero() && !at.After(now) {
		s = s.to(Stopping, now, "its max_age of "+Words(r.MaxAge)+" is over")
		s.StartAgain, s.Retiring = true, true
		return s, StopUnit
	}
	s.Deadline = r.upDeadline(s)
	return s, None
}

package policy

import (
	"fmt"
	"time"
)

// Event is what happened to one program.
type Event interface{ event() }

type (
	// StartRequested asks for a start. It always works and clears the count of restarts.
	StartRequested struct{ By string }
	// StopRequested asks for a stop. It wins over any restart.
	StopRequested struct{ By string }
	// RestartRequested asks for a stop and a start.
	RestartRequested struct{ By string }
	// Started says that the unit is active. It may come unasked: somebody used systemctl, or
	// it was running before the supervisor was (Adopted). Random is the chance that the spread of
	// max_age needs, in [0,1). Unready says that it is not active yet, but executed, and that
	// [Ready] will come.
	Started struct {
		Adopted bool
		Random  float64
		Unready bool
	}
	// StopSeen says that somebody else, with systemctl, is stopping the unit.
	StopSeen struct{}
	// Ended says that the unit is no longer active, or that its start failed. Random is the
	// chance that jitter needs, in [0,1).
	Ended struct {
		Exit   Exit
		Random float64
	}
	// DeadlineReached says that State.Deadline has come. Probe is what the readiness probe said
	// last, "" = nothing yet.
	DeadlineReached struct{ Probe string }
	// Ready says that the readiness probe has passed often enough, or that the program has said
	// so, at that time; zero = now.
	Ready struct{ At time.Time }
	// Unhealthy says that the liveness probe has failed often enough, and how.
	Unhealthy struct{ Reason string }
)

func (StartRequested) event()   {}
func (StopRequested) event()    {}
func (RestartRequested) event() {}
func (Started) event()          {}
func (StopSeen) event()         {}
func (Ended) event()            {}
func (DeadlineReached) event()  {}
func (Ready) event()            {}
func (Unhealthy) event()        {}

// Action is what the caller must do after a step.
type Action string

const (
	None      Action = ""
	StartUnit Action = "start" // queue the start of a fresh unit
	StopUnit  Action = "stop"  // queue the stop of the unit
	ResetUnit Action = "reset" // make systemd forget a unit that failed
)

// Step is the restart policy. It returns the state after ev and the action that the
// change calls for. Where the phase did not change, nothing a user should be told has
// happened. An event that means nothing in a state leaves the state as it is.
func Step(r Rules, s State, ev Event, now time.Time) (State, Action) {
	if s.Phase == "" {
		s.Phase = Stopped
	}
	switch ev := ev.(type) {
	case StartRequested:
		return s.start(r, ev, now)
	case StopRequested:
		return s.stop(ev, now)
	case RestartRequested:
		return s.restart(r, ev, now)
	case ArmRequested:
		return s.arm(r, ev, now)
	case Triggered:
		return s.triggered(ev, now)
	case Activated:
		return s.activated(r, ev, now), None
	case Idled:
		return s.idle(ev, now)
	case Disarmed:
		return s.disarmed(ev, now), None
	case Started:
		return s.started(r, ev, now), None
	case StopSeen:
		if s.Phase == Running || s.Phase == Starting {
			return s.to(Stopping, now, "stopped with systemctl"), None
		}
		return s, None
	case Ended:
		return s.ended(r, ev, now)
	case DeadlineReached:
		return s.deadline(r, ev, now)
	case Ready:
		return s.becameReady(r, ev.At, now), None
	case Unhealthy:
		if s.Phase == Running {
			return s.stopFor(CauseUnhealthy, "unhealthy: "+ev.Reason, now)
		}
		return s, None
	case NeedLost:
		return s.needLost(ev, now), None
	case NeedBack:
		return s.needBack(ev, now)
	case NeedEnded:
		return s.needEnded(ev, now)
	}
	panic(fmt.Sprintf("policy: unknown event %T", ev))
}

func (s State) start(r Rules, ev StartRequested, now time.Time) (State, Action) {
	s.Armed = r.Awaits != ""
	switch s.Phase {
	case Starting, Running:
		return s, None
	case Stopping:
		// The later wish holds: start again once the stop is done.
		s.StartAgain, s.Retiring, s.Ending, s.Reason = true, false, nil, ev.By
		return s, None
	default:
		return s.cleared().launch(now, ev.By)
	}
}

func (s State) stop(ev StopRequested, now time.Time) (State, Action) {
	armed := s.Armed
	s.Armed = false
	switch s.Phase {
	case Starting, Running:
		return s.to(Stopping, now, ev.By), StopUnit
	case Stopping:
		s.StartAgain, s.Retiring, s.Ending, s.Reason = false, false, nil, ev.By
		return s, None
	case Backoff, Failed, Killed:
		return s.to(Stopped, now, ev.By), ResetUnit
	case Exited:
		return s.to(Stopped, now, ev.By), None
	default: // Stopped
		if s.Since.IsZero() || armed {
			s.Since, s.Reason = now, ev.By // that it was never started is somebody's wish by now
		}
		return s, None
	}
}

func (s State) restart(r Rules, ev RestartRequested, now time.Time) (State, Action) {
	s.Armed = r.Awaits != ""
	switch s.Phase {
	case Starting, Running:
		s = s.cleared().to(Stopping, now, ev.By)
		s.StartAgain = true
		return s, StopUnit
	default:
		return s.start(r, StartRequested(ev), now)
	}
}

func (s State) started(r Rules, ev Started, now time.Time) State {
	switch s.Phase {
	case Running, Stopping:
		// A stop under way is not undone by the start it overtook.
		return s
	case Starting:
		switch {
		case !s.Active.IsZero():
			return s // it is known
		case r.Ready != "":
			s.Draw = ev.Random
			s.Active, s.Reason = now, "executed"+readyWords+r.Ready
			if r.ReadyTimeout > 0 {
				s.Deadline = now.Add(r.ReadyTimeout)
			}
			return s
		case r.startPeriod() > 0:
			s.Draw = ev.Random
			s.Active, s.Deadline = now, now.Add(r.StartPeriod)
			s.Reason = "executed, must stay up for " + Words(r.StartPeriod)
			return s
		}
		s.Draw, s.Active = ev.Random, now
		return s.running(r, now)
	default:
		s = s.cleared()
		if ev.Unready && r.Ready != "" {
			s = s.to(Starting, now, "started with systemctl"+readyWords+r.Ready)
			s.Started, s.Draw, s.Active = now, ev.Random, now
			return s
		}
		s.Started, s.Draw, s.Active, s.Ready = now, ev.Random, now, time.Time{}
		s = s.running(r, now)
		s.Reason = "started with systemctl"
		if ev.Adopted {
			s.Reason = "adopted, it was running already"
		}
		return s
	}
}

// becameReady is a program whose probe has passed. start_seconds may be longer than that took.
func (s State) becameReady(r Rules, at, now time.Time) State {
	if s.Phase != Starting || !s.waitsForReady(r) {
		return s
	}
	s.Ready = now
	if !at.IsZero() && at.Before(now) {
		s.Ready = later(s.Active, at)
	}
	if least := s.Active.Add(r.startPeriod()); least.After(now) {
		s.Deadline, s.Reason = least, "ready, must stay up for "+Words(r.StartPeriod)
		return s
	}
	return s.running(r, now)
}

// readyWords stand in a reason before what ready waits for.
const readyWords = ", waits for "

// waitsForReady reports whether the unit is active, and its readiness probe has not passed.
func (s State) waitsForReady(r Rules) bool {
	return r.Ready != "" && s.Phase == Starting && !s.Active.IsZero() && s.Ready.IsZero()
}

// WaitsForReady reports whether the program is STARTING only because its readiness probe has
// not passed.
func (r Rules) WaitsForReady(s State) bool { return s.waitsForReady(r) }

// stopFor stops the unit for a reason of ours. The end that follows has that cause.
func (s State) stopFor(c Cause, reason string, now time.Time) (State, Action) {
	e := &Ending{
		Exit:   Exit{Cause: c, Reason: reason, Ran: max(0, now.Sub(s.Active))},
		During: s.Phase, Active: s.Active, Ready: s.Ready,
	}
	s = s.to(Stopping, now, reason)
	s.Ending = e
	return s, StopUnit
}

// running is a program that counts as started.
func (s State) running(r Rules, now time.Time) State {
	active, ready := s.Active, s.Ready
	reason := "started"
	if s.Restarts > 0 {
		reason = "restarted"
	}
	if r.Oneshot {
		reason += ", done when it ends"
	}
	s = s.to(Running, now, reason)
	s.Active, s.Ready, s.Failures = active, ready, 0
	if at := r.forgives(s); !at.IsZero() && !at.After(now) {
		s.Restarts = 0
	}
	s.Deadline = r.upDeadline(s)
	return s
}

func (s State) ended(r Rules, ev Ended, now time.Time) (State, Action) {
	e := ev.Exit
	if s.Phase == Stopping && s.Ending != nil {
		e = s.Ending.Exit
		s.Phase, s.Active, s.Ready, s.Ending = s.Ending.During, s.Ending.Active, s.Ending.Ready, nil
	}
	ev.Exit = e
	switch s.Phase {
	case Stopping:
		s.Last = &e
		if s.StartAgain && s.Retiring {
			return s.launch(now, s.Reason+": "+e.Reason)
		}
		if s.StartAgain {
			return s.cleared().launch(now, s.Reason+": "+e.Reason)
		}
		return s.to(Stopped, now, s.Reason+": "+e.Reason), ResetUnit
	case Starting, Running:
		s.Last = &e
		up := s.upFor(e, now)
		if s.Phase == Starting && s.IsActive() && up >= r.startPeriod() && !s.waitsForReady(r) {
			// It had started, only nobody was there to say so.
			s.Phase, s.Failures = Running, 0
		}
		healthy := up
		if !s.Ready.IsZero() {
			healthy -= s.Ready.Sub(s.Active)
		}
		if r.RestartReset > 0 && healthy >= r.RestartReset && !r.Oneshot && !s.waitsForReady(r) {
			s.Restarts = 0
		}
		s.Quick++
		if !s.quick(e, now) {
			s.Quick = 0
		}
		return s.decide(r, ev, up, now), None
	default:
		return s, None
	}
}

// upFor is how long the run that ended was up, 0 if it never was.
func (s State) upFor(e Exit, now time.Time) time.Duration {
	switch {
	case !s.IsActive():
		return 0
	case e.Ran > 0:
		return e.Ran
	case s.Active.IsZero(): // an older version has not written it down
		return max(0, now.Sub(s.Since))
	}
	return max(0, now.Sub(s.Active))
}

func (s State) deadline(r Rules, ev DeadlineReached, now time.Time) (State, Action) {
	if s.Deadline.IsZero() || now.Before(s.Deadline) {
		return s, None
	}
	switch s.Phase {
	case Starting:
		if !s.waitsForReady(r) {
			return s.running(r, now), None
		}
		limit := s.Active.Add(r.ReadyTimeout)
		switch {
		case r.ReadyTimeout == 0:
			s.Deadline = time.Time{}
		case limit.After(now): // the rules were others
			s.Deadline = limit
		default:
			reason := "not ready within " + Words(r.ReadyTimeout) + " (start_timeout)"
			if ev.Probe != "" {
				reason += ": " + ev.Probe
			}
			return s.stopFor(CauseTimeout, reason, now)
		}
	case Running:
		return s.mature(r, now)
	case Backoff:
		if s.Failures == 0 || r.StartRetries == nil {
			s.use(r, now)
		}
		reason := s.retold(r, now)
		return s.launch(now, reason)
	case Failed, Killed:
		return s.cleared().launch(now, "tried again after a cooldown of "+Words(r.RestartCooldown))
	}
	return s, None
}

// retold says which restart takes place now.
func (s State) retold(r Rules, now time.Time) string {
	s.Phase = Starting // what was waited for is in the count
	used, _, _ := r.Budget(s, now)
	if s.Failures > 0 && r.StartRetries != nil {
		return fmt.Sprintf("start retry %d", used)
	}
	return fmt.Sprintf("restart %d", used)
}

func later(t, u time.Time) time.Time {
	if u.After(t) {
		return u
	}
	return t
}

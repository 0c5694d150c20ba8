package policy

import (
	"strings"
	"time"
)

// Some programs are started by something else than a request: a schedule, a connection. While
// such a program waits for that, or runs because of it, it is armed.

type (
	// ArmRequested asks for what starts the program, see Rules.Awaits, and starts nothing. It
	// means nothing to a program that awaits nothing.
	ArmRequested struct{ By string }
	// Triggered says that what the program awaits has come, and what that is. A run that is
	// under way, or about to begin, is enough; one that is not armed is not started.
	Triggered struct{ By string }
	// Activated says that systemd itself has started the unit, and why: somebody connects to one
	// of its sockets. That is the restart a program waits for, be it due or not.
	Activated struct{ By string }
	// Idled says that nobody needs the program that runs, and how that is known. Armed, it is
	// stopped until what it awaits comes again.
	Idled struct{ Reason string }
	// Disarmed says that what the program awaits cannot come any more, and why: because it has
	// failed, or because somebody has seen to that.
	Disarmed struct {
		Reason string
		Failed bool
	}
)

func (ArmRequested) event() {}
func (Triggered) event()    {}
func (Activated) event()    {}
func (Idled) event()        {}
func (Disarmed) event()     {}

func (s State) arm(r Rules, ev ArmRequested, now time.Time) (State, Action) {
	if r.Awaits == "" {
		return s, None
	}
	reason := ev.By + ": waits for " + r.Awaits
	action := None
	switch {
	case !s.Armed && s.Phase.GaveUp(): // what it awaits could not be had, and now may
		s, action = s.to(Stopped, now, reason), ResetUnit
	case s.Phase != Stopped:
	case !s.Armed:
		s.Since, s.Reason = now, reason
	case !strings.HasSuffix(s.Reason, ": waits for "+r.Awaits): // it waited for something else
		s.Reason = reason
	}
	s.Armed = true
	return s, action
}

func (s State) triggered(ev Triggered, now time.Time) (State, Action) {
	if !s.Armed || s.Phase.Up() || s.Phase == Backoff {
		return s, None
	}
	return s.cleared().launch(now, ev.By)
}

func (s State) activated(r Rules, ev Activated, now time.Time) State {
	reason := ev.By
	switch s.Phase {
	case Backoff:
		if s.Failures == 0 || r.StartRetries == nil {
			s.use(r, now)
		}
		reason = s.retold(r, now) + ": " + reason
	case Stopped, Exited:
		s = s.cleared()
	default:
		return s
	}
	s = s.to(Starting, now, reason)
	s.Started = now
	return s
}

func (s State) idle(ev Idled, now time.Time) (State, Action) {
	if s.Phase != Running || !s.Armed {
		return s, None
	}
	return s.to(Stopping, now, ev.Reason), StopUnit
}

func (s State) disarmed(ev Disarmed, now time.Time) State {
	if !s.Armed {
		return s
	}
	s.Armed = false
	switch {
	case s.Phase != Stopped && s.Phase != Exited:
	case ev.Failed:
		s = s.to(Failed, now, ev.Reason)
	default:
		s = s.to(Stopped, now, ev.Reason)
	}
	return s
}

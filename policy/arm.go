package policy

import "time"

// Some programs are started by something else than a request: a schedule, a connection. While
// such a program waits for that, or runs because of it, it is armed.

type (
	// ArmRequested asks for what starts the program, see Rules.Awaits, and starts nothing. It
	// means nothing to a program that awaits nothing.
	ArmRequested struct{ By string }
	// Triggered says that what the program awaits has come, and what that is. A run that is
	// under way, or about to begin, is enough; one that is not armed is not started.
	Triggered struct{ By string }
)

func (ArmRequested) event() {}
func (Triggered) event()    {}

func (s State) arm(r Rules, ev ArmRequested, now time.Time) (State, Action) {
	if s.Armed || r.Awaits == "" {
		return s, None
	}
	s.Armed = true
	if s.Phase == Stopped {
		s.Since, s.Reason = now, ev.By+": waits for "+r.Awaits
	}
	return s, None
}

func (s State) triggered(ev Triggered, now time.Time) (State, Action) {
	if !s.Armed || s.Phase.Up() || s.Phase == Backoff {
		return s, None
	}
	return s.cleared().launch(now, ev.By)
}

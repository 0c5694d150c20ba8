package policy

import (
	"fmt"
	"slices"
	"time"
)

// Cause says why a program ended, or why it could not be started.
type Cause string

const (
	CauseExit      Cause = "exit"        // exited by itself with Exit.Code
	CauseSignal    Cause = "signal"      // died of a signal nobody but the sender accounts for
	CauseCoreDump  Cause = "core-dump"   // died of a signal and dumped core
	CauseOOM       Cause = "oom-kill"    // killed for memory, by the kernel or by systemd-oomd
	CauseTimeout   Cause = "timeout"     // a start, stop or runtime limit ran out
	CauseWatchdog  Cause = "watchdog"    // did not ping systemd's watchdog in time
	CauseExec      Cause = "exec-failed" // systemd could not execute it (statuses 200 to 243)
	CauseResources Cause = "resources"   // systemd had not what the start needs
	CauseProtocol  Cause = "protocol"    // broke the protocol of its service type
	CauseStart     Cause = "start-failed"
	CauseUnknown   Cause = "unknown" // ended unobserved, and nobody knows how
)

// Exit is one end of a program, or one start that failed.
type Exit struct {
	Cause  Cause  `json:"cause"`
	Code   int    `json:"code"`   // exit status, where Cause is exit or exec-failed
	Signal int    `json:"signal"` // signal number, 0 = none
	Reason string `json:"reason"` // the same in words, with the facts: "exit status 3"
	// Final says that another try cannot help: systemd refuses the unit, or its name is taken.
	Final bool `json:"final,omitempty"`
}

// limit reports whether the program was ended for exceeding a limit, which makes giving
// up KILLED instead of FAILED.
func (e Exit) limit() bool {
	return e.Cause == CauseOOM || e.Cause == CauseTimeout || e.Cause == CauseWatchdog
}

// Success reports whether e counts as ending well under the rules.
func (r Rules) Success(e Exit) bool {
	return e.Cause == CauseExit && slices.Contains(r.SuccessExitCodes, e.Code)
}

// State is all the policy remembers about one program. The zero value is a program that
// was never started.
type State struct {
	Phase    Phase     `json:"phase"`
	Reason   string    `json:"reason"` // why it is in this phase
	Since    time.Time `json:"since"`  // when it came into this phase
	Restarts int       `json:"restarts"`
	// Deadline is when the program wants a [DeadlineReached]; zero = never. In BACKOFF it
	// is the next start, in RUNNING the moment the count of restarts is forgiven.
	Deadline time.Time `json:"deadline"`
	Last     *Exit     `json:"last,omitempty"` // how it ended last
	// StartAgain says that the stop under way is the first half of a restart.
	StartAgain bool `json:"start_again,omitempty"`
}

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
	// it was running before the supervisor was (Adopted).
	Started struct{ Adopted bool }
	// StopSeen says that somebody else, with systemctl, is stopping the unit.
	StopSeen struct{}
	// Ended says that the unit is no longer active, or that its start failed.
	Ended struct{ Exit Exit }
	// DeadlineReached says that State.Deadline has come.
	DeadlineReached struct{}
)

func (StartRequested) event()   {}
func (StopRequested) event()    {}
func (RestartRequested) event() {}
func (Started) event()          {}
func (StopSeen) event()         {}
func (Ended) event()            {}
func (DeadlineReached) event()  {}

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
		return s.start(ev, now)
	case StopRequested:
		return s.stop(ev, now)
	case RestartRequested:
		return s.restart(ev, now)
	case Started:
		return s.started(r, ev, now)
	case StopSeen:
		if s.Phase == Running || s.Phase == Starting {
			return s.to(Stopping, now, "stopped with systemctl"), None
		}
		return s, None
	case Ended:
		return s.ended(r, ev.Exit, now)
	case DeadlineReached:
		return s.deadline(now)
	}
	panic(fmt.Sprintf("policy: unknown event %T", ev))
}

// to changes the phase. Deadline and StartAgain belong to the phase that is left.
func (s State) to(p Phase, now time.Time, reason string) State {
	s.Phase, s.Since, s.Reason = p, now, reason
	s.Deadline, s.StartAgain = time.Time{}, false
	return s
}

func (s State) start(ev StartRequested, now time.Time) (State, Action) {
	switch s.Phase {
	case Starting, Running:
		return s, None
	case Stopping:
		// The later wish holds: start again once the stop is done.
		s.StartAgain, s.Reason = true, ev.By
		return s, None
	default:
		s.Restarts = 0
		return s.to(Starting, now, ev.By), StartUnit
	}
}

func (s State) stop(ev StopRequested, now time.Time) (State, Action) {
	switch s.Phase {
	case Starting, Running:
		return s.to(Stopping, now, ev.By), StopUnit
	case Stopping:
		s.StartAgain, s.Reason = false, ev.By
		return s, None
	case Backoff, Failed, Killed:
		return s.to(Stopped, now, ev.By), ResetUnit
	case Exited:
		return s.to(Stopped, now, ev.By), None
	default: // Stopped
		return s, None
	}
}

func (s State) restart(ev RestartRequested, now time.Time) (State, Action) {
	switch s.Phase {
	case Starting, Running:
		s.Restarts = 0
		s = s.to(Stopping, now, ev.By)
		s.StartAgain = true
		return s, StopUnit
	default:
		return s.start(StartRequested(ev), now)
	}
}

func (s State) started(r Rules, ev Started, now time.Time) (State, Action) {
	reason := "started"
	switch s.Phase {
	case Running, Stopping:
		// A stop under way is not undone by the start it overtook.
		return s, None
	case Starting:
		if s.Restarts > 0 {
			reason = "restarted"
		}
	default:
		s.Restarts = 0
		reason = "started with systemctl"
		if ev.Adopted {
			reason = "adopted, it was running already"
		}
	}
	s = s.to(Running, now, reason)
	if s.Restarts > 0 && r.RestartReset > 0 {
		s.Deadline = now.Add(r.RestartReset)
	}
	return s, None
}

func (s State) ended(r Rules, e Exit, now time.Time) (State, Action) {
	switch s.Phase {
	case Stopping:
		s.Last = &e
		if s.StartAgain {
			s.Restarts = 0
			return s.to(Starting, now, s.Reason+": "+e.Reason), StartUnit
		}
		return s.to(Stopped, now, s.Reason+": "+e.Reason), ResetUnit
	case Starting, Running:
		s.Last = &e
		return s.decide(r, e, now), None
	default:
		return s, None
	}
}

// decide answers an end nobody asked for.
func (s State) decide(r Rules, e Exit, now time.Time) State {
	ok := r.Success(e)
	bad := Failed
	if e.limit() {
		bad = Killed
	}
	switch {
	case ok && r.Autorestart != Always:
		return s.to(Exited, now, e.Reason)
	case e.Final:
		return s.to(bad, now, e.Reason)
	case r.Autorestart == Never:
		return s.to(bad, now, e.Reason+", autorestart is never")
	case r.MaxRestarts > 0 && s.Restarts >= r.MaxRestarts:
		return s.to(bad, now, fmt.Sprintf("%s, gave up after %s", e.Reason, count(s.Restarts)))
	}
	s.Restarts++
	of := ""
	if r.MaxRestarts > 0 {
		of = fmt.Sprintf(" of %d", r.MaxRestarts)
	}
	s = s.to(Backoff, now, fmt.Sprintf("%s, restart %d%s in %s", e.Reason, s.Restarts, of, seconds(r.RestartDelay)))
	s.Deadline = now.Add(r.RestartDelay)
	return s
}

func (s State) deadline(now time.Time) (State, Action) {
	if s.Deadline.IsZero() || now.Before(s.Deadline) {
		return s, None
	}
	switch s.Phase {
	case Backoff:
		return s.to(Starting, now, fmt.Sprintf("restart %d", s.Restarts)), StartUnit
	case Running:
		s.Restarts, s.Deadline = 0, time.Time{}
	}
	return s, None
}

func count(n int) string {
	if n == 1 {
		return "1 restart"
	}
	return fmt.Sprintf("%d restarts", n)
}

// seconds formats a delay as its configuration would write it: "0s", "1.5s", "2m0s".
func seconds(d time.Duration) string { return d.Round(time.Millisecond).String() }

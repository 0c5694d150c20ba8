package policy

import "time"

// This file is about what a program waits for before it is started: other programs.

// Condition is how far a program must have come for one that depends on it to be started.
type Condition string

const (
	OnStarted   Condition = "started"   // its command was executed
	OnReady     Condition = "ready"     // it is RUNNING
	OnHealthy   Condition = "healthy"   // it is RUNNING, and its last liveness probe has passed
	OnCompleted Condition = "completed" // it has ended well: EXITED
)

// Conditions lists them from the least on.
var Conditions = []Condition{OnStarted, OnReady, OnHealthy, OnCompleted}

// Dependence says what follows for a program when the run of one that it depends on is over.
type Dependence string

const (
	IgnoreEnd    Dependence = ""        // nothing
	RestartAtEnd Dependence = "restart" // it is stopped, and started again when what it needs is there again
	StopAtEnd    Dependence = "stop"    // it is stopped
)

// Need is one program that another one depends on, as it is at this moment.
type Need struct {
	Condition Condition
	// Optional says that it is waited for while it is on its way, and no longer. For its execution
	// alone nobody waits after a start that has failed: who has priorities of supervisord's would
	// wait for a command that is not there through all retries.
	Optional bool

	State   State
	Over    bool // the run under way has ended, though its unit is still there
	Ran     bool // it has ended well since it is waited for, be it at once: it was executed
	Oneshot bool
	Healthy bool // the last liveness probe has passed
	Missing bool // there is no such program
	// OnDemand says that a connection starts it. Listens says that one may come: who depends on it
	// need not have it run, because whoever connects waits.
	OnDemand, Listens bool
}

// Standing is how it stands with a need, from the best to the worst.
type Standing int

const (
	Met  Standing = iota
	Due           // it is on its way
	Idle          // it is down, and comes when somebody starts it
	Lost          // it has given up, or is not there
)

// Standing returns how it stands with the need.
func (n Need) Standing() Standing {
	st := n.standing()
	if n.Optional && (st != Due || n.Condition == OnStarted && n.State.Failures > 0) {
		return Met
	}
	return st
}

func (n Need) standing() Standing {
	switch {
	case n.Missing, n.State.Phase.GaveUp():
		return Lost
	case n.holds():
		return Met
	case n.State.Phase == Stopped, n.State.Phase == "", n.State.Phase == Exited:
		if n.OnDemand && n.Condition != OnCompleted {
			return Due // its sockets are being made
		}
		return Idle
	}
	return Due
}

// holds reports whether the condition does. A oneshot that has ended well was all of it.
func (n Need) holds() bool {
	switch {
	case n.State.Phase == Exited:
		return n.Oneshot || n.Condition == OnCompleted || n.Condition == OnStarted && n.Ran || n.Listens
	case n.State.Phase == Stopped:
		return n.Listens && n.Condition != OnCompleted
	case n.Over:
		return false
	}
	switch n.Condition {
	case OnReady:
		return n.State.Phase == Running
	case OnHealthy:
		return n.State.Phase == Running && n.Healthy
	case OnCompleted:
		return false
	}
	return n.State.IsActive()
}

// Await returns the worst standing of all needs, which says whether a program may be
// started: only if it is Met. first is the first need of that standing, -1 if there is none.
func Await(needs []Need) (worst Standing, first int) {
	first = -1
	for i, n := range needs {
		if st := n.Standing(); first < 0 || st > worst {
			worst, first = st, i
		}
	}
	return worst, first
}

// Ends reports whether the end of the run that the need was met by concerns who depends on it:
// it was to go on. One that is stopped because nobody is connected comes back with a connection.
func (n Need) Ends() bool {
	idled := n.Listens && !n.State.StartAgain && n.State.Ending == nil && (n.State.Phase == Stopping || n.State.Phase == Stopped)
	return !n.Optional && !idled && n.Condition != OnCompleted && (n.State.Phase != Exited || !n.Oneshot)
}

type (
	// NeedLost says that something the program waits for has given up.
	NeedLost struct{ Reason string }
	// NeedBack says that what it was given up for is on its way again.
	NeedBack struct{ Reason string }
	// NeedEnded says that the run of something it depends on is over. With Again it is started
	// again, else it stays down.
	NeedEnded struct {
		Reason string
		Again  bool
	}
)

func (NeedLost) event()  {}
func (NeedBack) event()  {}
func (NeedEnded) event() {}

// needLost gives up a program that waits for its start.
func (s State) needLost(ev NeedLost, now time.Time) State {
	if s.Phase != Starting || s.IsActive() {
		return s
	}
	s = s.to(Failed, now, ev.Reason)
	s.Unmet = true
	return s
}

// needBack has a program that was given up for want of another one wait again.
func (s State) needBack(ev NeedBack, now time.Time) (State, Action) {
	if !s.Unmet {
		return s, None
	}
	return s.launch(now, ev.Reason)
}

// needEnded stops a program. What it has used of its restarts is not forgiven, because nobody
// asked for this one.
func (s State) needEnded(ev NeedEnded, now time.Time) (State, Action) {
	if s.Phase != Starting && s.Phase != Running {
		return s, None
	}
	s = s.to(Stopping, now, ev.Reason)
	s.StartAgain, s.Retiring = ev.Again, ev.Again
	return s, StopUnit
}

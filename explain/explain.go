package explain

import (
	"fmt"
	"slices"
	"time"

	"msup/policy"
	"msup/units"
)

// Explanation is what `msup why --json` prints of a program. Times are RFC 3339, sizes
// bytes; absent facts are null.
type Explanation struct {
	Name   string       `json:"name"`
	Unit   string       `json:"unit"`
	State  policy.Phase `json:"state"`
	Reason string       `json:"reason"`
	Since  *time.Time   `json:"since"`
	// Now says how it is, beginning with its state.
	Now []string `json:"now"`
	// Death is the last end; null = none is known.
	Death *Death `json:"last_end"`
	Next  Next   `json:"next"`
	// Ends are the last ends, oldest first; the last one is Death.
	Ends []Ended `json:"ends"`
	// Limits says what limits do to it: those that do not hold, and those that are felt.
	Limits []string `json:"limits"`
	// Look are commands that tell more.
	Look []Command `json:"look"`
}

// Death is one end in detail.
type Death struct {
	Ended
	// Means is the cause in words, from the fact to what may be behind it.
	Means []string `json:"means"`
	// Memory and CPU are what the run has used.
	Memory  MemoryUse `json:"memory"`
	CPU     CPUUse    `json:"cpu"`
	Killed  []Kill    `json:"killed"` // processes that the kernel killed for memory
	Systemd Said      `json:"systemd"`
	Output  []Output  `json:"output"`
}

// Ended is one end in short.
type Ended struct {
	At         time.Time    `json:"at"`
	Started    *time.Time   `json:"started"`
	Seconds    *float64     `json:"seconds"` // how long the main process lived
	PID        *int         `json:"pid"`
	Invocation *string      `json:"invocation"`
	During     policy.Phase `json:"during"` // STARTING: its start failed or did not last; STOPPING: it was being stopped
	Active     bool         `json:"active"` // its unit had become active: the program was executed
	Cause      policy.Cause `json:"cause"`
	ExitCode   *int         `json:"exit_code"`
	Signal     *string      `json:"signal"`
	Result     *string      `json:"result"` // systemd's
	Reason     string       `json:"reason"`
	To         policy.Phase `json:"to"`   // what the policy made of it
	Seen       bool         `json:"seen"` // by a supervisor
}

// MemoryUse is the memory of a run, bytes.
type MemoryUse struct {
	Peak     *uint64 `json:"peak"`
	Limit    *uint64 `json:"limit"`
	OOMKills *uint64 `json:"oom_kills"`
	Max      *uint64 `json:"max_events"`  // times the limit was met (memory.events, max)
	High     *uint64 `json:"high_events"` // times memory_high was exceeded (memory.events, high)
}

// CPUUse is the CPU time of a run.
type CPUUse struct {
	UsageUsec     *uint64 `json:"usage_usec"`
	Periods       *uint64 `json:"periods"`
	Throttled     *uint64 `json:"throttled_periods"`
	ThrottledUsec *uint64 `json:"throttled_usec"`
}

// Next is what comes.
type Next struct {
	Start       *time.Time `json:"start"`        // when it is started again
	Restarts    int        `json:"restarts"`     // used up
	MaxRestarts int        `json:"max_restarts"` // 0 = no limit; where starts are retried (start_retries), these
	// WindowSeconds is the time within which MaxRestarts holds; null = until they are forgiven.
	WindowSeconds *float64 `json:"window_seconds"`
	// Run is the next time of its schedule.
	Run   *time.Time `json:"run"`
	Lines []string   `json:"lines"`
}

// Command is a command line that tells more.
type Command struct {
	Line string `json:"line"`
	For  string `json:"for"`
}

// Explain explains.
func Explain(f Facts) Explanation {
	x := Explanation{
		Name: f.Program.Name, Unit: f.Program.Unit, State: f.State.Phase, Reason: f.State.Reason,
		Now: present(f), Next: next(f), Ends: []Ended{}, Limits: limits(f), Look: look(f),
	}
	if !f.State.Since.IsZero() {
		x.Since = new(f.State.Since)
	}
	for i, e := range f.Ends {
		x.Ends = append(x.Ends, ended(e, !f.Unseen || i < len(f.Ends)-1))
	}
	switch e := f.last(); {
	case e != nil:
		x.Death = death(f, *e)
	case f.State.Last != nil:
		x.Now = append(x.Now, "its last end: "+f.State.Last.Reason+"; the version of msup that saw it has noted nothing else")
	case f.State.Phase != policy.Stopped:
		x.Now = append(x.Now, "it has not ended since the project came up")
	}
	return x
}

// last is the last end, nil = none is known.
func (f Facts) last() *units.End {
	if len(f.Ends) == 0 {
		return nil
	}
	return &f.Ends[len(f.Ends)-1]
}

func ended(e units.End, seen bool) Ended {
	out := Ended{At: e.Ended, During: e.During, Active: e.Active, Cause: e.Exit.Cause, Reason: e.Exit.Reason, To: e.To, Seen: seen}
	if !e.Started.IsZero() && !e.Ended.Before(e.Started) {
		out.Started, out.Seconds = new(e.Started), new(e.Ended.Sub(e.Started).Seconds())
	}
	if e.PID != 0 {
		out.PID = new(int(e.PID))
	}
	if e.Invocation != "" {
		out.Invocation = new(e.Invocation)
	}
	if e.Result != "" {
		out.Result = new(e.Result)
	}
	switch {
	case e.Exit.Signal != 0:
		out.Signal = new(signalName(e.Exit.Signal))
	case e.Exit.Cause == policy.CauseExit || e.Exit.Cause == policy.CauseExec:
		out.ExitCode = new(e.Exit.Code)
	}
	return out
}

func death(f Facts, e units.End) *Death {
	u := e.Use
	d := &Death{
		Ended: ended(e, !f.Unseen), Means: causes(f, e), Killed: []Kill{}, Systemd: f.Last.Systemd, Output: f.Last.Output,
		Memory: MemoryUse{Peak: u.MemoryPeak, OOMKills: u.OOMKills, Max: u.MemoryMax, High: u.MemoryHigh},
		CPU:    CPUUse{UsageUsec: u.CPUUsec, Periods: u.Periods, Throttled: u.Throttled, ThrottledUsec: u.ThrottledUsec},
	}
	if limited(e.MemoryLimit) {
		d.Memory.Limit = e.MemoryLimit
	}
	d.Killed = append(d.Killed, f.Last.Kills.List...)
	if d.Systemd.Lines == nil {
		d.Systemd.Lines = []string{}
	}
	if d.Output == nil {
		d.Output = []Output{}
	}
	return d
}

// never reports whether the program was never started, as far as is known.
func (f Facts) never() bool {
	return f.State.Phase == policy.Stopped && len(f.Ends) == 0 && f.State.Last == nil
}

// present says how the program is now.
func present(f Facts) []string {
	s := f.State
	since := ""
	if !s.Since.IsZero() {
		since = " since " + f.when(s.Since)
	}
	switch {
	case s.Phase.Up() && f.PID != 0:
		since += fmt.Sprintf(" (PID %d)", f.PID)
	case f.never(): // or nothing is kept of it, when the project was down
		return append([]string{string(s.Phase) + ": " + s.Reason}, sockets(f)...)
	}
	out := slices.Concat([]string{string(s.Phase) + since + ": " + s.Reason}, needs(f), sockets(f), probes(f))
	if f.Said != "" && s.Phase.Up() {
		out = append(out, fmt.Sprintf("it says: %q", f.Said))
	}
	for _, action := range f.Actions {
		out = append(out, action.Kind.Key()+" runs, as "+action.Unit)
	}
	return out
}

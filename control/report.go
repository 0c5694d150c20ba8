// Package control is how commands talk to a supervisor: HTTP with JSON over a Unix socket
// in the project's runtime directory, which only the supervisor's user may enter. It also
// defines the report that `msup status --json` prints.
package control

import (
	"fmt"
	"strconv"
	"time"

	"msup/cgroup"
	"msup/policy"
	"msup/units"

	"golang.org/x/sys/unix"
)

// Report is what `msup status --json` prints. Absent facts are null; sizes are bytes,
// times RFC 3339.
type Report struct {
	Project    string          `json:"project"`
	Supervisor SupervisorState `json:"supervisor"`
	Programs   []ProgramReport `json:"programs"`
	// Slice is the project's own, which all programs share; Groups have slices of theirs.
	Slice  *SliceReport  `json:"slice"`
	Groups []SliceReport `json:"groups"`
	// File is the configuration the programs run by.
	File string `json:"file,omitempty"`
}

// SupervisorState says whether a supervisor runs.
type SupervisorState struct {
	Active bool `json:"active"`
	PID    *int `json:"pid"`
	// Version is that of its msup.
	Version string `json:"version,omitempty"`
	// Goroutines are those of its process, as of runtime.NumGoroutine: a number that grows for
	// hours is a leak. 0 = no supervisor runs.
	Goroutines int `json:"goroutines,omitempty"`
}

// ProgramReport is one program.
type ProgramReport struct {
	Name string `json:"name"`
	Unit string `json:"unit"`
	// Base is the program that it is an instance of, and Instance which one, counted from 1.
	Base     *string      `json:"base"`
	Instance *int         `json:"instance"`
	Group    *string      `json:"group"`
	State    policy.Phase `json:"state"`
	Reason   string       `json:"reason"`
	Changed  bool         `json:"changed"` // it runs by an older definition than the configuration's
	Removed  bool         `json:"removed"` // the configuration no longer has it
	// Overrides are keys that msup set, and for instances msup scale, have put in the place of
	// the configuration's.
	Overrides []units.Setting `json:"overrides"`
	// Pending: its unit is getting other limits right now.
	Pending     bool       `json:"pending"`
	PID         *int       `json:"pid"`
	Since       *time.Time `json:"since"`        // when it came into this state
	Active      *time.Time `json:"active_since"` // when its unit became active; null = it is not
	Restarts    int        `json:"restarts"`
	MaxRestarts int        `json:"max_restarts"` // 0 = no limit
	// NeverRestarted says that no end is answered by a restart.
	NeverRestarted bool `json:"never_restarted"`
	// RestartWindow is the time within which Restarts count, in seconds; null = no window.
	RestartWindow *float64   `json:"restart_window"`
	NextStart     *time.Time `json:"next_start"`
	Oneshot       bool       `json:"oneshot"` // it is done when it has ended well
	// Schedule is when it runs; null = it has none.
	Schedule *ScheduleReport `json:"schedule"`
	// MaxRuntimeDue is when systemd ends the run under way (max_runtime), MaxAgeDue when msup
	// replaces it by another one (max_age).
	MaxRuntimeDue *time.Time `json:"max_runtime_due"`
	MaxAgeDue     *time.Time `json:"max_age_due"`
	Result        *string    `json:"result"`    // systemd's Result of the last end
	ExitCode      *int       `json:"exit_code"` // of the last end, if it exited
	Signal        *string    `json:"signal"`    // of the last end, if a signal ended it
	// DependsOn is what it waits for before each start, as it is written; WaitsFor what it waits
	// for now, program by program.
	DependsOn []NeedReport  `json:"depends_on"`
	WaitsFor  []WaitReport  `json:"waits_for"`
	Listen    *ListenReport `json:"listen"` // null = systemd does not listen for it
	// Probed says that it is probed, or tells systemd how it is, Ready that it is RUNNING, Healthy
	// whether the last probe of alive has passed, or its watchdog is satisfied; null = there is
	// none, or none has ended.
	// Probes are all that it has, also while nobody is asked.
	Probed  bool          `json:"probed"`
	Ready   bool          `json:"ready"`
	Healthy *bool         `json:"healthy"`
	Probes  []ProbeReport `json:"probes"`
	// Said is what the program has told systemd last (STATUS=, sd_notify(3)).
	Said *string `json:"said"`
	// Hooks are the commands beside it, Actions those that are run when something has happened.
	Hooks   []CommandReport `json:"hooks"`
	Actions []ActionReport  `json:"actions"`
	Memory  MemoryReport    `json:"memory"`
	CPU     CPUReport       `json:"cpu"`
	Tasks   *uint64         `json:"tasks"`
	Stdout  *string         `json:"stdout"` // file; null = the journal only
	Stderr  *string         `json:"stderr"`
	// Output is what became of the output that goes to files, as far as a supervisor knows.
	Output []OutputReport `json:"output"`
	// Warnings are what is not as configured: a limit that does not hold, a log file that
	// cannot be written.
	Warnings []string `json:"warnings"`
}

// NeedReport is something a program depends on.
type NeedReport struct {
	Program   string           `json:"program"`   // "db", "web@*", "front:*"
	Condition policy.Condition `json:"condition"` // started, ready, healthy or completed
	Optional  bool             `json:"optional"`
}

// WaitReport is a program that another one waits for.
type WaitReport struct {
	Program   string           `json:"program"`
	Condition policy.Condition `json:"condition"`
	Since     time.Time        `json:"since"` // when the start of the one that waits was asked for
}

// OutputReport is what became of one stream of output since the supervisor started.
type OutputReport struct {
	Streams []string `json:"streams"` // "stdout", "stderr"; both where they go to one file
	File    string   `json:"file"`
	Bytes   uint64   `json:"bytes"`   // of the program's, written to the file
	Waiting int      `json:"waiting"` // bytes in the pipe now
	Lost    uint64   `json:"lost"`    // bytes discarded: the file could not be written, the pipe was full
	// Error says why the file cannot be written now, since ErrorSince.
	Error      *string    `json:"error"`
	ErrorSince *time.Time `json:"error_since"`

	JournalLines   uint64 `json:"journal_lines"`   // sent to the journal
	JournalDropped uint64 `json:"journal_dropped"` // lines counted that were not
	JournalSkipped uint64 `json:"journal_skipped"` // bytes of more lines that were not
}

// MemoryReport is a unit's memory, in bytes.
type MemoryReport struct {
	Current  *uint64 `json:"current"`
	Peak     *uint64 `json:"peak"`
	Limit    *uint64 `json:"limit"` // as configured; null = none
	OOMKills *uint64 `json:"oom_kills"`
}

// CPUReport is a unit's use of the CPUs.
type CPUReport struct {
	UsageUSec     *uint64  `json:"usage_usec"`
	Percent       *float64 `json:"percent"` // of one CPU, lately; see Sampler
	Limit         *float64 `json:"limit"`   // in CPUs, as configured; null = none
	ThrottledUSec *uint64  `json:"throttled_usec"`
}

// Describe reports a program from what the supervisor knows, without its usage.
func Describe(def units.Program, st units.Status) ProgramReport {
	r := ProgramReport{
		Name: def.Name, Unit: def.Unit, State: st.State.Phase, Reason: st.State.Reason, Changed: st.Changed, Removed: st.Removed,
		Warnings: []string{}, Output: []OutputReport{},
		Overrides: append([]units.Setting{}, def.Overrides...), Pending: st.Pending,
	}
	var window time.Duration
	r.Restarts, r.MaxRestarts, window = def.Rules.Budget(st.State, time.Now())
	r.NeverRestarted = !def.Rules.Restarts()
	if window > 0 {
		r.RestartWindow = new(window.Seconds())
	}
	if st.PID != 0 {
		r.PID = new(int(st.PID))
	}
	if !st.State.Since.IsZero() {
		r.Since = new(st.State.Since)
	}
	if st.State.IsActive() && !upSince(st.State).IsZero() {
		r.Active = new(upSince(st.State))
	}
	if next := st.State.NextStart(); !next.IsZero() {
		r.NextStart = new(next)
	}
	r.Oneshot = def.Rules.Oneshot
	r.Schedule = schedule(def, st)
	if at := def.Rules.Retires(st.State); !at.IsZero() {
		r.MaxAgeDue = new(at)
	}
	if def.MaxRuntime > 0 && r.Active != nil && !st.Changed {
		r.MaxRuntimeDue = new(r.Active.Add(def.MaxRuntime))
	}
	if st.Result != "" {
		r.Result = new(st.Result)
	}
	if e := st.State.Last; e != nil {
		switch {
		case e.Signal != 0:
			r.Signal = new(signalName(e.Signal))
		case e.Cause == policy.CauseExit || e.Cause == policy.CauseExec:
			r.ExitCode = new(e.Code)
		}
	}
	r.Listen = listenReport(def, st)
	r.health(def, st)
	r.commands(def, st)
	r.DependsOn, r.WaitsFor = []NeedReport{}, []WaitReport{}
	for _, n := range def.Needs {
		r.DependsOn = append(r.DependsOn, NeedReport{n.Of, n.Condition, n.Optional})
	}
	for _, w := range st.WaitsFor {
		r.WaitsFor = append(r.WaitsFor, WaitReport{w.Program, w.Condition, w.Since})
	}
	if def.Base != "" {
		r.Base, r.Instance = new(def.Base), new(def.Instance)
	}
	if def.InGroup != "" {
		r.Group = new(def.InGroup)
	}
	r.Memory.limits(def.Limits)
	r.CPU.limits(def.Limits)
	if def.Stdout != "" {
		r.Stdout = new(def.Stdout)
	}
	if def.Stderr != "" {
		r.Stderr = new(def.Stderr)
	}
	return r
}

// Scaled adds to an instance that its program has another number of them than the
// configuration says.
func (r *ProgramReport) Scaled(project units.Project) {
	if r.Base == nil {
		return
	}
	if t := project.Template(*r.Base); t != nil && t.Scaled > 0 {
		r.Overrides = append([]units.Setting{{Key: "instances", Value: strconv.Itoa(t.Scaled)}}, r.Overrides...)
	}
}

// upSince is when the unit of the run under way became active. What an older version, or
// nobody, has written down has only when the program came into its state.
func upSince(s policy.State) time.Time {
	if s.Active.IsZero() {
		return s.Since
	}
	return s.Active
}

// Use adds what the unit's control group says.
func (r *ProgramReport) Use(u cgroup.Usage) {
	r.Memory.use(u)
	r.CPU.use(u)
	r.Tasks = u.Pids.Current
}

func (m *MemoryReport) use(u cgroup.Usage) {
	m.Current, m.Peak, m.OOMKills = u.Memory.Current, u.Memory.Peak, u.Memory.Events.OOMKill
}

func (c *CPUReport) use(u cgroup.Usage) {
	c.UsageUSec, c.ThrottledUSec = u.CPU.UsageUsec, u.CPU.ThrottledUsec
}

func signalName(n int) string {
	if s := unix.SignalName(unix.Signal(n)); s != "" {
		return s
	}
	return fmt.Sprintf("signal %d", n)
}

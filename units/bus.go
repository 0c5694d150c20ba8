package units

import (
	"context"
	"errors"
	"time"

	"msup/property"
)

// Property is one property of a transient unit. The type of Value is the D-Bus type:
// string s, bool b, uint64 t, uint32 u, int32 i, []string as, and the types of package
// property for the compound ones.
type Property struct {
	Name  string
	Value any
}

// Aux is a transient unit that is made with another one, which refers to it.
type Aux struct {
	Unit       string
	Properties []Property
}

// Facts is what systemd says about one unit at one moment: the union of its Unit
// properties and those of its Service or Scope interface, under systemd's names
// (org.freedesktop.systemd1(5)).
type Facts struct {
	Unit         string
	LoadState    string // loaded, not-found, bad-setting …; not part of change signals
	ActiveState  string // active, reloading, inactive, failed, activating, deactivating
	SubState     string
	Result       string // success, exit-code, signal, core-dump, oom-kill, timeout …; "" when not read
	InvocationID string // 32 hex digits; "" for a unit that was never started
	JobID        uint32 // 0 = no job
	MainPID      uint32
	// StatusText is what it has told systemd last (STATUS=, sd_notify(3)).
	StatusText string

	ExecMainCode   int32 // waitid code: 1 exited, 2 killed, 3 dumped; 0 = has not ended
	ExecMainStatus int32 // exit status or signal number

	ActiveEnter time.Time // when it last became active; zero = never

	// CLOCK_MONOTONIC in microseconds, 0 = never (…TimestampMonotonic).
	InactiveExit  uint64 // it was no longer inactive last: the begin of a run
	ActiveEntered uint64 // ActiveEnter
	ActiveExit    uint64 // it was active last: its end, or the begin of a stop
	ExecMainStart uint64 // its main process was forked
	ExecMainExit  uint64 // its main process ended

	// The same by the wall clock (…Timestamp), zero = never.
	MainStart time.Time
	MainExit  time.Time

	// Of a timer (org.freedesktop.systemd1.Timer): when it has elapsed last, by CLOCK_MONOTONIC in
	// microseconds and by the wall clock, and when it does next; zero = never.
	Elapsed    uint64
	ElapsedAt  time.Time
	NextElapse time.Time

	// Answered by Read and List only, not part of change signals.
	ControlGroup string
	Slice        string
	FragmentPath string
	Transient    bool
	// Supervisors are the units of supervisors that it is ordered after (After=): one of
	// msup's is ordered after its own.
	Supervisors []string
	// Commands are those beside the program that systemd has run; nil = not read.
	Commands []CommandStatus
}

// BusEvent is one thing the connection to systemd tells.
type BusEvent interface{ busEvent() }

// UnitChanged is a consistent snapshot of one unit (a Service+Unit pair of
// PropertiesChanged signals).
type UnitChanged struct{ Facts Facts }

// UnitRemoved says that systemd no longer has the unit loaded.
type UnitRemoved struct{ Unit string }

// JobRemoved says that a job of the unit ended: done, canceled, timeout, failed,
// dependency, skipped, invalid, assert, unsupported, collected, once.
type JobRemoved struct {
	Unit   string
	JobID  uint32
	Result string
}

// Disconnected says that the connection is lost. Calls fail until Connected.
type Disconnected struct{ Err error }

// Connected says that a connection is there, at first or again: everything may have
// changed meanwhile, so look at all units. Signals that follow are complete.
type Connected struct{}

// Reloaded says that the manager reloaded its configuration (daemon-reload): it has read
// the text of transient units again, which is lossy before systemd 254.
type Reloaded struct{}

func (UnitChanged) busEvent()  {}
func (UnitRemoved) busEvent()  {}
func (JobRemoved) busEvent()   {}
func (Disconnected) busEvent() {}
func (Connected) busEvent()    {}
func (Reloaded) busEvent()     {}

// Bus is the connection to the service manager as the supervisor needs it. The methods
// may be called from any goroutine; each returns when the manager has answered, which for
// Start and Stop means that the job is queued, not that it is done.
type Bus interface {
	// Events yields signals in the order they arrived. It must always be drained.
	Events() <-chan BusEvent
	// Start queues the start of a fresh transient unit. With reset a failed unit of that
	// name is unloaded first. The units in aux are made with it, and not started.
	Start(ctx context.Context, unit string, props []Property, reset bool, aux ...Aux) error
	// StartUnit queues the start of a unit that is loaded, RestartUnit its stop and start.
	StartUnit(ctx context.Context, unit string) error
	RestartUnit(ctx context.Context, unit string) error
	Stop(ctx context.Context, unit string) error
	// Kill sends a signal to processes of the unit; who is "all" or "main".
	Kill(ctx context.Context, unit, who string, signal int32) error
	// Reload has systemd run the commands by which a unit is reloaded, and waits for that. An
	// error with ErrJob means that one of them has failed.
	Reload(ctx context.Context, unit string) error
	// Reset forgets the failure of a unit so that systemd unloads it.
	Reset(ctx context.Context, unit string) error
	// SetProperties changes properties of a loaded unit, until it is unloaded
	// (SetUnitProperties with runtime, systemctl(1) set-property --runtime): those of
	// systemd.resource-control(5) and Description. The unit must be transient: of any other
	// systemd keeps what was set, in files below /run/systemd/system.control.
	SetProperties(ctx context.Context, unit string, props []Property) error
	// Read returns the full facts of one unit. A unit that is not loaded is no error: its
	// LoadState is "not-found".
	Read(ctx context.Context, unit string) (Facts, error)
	// Properties returns those of these properties that a loaded unit has, as D-Bus gives
	// them: uint64, string, bool …
	Properties(ctx context.Context, unit string, names ...string) (map[string]any, error)
	// List returns the full facts of the loaded units whose names match one of the patterns
	// (as in systemctl list-units).
	List(ctx context.Context, patterns ...string) ([]Facts, error)
	// Version is the major version of systemd, 252.
	Version() int
	// DefaultTasksMax is the TasksMax of a unit for which none is set; 0 = not known.
	DefaultTasksMax() uint64
	// MaxJobs is how many unfinished jobs this connection bears at once.
	MaxJobs() int
}

// Compound types of properties.
type (
	ExecCommand     = property.ExecCommand
	ExecCommandEx   = property.ExecCommandEx
	EnvironmentFile = property.EnvironmentFile
)

// What a call of [Bus] can fail with, for errors.Is. Other errors carry systemd's words.
var (
	ErrNoSuchUnit   = errors.New("no such unit")
	ErrUnitExists   = errors.New("a unit of that name is loaded already")
	ErrDisconnected = errors.New("no connection to systemd")
	// ErrJob is a job that did not end well.
	ErrJob    = errors.New("the job has failed")
	ErrDenied = errors.New("permission denied by systemd")
	// ErrInvalid is a unit systemd will not have however often it is asked: a bad property,
	// a bad name.
	ErrInvalid = errors.New("systemd refuses the unit")
)

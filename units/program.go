// Package units knows what a program is as a systemd unit: its name, the properties of
// its transient unit, the facts systemd tells about it; and holds the supervisor, the
// loop that keeps programs as their policy wants them.
package units

import (
	"syscall"
	"time"

	"msup/policy"
	"msup/probe"
	"msup/property"
)

// UnitType is the type of transient unit a program runs as.
type UnitType string

const (
	Service UnitType = "service" // systemd forks and execs the program (systemd.service(5))
	Scope   UnitType = "scope"   // msup forks, systemd adopts the process (systemd.scope(5))
)

// Infinity is systemd's "no limit" in a property of type t (UINT64_MAX).
const Infinity = ^uint64(0)

// Program is one program of the configuration, checked and with every path absolute.
// A nil pointer means that the configuration does not say and systemd's default holds.
type Program struct {
	Name string `json:"name"`
	// Base is the program that it is an instance of, whose Instance it is, counted from 1;
	// "" = it is none. The Name of an instance is Base@Instance.
	Base        string   `json:"base,omitempty"`
	Instance    int      `json:"instance,omitempty"`
	Unit        string   `json:"unit"` // name of its unit, "msup-web.service"
	Type        UnitType `json:"type"`
	Description string   `json:"description"`

	Path string   `json:"path"` // absolute path of the executable
	Argv []string `json:"argv"` // arguments, argv[0] included, exactly as the program gets them

	Directory   string    `json:"directory"` // working directory, absolute
	User        string    `json:"user,omitempty"`
	Group       string    `json:"group,omitempty"`
	Umask       *uint32   `json:"umask,omitempty"`
	Environment []string  `json:"environment,omitempty"` // KEY=value
	EnvFiles    []EnvFile `json:"env_files,omitempty"`

	Autostart bool `json:"autostart"`
	// Schedule is when it is started instead of by Autostart; what starts by itself waits for it.
	Schedule Schedule `json:"schedule,omitzero"`
	// Needs are what it waits for before each start, OnDependency is what follows when a run of
	// that is over; "" = nothing.
	Needs        []Need            `json:"needs,omitempty"`
	OnDependency policy.Dependence `json:"on_dependency,omitempty"`
	Rules        policy.Rules      `json:"rules"`

	// StartTimeout is how long a service's start may take; 0 = the manager's default
	// (DefaultTimeoutStartSec=, systemd-system.conf(5)).
	StartTimeout time.Duration `json:"start_timeout,omitempty"`

	// Actions are commands that are run when something has happened to it.
	Actions Actions `json:"actions,omitzero"`
	// Hooks are commands that run beside it.
	Hooks Hooks `json:"hooks,omitzero"`

	// MaxRuntime is how long a run may last before systemd ends it; 0 = no limit.
	MaxRuntime time.Duration `json:"max_runtime,omitempty"`

	// Ready must pass before the program counts as started, Alive while it runs; without a
	// Kind there is none.
	Ready Probe `json:"ready,omitzero"`
	Alive Probe `json:"alive,omitzero"`

	// Listen are the sockets that systemd hands it.
	Listen Listen `json:"listen,omitzero"`

	StopSignal  syscall.Signal `json:"stop_signal"`  // first signal of a stop
	StopTimeout time.Duration  `json:"stop_timeout"` // then SIGKILL

	Limits Limits `json:"limits"`

	// InGroup is the name of the group it belongs to; "" = none. (Group is the user's.)
	InGroup string `json:"in_group,omitempty"`

	// Sandbox is the preset that Systemd begins with; "" = none.
	Sandbox string `json:"sandbox,omitempty"`
	// Systemd are settings of systemd's, as a unit file would have them: those of the preset
	// and those of the configuration.
	Systemd []property.Setting `json:"systemd,omitempty"`

	// Stdout and Stderr are the absolute paths of the files the output goes to beside
	// the journal; both may name the same file. "" = journal only.
	Stdout string `json:"stdout,omitempty"`
	Stderr string `json:"stderr,omitempty"`

	Log Log `json:"log"`

	// Settings are the settings as they are written, those of [defaults] among them, in the
	// order of the reference. They are what a user compares.
	Settings []Setting `json:"settings,omitempty"`
	// Overrides are those of Settings that msup set has put in the place of the
	// configuration's, until the next reload.
	Overrides []Setting `json:"overrides,omitempty"`
	// Digest stands for what of the configuration needs a restart of the program to take
	// effect: two definitions with one digest differ in nothing but policy, logs and the like.
	Digest string `json:"digest,omitempty"`
	// FormerDigest is what Digest was for a version of msup that could not change limits while
	// a program runs; "" = the same.
	FormerDigest string `json:"former_digest,omitempty"`
	// Removed says that the configuration no longer has the program, which runs on.
	Removed bool `json:"removed,omitempty"`
}

// digestNow is a digest that was written down, as this version would have written it.
func (p Program) digestNow(digest string) string {
	if digest != "" && digest == p.FormerDigest {
		return p.Digest
	}
	return digest
}

// Probe is how a program is asked again and again.
type Probe struct {
	probe.Spec
	Interval  time.Duration `json:"interval"`  // from the end of one probe to the next
	Timeout   time.Duration `json:"timeout"`   // of one
	Threshold int           `json:"threshold"` // so many in a row count
}

// Setting is a line of the configuration, comment and quotes taken off.
type Setting struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Log says how output is kept: all of it for files, the journal's part for the journal too.
type Log struct {
	MaxSize  uint64        `json:"max_size"`            // bytes after which the file is rotated; 0 = never
	Backups  int           `json:"backups"`             // rotated files that are kept
	MaxAge   time.Duration `json:"max_age,omitempty"`   // rotated files older than this are removed; 0 = never
	Compress bool          `json:"compress,omitempty"`  // gzip rotated files, all but the newest
	TotalMax uint64        `json:"total_max,omitempty"` // bytes of the file and its rotated ones together; 0 = no limit
	MinFree  uint64        `json:"min_free,omitempty"`  // bytes the file leaves free on its file system; 0 = none

	Timestamps Timestamps `json:"timestamps,omitempty"` // before each line; "" = none
	Prefix     string     `json:"prefix,omitempty"`     // before each line, behind the time
	Markers    bool       `json:"markers,omitempty"`    // a line in the file for each start and end

	Mode  *uint32 `json:"mode,omitempty"`  // permissions of new files; nil = 0644
	Owner string  `json:"owner,omitempty"` // USER or USER:GROUP of new files; "" = the program's user

	NoJournal   bool `json:"no_journal,omitempty"` // files only
	JournalRate int  `json:"journal_rate"`         // lines a second, 0 = no limit
}

// Timestamps is the format of the time before each line of a file.
type Timestamps string

const (
	RFC3339 Timestamps = "rfc3339" // local time to the millisecond: 2006-01-02T15:04:05.000+01:00
	Unix    Timestamps = "unix"    // seconds since 1970, to the millisecond: 1136214245.000
)

// EnvFile is a file of environment variables (systemd.exec(5), EnvironmentFile=). It is
// read at each start.
type EnvFile struct {
	Path     string `json:"path"`
	Optional bool   `json:"optional"` // a missing file is no error ("-" prefix)
}

// Limits are the resource limits the kernel enforces on the unit's control group or on
// its processes. nil = not configured.
type Limits struct {
	MemoryMax      *uint64 `json:"memory_max,omitempty"`       // bytes; [Infinity] = none
	MemoryHigh     *uint64 `json:"memory_high,omitempty"`      // bytes
	SwapMax        *uint64 `json:"swap_max,omitempty"`         // bytes; 0 where MemoryMax is set and nothing else is said
	CPUPercent     *uint64 `json:"cpu_percent,omitempty"`      // of one CPU, whole percent: 150 = 1.5 CPUs; [Infinity] = none
	CPUWeight      *uint64 `json:"cpu_weight,omitempty"`       // 1-10000, kernel default 100
	IOWeight       *uint64 `json:"io_weight,omitempty"`        // 1-10000, kernel default 100
	TasksMax       *uint64 `json:"tasks_max,omitempty"`        // processes and threads
	Nice           *int    `json:"nice,omitempty"`             // -20 to 19
	NoFile         *uint64 `json:"nofile,omitempty"`           // RLIMIT_NOFILE, soft and hard
	OOMScoreAdjust *int    `json:"oom_score_adjust,omitempty"` // -1000 to 1000
}

// Project is a configuration: the programs of one supervisor.
type Project struct {
	Name     string    `json:"name"`    // DefaultProject unless [msup] project says otherwise
	File     string    `json:"file"`    // absolute path of the main configuration file
	Dir      string    `json:"dir"`     // folder of File; relative paths start here
	Logfile  string    `json:"logfile"` // absolute path of the transition log; "" = none
	Programs []Program `json:"programs"`
	// Limits bound all programs together, by the project's slice.
	Limits Limits  `json:"limits,omitzero"`
	Groups []Group `json:"groups,omitempty"`
	// Templates are the programs that have instances.
	Templates []Template `json:"templates,omitempty"`
	// Settings are those of [msup] as they are written.
	Settings []Setting `json:"settings,omitempty"`
}

// Group is some programs of a project, which have a slice of their own.
type Group struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Limits      Limits `json:"limits,omitzero"`
	// Settings are those of its section as they are written.
	Settings []Setting `json:"settings,omitempty"`
}

// Group returns the group of that name, nil if there is none.
func (p *Project) Group(name string) *Group {
	for i := range p.Groups {
		if p.Groups[i].Name == name {
			return &p.Groups[i]
		}
	}
	return nil
}

// Members are the names of the programs of a group, in the order of the configuration.
func (p *Project) Members(group string) []string {
	var names []string
	for _, prog := range p.Programs {
		if prog.InGroup == group {
			names = append(names, prog.Name)
		}
	}
	return names
}

// DefaultProject is the name of the project whose units carry no project in their names.
const DefaultProject = "default"

// Program returns the program of that name, nil if there is none.
func (p *Project) Program(name string) *Program {
	for i := range p.Programs {
		if p.Programs[i].Name == name {
			return &p.Programs[i]
		}
	}
	return nil
}

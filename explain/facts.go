// Package explain says in words why a program died and what comes next. It is one pure
// function, [Explain], from facts to a structured explanation: who gathers the facts and
// who prints the explanation are others.
package explain

import (
	"time"

	"msup/cgroup"
	"msup/policy"
	"msup/units"
)

// Facts are all that is known of a program. Absent facts are zero or nil.
type Facts struct {
	Now     time.Time
	Program units.Program
	User    bool // its unit belongs to the user manager

	State  policy.State
	Ends   []units.End // the last ones, oldest first
	Unseen bool        // the last of Ends is from systemd: no supervisor has seen it

	// Supervised says that a supervisor runs and acts.
	Supervised bool

	// Of the run under way.
	PID        uint32
	Invocation string
	Started    time.Time
	Usage      *cgroup.Usage
	OOMKills   uint64    // processes killed for memory of which the supervisor was told,
	OOMAt      time.Time // the last ones then
	Kills      Kills     // of it

	// Needs are the programs it depends on.
	Needs []units.NeedStatus
	// Schedule is when it runs; nil = it has none.
	Schedule *units.ScheduleStatus
	// Probes are what probes of the run under way have said.
	Probes []units.ProbeStatus
	// Actions are the commands that run, because something has happened to it.
	Actions []units.SavedAction
	// Said is what it has told systemd last (STATUS=).
	Said string
	// Warnings are what is not as configured: a limit that does not hold, a log file that
	// cannot be written.
	Warnings []string
	Settings Settings

	// Of the last end.
	Last LastFacts
}

// LastFacts are facts of the last end that are not written down at its time.
type LastFacts struct {
	Output  []Output // its last lines
	Systemd Said     // what systemd said of the run in the journal
	Kills   Kills    // what the kernel said of kills for memory
	Command string   // what is wrong with the executable now; "" = nothing
	Core    Core
}

// Settings are properties of the unit as systemd has them (systemd.service(5)). nil = not
// known; Infinity = none.
type Settings struct {
	TimeoutStart *time.Duration // TimeoutStartSec=
	TimeoutStop  *time.Duration // TimeoutStopSec=
	RuntimeMax   *time.Duration // RuntimeMaxSec=
	Watchdog     *time.Duration // WatchdogSec=
	WatchdogAt   time.Time      // when it has said WATCHDOG=1 last, or its time began; zero = not known
	OOMPolicy    string
	CoreLimit    *uint64 // LimitCORE=, the soft one, bytes
}

// Said are lines of the journal. Note says why there are none or not all.
type Said struct {
	Lines []string `json:"lines"`
	Note  string   `json:"note,omitempty"`
}

// Output are the last lines of one stream before the end. Note says why there are none,
// or that they may be of another run.
type Output struct {
	Stream string   `json:"stream"` // stdout, stderr, or output: both in one
	From   string   `json:"from"`   // the file, or journal
	Lines  []string `json:"lines"`
	// ByTime says that the journal does not know of which run they are, but only when they came:
	// journald asks for the unit of a process when it sees its first line, and that may be over.
	ByTime bool   `json:"by_time,omitempty"`
	Note   string `json:"note,omitempty"`
}

// Kill is a process that the kernel killed for memory.
type Kill struct {
	At      time.Time `json:"at"`
	PID     int       `json:"pid"` // as the kernel counts
	Command string    `json:"command"`
	// AnonRSS is the memory it had for itself, bytes.
	AnonRSS *uint64 `json:"anon_rss,omitempty"`
	// Group is the control group whose limit was met; "" = the machine was out of memory.
	Group string `json:"group,omitempty"`
	// Unit is the control group of the process.
	Unit string `json:"unit"`
}

// Kills is what the kernel's log says. Note says why it cannot be read.
type Kills struct {
	List []Kill
	Note string
}

// Core says where a core dump would be (core(5), systemd-coredump(8)).
type Core struct {
	Pattern     string // /proc/sys/kernel/core_pattern; "" = not known
	Coredumpctl bool   // it is installed
	Found       []string
}

// Package doctor judges a machine for a configuration: what of it cannot hold here, and what
// helps. It is pure: [Examine] turns facts into findings; cmd/msup gathers the facts and
// prints the findings. A fact that could not be learned is nil or has an error, and the
// finding says so.
package doctor

import (
	"fmt"
	"strings"
	"time"

	"msup/cgroup"
	"msup/units"
)

// Severity is how bad a finding is.
type Severity string

const (
	OK      Severity = "ok"      // as it should be
	Info    Severity = "info"    // worth knowing
	Warning Severity = "warning" // may do harm, or could not be found out
	Problem Severity = "problem" // something that is configured cannot hold
)

// Finding is one thing found.
type Finding struct {
	Severity Severity `json:"severity"`
	Subject  string   `json:"subject"` // systemd, cgroup, journal …, or names of programs and slices
	Text     string   `json:"text"`
	Fix      string   `json:"fix,omitempty"` // what to do about it
}

// Facts is what is known of a machine. A nil part was not looked for.
type Facts struct {
	Now     time.Time
	User    bool // the user manager
	Root    bool // whether the asker is root
	Config  *Config
	Systemd Systemd
	Cgroup  Cgroup
	Linger  *Linger
	Journal Journal
	Runtime RuntimeDir
	Folders []Folder
	Files   FileLimits
	Names   *Names
	Taken   []Taken
	Running *Supervisor // nil = no supervisor's unit is loaded
	Clock   Clock
}

// Config is the configuration.
type Config struct {
	Project units.Project
	// Modified is when its files were changed last.
	Modified time.Time
	// Broken says that the files have mistakes, which are told elsewhere; Project is what runs.
	Broken bool
}

// Systemd is the service manager.
type Systemd struct {
	Err     error  // it cannot be talked to
	Hint    string // what helps
	Version int
	Socket  string // what connects to it, for people
	State   string // running, degraded, stopping … (systemctl is-system-running); "" = not known
}

// Cgroup is what control groups can do here.
type Cgroup struct {
	Err   error // it could not be found out
	Host  cgroup.Host
	Group string   // of the manager, below the mount
	Has   []string // controllers that the manager can give to units
	// Missing says of each controller that cannot work why; where the manager could not be
	// asked, only of those that the machine lacks.
	Missing map[string]string
	// Swap is whether the machine has any; SwapLimits whether the kernel can limit it.
	Swap, SwapLimits *bool
	Pressure         *bool  // the kernel tells of pressure (PSI)
	Memory           uint64 // bytes the machine has; 0 = not known
}

// Linger is whether the user manager outlives the user's last session.
type Linger struct {
	On   bool
	Name string // of the user
}

// Journal is how journald keeps what it is sent.
type Journal struct {
	Absent     bool   // journald does not run: it has no socket
	Err        error  // its configuration cannot be read
	Interval   string // RateLimitIntervalSec=
	Burst      string // RateLimitBurst=
	Storage    string // Storage=
	Persistent *bool
	Readable   *bool // by this user
}

// RuntimeDir is the folder of the project's runtime directory.
type RuntimeDir struct {
	Path string
	Err  error // it cannot be used
	// Socket is why the supervisor's socket cannot be used, nil = it can, or there is none.
	Socket error
}

// Folder is one that logs are written to.
type Folder struct {
	Path    string
	Missing bool // it is created when it is needed
	Err     error
	Free    *uint64  // bytes on its file system, for us
	MinFree uint64   // the largest log_min_free of the programs that write here; 0 = none
	Users   []string // who writes here
	Keepers []string // of them those with a log_min_free
}

// FileLimits are limits of open files.
type FileLimits struct {
	Limit *uint64 // of the supervisor, or of this process if there is none
	Own   bool    // of this process
	Store *uint64 // FileDescriptorStoreMax= of the supervisor; nil = there is none
}

// Names are units with the project's names.
type Names struct {
	Foreign  []string // taken by somebody else, in words
	Leftover []string // of programs the configuration does not have
	Loaded   []string // of programs, without a supervisor
}

// Taken is an address of a program (listen) that somebody else listens on, while the project
// does not run.
type Taken struct{ Program, Address, By string }

// Supervisor is the project's supervisor.
type Supervisor struct {
	Unit     string
	Active   bool
	Answers  bool
	Version  string // "" = it does not say
	Mine     string // version of this binary
	Replaced *bool  // its executable is another file than this one
	Started  time.Time
	Restarts uint32        // by systemd since its unit was started
	Watchdog time.Duration // 0 = none
	Differs  *bool         // msup reload would change something; nil = it could not be asked
	Changed  []string      // programs that run by an older definition
	Removed  []string      // programs that run and are no longer configured
}

// Clock is the machine's.
type Clock struct {
	Synchronised *bool
}

// Examine lists what is to be said, in the order in which it is worth reading.
func Examine(f Facts) []Finding {
	l := &list{}
	systemd(l, f)
	controlGroups(l, f)
	limits(l, f)
	lingering(l, f)
	theJournal(l, f)
	permissions(l, f)
	folders(l, f)
	openFiles(l, f)
	names(l, f)
	for _, t := range f.Taken {
		l.add(Problem, t.Program, "end that, or change listen", "cannot listen on %s: it is taken by %s", t.Address, t.By)
	}
	supervisor(l, f)
	clock(l, f)
	return l.findings
}

// Worst is the highest severity among findings.
func Worst(findings []Finding) Severity {
	rank := map[Severity]int{OK: 0, Info: 1, Warning: 2, Problem: 3}
	worst := OK
	for _, x := range findings {
		if rank[x.Severity] > rank[worst] {
			worst = x.Severity
		}
	}
	return worst
}

type list struct{ findings []Finding }

func (l *list) add(s Severity, subject, fix, format string, args ...any) {
	l.findings = append(l.findings, Finding{s, subject, fmt.Sprintf(format, args...), fix})
}

// project is the one configured, empty if there is none.
func (f Facts) project() units.Project {
	if f.Config == nil {
		return units.Project{Name: units.DefaultProject}
	}
	return f.Config.Project
}

// scope is the flag of systemctl for the manager.
func (f Facts) scope() string {
	if f.User {
		return " --user"
	}
	return ""
}

func (f Facts) manager() string {
	if f.User {
		return "user manager"
	}
	return "system manager"
}

// some joins the first few of many names.
func some(names []string) string {
	const most = 5
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}

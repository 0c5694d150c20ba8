package doctor

import (
	"slices"
	"strings"

	"msup/cgroup"
	"msup/units"
)

// Versions of systemd that msup is made for.
const (
	oldest = 247
	newest = 258 // the newest whose changes are known
)

// lack is what an older systemd does not do as msup would have it.
type lack struct {
	before   int // the first version that does
	severity Severity
	concerns func(units.Project) bool
	text     string
	fix      string
}

// lacks are in the order of versions (NEWS of systemd).
var lacks = []lack{
	{
		253, Info, func(p units.Project) bool {
			return anyProgram(p, func(q units.Program) bool { return q.Type == units.Scope })
		},
		"scopes may have no OOMPolicy= before 253: what becomes of a scope in which a process is killed for memory is the manager's default (DefaultOOMPolicy=)", "",
	},
	{
		254, Info, func(p units.Project) bool { return anyProgram(p, delicate) },
		"before 254 a daemon-reload damages systemd's own copy of commands with $, ; or ': systemctl cat shows them wrongly, msup never runs them", "",
	},
	{
		256, Info, func(p units.Project) bool {
			return anyLimits(p, func(l units.Limits) bool { return finite(l.CPUPercent) })
		},
		"before 256 a daemon-reload keeps whole percents of a CPU only: cpu_limit is rounded to these", "",
	},
}

func anyProgram(p units.Project, is func(units.Program) bool) bool {
	return slices.ContainsFunc(p.Programs, is)
}

func anyLimits(p units.Project, is func(units.Limits) bool) bool {
	for _, s := range units.Slices(p) {
		if is(s.Limits) {
			return true
		}
	}
	return anyProgram(p, func(prog units.Program) bool { return is(prog.Limits) })
}

func delicate(p units.Program) bool { return strings.ContainsAny(strings.Join(p.Argv, " "), "$;'") }

func finite(n *uint64) bool { return n != nil && *n != units.Infinity }

func systemd(l *list, f Facts) {
	s := f.Systemd
	if s.Err != nil {
		l.add(Problem, "systemd", s.Hint, "the %s cannot be reached: %v", f.manager(), s.Err)
		return
	}
	l.add(OK, "systemd", "", "version %d, %s, by %s", s.Version, f.manager(), s.Socket)
	switch {
	case s.Version == 0:
		l.add(Warning, "systemd", "", "it does not say its version: what it lacks is not known")
	case s.Version < oldest:
		l.add(Problem, "systemd", "upgrade systemd", "msup needs systemd %d or newer", oldest)
	case s.Version > newest:
		l.add(Info, "systemd", "", "msup knows what changed up to version %d; this is %d", newest, s.Version)
	}
	for _, k := range lacks {
		if s.Version != 0 && s.Version < k.before && k.concerns(f.project()) {
			l.add(k.severity, "systemd", k.fix, "%s", k.text)
		}
	}
	if s.Version == 257 && anyLimits(f.project(), func(m units.Limits) bool { return finite(m.MemoryMax) }) {
		l.add(Info, "systemd", "", "version 257 hangs for good if a unit is started with a MemoryMax= of less than a page: msup refuses less than 64 KiB; see that nobody else sets it")
	}
	switch s.State {
	case "stopping":
		l.add(Problem, "systemd", "", "the %s is shutting down: it starts nothing any more", f.manager())
	case "maintenance":
		l.add(Warning, "systemd", "systemctl default leaves it", "the %s is in rescue or emergency mode", f.manager())
	case "initializing", "starting":
		l.add(Info, "systemd", "", "the boot is not finished (%s)", s.State)
	case "degraded":
		l.add(Info, "systemd", "systemctl"+f.scope()+" --failed lists them", "some units have failed (degraded)")
	case "":
		l.add(Info, "systemd", "", "its state could not be read")
	}
}

func controlGroups(l *list, f Facts) {
	c := f.Cgroup
	const boot = "boot with systemd.unified_cgroup_hierarchy=1"
	switch {
	case c.Err != nil:
		l.add(Warning, "cgroup", "", "what can be limited here could not be found out: %v", c.Err)
		return
	case c.Host.Layout == cgroup.Unified:
		l.add(OK, "cgroup", "", "version 2 alone, at %s", c.Host.Mount)
	case c.Host.Layout == cgroup.Hybrid:
		l.add(Info, "cgroup", boot, "version 2 at %s beside version 1, which keeps controllers; systemd 258 does not run so", c.Host.Mount)
	case c.Host.Layout == cgroup.Legacy:
		l.add(Info, "cgroup", boot, "version 1 alone: no limit of msup's can hold; systemd 258 does not run so")
	default:
		l.add(Info, "cgroup", "", "no control groups are mounted")
	}
	if f.Systemd.Err == nil && len(c.Has) > 0 {
		l.add(OK, "cgroup", "", "the %s has the controllers %s", f.manager(), strings.Join(c.Has, " "))
	} else if f.Systemd.Err == nil && c.Host.Mount != "" {
		l.add(Info, "cgroup", "", "the %s has no controllers", f.manager())
	}
	if c.Pressure != nil && !*c.Pressure {
		l.add(Info, "cgroup", "boot with psi=1, if the kernel has it (CONFIG_PSI)", "the kernel does not measure pressure: systemd-oomd cannot work; msup does not need it")
	}
}

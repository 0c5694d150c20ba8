package units

import (
	"os"
	"slices"
	"time"

	"msup/policy"
	"msup/property"
)

// Runtime is what the properties of a program's unit depend on beside the program itself.
type Runtime struct {
	Project string
	Version int    // major version of systemd
	Stdout  string // FIFO its standard output goes to; "" = the journal
	Stderr  string // FIFO its standard error goes to; "" = the journal
	PID     int    // scopes: the process to adopt
	Joints  Joints // to what it depends on, and what depends on it
}

// Properties lists the properties of the transient unit p runs as, for
// Manager.StartTransientUnit (org.freedesktop.systemd1(5); systemd's
// docs/TRANSIENT-SETTINGS.md). Only values are sent that survive systemd's writing them
// down and reading them again at a daemon-reload: absolute byte counts, whole percents of
// a CPU (systemd < 256), no newline anywhere.
func Properties(p Program, rt Runtime) []Property {
	props := []Property{
		{"Description", p.Description},
		{"Slice", GroupSlice(rt.Project, p.InGroup)},
		// At shutdown units stop in the reverse of their order: the programs first, and
		// only when they are gone the supervisor, which still takes their last output.
		{"After", []string{OrderUnit(rt.Project)}},
		{"KillSignal", int32(p.StopSignal)},
		// Zero would mean no timeout.
		{"TimeoutStopUSec", max(1, usec(p.StopTimeout))},
	}
	if p.MaxRuntime > 0 {
		props = append(props, Property{"RuntimeMaxUSec", max(1, usec(p.MaxRuntime))})
	}
	if p.Type == Scope {
		props = append(props, Property{"PIDs", []uint32{uint32(rt.PID)}})
		if rt.Version >= 253 {
			// Scopes have the property since then; before, the manager's default holds.
			props = append(props, Property{"OOMPolicy", "stop"})
		}
	} else {
		props = append(props, serviceProperties(p, rt)...)
	}
	props = append(props, rt.Joints.properties()...)
	props = append(props, limitProperties(p.Limits)...)
	return append(props, systemdProperties(p.Systemd, rt.Version)...)
}

// systemdProperties are those of systemd's own settings. Package config has checked them,
// so what cannot be read is of another version of msup, and is sent as it is: systemd then
// refuses the unit and names it, while leaving it out would run the program without it.
func systemdProperties(settings []property.Setting, version int) []Property {
	var props []Property
	take := func(list []property.Property) {
		for _, p := range list {
			props = append(props, Property(p))
		}
	}
	list, err := property.Properties(settings, version)
	if err == nil {
		take(list)
		return props
	}
	for _, s := range settings {
		list, err := property.Properties([]property.Setting{s}, version)
		if err != nil {
			list = []property.Property{{Name: s.Name, Value: s.Value}}
		}
		take(list)
	}
	return props
}

// sets reports whether one of the settings is of that name.
func sets(settings []property.Setting, name string) bool {
	return slices.ContainsFunc(settings, func(s property.Setting) bool { return s.Name == name })
}

func serviceProperties(p Program, rt Runtime) []Property {
	props := []Property{
		{"Type", serviceType(p)},
		// Two restart policies would fight: the supervisor's is the only one.
		{"Restart", "no"},
		{"StartLimitIntervalUSec", uint64(0)},
		// A unit that ended well stays loaded until the supervisor has seen how: an exit while
		// there is none is not lost, and a unit that is gone was stopped by somebody.
		{"RemainAfterExit", true},
		// A kill for memory of any process ends the unit with Result=oom-kill. The
		// manager's default may be "continue", which hides it.
		{"OOMPolicy", "stop"},
		{"WorkingDirectory", p.Directory},
		execStart(p, rt.Version),
	}
	props = append(props, hookProperties(p.Hooks, rt.Version)...)
	if !sets(p.Systemd, "SyslogIdentifier") {
		props = append(props, Property{"SyslogIdentifier", p.Name})
	}
	props = append(props, output("StandardOutput", rt.Stdout, p.Stdout)...)
	props = append(props, output("StandardError", rt.Stderr, p.Stderr)...)
	if p.Stdout == "" && rt.Stdout == "" || p.Stderr == "" && rt.Stderr == "" {
		props = append(props, journalRate(p.Log.JournalRate)...)
	}
	if p.User != "" {
		props = append(props, Property{"User", p.User})
	}
	if p.Group != "" {
		props = append(props, Property{"Group", p.Group})
	}
	if p.Umask != nil {
		props = append(props, Property{"UMask", *p.Umask})
	}
	if len(p.Environment) > 0 {
		props = append(props, Property{"Environment", p.Environment})
	}
	if len(p.EnvFiles) > 0 {
		files := make([]EnvironmentFile, len(p.EnvFiles))
		for i, f := range p.EnvFiles {
			files[i] = EnvironmentFile(f)
		}
		props = append(props, Property{"EnvironmentFiles", files})
	}
	props = append(props, notifyProperties(p)...)
	if p.StartTimeout > 0 {
		props = append(props, Property{"TimeoutStartUSec", max(1, usec(p.StartTimeout))})
	}
	if set := successExitStatus(p.Rules.Success); len(set.Codes)+len(set.Signals) > 0 {
		props = append(props, Property{"SuccessExitStatus", set})
	}
	if p.Limits.Nice != nil {
		props = append(props, Property{"Nice", int32(*p.Limits.Nice)})
	}
	if p.Limits.OOMScoreAdjust != nil {
		props = append(props, Property{"OOMScoreAdjust", int32(*p.Limits.OOMScoreAdjust)})
	}
	if p.Limits.NoFile != nil {
		// The plain name sets soft and hard limit.
		props = append(props, Property{"LimitNOFILE", *p.Limits.NoFile})
	}
	return props
}

// execStart gives the program's argv to systemd so that it arrives unchanged.
func execStart(p Program, version int) Property {
	// A service that has failed is started again by its socket as soon as somebody waits there.
	// One that has ended well, by systemd's lights, stays "active (exited)", and it is the
	// policy that decides (see [Listen]).
	return execProperty("ExecStart", []Hook{{Path: p.Path, Argv: p.Argv, MayFail: p.Listens()}}, version)
}

// output connects one standard stream. It always says where to, because systemd lets
// StandardError= inherit StandardOutput= otherwise.
func output(name, fifo, file string) []Property {
	switch {
	case fifo == "" && file == os.DevNull:
		return []Property{{name, "null"}}
	case fifo == "":
		return []Property{{name, "journal"}}
	}
	// systemd opens the path anew at each start: a FIFO that a supervisor holds open.
	return []Property{{name + "File", fifo}}
}

// JournalBurst is how many seconds' worth of lines the journal takes at once.
const JournalBurst = 10

// journalRate is the budget of lines that reach the journal without us, where journald
// counts per unit (LogRateLimitIntervalSec=, systemd.exec(5)); it stretches the burst where
// the disk is large, and knows of no limits of units of a user manager.
func journalRate(rate int) []Property {
	if rate == 0 {
		return noJournalRate()
	}
	return []Property{
		{"LogRateLimitIntervalUSec", usec(JournalBurst * time.Second)},
		{"LogRateLimitBurst", uint32(rate * JournalBurst)},
	}
}

// noJournalRate lifts journald's limit for a unit. An interval of 0 would leave the limit to
// journald.conf(5): systemd hands only others on (unit_export_log_ratelimit_interval, 252).
func noJournalRate() []Property {
	return []Property{{"LogRateLimitIntervalUSec", uint64(1)}, {"LogRateLimitBurst", uint32(10_000_000)}}
}

// successExitStatus tells systemd which ends are no failure, so that systemctl does not show
// a unit as failed that msup shows as EXITED. Zero always counts for systemd.
func successExitStatus(success policy.ExitSet) property.ExitStatusSet {
	set := property.ExitStatusSet{Codes: []int32{}, Signals: []int32{}}
	for _, r := range success.Codes {
		for c := max(1, r.From); c <= r.To; c++ {
			set.Codes = append(set.Codes, int32(c))
		}
	}
	slices.Sort(set.Codes)
	set.Codes = slices.Compact(set.Codes)
	for _, n := range success.Signals {
		set.Signals = append(set.Signals, int32(n))
	}
	return set
}

// limitProperties are the settings of systemd.resource-control(5), which services and
// scopes share. Accounting is switched on so that there is something to show.
func limitProperties(l Limits) []Property {
	props := []Property{
		{"CPUAccounting", true},
		{"MemoryAccounting", true},
		{"TasksAccounting", true},
	}
	add := func(name string, v *uint64) {
		if v != nil {
			props = append(props, Property{name, *v})
		}
	}
	add("MemoryMax", l.MemoryMax)
	add("MemoryHigh", l.MemoryHigh)
	add("MemorySwapMax", l.SwapMax)
	if l.CPUPercent != nil {
		quota := *l.CPUPercent
		if quota != Infinity {
			quota *= 10_000 // CPU time in µs per second: 1 s = 100 %
		}
		props = append(props, Property{"CPUQuotaPerSecUSec", quota})
	}
	add("CPUWeight", l.CPUWeight)
	add("IOWeight", l.IOWeight)
	add("TasksMax", l.TasksMax)
	return props
}

func usec(d time.Duration) uint64 { return uint64(d / time.Microsecond) }

// SupervisorCommand is the transient service the supervisor itself runs as.
type SupervisorCommand struct {
	Project     Project
	User        bool     // under the user manager
	Path        string   // the msup executable, absolute
	Args        []string // its arguments, argv[0] not included
	Environment []string // NAME=value, beside systemd's own
	StopTimeout time.Duration
}

// SupervisorProperties lists the properties of the supervisor's own service.
func SupervisorProperties(c SupervisorCommand, version int) []Property {
	slice := "system.slice"
	if c.User {
		slice = "app.slice"
	}
	props := []Property{
		{"Description", "msup supervisor of " + c.Project.File},
		// Named, because systemd would make a slice of its own for msup@PROJECT.service.
		{"Slice", slice},
		{"Type", "notify"},
		{"NotifyAccess", "main"},
		// The processes that are to become scopes must not be told before it knows.
		{"KillMode", "mixed"},
		// Whatever happens to it, it comes back and takes over what runs.
		{"Restart", "always"},
		{"RestartUSec", usec(100 * time.Millisecond)},
		{"StartLimitIntervalUSec", uint64(0)},
		{"WatchdogUSec", usec(WatchdogInterval)},
		// It stops the programs first, each within its own stop_timeout.
		{"TimeoutStopUSec", usec(c.StopTimeout)},
		// Holds the read ends of the programs' output while no supervisor runs.
		{"FileDescriptorStoreMax", uint32(2*len(c.Project.Programs) + 64)},
		// No LimitNOFILE: scopes would inherit it as their hard limit. The default one is ample,
		// and Go raises the soft limit to it.
		{"SyslogIdentifier", "msup"},
		// Not the project's folder: that may be renamed, and every path is absolute.
		{"WorkingDirectory", "/"},
		execStart(Program{Path: c.Path, Argv: append([]string{"msup"}, c.Args...)}, version),
	}
	if len(c.Environment) > 0 {
		props = append(props, Property{"Environment", c.Environment})
	}
	// journald's limit counts lines per sending unit: here, of all programs together.
	props = append(props, noJournalRate()...)
	if !c.User {
		// Among the last to be killed when the machine runs out of memory. An ordinary
		// user may not lower the score.
		props = append(props, Property{"OOMScoreAdjust", int32(-900)})
	}
	return props
}

// WatchdogInterval is how long the supervisor's loop may be silent before systemd kills
// and restarts it.
const WatchdogInterval = 60 * time.Second

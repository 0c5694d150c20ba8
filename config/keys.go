package config

import (
	"slices"
	"time"

	"msup/units"
)

// Kind says how the value of a key is read.
type Kind string

const (
	Words  Kind = "words"  // shell words: quotes and backslashes as in sh(1), nothing is expanded
	Text   Kind = "text"   // kept as it stands; surrounding quotes are taken off
	Path   Kind = "path"   // Text; relative to the folder of the file it stands in
	Scalar Kind = "scalar" // number, size, word …: a note in parentheses behind it is a comment
	// Systemd is the text of a unit file, quoted as there; it may be empty.
	Systemd Kind = "systemd"
)

// Key is a key of the configuration file.
type Key struct {
	Section string // "program" (and [defaults], command apart), "group", "msup" or "include"
	Name    string
	Kind    Kind
	Default string // as it would be written; "" = Unset says what holds
	Unset   string // what holds without the key, in words
	Allowed string // the values it takes, in words that end a sentence beginning with "use"
	Example string
	Doc     string   // one line
	Repeats bool     // may stand several times
	Other   []string // what other supervisors call it; only for hints

	set func(t *target, s setting) error
}

// Keys returns every key in the order of the reference.
func Keys() []Key { return slices.Clone(keys) }

const (
	boolWords     = "true or false"
	sizeWords     = "a number of bytes, a number with K, M or G (1024-based), a percentage of the physical memory, or infinity"
	logSizeWords  = "a number of bytes or a number with K, M or G (1024-based)"
	durationWords = "seconds or a number with ms, s, m, h or d"
	weightWords   = "a whole number from 1 to 10000"
)

// keys is the one place that knows the keys.
var keys = slices.Concat(programKeys, needKeys, restartKeys, startKeys, lifeKeys, scheduleKeys, listenKeys, hookKeys, actionKeys, probeKeys, outputKeys, systemKeys, groupKeys, projectKeys, limitKeys(projectSection), includeKeys)

// programKeys say what a program is and how it runs.
var programKeys = []Key{
	{
		Section: programSection, Name: "command", Kind: Words, Unset: "required", Allowed: "a program and its arguments", Example: "/usr/bin/python3 -m http.server 8080",
		Doc:   "What to run: split as a shell splits words, but no shell runs it and nothing is expanded.",
		Other: []string{"ExecStart", "exec", "cmd", "script"}, set: setCommand,
	},
	{
		Section: programSection, Name: instancesKey, Kind: Scalar, Unset: "none", Allowed: "a whole number from 0, none, to 1000", Example: "4",
		Doc:   "Run it so many times: web becomes web@1, web@2 and so on. {{instance}} and {{port 8000}} differ in each, see Instances.",
		Other: []string{"numprocs", "replicas"}, set: setInstances,
	},
	{
		Section: programSection, Name: "autostart", Kind: Scalar, Default: "true", Allowed: boolWords, Example: "false",
		Doc: "Start it with msup up, or, with a schedule, at its times from then on.", set: func(t *target, s setting) (err error) {
			t.prog.Autostart, err = parseBool(s.value)
			return err
		},
	},
	{
		Section: programSection, Name: "stop_signal", Kind: Scalar, Default: "TERM", Allowed: "the name or number of a signal", Example: "INT",
		Doc:   "First signal of a stop.",
		Other: []string{"stopsignal", "KillSignal"}, set: func(t *target, s setting) (err error) {
			t.prog.StopSignal, err = ParseSignal(s.value)
			return err
		},
	},
	{
		Section: programSection, Name: "stop_timeout", Kind: Scalar, Default: "10s", Allowed: durationWords, Example: "30s",
		Doc:   "Time to end after the stop signal; then SIGKILL.",
		Other: []string{"stopwaitsecs", "TimeoutStopSec", "kill_timeout"}, set: duration(func(p *units.Program) *time.Duration { return &p.StopTimeout }),
	},
	{
		Section: programSection, Name: "directory", Kind: Path, Unset: "the folder of the configuration file", Allowed: "a folder", Example: "/srv/web",
		Doc:   "Working directory.",
		Other: []string{"WorkingDirectory", "cwd", "working_dir", "chdir"}, set: setPath(func(p *units.Program) *string { return &p.Directory }),
	},
	{
		Section: programSection, Name: "user", Kind: Text, Unset: "who runs msup", Allowed: "the name or number of a user", Example: "www-data",
		Doc: "User it runs as; only for root.", set: func(t *target, s setting) error {
			t.prog.User = s.value
			return nil
		},
	},
	{
		Section: programSection, Name: "group", Kind: Text, Unset: "the user's own", Allowed: "the name or number of a group", Example: "www-data",
		Doc: "Group it runs as; only for root.", set: func(t *target, s setting) error {
			t.prog.Group = s.value
			return nil
		},
	},
	{
		Section: programSection, Name: "umask", Kind: Scalar, Unset: "systemd's, 022", Allowed: "octal digits from 0 to 777", Example: "027",
		Doc: "File mode mask.", set: func(t *target, s setting) error {
			mask, err := parseUmask(s.value)
			t.prog.Umask = &mask
			return err
		},
	},
	{
		Section: programSection, Name: "environment", Kind: Words, Unset: "systemd's", Repeats: true, Allowed: "KEY=value, several separated by white space, quotes around values with spaces", Example: `PORT=8080 GREETING="hello world"`,
		Doc:   "Environment variables, added to those of [defaults].",
		Other: []string{"env", "Environment"}, set: setEnvironment,
	},
	{
		Section: programSection, Name: "pass_environment", Kind: Scalar, Unset: "none", Repeats: true, Allowed: "names of variables, separated by spaces or commas", Example: "LANG DATABASE_URL",
		Doc: "Variables that it gets from the environment of msup up, as far as they are set there; environment wins over them.",
		set: setPassEnvironment,
	},
	{
		Section: programSection, Name: "env_file", Kind: Path, Unset: "none", Repeats: true, Allowed: "the path of a file; a - before it lets it be missing", Example: "-/etc/default/web",
		Doc:   "File of environment variables, read at each start; they win over environment.",
		Other: []string{"EnvironmentFile"}, set: setEnvFile,
	},
	{
		Section: programSection, Name: "memory_limit", Kind: Scalar, Unset: "no limit", Allowed: sizeWords, Example: "64M",
		Doc:   "Memory of all its processes; the kernel kills what needs more (MemoryMax).",
		Other: []string{"MemoryMax", "memory_max", "max_memory_restart"}, set: setMemory(func(l *units.Limits) **uint64 { return &l.MemoryMax }),
	},
	{
		Section: programSection, Name: "memory_high", Kind: Scalar, Unset: "no limit", Allowed: sizeWords, Example: "48M",
		Doc:   "Memory above which it is slowed down and its memory taken back (MemoryHigh).",
		Other: []string{"MemoryHigh"}, set: setMemory(func(l *units.Limits) **uint64 { return &l.MemoryHigh }),
	},
	{
		Section: programSection, Name: "swap_limit", Kind: Scalar, Unset: "0 with memory_limit, else no limit", Allowed: sizeWords, Example: "1G",
		Doc:   "Swap space of all its processes (MemorySwapMax).",
		Other: []string{"MemorySwapMax"}, set: func(t *target, s setting) error {
			size, err := parseSize(s.value, t.host.memTotal)
			t.prog.Limits.SwapMax = &size
			return err
		},
	},
	{
		Section: programSection, Name: "cpu_limit", Kind: Scalar, Unset: "no limit", Allowed: "a number of CPUs, a percentage of one CPU, or infinity", Example: "0.5",
		Doc:   "CPU time of all its processes: 0.5 or 50% is half a CPU, 1.5 one and a half (CPUQuota).",
		Other: []string{"CPUQuota"}, set: setCPU,
	},
	{
		Section: programSection, Name: "cpu_weight", Kind: Scalar, Unset: "the kernel's, 100", Allowed: weightWords, Example: "200",
		Doc:   "Share of the CPU when it is scarce (CPUWeight).",
		Other: []string{"CPUWeight"}, set: weight(func(l *units.Limits) **uint64 { return &l.CPUWeight }),
	},
	{
		Section: programSection, Name: "io_weight", Kind: Scalar, Unset: "the kernel's, 100", Allowed: weightWords, Example: "50",
		Doc:   "Share of the disks when they are busy (IOWeight).",
		Other: []string{"IOWeight"}, set: weight(func(l *units.Limits) **uint64 { return &l.IOWeight }),
	},
	{
		Section: programSection, Name: "tasks_limit", Kind: Scalar, Unset: "systemd's", Allowed: "a whole number from 1, or infinity", Example: "100",
		Doc:   "Processes and threads it may have at a time (TasksMax).",
		Other: []string{"TasksMax"}, set: count(func(l *units.Limits) **uint64 { return &l.TasksMax }),
	},
	{
		Section: programSection, Name: "nofile", Kind: Scalar, Unset: "systemd's", Allowed: "a whole number from 1, or infinity", Example: "65536",
		Doc:   "Files a process may have open (LimitNOFILE).",
		Other: []string{"LimitNOFILE", "minfds"}, set: count(func(l *units.Limits) **uint64 { return &l.NoFile }),
	},
	{
		Section: programSection, Name: "nice", Kind: Scalar, Unset: "0", Allowed: "a whole number from -20 to 19", Example: "5",
		Doc:   "Scheduling priority; below 0 only for root.",
		Other: []string{"Nice"}, set: integer(func(l *units.Limits) **int { return &l.Nice }, -20, 19),
	},
	{
		Section: programSection, Name: "oom_score_adjust", Kind: Scalar, Unset: "systemd's", Allowed: "a whole number from -1000 to 1000", Example: "500",
		Doc:   "How readily the kernel picks it when the machine is out of memory; lowering it is only for root.",
		Other: []string{"OOMScoreAdjust"}, set: integer(func(l *units.Limits) **int { return &l.OOMScoreAdjust }, -1000, 1000),
	},
	{
		Section: programSection, Name: "unit_type", Kind: Scalar, Default: "service", Allowed: "service or scope", Example: "scope",
		Doc:   "Whether systemd starts it (service) or msup does and systemd adopts it (scope).",
		Other: []string{"Type"}, set: func(t *target, s setting) error {
			t.prog.Type = units.UnitType(s.value)
			return oneOf(s.value, units.Service, units.Scope)
		},
	},
	{
		Section: programSection, Name: "description", Kind: Text, Unset: "msup program NAME", Allowed: "text", Example: "the shop's web server",
		Doc:   "What systemctl status shows beside the unit's name.",
		Other: []string{"Description"}, set: func(t *target, s setting) error {
			t.prog.Description = s.value
			return nil
		},
	},
}

// systemKeys are what systemd can do beside. The keys systemd.NAME are in systemd.go.
var systemKeys = []Key{
	{
		Section: programSection, Name: "sandbox", Kind: Scalar, Default: "none", Allowed: "none, standard or strict", Example: "standard",
		Doc: "Preset of settings of systemd's that shut the program in; systemd.NAME wins over them.", set: setSandbox,
	},
	{
		Section: programSection, Name: anySystemd, Kind: Systemd, Unset: "systemd's", Allowed: "a setting by its name in unit files", Example: "systemd.ProtectHome = read-only",
		Doc: "Any setting of systemd's by its name in unit files; lists may be repeated, an empty value takes back what [defaults] has.",
	},
}

// anySystemd stands for all keys systemd.NAME in the reference. No file can have it.
const anySystemd = systemdPrefix + "*"

// projectKeys are those of [msup], limits apart.
var projectKeys = []Key{
	{
		Section: projectSection, Name: "project", Kind: Scalar, Default: units.DefaultProject, Allowed: "letters, digits and _", Example: "shop",
		Doc: "Name of the project; it is part of the names of its units, and several projects can run beside each other.", set: setProject,
	},
	{
		Section: projectSection, Name: "logfile", Kind: Path, Default: "supervisor.log", Allowed: "a path or none", Example: "/var/log/shop.log",
		Doc: "File that gets one line for each change of a program's state; none = only the journal.", set: setLogfile,
	},
	{
		Section: projectSection, Name: "strict_limits", Kind: Scalar, Default: "false", Allowed: boolWords, Example: "true",
		Doc: "Do not start a program whose limits this machine cannot enforce.", set: func(t *target, s setting) (err error) {
			t.cfg.StrictLimits, err = parseBool(s.value)
			return err
		},
	},
}

var includeKeys = []Key{
	{
		Section: includeSection, Name: "files", Kind: Text, Unset: "none", Allowed: "paths and patterns with * ? [ ], separated by spaces", Example: "conf.d/*.conf",
		Doc: "Files with more programs, relative to this file's folder.",
	},
}

// notKeys are keys of other supervisors that are not one key here, and what to do instead.
var notKeys = map[string]string{
	"every":           "write schedule = every and the time, for example every 10m",
	"cron_restart":    "write schedule for a program that ends; max_age restarts one that runs",
	"redirect_stderr": "write stderr = stdout",
	"merge_logs":      "write stderr = stdout",
	"killasgroup":     "systemd always ends every process of a program",
	"stopasgroup":     "systemd always ends every process of a program",
	"process_name":    "the name stands in the header, [program NAME]",
	"numprocs_start":  "instances are counted from 1; {{port 8000}} is 8000 in the first",
	"RestartSteps":    "write restart_backoff",
	"priority":        "programs are started in the order in which they stand in the file, and stopped in the opposite one; depends_on has one wait for another",
	"stdout_syslog":   "write stdout = journal",
	"stderr_syslog":   "write stderr = journal",
	"serverurl":       "msup has no server; remove the key",

	"stdout_capture_maxbytes": "msup has no events; remove the key",
	"stderr_capture_maxbytes": "msup has no events; remove the key",
	"stdout_events_enabled":   "msup has no events; remove the key",
	"stderr_events_enabled":   "msup has no events; remove the key",

	"exp_backoff_restart_delay": "write restart_delay = 100ms, restart_backoff = 1.5, restart_delay_max = 15s and restart_reset = 30s",
}

// notSections are sections of other supervisors and of unit files, and what to do instead.
var notSections = map[string]string{
	"supervisord":      "what is about the whole project stands in [msup]; supervisord's other settings are not needed",
	"supervisorctl":    "msup finds its supervisor by the name of the project; remove the section",
	"unix_http_server": "msup has no server; remove the section",
	"inet_http_server": "msup has no server; remove the section",
	"rpcinterface":     "msup has no server; remove the section",
	"eventlistener":    "msup has no events; a program is [program NAME]",
	"fcgi-program":     "a program is [program NAME], its socket is listen = unix:PATH",
	"Unit":             "this is a unit file's; for each program write [program NAME], settings of systemd's as systemd.NAME = value",
	"Service":          "this is a unit file's; for each program write [program NAME], settings of systemd's as systemd.NAME = value",
	"Install":          "this is a unit file's; remove the section: msup up starts what has autostart",
}

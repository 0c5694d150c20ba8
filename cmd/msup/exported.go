package main

import (
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"msup/policy"
	"msup/property"
	"msup/units"
)

// exported is a program as a unit file that needs no msup, and what of its definition that
// cannot say.
type exported struct {
	name    string // of the file
	file    unitFile
	missing []string
}

// exportUnit turns a program into a unit file.
func exportUnit(p units.Program, d dependencies, project string, version int, user bool) (exported, error) {
	wasScope := p.Type == units.Scope
	p.Type = units.Service
	listens := p.Listens()
	idle := p.Listen.IdleStop > 0
	onDemand := p.Listen.OnDemand
	p.Listen = units.Listen{}
	x := exported{name: units.UnitName(project, p.Name, units.Service)}
	settings, err := formatted(units.Properties(p, units.Runtime{Project: project, Version: version}))
	if err != nil {
		return x, err
	}
	settings = drop(settings, "RemainAfterExit", "Restart", "StartLimitIntervalSec")
	// There will be no supervisor to be ordered after.
	order := property.Setting{Name: "After", Value: units.OrderUnit(project)}
	if i := indexOf(settings, order); i >= 0 {
		settings = append(settings[:i], settings[i+1:]...)
	}
	settings = put(settings, "StandardOutput", appendTo(p.Stdout))
	settings = put(settings, "StandardError", appendTo(p.Stderr))
	settings, unsaid := lifeSettings(p, settings)
	restart, missing := restartSettings(p.Rules, version)
	needs, unsaidNeeds := d.settings(p, project)
	missing = slices.Concat(unsaidNeeds, unsaid, missing)
	x.missing = append(missing, outputMissing(p)...)
	if readyByLine(p) {
		x.missing = append(x.missing, "ready: systemd does not look at output; it is started for systemd once it is executed")
	} else if p.Ready.Kind.Asked() {
		x.missing = append(x.missing, "ready: systemd probes nothing; it is started for systemd once it is executed")
	}
	if p.Alive.Kind.Asked() {
		x.missing = append(x.missing, "alive: systemd probes nothing; WatchdogSec= is for programs that notify it")
	}
	if listens {
		settings = put(settings, "Requires", p.SocketUnit())
	}
	if idle {
		x.missing = append(x.missing, "idle_stop: systemd stops nothing that is idle; systemd-socket-proxyd can, see its --exit-idle-time=")
	}
	if wasScope {
		x.missing = append(x.missing, "unit_type = scope: a unit file starts a service")
	}
	x.file = unitFile{own: "Service", settings: slices.Concat(settings, needs, restart), install: "multi-user.target"}
	if user {
		x.file.install = "default.target"
	}
	if onDemand {
		x.file.install = "" // its socket has one
	}
	if !p.Autostart && p.Schedule.IsZero() {
		x.file.install = ""
		x.missing = append(x.missing, "autostart = false: it has no section [Install] and is started by hand")
	}
	if !p.Schedule.IsZero() {
		x.file.install = "" // its timer is enabled
	}
	x.file.head = append([]string{fmt.Sprintf("Program %s of msup, for systemd %d without msup.", p.Name, version)}, x.missing...)
	return x, nil
}

// exportTimer is the timer of a program with a schedule, which starts its unit by the name.
func exportTimer(p units.Program, project string) exported {
	unit := units.UnitName(project, p.Name, units.Service)
	x := exported{
		name: strings.TrimSuffix(unit, ".service") + ".timer",
		file: unitFile{own: "Timer", install: "timers.target", settings: append([]property.Setting{{Name: "Description", Value: p.TimerDescription()}}, p.Schedule.Settings()...)},
	}
	if !p.Autostart {
		x.file.install = ""
		x.missing = append(x.missing, "autostart = false: it has no section [Install] and is started by hand")
	}
	x.file.head = append([]string{fmt.Sprintf("Schedule of program %s of msup, without msup.", p.Name)}, x.missing...)
	return x
}

// lifeSettings says in systemd's words how long a run may last. A oneshot has no runtime there:
// it starts, for as long as it lasts (systemd.service(5), RuntimeMaxSec=).
func lifeSettings(p units.Program, settings []property.Setting) (_ []property.Setting, missing []string) {
	if p.Rules.Oneshot {
		settings = put(settings, "Type", "oneshot")
		if p.StartTimeout > 0 {
			missing = append(missing, "start_timeout: for systemd a oneshot starts until it has ended")
		}
		settings = drop(settings, "RuntimeMaxSec", "TimeoutStartSec")
		if p.MaxRuntime > 0 {
			settings = put(settings, "TimeoutStartSec", spanText(p.MaxRuntime))
		}
	}
	for _, a := range units.ActionKinds {
		if p.Actions.Of(a.Kind) != nil {
			missing = append(missing, a.Key+": systemd's OnFailure= names a unit to start, and tells it nothing")
		}
	}
	if p.Rules.MaxAge > 0 {
		missing = append(missing, "max_age: systemd restarts nothing that is healthy; a timer could")
	}
	return settings, missing
}

func indexOf(settings []property.Setting, s property.Setting) int {
	for i := range settings {
		if settings[i] == s {
			return i
		}
	}
	return -1
}

// restartSettings says the restart policy in systemd's words, as near as those come, and
// what they cannot say (systemd.service(5), Restart=; systemd.unit(5), StartLimitBurst=).
func restartSettings(r policy.Rules, version int) (settings []property.Setting, missing []string) {
	add := func(name, format string, args ...any) {
		settings = append(settings, property.Setting{Name: name, Value: fmt.Sprintf(format, args...)})
	}
	miss := func(format string, args ...any) { missing = append(missing, fmt.Sprintf(format, args...)) }
	mode := map[policy.Mode]string{policy.Never: "no", policy.OnFailure: "on-failure", policy.Always: "always"}[r.Autorestart]
	add("Restart", "%s", mode)
	never := mode == "no" && r.RestartOn.Empty() && r.OnOOM != policy.OOMRestart
	if never {
		return settings, missing
	}
	add("RestartSec", "%s", spanText(r.RestartDelay))
	longest := r.RestartDelay
	if len(r.MoreDelays) > 0 {
		miss("restart_delay: systemd has one delay, here %s", policy.Words(r.RestartDelay))
	}
	if r.RestartBackoff > 1 {
		steps := backoffSteps(r)
		switch {
		case steps == 0:
			miss("restart_backoff: systemd needs a delay to begin with and restart_delay_max to end at")
		case version < 254:
			miss("restart_backoff: systemd 254 has RestartSteps=%d and RestartMaxDelaySec=%s for it", steps, spanText(r.RestartDelayMax))
		default:
			add("RestartSteps", "%d", steps)
			add("RestartMaxDelaySec", "%s", spanText(r.RestartDelayMax))
			longest = r.RestartDelayMax
		}
	}
	if r.RestartJitter > 0 {
		miss("restart_jitter: systemd has nothing like it")
	}
	burst, interval, words := startLimit(r, longest)
	add("StartLimitIntervalSec", "%s", interval)
	if burst > 0 {
		add("StartLimitBurst", "%d", burst)
	}
	if words != "" {
		miss("%s", words)
	}
	if r.RestartCooldown > 0 {
		miss("restart_cooldown: systemd does not try again by itself")
	}
	for _, set := range []struct {
		key, setting string
		exits        policy.ExitSet
	}{{"restart_on", "RestartForceExitStatus", r.RestartOn}, {"restart_never_on", "RestartPreventExitStatus", r.RestartNeverOn}} {
		if text := statusWords(set.exits); text != "" {
			add(set.setting, "%s", text)
		}
		if len(set.exits.Causes) > 0 {
			var causes []string
			for _, c := range set.exits.Causes {
				causes = append(causes, string(c))
			}
			miss("%s: systemd takes only statuses and signals, not %s", set.key, strings.Join(causes, ", "))
		}
	}
	if r.OnOOM != policy.OOMAsOthers {
		miss("on_oom = %s: systemd restarts by the same rules as after any kill", r.OnOOM)
	}
	if r.StartRetries != nil {
		miss("start_retries: for systemd a program has started when it is executed, and later ends are all alike")
	}
	return settings, missing
}

// backoffSteps is how many restarts it takes from the first delay to the longest, 0 if
// there is none of them.
func backoffSteps(r policy.Rules) int {
	if r.RestartDelay <= 0 || r.RestartDelayMax <= r.RestartDelay {
		return 0
	}
	return int(math.Ceil(math.Log(float64(r.RestartDelayMax)/float64(r.RestartDelay)) / math.Log(r.RestartBackoff)))
}

// startLimit is how many starts systemd allows in which time.
func startLimit(r policy.Rules, longest time.Duration) (burst int, interval, words string) {
	switch {
	case r.MaxRestarts == 0:
		return 0, "0", ""
	case r.RestartWindow > 0:
		return r.MaxRestarts + 1, spanText(r.RestartWindow), ""
	case r.RestartReset == 0:
		return r.MaxRestarts + 1, "infinity", ""
	}
	within := time.Duration(r.MaxRestarts)*longest + r.RestartReset
	return r.MaxRestarts + 1, spanText(within),
		fmt.Sprintf("max_restarts: systemd counts the starts within %s, and not until it was up for %s", policy.Words(within), policy.Words(r.RestartReset))
}

// statusWords are the statuses and signals of a set as systemd takes them.
func statusWords(set policy.ExitSet) string {
	var words []string
	for _, r := range set.Codes {
		for c := r.From; c <= r.To; c++ {
			words = append(words, fmt.Sprint(c))
		}
	}
	for _, s := range set.Signals {
		words = append(words, s.String())
	}
	return strings.Join(words, " ")
}

// spanText is a time as systemd reads it.
func spanText(d time.Duration) string {
	if d == 0 {
		return "0"
	}
	for _, u := range []struct {
		size time.Duration
		name string
	}{{time.Minute, "min"}, {time.Second, "s"}, {time.Millisecond, "ms"}} {
		if d%u.size == 0 {
			return fmt.Sprintf("%d%s", d/u.size, u.name)
		}
	}
	return fmt.Sprintf("%dus", d.Microseconds())
}

// outputMissing says what becomes of output that msup does not take.
func outputMissing(p units.Program) (missing []string) {
	if !isFile(p.Stdout) && !isFile(p.Stderr) {
		return nil
	}
	if !p.Log.NoJournal {
		missing = append(missing, "journal: what goes to a file does not go to the journal too")
	}
	var keys []string
	if p.Log.Timestamps != "" {
		keys = append(keys, "log_timestamps")
	}
	if p.Log.Prefix != "" {
		keys = append(keys, "log_prefix")
	}
	if p.Log.Markers {
		keys = append(keys, "log_markers")
	}
	if p.Log.MinFree > 0 {
		keys = append(keys, "log_min_free")
	}
	if p.Log.TotalMax > 0 {
		keys = append(keys, "log_total_max")
	}
	if p.Log.Mode != nil || p.Log.Owner != "" {
		keys = append(keys, "log_mode and log_owner")
	}
	if len(keys) > 0 {
		missing = append(missing, strings.Join(keys, ", ")+": systemd appends what the program writes, and nothing else")
	}
	return missing
}

// exportSlice is the file of a slice that has limits.
func exportSlice(s units.Slice) (exported, error) {
	settings, err := formatted(s.Properties())
	return exported{
		name: s.Unit,
		file: unitFile{own: "Slice", settings: drop(settings, "After"), head: []string{"Limits of programs of msup together."}},
	}, err
}

// logrotateText is a configuration for logrotate(8), "" if no program writes to a file that
// is rotated.
func logrotateText(programs []units.Program) string {
	var b strings.Builder
	done := map[string]bool{}
	for _, p := range programs {
		for _, file := range []string{p.Stdout, p.Stderr} {
			if !isFile(file) || done[file] || p.Log.MaxSize == 0 {
				continue
			}
			done[file] = true
			fmt.Fprintf(&b, "\"%s\" {\n\tsize %d\n\trotate %d\n", filepath.Clean(file), p.Log.MaxSize, p.Log.Backups)
			if p.Log.MaxAge > 0 {
				fmt.Fprintf(&b, "\tmaxage %d\n", max(1, int(p.Log.MaxAge/(24*time.Hour))))
			}
			if p.Log.Compress {
				b.WriteString("\tcompress\n\tdelaycompress\n")
			}
			// systemd keeps the file open, in append mode.
			b.WriteString("\tmissingok\n\tcopytruncate\n}\n")
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return "# Rotates the files that systemd appends to. Put it into /etc/logrotate.d.\n" + b.String()
}

package config

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"msup/probe"
	"msup/units"
)

// liveKeys are the keys of a program that take effect while it runs.
var liveKeys = []string{
	"autostart", instancesKey, "description", "journal", journalRateKey,
	// The policy. Of success_exit_codes only what systemctl shows waits for the next start.
	"autorestart", "restart_delay", "restart_backoff", "restart_delay_max", "restart_jitter",
	"max_restarts", "restart_window", "restart_reset", "restart_cooldown",
	"success_exit_codes", "restart_on", "restart_never_on", "on_oom",
	"start_seconds", "start_retries", "start_retry_delay",
	"on_failed", "on_oom_command", "on_restart",
	scheduleKey, "schedule_spread", "schedule_missed",
	"oneshot", "max_age", "max_age_spread",
	"start_timeout", // has a meaning only while it starts
	dependsOn, onDependencyKey,
	"ready", "alive", // but not between what is asked and what is told, see toldKind
	"ready_interval", "ready_timeout", "ready_threshold",
	"alive_interval", "alive_timeout", "alive_threshold",
	"on_demand", "idle_stop",
}

// liveLimits are those too: SetUnitProperties changes them.
var liveLimits = []string{"memory_limit", "memory_high", "swap_limit", "cpu_limit", "cpu_weight", "io_weight", "tasks_limit"}

// journalRateKey is live only for output that goes through us.
const journalRateKey = "journal_rate"

// Live reports whether the key takes effect without a restart of the program. (Of stdout
// and stderr only the kind of place does not; and journal_rate does not where no output goes to
// a file, and so journald itself counts the lines.)
func (k Key) Live() bool {
	return k.Section != programSection || slices.Contains(liveKeys, k.Name) || slices.Contains(liveLimits, k.Name) || strings.HasPrefix(k.Name, "log_")
}

// digest stands for what of a definition takes effect with the next start only. It is
// made of the settings as they are written and not of what they come to, so that it is the
// same for every version of msup. former is what it was for one that could not change limits
// while a program runs, "" = no other.
func (d *draft) digest() (now, former string) {
	now = d.digestWith(false)
	if slices.ContainsFunc(liveLimits, func(name string) bool { _, ok := d.given[name]; return ok }) {
		former = d.digestWith(true)
	}
	return now, former
}

func (d *draft) digestWith(limits bool) string {
	h := sha256.New()
	line := func(name, value string) { fmt.Fprintf(h, "%s=%q\n", name, value) }
	for i := range keys {
		k := &keys[i]
		switch {
		case k.Name == journalRateKey && !throughUs(d.Program):
			if rate := d.text(k.Name); rate != k.Default { // written or not, the default is the same
				line(k.Name, rate)
			}
		case k.Live() && (!limits || k.Section != programSection || !slices.Contains(liveLimits, k.Name)), k.Name == "stdout", k.Name == "stderr", k.Name == anySystemd:
		case k.Repeats:
			for _, s := range d.all {
				if s.key.Name == k.Name {
					line(k.Name, s.value)
				}
			}
		default:
			if s, ok := d.given[k.Name]; ok {
				line(k.Name, s.value)
			}
		}
	}
	for _, s := range d.systemd {
		line(s.key.Name, s.value)
	}
	if _, ok := d.given["directory"]; !ok {
		line("directory", d.Directory)
	}
	if d.InGroup != "" {
		line("[group]", d.InGroup) // a unit stays in the slice it was started in
	}
	_, _ = io.WriteString(h, outputKind(d.Program)+toldKind(d.Program)) // a hash takes everything
	return hex.EncodeToString(h.Sum(nil)[:8])
}

// throughUs reports whether output of the program comes through the supervisor.
func throughUs(p units.Program) bool {
	return isFile(p.Stdout) || isFile(p.Stderr) || p.Ready.Kind == probe.Log
}

func isFile(output string) bool { return output != "" && output != devNull }

// toldKind says what a unit tells, which its type, its properties and its FIFOs are made for.
func toldKind(p units.Program) string { return toldOf(p, "ready") + toldOf(p, "alive") }

// toldOf is toldKind of one of the keys ready and alive, "" for another one.
func toldOf(p units.Program, key string) string {
	switch {
	case key == "ready" && p.Ready.Kind.Notifies():
		return " ready=" + string(p.Ready.Kind)
	case key == "ready" && p.Ready.Kind == probe.Log && (!isFile(p.Stdout) || !isFile(p.Stderr)):
		return " ready=log" // with files its output comes through us anyway
	case key == "alive" && p.Alive.Kind == probe.Watchdog:
		return " alive=" + p.Alive.String()
	}
	return ""
}

// outputKind says what the streams of a unit are connected to.
func outputKind(p units.Program) string {
	kind := func(path string) string {
		switch path {
		case "", os.DevNull:
			return path
		}
		return "file"
	}
	if p.Stdout == p.Stderr {
		return kind(p.Stdout)
	}
	return kind(p.Stdout) + " " + kind(p.Stderr)
}

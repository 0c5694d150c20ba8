package config

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
	"time"

	"msup/policy"
	"msup/probe"
	"msup/units"
)

// This file is about what is not asked: what a program tells systemd by itself, by
// sd_notify(3), or everybody by a line of its output.

func parseNotify(kind probe.Kind) func(*target, setting, string) (probe.Spec, error) {
	return func(t *target, s setting, what string) (probe.Spec, error) {
		spec := probe.Spec{Kind: kind}
		switch {
		case s.key.Name == "alive":
			return spec, hinted("write alive = watchdog 30s", "by %s a program says once that it is ready, and not that it is alive", kind)
		case what != "":
			return spec, hinted("write ready = "+string(kind), "%s follows it", quote(what))
		case kind == probe.NotifyReload && !t.quiet:
			t.cfg.newer = append(t.cfg.newer, newer{s, 253, false, "write ready = notify, and a reload_command"})
		}
		return spec, nil
	}
}

// maxPattern is the longest regular expression, in bytes.
const maxPattern = 1000

// parseLog takes a regular expression as it stands: a backslash is its own. One that begins
// and ends with the same quote is what stands between them.
func parseLog(_ *target, s setting, what string) (probe.Spec, error) {
	spec := probe.Spec{Kind: probe.Log, Where: what}
	if s.key.Name == "alive" {
		return spec, hinted("write ready = log: "+what+", and for example alive = http: URL", "a line tells once that a program is ready, and not that it is alive")
	}
	if n := len(what); n >= 2 && (what[0] == '"' || what[0] == '\'') && what[n-1] == what[0] {
		spec.Where = what[1 : n-1]
	}
	switch _, err := regexp.Compile(spec.Where); {
	case spec.Where == "":
		return spec, hinted("write for example ready = log: listening on", "it does not say which line")
	case len(spec.Where) > maxPattern:
		return spec, hinted(fmt.Sprintf("use one of at most %d bytes", maxPattern), "the regular expression is too long")
	case err != nil:
		if syn, ok := errors.AsType[*syntax.Error](err); ok {
			return spec, hinted("the syntax is that of https://golang.org/s/re2syntax", "%s is no regular expression: %s", quote(spec.Where), syn.Code)
		}
		return spec, fmt.Errorf("%s is no regular expression: %w", quote(spec.Where), err)
	}
	return spec, nil
}

// minWatchdog is the shortest time of a watchdog: one below it kills what is well when the
// machine is busy.
const minWatchdog = 100 * time.Millisecond

func parseWatchdog(_ *target, s setting, what string) (probe.Spec, error) {
	spec := probe.Spec{Kind: probe.Watchdog}
	if s.key.Name == "ready" {
		return spec, hinted("write alive = watchdog "+what+", and ready = notify if it says so too", "a watchdog tells that a program is alive, and not when it is ready")
	}
	every, err := ParseDuration(what)
	switch {
	case err != nil:
		return spec, hinted("write for example alive = watchdog 30s", "%v", err)
	case every < minWatchdog:
		return spec, hinted("use 100ms or more, for example watchdog 30s", "%s is too short for a watchdog", quote(what))
	}
	spec.Every, spec.Where = every, policy.Words(every)
	return spec, nil
}

// scopesAreNotHeard takes from a scope what only services can tell systemd.
func (t *target) scopesAreNotHeard() {
	d := t.prog
	for key, p := range map[string]*units.Probe{"ready": &d.Ready, "alive": &d.Alive} {
		if d.Type != units.Scope || p.Kind == "" || p.Kind.Asked() || p.Kind == probe.Log {
			continue
		}
		if !t.quiet {
			t.scopeCannot(d, d.at(key))
		}
		p.Spec = probe.Spec{}
	}
}

// completeTold says what it means for other keys that nobody is asked.
func (t *target) completeTold(key string, p *units.Probe) {
	d := t.prog
	if p.Kind.Asked() {
		return
	}
	for _, name := range []string{key + "_interval", key + "_timeout", key + "_threshold"} {
		if s, ok := d.given[name]; ok && s.section != defaultsSection {
			t.warn(s, fmt.Sprintf("%s has no effect: with %s = %s nobody is asked", name, key, p.Kind), "")
		}
	}
	*p = units.Probe{Spec: p.Spec, Threshold: 1}
	if p.Kind == probe.Watchdog {
		for _, name := range []string{"restart_on", "restart_never_on"} {
			if s, ok := d.given[name]; ok && s.section != defaultsSection && (policy.ExitSet{Causes: exitsOf(d, name).Causes}).Contains(policy.Exit{Cause: policy.CauseWatchdog}) {
				t.warn(s, "watchdog never is the cause with alive = watchdog: that is unhealthy, as with any other probe", "write unhealthy")
			}
		}
	}
}

func exitsOf(d *draft, key string) policy.ExitSet {
	if key == "restart_on" {
		return d.Rules.RestartOn
	}
	return d.Rules.RestartNeverOn
}

// checkTold looks at systemd's settings beside what a program tells systemd.
func (l *loader) checkTold(d *draft) {
	if d.Ready.Kind == probe.Log && d.Listens() {
		l.reportFor(d, d.at("ready"), "with listen systemd may start the program while nobody looks at its output", "use ready = notify, or a probe that asks it")
	}
	told := d.Ready.Kind.Notifies() || d.Alive.Kind == probe.Watchdog
	for _, s := range d.systemd {
		switch e := s.key.entry(); {
		case s.value == "":
		case e.Name == "NotifyAccess" && told && strings.EqualFold(s.value, "none"):
			l.reportFor(d, s, "systemd would not hear what the program tells", "use main, exec or all, or leave it away")
		case e.Name == "WatchdogSec" && d.Alive.Kind == probe.Watchdog:
			l.reportFor(d, s, "alive = watchdog "+d.Alive.Where+" sets it already", "remove one of them")
		case e.Name == "ReloadSignal" && d.Ready.Kind != probe.NotifyReload:
			l.warnFor(d, s, "it has no effect without ready = notify-reload", "")
		}
	}
}

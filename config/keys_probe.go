package config

import (
	"time"

	"msup/units"
)

// askedWords are the probes by which a program is asked, readyWords and aliveWords all that the
// keys take, as a sentence that begins with "use" names them.
const (
	askedWords = "http: URL, tcp: HOST:PORT, unix: PATH, file: PATH, exec: COMMAND, port, port: NUMBER, "
	readyWords = askedWords + "log: REGEXP, notify, notify-reload, or none"
	aliveWords = askedWords + "watchdog TIME, or none"
)

// probeKeys say how a program is asked whether it is ready, and whether it is well.
var probeKeys = []Key{
	{
		Section: programSection, Name: "ready", Kind: Words, Unset: "ready after start_seconds", Allowed: readyWords, Example: "http: http://127.0.0.1:8080/health",
		Doc: "What must pass for the program to be RUNNING, beside start_seconds; until then it is STARTING, start_timeout at most. " +
			"http: a GET request is answered with a status from 200 to 399, or one of those behind the URL; tcp, unix: a connection is taken; file: it exists; " +
			"port: one of its own processes listens on TCP; " +
			"exec: the command exits with status 0, run by systemd as the program is; " +
			"log: it writes a line that matches the regular expression (RE2); " +
			"notify: it says so itself, READY=1 of sd_notify(3) (Type=notify); notify-reload: and how a reload goes too (systemd 253).",
		Other: []string{"readiness_probe", "readiness", "ready_log_line"}, set: setProbe(func(p *units.Program) *units.Probe { return &p.Ready }),
	},
	{
		Section: programSection, Name: "ready_interval", Kind: Scalar, Default: "1s", Allowed: durationWords + ", 100ms or more", Example: "200ms",
		Doc: "Time from the end of a probe of ready to the next.", set: probeTime(func(p *units.Program) *time.Duration { return &p.Ready.Interval }),
	},
	{
		Section: programSection, Name: "ready_timeout", Kind: Scalar, Default: "3s", Allowed: durationWords + ", 100ms or more", Example: "1s",
		Doc: "Time one probe of ready may take; then it has failed.", set: probeTime(func(p *units.Program) *time.Duration { return &p.Ready.Timeout }),
	},
	{
		Section: programSection, Name: "ready_threshold", Kind: Scalar, Default: "1", Allowed: "a whole number from 1 to 1000", Example: "3",
		Doc: "Probes in a row that must pass for it to be ready.", set: probeCount(func(p *units.Program) *int { return &p.Ready.Threshold }),
	},
	{
		Section: programSection, Name: "alive", Kind: Words, Unset: "alive while it runs", Allowed: aliveWords, Example: "tcp: 127.0.0.1:8080",
		Doc: "What must go on passing while it is RUNNING, as ready; if it fails alive_threshold times in a row, the program is stopped, " +
			"and that is an end with the cause unhealthy, which the restart policy answers. " +
			"watchdog 30s: it says WATCHDOG=1 of sd_notify(3) at least so often, or systemd ends it (WatchdogSec), with the same cause.",
		Other: []string{"liveness_probe", "liveness", "healthcheck", "health_check"}, set: setProbe(func(p *units.Program) *units.Probe { return &p.Alive }),
	},
	{
		Section: programSection, Name: "alive_interval", Kind: Scalar, Default: "10s", Allowed: durationWords + ", 100ms or more", Example: "30s",
		Doc: "Time from the end of a probe of alive to the next, and before the first.", set: probeTime(func(p *units.Program) *time.Duration { return &p.Alive.Interval }),
	},
	{
		Section: programSection, Name: "alive_timeout", Kind: Scalar, Default: "3s", Allowed: durationWords + ", 100ms or more", Example: "10s",
		Doc: "Time one probe of alive may take; then it has failed.", set: probeTime(func(p *units.Program) *time.Duration { return &p.Alive.Timeout }),
	},
	{
		Section: programSection, Name: "alive_threshold", Kind: Scalar, Default: "3", Allowed: "a whole number from 1 to 1000", Example: "5",
		Doc: "Probes in a row that must fail for it to be unhealthy.", set: probeCount(func(p *units.Program) *int { return &p.Alive.Threshold }),
	},
}

// minProbe is the shortest interval and time of a probe: more of them are work for nothing.
const minProbe = 100 * time.Millisecond

func probeTime(field func(*units.Program) *time.Duration) func(*target, setting) error {
	return func(t *target, s setting) error {
		d, err := ParseDuration(s.value)
		if err == nil && d < minProbe {
			return hinted("use 100ms or more, for example "+s.key.Example, "%s is too short", quote(s.value))
		}
		*field(&t.prog.Program) = d
		return err
	}
}

func probeCount(field func(*units.Program) *int) func(*target, setting) error {
	return func(t *target, s setting) error {
		n, err := parseInt(s.value, 1, 1000)
		*field(&t.prog.Program) = int(n)
		return err
	}
}

package main

import (
	"fmt"
	"strings"
	"time"

	"msup/policy"
	"msup/units"
)

// describeRules lists the restart policy of a program, leaving out what is not configured.
func describeRules(p units.Program) (out [][2]string) {
	r := p.Rules
	add := func(name, format string, args ...any) {
		out = append(out, [2]string{name, fmt.Sprintf(format, args...)})
	}
	if s := p.Schedule; !s.IsZero() {
		words := s.String()
		if s.Spread > 0 {
			words += ", up to " + policy.Words(s.Spread) + " later"
		}
		if s.CatchUp {
			words += ", made up for when missed"
		}
		add("schedule", "%s", words)
	}
	if r.Oneshot {
		add("oneshot", "done when it has ended well")
	} else if r.StartPeriod > 0 {
		add("started", "once up for %s", policy.Words(r.StartPeriod))
	}
	if len(p.Needs) > 0 {
		add("needs", "%s", needWords(p))
	}
	if r.StartRetries != nil {
		delays := r.StartRetryDelays
		if len(delays) == 0 {
			delays = restartDelays(r)
		}
		add("retry", "a failed start %s, after %s", plural(*r.StartRetries, "time", "times"), delayWords(r, delays)+cooldownWords(r))
	}
	switch {
	case p.Ready.Kind.Notifies():
		add("ready", "once it says %s to systemd (Type=%s); it has %s for that", p.Ready, p.Ready.Kind, policy.Words(p.StartTimeout))
	case readyByLine(p):
		add("ready", "once it writes %s; it has %s for that", p.Ready, policy.Words(r.ReadyTimeout))
	case p.Ready.Kind != "":
		add("ready", "once %s passes%s, asked every %s; it has %s for that", p.Ready, timesInRow(p.Ready.Threshold), policy.Words(p.Ready.Interval), policy.Words(r.ReadyTimeout))
	}
	switch {
	case p.Alive.Kind != "" && !p.Alive.Kind.Asked():
		add("alive", "says WATCHDOG=1 to systemd; unhealthy when it has not for %s", p.Alive.Where)
	case p.Alive.Kind != "":
		add("alive", "%s, asked every %s; unhealthy when it fails%s", p.Alive, policy.Words(p.Alive.Interval), timesInRow(p.Alive.Threshold))
	}
	if p.StartTimeout > 0 && !p.Ready.Kind.Notifies() {
		add("timeout", "%s for a start", policy.Words(p.StartTimeout))
	}
	if p.MaxRuntime > 0 {
		add("runtime", "at most %s", policy.Words(p.MaxRuntime))
	}
	if r.MaxAge > 0 {
		add("max age", "restarted after %s", ageWords(r))
	}
	restart := string(r.Autorestart)
	if r.Autorestart != policy.Never || !r.RestartOn.Empty() || r.OnOOM == policy.OOMRestart {
		restart += fmt.Sprintf(", %s after an end, %s", delayWords(r, restartDelays(r)), budgetWords(r)+cooldownWords(r))
	}
	add("restart", "%s", restart)
	if s := r.Success.String(); s != "" && s != "0" {
		add("ends well", "with %s", s)
	}
	if !r.RestartOn.Empty() {
		add("restart on", "%s", r.RestartOn)
	}
	if !r.RestartNeverOn.Empty() {
		add("never on", "%s", r.RestartNeverOn)
	}
	if r.OnOOM != policy.OOMAsOthers {
		add("on oom", "%s", r.OnOOM)
	}
	return out
}

// ageWords is "24h, or up to 20% less".
func ageWords(r policy.Rules) string {
	text := policy.Words(r.MaxAge)
	if r.MaxAgeSpread > 0 {
		text += fmt.Sprintf(", or up to %g%% less", r.MaxAgeSpread*100)
	}
	return text
}

func timesInRow(n int) string {
	if n == 1 {
		return ""
	}
	return fmt.Sprintf(" %d times in a row", n)
}

func restartDelays(r policy.Rules) []time.Duration {
	return append([]time.Duration{r.RestartDelay}, r.MoreDelays...)
}

// delayWords is "1s, 3s, then x2 up to 5m, and up to 20% more".
func delayWords(r policy.Rules, delays []time.Duration) string {
	words := make([]string, len(delays))
	for i, d := range delays {
		words[i] = policy.Words(d)
	}
	text := strings.Join(words, ", ")
	if r.RestartBackoff > 1 {
		text += fmt.Sprintf(", then x%g", r.RestartBackoff)
		if r.RestartDelayMax > 0 {
			text += " up to " + policy.Words(r.RestartDelayMax)
		}
	}
	if r.RestartJitter > 0 {
		text += fmt.Sprintf(", and up to %g%% more", r.RestartJitter*100)
	}
	return text
}

func budgetWords(r policy.Rules) string {
	if r.MaxRestarts == 0 {
		return "no limit"
	}
	text := "at most " + plural(r.MaxRestarts, "time", "times")
	switch {
	case r.RestartWindow > 0:
		return text + " within " + policy.Words(r.RestartWindow)
	case r.RestartReset > 0 && !r.Oneshot:
		return text + " until it is up for " + policy.Words(r.RestartReset)
	}
	return text + " in all"
}

func cooldownWords(r policy.Rules) string {
	if r.RestartCooldown == 0 {
		return ""
	}
	return ", and again " + policy.Words(r.RestartCooldown) + " after that"
}

// needWords is what a program depends on: "db (ready), cache (started, optional); restarted when
// one of them ends".
func needWords(p units.Program) string {
	var words []string
	for _, n := range p.Needs {
		condition := string(n.Condition)
		if n.Optional {
			condition += ", optional"
		}
		words = append(words, fmt.Sprintf("%s (%s)", n.Of, condition))
	}
	text := strings.Join(words, ", ")
	switch p.OnDependency {
	case policy.RestartAtEnd:
		text += "; restarted when the run of one is over"
	case policy.StopAtEnd:
		text += "; stopped when the run of one is over"
	}
	return text
}

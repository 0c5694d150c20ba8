package explain

import (
	"fmt"
	"time"

	"msup/policy"
	"msup/units"
)

// probes says what probes of the run under way have said.
func probes(f Facts) []string {
	var out []string
	for _, p := range f.Probes {
		text := p.Of + ": " + p.Probe
		if p.Told {
			out = append(out, text+toldWords(f, p))
			continue
		}
		if p.Tries == 0 {
			out = append(out, text+", not asked yet")
			continue
		}
		took := time.Duration(p.Latency) * time.Microsecond
		when := fmt.Sprintf("%s, in %s", ago(f.Now.Sub(p.At)), took.Round(100*time.Microsecond))
		if p.Passed {
			text += " passed " + when
		} else {
			text += fmt.Sprintf(" failed %s: %s", when, p.Error)
		}
		if p.Of == "alive" && !p.Passed {
			text += fmt.Sprintf(", %d of %d in a row that make it unhealthy", p.InRow, p.Threshold)
		} else {
			text += ", " + tries(p.Tries)
		}
		out = append(out, text)
		if p.Output != "" {
			out = append(out, fmt.Sprintf("  its last line: %q", p.Output))
		}
	}
	return out
}

// toldWords is about a probe by which nobody is asked.
func toldWords(f Facts, p units.ProbeStatus) string {
	switch at := f.Settings.WatchdogAt; {
	case p.Of == "alive" && !at.IsZero():
		return ", told " + ago(max(0, f.Now.Sub(at))) + " (WATCHDOG=1)" // it may be younger than the other facts
	case p.Of == "alive" || p.Passed && p.At.IsZero():
		return ""
	case p.Passed && p.Output != "":
		return fmt.Sprintf(", told %s: %q", f.when(p.At), p.Output)
	case p.Passed:
		return ", told " + f.when(p.At)
	}
	return ", not told yet"
}

func tries(n int) string {
	if n == 1 {
		return "1 try"
	}
	return fmt.Sprintf("%d tries", n)
}

// unhealthy is the end of a program that did not pass its probe.
func unhealthy(f Facts) []string {
	if e := f.last(); e != nil && e.Result == "watchdog" {
		return watchdog(f)
	}
	out := []string{"it ran, but did not pass its probe alive any more, and msup stopped it for that"}
	if a := f.Program.Alive; a.Kind.Asked() {
		out = append(out, fmt.Sprintf("asked is %s every %s, which may take %s; alive_threshold = %d failures in a row are too many",
			a, policy.Words(a.Interval), policy.Words(a.Timeout), a.Threshold))
	}
	return out
}

// neverReady is the end of a program that was executed and not ready in time.
func neverReady(f Facts) []string {
	if r := f.Program.Ready; r.Kind != "" && !r.Kind.Asked() && !r.Kind.Notifies() {
		return []string{
			"it was executed, but did not write " + r.String() + " within start_timeout, " + policy.Words(f.Program.Rules.ReadyTimeout) + ", and msup stopped it for that",
			"only whole lines are looked at; a program that buffers its output writes it late",
		}
	}
	if f.Program.Ready.Kind.Notifies() {
		return []string{
			"it was executed, but did not say READY=1 (sd_notify(3)) within start_timeout, " + policy.Words(f.Program.StartTimeout) + ", and systemd ended it",
			"it takes longer, or does not send it; unless systemd.NotifyAccess = all, systemd hears only its main process",
		}
	}
	out := []string{"it was executed, but its probe ready did not pass within start_timeout, and msup stopped it for that"}
	if r := f.Program.Ready; r.Kind.Asked() {
		out = append(out, fmt.Sprintf("asked was %s every %s; it has %s from its execution on (start_timeout)", r, policy.Words(r.Interval), policy.Words(f.Program.Rules.ReadyTimeout)))
	}
	return out
}

// wasNeverReady reports whether msup has ended a program that was executed because it was not
// ready in time.
func wasNeverReady(e units.End) bool {
	return e.Exit.Cause == policy.CauseTimeout && e.During == policy.Starting && e.Active && e.By == ""
}

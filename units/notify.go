package units

import (
	"fmt"

	"msup/policy"
	"msup/probe"
)

// This file is about programs that tell systemd how they are, by sd_notify(3). systemd waits
// for that (Type=notify): until READY=1 the unit is activating, with a job. What it says of
// such a unit is turned into what the policy knows of probes: it was executed, it is ready.

// serviceType is Type= (systemd.service(5)). With exec a missing binary or a bad user is a
// failed start, not a program that died.
func serviceType(p Program) string {
	if p.Ready.Kind.Notifies() {
		return string(p.Ready.Kind)
	}
	return "exec"
}

// notifyProperties are those by which systemd listens to the program.
func notifyProperties(p Program) []Property {
	watched := p.Alive.Kind == probe.Watchdog
	if !watched && !p.Ready.Kind.Notifies() {
		return nil
	}
	var props []Property
	if !sets(p.Systemd, "NotifyAccess") {
		props = append(props, Property{"NotifyAccess", "main"})
	}
	if watched {
		props = append(props, Property{"WatchdogUSec", usec(p.Alive.Every)})
	}
	return props
}

// unready reports whether the main process is there and the unit not active yet.
func unready(f Facts) bool {
	return f.ActiveState == "activating" && f.SubState == "start" && f.MainPID != 0
}

// lingersPerSlot is how many programs that have yet to say that they are ready may be there for
// each job that the connection bears. Their jobs are no work for systemd, but over the
// message bus each costs it one of 512 match rules.
const lingersPerSlot = 8

// lingering counts them.
func (s *Supervisor) lingering() int {
	n := 0
	for _, p := range s.programs {
		if p.def.Ready.Kind.Notifies() && p.def.Rules.WaitsForReady(p.state) {
			n++
		}
	}
	return n
}

// told completes the end of a program that tells systemd how it is.
func told(def Program, f Facts, e policy.Exit) policy.Exit {
	switch {
	case e.Hook != "":
	case e.Cause == policy.CauseWatchdog && def.Alive.Kind == probe.Watchdog:
		// As with any other probe.
		e.Cause, e.Reason = policy.CauseUnhealthy, fmt.Sprintf("unhealthy: no WATCHDOG=1 for %s%s", def.Alive.Where, howEnded(f))
	case !def.Ready.Kind.Notifies() || !f.ActiveEnter.IsZero():
	case e.Cause == policy.CauseTimeout:
		e.Reason = "not ready within " + policy.Words(def.StartTimeout) + " (start_timeout)"
		if text := said(f.StatusText); text != "" {
			e.Reason += fmt.Sprintf(": %q", text)
		}
	case e.Cause == policy.CauseExec:
		// With Type=exec systemd would know.
		e.Reason += ", unless that is its own exit status"
	}
	return e
}

// howEnded is how the main process ended, behind what it was ended for: ", killed by SIGABRT".
func howEnded(f Facts) string {
	switch status := int(f.ExecMainStatus); f.ExecMainCode {
	case codeExited:
		return fmt.Sprintf(", exit status %d", status)
	case codeKilled:
		return ", " + signalWords(status)
	case codeDumped:
		return ", " + signalWords(status) + ", core dumped"
	}
	return ""
}

// said is the last word of a program, fit to be shown.
func said(status string) string { return probe.LastLine([]byte(status)) }

// toldStatus is the status of a probe by which nobody is asked.
func (p *program) toldStatus(pr *probing) ProbeStatus {
	st := ProbeStatus{Of: pr.of, Probe: p.probe(pr).String(), Told: true, Threshold: 1}
	switch {
	case pr == &p.alive:
		st.Passed = p.state.Phase == policy.Running // systemd would have ended it
	case p.state.Phase == policy.Running || !p.state.Ready.IsZero():
		st.Passed, st.At, st.Output = true, p.state.Ready, p.heard
	}
	return st
}

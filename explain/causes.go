package explain

import (
	"fmt"
	"strings"
	"time"

	"msup/policy"
	"msup/units"
)

// causes puts the cause of an end into words, from the fact to what may be behind it.
func causes(f Facts, e units.End) []string {
	var out []string
	if e.Exit.Hook != "" {
		return append(hookMeaning(e), unseen(f)...)
	}
	switch e.Exit.Cause {
	case policy.CauseExit:
		out = exitMeaning(f, e)
	case policy.CauseSignal:
		out = signalMeaning(f, e)
	case policy.CauseCoreDump:
		out = append(signalMeaning(f, e), coreDump(f, e)...)
	case policy.CauseOOM:
		out = memoryDeath(f, e)
	case policy.CauseTimeout:
		out = timeout(f, e)
	case policy.CauseWatchdog:
		out = watchdog(f)
	case policy.CauseUnhealthy:
		out = unhealthy(f)
	case policy.CauseExec:
		out = execFailure(f, e)
	case policy.CauseResources:
		out = []string{"systemd could not get what a start needs (Result=resources): a file for its output, memory, a process; it says which in the journal"}
	case policy.CauseProtocol:
		out = []string{"its main process ended before it said READY=1 (sd_notify(3)), which ready = notify demands, however well it ended (Result=protocol)"}
	case policy.CauseStart:
		out = []string{"it was never executed: systemd did not take the start, or gave it up"}
		if e.FailedBefore() {
			out = []string{"it was never executed: a command that runs before it (ExecStartPre=) has failed, and systemd did not go on"}
		}
	case policy.CauseUnknown:
		out = unknown(e)
	}
	switch {
	case e.Exit.Cause == policy.CauseCoreDump:
	case e.Exit.Dumped:
		out = append(out, coreDump(f, e)...)
	case e.Exit.Signal != 0 && dumps(e.Exit.Signal):
		out = append(out, noCore(f))
	}
	return append(out, unseen(f)...)
}

func unseen(f Facts) []string {
	if !f.Unseen {
		return nil
	}
	return []string{"no supervisor was there to see it: these are the facts that systemd has kept"}
}

// hookMeaning is about a command beside the program whose failure is that of the start.
func hookMeaning(e units.End) []string {
	behind := e.Exit.Hook == "after_start" || strings.HasSuffix(e.Exit.Hook, "ExecStartPost")
	switch {
	case behind && e.Exit.Cause == policy.CauseTimeout:
		return []string{e.Exit.Hook + " did not end in time: systemd ended it, and the program too"}
	case behind:
		return []string{"the program was executed, but " + e.Exit.Hook + " behind it failed, and systemd ended the program for that"}
	case e.Exit.Cause == policy.CauseTimeout:
		return []string{"it was never executed: " + e.Exit.Hook + ", which runs before it, did not end in time, and systemd ended that"}
	}
	return []string{"it was never executed: a command that runs before it (" + e.Exit.Hook + ") has failed, and systemd did not go on"}
}

// failedStart reports whether the program itself was not executed, or not ready in time. A
// busy systemd does not notice that one was executed that ends at once.
func failedStart(during policy.Phase, cause policy.Cause, active bool) bool {
	switch cause {
	case policy.CauseExec, policy.CauseStart, policy.CauseResources, policy.CauseProtocol, policy.CauseTimeout:
		return during == policy.Starting && !active
	}
	return false
}

func exitMeaning(f Facts, e units.End) []string {
	code := e.Exit.Code
	var out []string
	if e.During == policy.Stopping {
		out = append(out, fmt.Sprintf("it was being stopped (%s), and this is how it answered %s", e.By, signalName(int(f.Program.StopSignal))))
	}
	ran := e.Ended.Sub(e.Started)
	if code >= 200 && code <= 243 && !e.Started.IsZero() {
		return append(out, fmt.Sprintf("systemd uses %d for a program that it cannot execute, but this one had been executed: it ran for %s", code, span(ran)))
	}
	out = append(out, statusMeaning(code))
	if code != 0 && f.Program.Listens() && ran < ownSocket {
		out = append(out, "if it says that its address is in use: systemd listens for it, and it must take that socket (LISTEN_FDS) and not open its own")
	}
	if e.To == policy.Exited {
		text := "it counts as ending well (success_exit_codes), so it is not started again"
		if f.State.Armed {
			text += " before it is due" // by its schedule, or a connection
		}
		out = append(out, text)
	}
	return out
}

// ownSocket is how soon a program fails that tries to listen by itself.
const ownSocket = 10 * time.Second

func timeout(f Facts, e units.End) []string {
	limit := func(d *time.Duration, key string) string {
		if d == nil || *d <= 0 {
			return " (" + key + "=)"
		}
		return fmt.Sprintf(" of %s (%s=)", span(*d), key)
	}
	switch {
	case wasNeverReady(e) && strings.HasPrefix(e.Exit.Reason, "not ready within "):
		return neverReady(f)
	case failedStart(e.During, e.Exit.Cause, e.Active):
		key := "TimeoutStartSec"
		if f.Program.StartTimeout > 0 {
			key = "start_timeout, TimeoutStartSec"
		}
		return []string{
			"the start took longer than its limit" + limit(f.Settings.TimeoutStart, key) + ", and systemd ended it",
			"it was not ready by then, or not even executed: something that runs before it (ExecStartPre=), a slow disk, a type of service that it does not keep to",
		}
	case e.During == policy.Stopping:
		t := f.Program.StopTimeout
		if f.Settings.TimeoutStop != nil {
			t = *f.Settings.TimeoutStop
		}
		return []string{
			fmt.Sprintf("it was being stopped (%s) and did not end within stop_timeout%s after %s: systemd killed it with SIGKILL",
				e.By, limit(&t, "TimeoutStopSec"), signalName(int(f.Program.StopSignal))),
			"what it had not saved by then is lost; a longer stop_timeout gives it more time",
		}
	}
	longest, key := f.Settings.RuntimeMax, "RuntimeMaxSec"
	if p := f.Program; p.MaxRuntime > 0 {
		longest, key = &p.MaxRuntime, "max_runtime, RuntimeMaxSec"
	}
	out := []string{"its runtime" + limit(longest, key) + " was over, and systemd ended it"}
	if longest == nil {
		out = append(out, "(or its stop took longer than it may, if somebody had stopped it)")
	}
	return out
}

func watchdog(f Facts) []string {
	of := ""
	if w := f.Settings.Watchdog; w != nil && *w > 0 {
		of = " of " + span(*w)
	}
	return []string{
		"it did not tell systemd in time that it is alive (WATCHDOG=1, sd_notify(3)): its watchdog" + of + " (WatchdogSec=) ran out, and systemd ended it",
		"it hangs, is too busy, or does not send it at all; a NotifyAccess=none keeps systemd from hearing it",
	}
}

func execFailure(f Facts, e units.End) []string {
	who := "systemd"
	if f.Program.Type == units.Scope {
		who = "msup, which starts a scope," // systemd.scope(5)
	}
	out := []string{who + " had forked it and failed at a step before it executes " + f.Program.Path + ": the program itself did not run"}
	if f.Program.Ready.Kind.Notifies() {
		out = append(out, "unless it ended with this status by itself: with ready = notify systemd does not tell whether it was executed")
	}
	out = append(out, execLook(f.Program, e.Exit.Code))
	if f.Last.Command != "" {
		out = append(out, "now: "+f.Last.Command)
	}
	return out
}

func unknown(e units.End) []string {
	if e.Result == "" && strings.Contains(e.Exit.Reason, "unloaded") {
		return []string{"systemd had forgotten the unit when it was looked for: somebody stopped it, or reset its failure, while no supervisor was watching"}
	}
	return []string{"nobody can tell how it ended: systemd does not say, and the supervisor was not its parent or was gone"}
}

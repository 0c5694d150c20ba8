package explain_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"msup/cgroup"
	"msup/explain"
	"msup/policy"
	"msup/probe"
	"msup/property"
	"msup/units"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
)

var update = flag.Bool("update", false, "write the golden files anew")

var now = time.Date(2026, 11, 23, 14, 3, 20, 0, time.FixedZone("CET", 3600))

func before(d time.Duration) time.Time { return now.Add(-d) }

const mib = 1 << 20

// base is a service that died of e 8 seconds ago, having run for 12, and waits for its next start.
func base(e policy.Exit, change ...func(*explain.Facts, *units.End)) explain.Facts {
	f := explain.Facts{
		Now: now, Supervised: true,
		Program: units.Program{
			Name: "web", Unit: "msup-shop-web.service", Type: units.Service, Path: "/srv/shop/web", Directory: "/srv/shop",
			StopSignal: 15, StopTimeout: 10 * time.Second,
			Rules: policy.Rules{Autorestart: policy.OnFailure, RestartDelay: 10 * time.Second, MaxRestarts: 5, RestartReset: time.Minute},
		},
		State: policy.State{
			Phase: policy.Backoff, Reason: e.Reason + ", restart 2 of 5 in 10s", Since: before(8 * time.Second),
			Restarts: 2, Deadline: now.Add(1900 * time.Millisecond), Last: &e,
		},
	}
	end := units.End{
		Program: "web", N: 1, Started: before(20 * time.Second), Ended: before(8 * time.Second), PID: 725,
		Invocation: "0123456789abcdef0123456789abcdef", During: policy.Running, Active: true, Exit: e, To: policy.Backoff, Reason: f.State.Reason,
	}
	for _, c := range change {
		c(&f, &end)
	}
	f.Ends = append(f.Ends, end)
	return f
}

func exit(code int) policy.Exit {
	return policy.Exit{Cause: policy.CauseExit, Code: code, Reason: fmt.Sprintf("exit status %d", code)}
}

func signal(n int) policy.Exit {
	return policy.Exit{Cause: policy.CauseSignal, Signal: n, Reason: "killed by " + unix.SignalName(unix.Signal(n))}
}

// running makes it run again.
func running(f *explain.Facts, _ *units.End) {
	f.State = policy.State{Phase: policy.Running, Reason: "restarted", Since: before(5 * time.Second), Restarts: 2, Deadline: now.Add(55 * time.Second)}
	f.PID, f.Invocation, f.Started = 730, "fedcba9876543210fedcba9876543210", before(5*time.Second)
}

func stopping(by string) func(*explain.Facts, *units.End) {
	return func(f *explain.Facts, e *units.End) {
		f.State = policy.State{Phase: policy.Stopped, Reason: by + ": " + e.Exit.Reason, Since: before(8 * time.Second)}
		e.During, e.By, e.To = policy.Stopping, by, policy.Stopped
	}
}

var cases = map[string]explain.Facts{
	"sockets-fails": base(exit(1), func(f *explain.Facts, e *units.End) {
		f.Program.Listen.Addresses = []units.Address{{Network: units.ListenTCP, Where: "8080"}, {Network: units.ListenUnix, Where: "/run/web.sock"}}
		e.Started = before(9 * time.Second)
	}),
	"sockets-armed": base(exit(0), func(f *explain.Facts, e *units.End) {
		f.Program.Listen = units.Listen{Addresses: []units.Address{{Network: units.ListenTCP, Where: "8080"}}, OnDemand: true}
		f.State = policy.State{Phase: policy.Stopped, Reason: "no connection for 10m: exit status 0, waits for a connection to 8080", Since: before(8 * time.Second), Armed: true}
		e.To, e.During, e.By = policy.Stopped, policy.Stopping, "no connection for 10m"
	}),
	"needs-lost": base(exit(1), func(f *explain.Facts, _ *units.End) {
		f.State = policy.State{Phase: policy.Failed, Unmet: true, Reason: "needs db, which is FAILED: exit status 3, gave up after 5 restarts", Since: before(5 * time.Second)}
		f.Needs = []units.NeedStatus{
			{Program: "db", Condition: policy.OnReady, Standing: policy.Lost, State: policy.State{
				Phase: policy.Failed, Reason: "exit status 3, gave up after 5 restarts", Since: before(5 * time.Second),
			}},
			{Program: "cache", Condition: policy.OnStarted, Standing: policy.Met, State: policy.State{Phase: policy.Running}},
		}
	}),
	"needs-waits": base(exit(1), func(f *explain.Facts, _ *units.End) {
		f.State = policy.State{Phase: policy.Starting, Reason: "waits for db (ready), cache (started) and search (ready), 5s", Since: before(5 * time.Second)}
		f.Needs = []units.NeedStatus{
			{Program: "db", Condition: policy.OnReady, Standing: policy.Due, State: policy.State{Phase: policy.Starting, Reason: "executed, waits for port 5432", Since: before(5 * time.Second)}},
			{Program: "cache", Condition: policy.OnStarted, Standing: policy.Idle, State: policy.State{Phase: policy.Stopped, Reason: "by msup stop", Since: before(time.Hour)}},
			{Program: "search", Condition: policy.OnReady, Optional: true, Standing: policy.Due, State: policy.State{Phase: policy.Backoff, Reason: "exit status 1, restart 1 of 5 in 10s", Since: before(2 * time.Second)}},
		}
	}),
	"exit-1": base(exit(1), func(f *explain.Facts, _ *units.End) {
		f.Ends = []units.End{
			{Ended: before(26 * time.Hour), During: policy.Starting, Exit: policy.Exit{Cause: policy.CauseExec, Code: 203, Reason: "systemd could not execute it: cannot execute the command (status 203)"}, To: policy.Failed},
			{Started: before(2 * time.Minute), Ended: before(30 * time.Second), During: policy.Running, Exit: signal(9), To: policy.Backoff},
		}
		f.Last.Output = []explain.Output{
			{Stream: "stdout", From: "/srv/shop/out.log", Lines: []string{}},
			{Stream: "stderr", From: "/srv/shop/err.log", Lines: []string{"Traceback:", "  no such table"}},
		}
		f.Program.Stdout, f.Program.Stderr = "/srv/shop/out.log", "/srv/shop/err.log"
		f.Last.Systemd.Lines = []string{"Main process exited, code=exited, status=1/FAILURE", "Failed with result 'exit-code'."}
	}),
	"exit-of-a-schedule": base(exit(3), func(f *explain.Facts, e *units.End) {
		f.State = policy.State{Phase: policy.Failed, Reason: "exit status 3, autorestart is never", Since: before(8 * time.Second), Armed: true}
		f.Program.Rules.Autorestart = policy.Never
		f.Program.Schedule = units.Schedule{Calendar: []string{"*-*-* 03:00"}, Every: 10 * time.Minute}
		f.Schedule = &units.ScheduleStatus{Armed: true, Next: now.Add(590 * time.Second), Last: before(20 * time.Second), Skipped: 2}
		e.To = policy.Failed
	}),
	"schedule-over": base(exit(0), func(f *explain.Facts, e *units.End) {
		f.State = policy.State{Phase: policy.Exited, Reason: "exit status 0", Since: before(8 * time.Second), Armed: true}
		f.Program.Rules.Autorestart = policy.Never
		f.Program.Schedule = units.Schedule{Calendar: []string{"2026-11-23 14:03"}}
		f.Schedule = &units.ScheduleStatus{Armed: true, Over: true, Last: before(20 * time.Second)}
		e.To = policy.Exited
	}),
	"exit-success": base(exit(0), func(f *explain.Facts, e *units.End) {
		f.State = policy.State{Phase: policy.Exited, Reason: "exit status 0", Since: before(8 * time.Second)}
		e.To = policy.Exited
	}),
	"exit-shell":     base(exit(137)),
	"exit-sysexit":   base(exit(78)),
	"exit-systemds":  base(exit(203)),
	"exit-of-a-stop": base(exit(3), stopping("requested by msup stop")),
	"signal-kill": base(signal(9), func(f *explain.Facts, _ *units.End) {
		f.Last.Kills.Note = "the journal has none of it here, as in a container"
	}),
	"signal-kill-by-kernel": base(signal(9), func(f *explain.Facts, e *units.End) {
		e.Use.OOMKills = new(uint64(1))
		f.Settings.OOMPolicy = "continue"
		f.Last.Kills.List = []explain.Kill{{At: before(8 * time.Second), PID: 725, Command: "python3", Group: "/msup.slice/msup-shop-web.service", Unit: "/msup.slice/msup-shop-web.service"}}
	}),
	"signal-by-msup": base(signal(9), func(_ *explain.Facts, e *units.End) {
		e.Sent = &units.SentSignal{Signal: 9, By: "requested by msup signal", At: before(8 * time.Second)}
	}),
	"signal-by-systemctl": base(signal(10), func(f *explain.Facts, _ *units.End) {
		f.Last.Systemd.Lines = []string{"Sent signal SIGUSR1 to main process 725 (web) on client request."}
	}),
	"signal-fault":     base(signal(11), func(f *explain.Facts, _ *units.End) { f.Settings.CoreLimit = new(uint64(0)) }),
	"signal-abort":     base(signal(6)),
	"signal-of-a-stop": base(signal(15), stopping("stopped with systemctl")),
	"core-coredumpctl": base(policy.Exit{Cause: policy.CauseCoreDump, Signal: 6, Reason: "killed by SIGABRT, core dumped"}, func(f *explain.Facts, _ *units.End) {
		f.Last.Core = explain.Core{Pattern: "|/usr/lib/systemd/systemd-coredump %P %u %g", Coredumpctl: true}
	}),
	"core-user": base(policy.Exit{Cause: policy.CauseCoreDump, Signal: 6, Reason: "killed by SIGABRT, core dumped"}, func(f *explain.Facts, _ *units.End) {
		f.User = true
		f.Last.Core = explain.Core{Pattern: "|/usr/lib/systemd/systemd-coredump %P %u %g", Coredumpctl: true}
	}),
	"core-handler": base(policy.Exit{Cause: policy.CauseCoreDump, Signal: 11, Reason: "killed by SIGSEGV, core dumped"}, func(f *explain.Facts, _ *units.End) {
		f.Last.Core = explain.Core{Pattern: "|/usr/share/apport/apport -p%p"}
	}),
	"core-gone": base(policy.Exit{Cause: policy.CauseCoreDump, Signal: 11, Reason: "killed by SIGSEGV, core dumped"}, func(f *explain.Facts, _ *units.End) {
		f.Last.Core = explain.Core{Pattern: "core.%p.%t"}
	}),
	"core-found": base(policy.Exit{Cause: policy.CauseCoreDump, Signal: 11, Reason: "killed by SIGSEGV, core dumped"}, func(f *explain.Facts, _ *units.End) {
		f.Last.Core = explain.Core{Pattern: "core", Found: []string{"/srv/shop/core"}}
	}),
	"oom": base(policy.Exit{Cause: policy.CauseOOM, Signal: 9, Reason: "killed for memory (peak 30.0M of 30M)"}, func(f *explain.Facts, e *units.End) {
		e.MemoryLimit = new(uint64(30 * mib))
		e.Use = units.Use{MemoryPeak: new(uint64(30 * mib)), OOMKills: new(uint64(1)), MemoryMax: new(uint64(17))}
		f.Last.Kills.List = []explain.Kill{{At: before(8 * time.Second), PID: 725, Command: "python3", AnonRSS: new(uint64(29 * mib)), Group: "/msup.slice/msup-shop.slice/msup-shop-web.service", Unit: "/msup.slice/msup-shop.slice/msup-shop-web.service"}}
	}),
	"oom-child-of-a-slice": base(policy.Exit{Cause: policy.CauseOOM, Signal: 15, Reason: "killed for memory"}, func(f *explain.Facts, _ *units.End) {
		f.Last.Kills.List = []explain.Kill{{At: before(8 * time.Second), PID: 726, Command: "worker", Group: "/msup.slice/msup-shop.slice", Unit: "/msup.slice/msup-shop.slice/msup-shop-web.service"}}
	}),
	"oom-machine": base(policy.Exit{Cause: policy.CauseOOM, Signal: 9, Reason: "killed for memory"}, func(f *explain.Facts, _ *units.End) {
		f.Last.Kills.List = []explain.Kill{{At: before(8 * time.Second), PID: 725, Command: "python3", Unit: "/msup.slice/msup-shop-web.service"}}
	}),
	"oom-hidden": base(policy.Exit{Cause: policy.CauseOOM, Signal: 9, Reason: "killed for memory"}, func(f *explain.Facts, e *units.End) {
		e.MemoryLimit = new(uint64(30 * mib))
		f.Last.Kills.Note = "you may not read it: root may, and members of group systemd-journal or adm"
	}),
	"oom-slice-hidden": base(policy.Exit{Cause: policy.CauseOOM, Signal: 9, Reason: "killed for memory"}, func(f *explain.Facts, e *units.End) {
		e.MemoryLimit, e.LimitOf, e.NotOwn = new(uint64(30*mib)), "msup-shop-workers.slice", true
		f.Last.Kills.Note = "the journal has none of it here, as in a container"
	}),
	"oom-oomd": base(policy.Exit{Cause: policy.CauseOOM, Signal: 9, Reason: "killed for memory"}, func(f *explain.Facts, _ *units.End) {
		f.Last.Systemd.Lines = []string{"systemd-oomd killed 3 process(es) in this unit."}
	}),
	"timeout-start": base(policy.Exit{Cause: policy.CauseTimeout, Reason: "timed out"}, func(f *explain.Facts, e *units.End) {
		e.During, e.Active, e.PID, e.Started = policy.Starting, false, 0, time.Time{}
		f.Settings.TimeoutStart = new(90 * time.Second)
	}),
	"timeout-stop": base(policy.Exit{Cause: policy.CauseTimeout, Signal: 9, Reason: "timed out, killed by SIGKILL"}, stopping("requested by msup stop")),
	"timeout-runtime": base(policy.Exit{Cause: policy.CauseTimeout, Signal: 15, Reason: "timed out, killed by SIGTERM"}, func(f *explain.Facts, _ *units.End) {
		f.Settings.RuntimeMax = new(time.Hour)
	}),
	"timeout-max-runtime": base(policy.Exit{Cause: policy.CauseTimeout, Signal: 15, Reason: "ran for longer than 10m (max_runtime), killed by SIGTERM"}, func(f *explain.Facts, _ *units.End) {
		f.Program.MaxRuntime = 10 * time.Minute
	}),
	"before-start": base(policy.Exit{Cause: policy.CauseStart, Hook: "before_start", Reason: "before_start /srv/shop/check: exit status 3"}, func(_ *explain.Facts, e *units.End) {
		e.During, e.Active = policy.Starting, false
	}),
	"after-start": base(policy.Exit{Cause: policy.CauseStart, Hook: "after_start", Reason: "after_start /srv/shop/announce: exit status 1"}, func(_ *explain.Facts, e *units.End) {
		e.During, e.Active = policy.Starting, false
	}),
	"watchdog": base(policy.Exit{Cause: policy.CauseWatchdog, Signal: 6, Reason: "watchdog timeout"}, func(f *explain.Facts, _ *units.End) {
		f.Settings.Watchdog = new(5 * time.Second)
	}),
	"unhealthy watchdog": base(policy.Exit{Cause: policy.CauseUnhealthy, Signal: 6, Dumped: true, Reason: "unhealthy: no WATCHDOG=1 for 5s, killed by SIGABRT, core dumped"}, func(f *explain.Facts, e *units.End) {
		f.Program.Alive = units.Probe{Spec: probe.Spec{Kind: probe.Watchdog, Where: "5s", Every: 5 * time.Second}}
		f.Settings.Watchdog, e.Result = new(5*time.Second), "watchdog"
	}),
	"never told": base(policy.Exit{Cause: policy.CauseTimeout, Signal: 15, Reason: `not ready within 30s (start_timeout): "reads the index"`}, func(f *explain.Facts, e *units.End) {
		f.Program.Ready, f.Program.StartTimeout = units.Probe{Spec: probe.Spec{Kind: probe.Notify}}, 30*time.Second
		e.During = policy.Starting
	}),
	"exec of a notifying one": base(policy.Exit{Cause: policy.CauseExec, Code: 203, Reason: "systemd could not execute it: cannot execute the command (status 203), unless that is its own exit status"}, func(f *explain.Facts, e *units.End) {
		f.Program.Ready = units.Probe{Spec: probe.Spec{Kind: probe.Notify}}
		e.During, e.Active = policy.Starting, false
	}),
	"tells": func() explain.Facts {
		f := base(exit(3))
		f.Program.Ready = units.Probe{Spec: probe.Spec{Kind: probe.Notify}}
		f.State = policy.State{Phase: policy.Running, Since: before(time.Minute), Reason: "started"}
		f.Actions = []units.SavedAction{{Kind: units.ActionFailed, Unit: "msup-shop-web:on-failed:7.service"}}
		f.Said, f.Settings.WatchdogAt = "serves 3 clients", before(2*time.Second)
		f.Probes = []units.ProbeStatus{
			{Of: "ready", Probe: "READY=1", Told: true, Passed: true, At: before(time.Minute)},
			{Of: "alive", Probe: "watchdog 5s", Told: true, Passed: true},
		}
		return f
	}(),
	"no line": base(policy.Exit{Cause: policy.CauseTimeout, Reason: "not ready within 30s (start_timeout): no line matches"}, func(f *explain.Facts, e *units.End) {
		f.Program.Ready, f.Program.Rules.ReadyTimeout = units.Probe{Spec: probe.Spec{Kind: probe.Log, Where: "^listening"}}, 30*time.Second
		e.During = policy.Starting
	}),
	"a line": func() explain.Facts {
		f := base(exit(3))
		f.State = policy.State{Phase: policy.Running, Since: before(time.Minute), Reason: "started"}
		f.Probes = []units.ProbeStatus{{Of: "ready", Probe: "a line that matches ^listening", Told: true, Passed: true, At: before(time.Minute), Output: "listening on 80"}}
		return f
	}(),
	"does not tell yet": func() explain.Facts {
		f := base(exit(3))
		f.State = policy.State{Phase: policy.Starting, Since: before(time.Minute), Reason: "executed, waits for READY=1"}
		f.Probes = []units.ProbeStatus{{Of: "ready", Probe: "READY=1", Told: true}}
		return f
	}(),
	"unhealthy": base(policy.Exit{Cause: policy.CauseUnhealthy, Reason: `unhealthy: http://127.0.0.1:8080/ failed 3 times in a row: status 503 Service Unavailable, "no database"`}, func(f *explain.Facts, _ *units.End) {
		f.Program.Alive = units.Probe{Spec: probe.Spec{Kind: probe.HTTP, Where: "http://127.0.0.1:8080/"}, Interval: 10 * time.Second, Timeout: 3 * time.Second, Threshold: 3}
	}),
	"never-ready": base(policy.Exit{Cause: policy.CauseTimeout, Reason: "not ready within 30s (start_timeout): connection refused"}, func(f *explain.Facts, e *units.End) {
		f.Program.Ready = units.Probe{Spec: probe.Spec{Kind: probe.TCP, Where: "127.0.0.1:8080"}, Interval: time.Second, Timeout: 3 * time.Second, Threshold: 1}
		f.Program.Rules.ReadyTimeout, e.During = 30*time.Second, policy.Starting
	}),
	"probes": base(exit(1), func(f *explain.Facts, _ *units.End) {
		f.State.Phase, f.State.Reason, f.PID = policy.Running, "restarted", 800
		f.Probes = []units.ProbeStatus{
			{Of: "ready", Probe: "tcp 127.0.0.1:8080", Tries: 3, InRow: 1, Threshold: 1, Passed: true, Latency: 412, At: before(7 * time.Second)},
			{Of: "alive", Probe: "http://127.0.0.1:8080/", Tries: 9, InRow: 2, Threshold: 3, Error: "status 503 Service Unavailable", Output: "no database", Latency: 12345, At: before(2 * time.Second)},
		}
	}),
	"probe-not-asked": base(exit(1), func(f *explain.Facts, _ *units.End) {
		f.State.Phase, f.State.Reason, f.PID = policy.Running, "restarted", 800
		f.Probes = []units.ProbeStatus{{Of: "alive", Probe: "tcp 127.0.0.1:8080", Threshold: 3}}
	}),
	"exec-203": base(policy.Exit{Cause: policy.CauseExec, Code: 203, Reason: "systemd could not execute it: cannot execute the command (status 203)"}, func(f *explain.Facts, e *units.End) {
		e.During, e.Active = policy.Starting, false
		f.Last.Command = "/srv/shop/web does not exist"
		f.Last.Systemd.Lines = []string{"Failed at step EXEC spawning /srv/shop/web: No such file or directory"}
	}),
	"exec-hidden": base(policy.Exit{Cause: policy.CauseExec, Code: 200, Reason: "systemd could not execute it: cannot change to the working directory (status 200)"}, func(f *explain.Facts, e *units.End) {
		e.During, e.Active, f.Program.Directory = policy.Starting, false, "/home/shop"
		f.Program.Systemd = []property.Setting{{Name: "PrivateTmp", Value: "yes"}, {Name: "ProtectHome", Value: "yes"}}
	}),
	"exec-217": base(policy.Exit{Cause: policy.CauseExec, Code: 217, Reason: "systemd could not execute it: cannot change to the user (status 217)"}, func(f *explain.Facts, e *units.End) {
		f.Program.User, e.During, e.Active = "shop", policy.Starting, false
	}),
	"exec-scope": base(policy.Exit{Cause: policy.CauseExec, Code: 203, Reason: "cannot execute /srv/shop/web: no such file or directory"}, func(f *explain.Facts, e *units.End) {
		f.Program.Type, e.During, e.Active = units.Scope, policy.Starting, false
	}),
	"resources":    base(policy.Exit{Cause: policy.CauseResources, Reason: "systemd could not start it"}),
	"protocol":     base(policy.Exit{Cause: policy.CauseProtocol, Reason: "ended before it said that it is ready"}),
	"start-failed": base(policy.Exit{Cause: policy.CauseStart, Reason: "its start job ended with \"canceled\""}),
	"start-pre-failed": base(policy.Exit{Cause: policy.CauseStart, Reason: "its ExecStartPre= failed"}, func(f *explain.Facts, e *units.End) {
		e.During, e.Active, e.PID, e.Started, e.Result = policy.Starting, false, 0, time.Time{}, "exit-code"
		f.Last.Systemd.Lines = []string{"Control process exited, code=exited, status=1/FAILURE"}
		f.Last.Output = []explain.Output{{Stream: "output", From: "journal", Lines: []string{"no such table"}}}
	}),
	"unknown": base(policy.Exit{Cause: policy.CauseUnknown, Reason: "ended, and its exit status is unknowable: the supervisor that started it was gone"}),
	"gone":    base(policy.Exit{Cause: policy.CauseUnknown, Reason: "systemd has unloaded the unit"}, stopping("stopped with systemctl")),
	"gave-up": base(exit(1), func(f *explain.Facts, e *units.End) {
		f.State.Phase, f.State.Reason, f.State.Restarts, f.State.Deadline = policy.Failed, "exit status 1, gave up after 5 restarts", 5, time.Time{}
		e.To = policy.Failed
	}),
	"gave-up-for-a-while": base(exit(1), func(f *explain.Facts, e *units.End) {
		f.State.Phase, f.State.Restarts, f.State.Deadline = policy.Killed, 5, now.Add(10*time.Minute)
		e.To = policy.Killed
	}),
	"start-did-not-last": base(exit(1), func(f *explain.Facts, e *units.End) {
		e.During, e.Started = policy.Starting, before(8200*time.Millisecond)
		f.Program.Rules.StartRetries, f.State.Failures, f.State.Restarts = new(3), 1, 0
	}),
	"window": base(exit(1), func(f *explain.Facts, _ *units.End) {
		f.Program.Rules.RestartWindow = time.Minute
		f.State.Used = []time.Time{before(2 * time.Minute), before(40 * time.Second), before(20 * time.Second)}
	}),
	"runs-again": base(exit(1), running),
	"no-supervisor": base(exit(1), func(f *explain.Facts, e *units.End) {
		f.Supervised, f.Unseen = false, true
		f.State = policy.State{Phase: policy.Failed, Reason: "exit status 1; no supervisor has seen it"}
		e.To = ""
	}),
	"no-supervisor-runs": base(exit(1), running, func(f *explain.Facts, _ *units.End) { f.Supervised = false }),
	"never": {
		Now: now, Supervised: true, Program: units.Program{Name: "web", Unit: "msup-web.service", Rules: policy.Rules{Autorestart: policy.Never}},
		State: policy.State{Phase: policy.Stopped, Reason: "not started yet"},
	},
	"healthy": func() explain.Facts {
		f := base(exit(1), running, func(f *explain.Facts, _ *units.End) {
			f.State.Restarts, f.State.Deadline, f.State.Reason = 0, time.Time{}, "started"
		})
		f.Ends = nil
		return f
	}(),
	"older": func() explain.Facts {
		f := base(exit(1), func(f *explain.Facts, _ *units.End) {
			f.State.Last = &policy.Exit{Cause: policy.CauseExit, Code: 1, Reason: "exit status 1"}
		})
		f.Ends = nil
		return f
	}(),
	"child-killed": base(exit(1), running, func(f *explain.Facts, _ *units.End) {
		f.Program.Limits.MemoryMax = new(uint64(30 * mib))
		f.OOMAt = before(2 * time.Second)
		f.Usage = &cgroup.Usage{Memory: cgroup.Memory{Current: new(uint64(28 * mib)), Max: new(uint64(30 * mib)), Events: cgroup.MemoryEvents{OOMKill: new(uint64(1)), Max: new(uint64(4))}}}
		f.Kills.List = []explain.Kill{{At: before(2 * time.Second), PID: 731, Command: "hog", AnonRSS: new(uint64(25 * mib)), Group: "/msup.slice/msup-shop-web.service", Unit: "/msup.slice/msup-shop-web.service"}}
	}),
	"limits": base(exit(1), running, func(f *explain.Facts, e *units.End) {
		f.Program.Limits.CPUPercent, f.Program.Limits.MemoryHigh = new(uint64(50)), new(uint64(20*mib))
		f.Warnings = []string{"io_weight does not hold: the service manager has no io controller"}
		f.Usage = &cgroup.Usage{
			Memory: cgroup.Memory{Current: new(uint64(10 * mib)), Events: cgroup.MemoryEvents{High: new(uint64(2))}},
			CPU:    cgroup.CPU{NrPeriods: new(uint64(100)), NrThrottled: new(uint64(80)), ThrottledUsec: new(uint64(4_000_000))},
			Pids:   cgroup.Pids{Current: new(uint64(97)), Max: new(uint64(100))},
		}
		e.MemoryLimit = new(uint64(30 * mib))
		e.Use = units.Use{MemoryPeak: new(uint64(29 * mib)), Periods: new(uint64(100)), Throttled: new(uint64(40)), CPUUsec: new(uint64(5_000_000)), OOMKills: new(uint64(2))}
	}),
}

func render(x explain.Explanation) string {
	var b strings.Builder
	for _, s := range x.Sections(now) {
		b.WriteString(s.Title + "\n")
		for _, l := range s.Lines {
			b.WriteString("  " + l + "\n")
		}
	}
	return b.String()
}

func TestExplain(t *testing.T) {
	for name, f := range cases {
		golden(t, name+".golden", render(explain.Explain(f)))
	}
	for _, name := range []string{"oom", "never"} {
		text, err := json.MarshalIndent(explain.Explain(cases[name]), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden(t, name+".json.golden", string(text)+"\n")
	}
	files, _ := filepath.Glob("testdata/*.golden")
	if len(files) != len(cases)+2 {
		t.Errorf("%d golden files for %d cases", len(files), len(cases))
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; -update writes it", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

// Every cause of the policy has words of its own.
func TestEveryCause(t *testing.T) {
	for _, c := range []policy.Cause{
		policy.CauseExit, policy.CauseSignal, policy.CauseCoreDump, policy.CauseOOM, policy.CauseTimeout, policy.CauseWatchdog, policy.CauseUnhealthy,
		policy.CauseExec, policy.CauseResources, policy.CauseProtocol, policy.CauseStart, policy.CauseUnknown,
	} {
		if x := explain.Explain(base(policy.Exit{Cause: c, Reason: "x"})); len(x.Death.Means) == 0 {
			t.Errorf("%s means nothing", c)
		}
	}
}

const kernelLog = `python3 invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0
memory: usage 30720kB, limit 30720kB, failcnt 17
oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/msup.slice/msup-web.service,task_memcg=/msup.slice/msup-web.service,task=python3,pid=725,uid=0
Memory cgroup out of memory: Killed process 725 (python3) total-vm:56788kB, anon-rss:29184kB, file-rss:5632kB, shmem-rss:0kB, UID:0 pgtables:100kB oom_score_adj:0
oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=msup.slice,mems_allowed=0-1,oom_memcg=/msup.slice,task_memcg=/msup.slice/msup-web.service/child,task=a ),pid=9,b,pid=726,uid=1000
Memory cgroup out of memory: Killed process 726 (a ),pid=9,b) total-vm:1kB, anon-rss:2kB, file-rss:0kB, shmem-rss:0kB
oom-kill:constraint=CONSTRAINT_NONE,nodemask=(null),cpuset=/,mems_allowed=0,global_oom,task_memcg=/msup.slice/msup-web.service,task=worker,pid=800,uid=0
Out of memory: Killed process 800 (worker) total-vm:1kB, anon-rss:8kB, file-rss:0kB, shmem-rss:0kB
oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/msup.slice/msup-web2.service,task_memcg=/msup.slice/msup-web2.service,task=other,pid=801,uid=0
Memory cgroup out of memory: Killed process 801 (other) total-vm:1kB, anon-rss:2kB, file-rss:0kB, shmem-rss:0kB
`

func kernelLines(text string) (lines []explain.KernelLine) {
	for i, l := range strings.Split(text, "\n") {
		lines = append(lines, explain.KernelLine{Time: before(time.Duration(-i) * time.Second), Text: l})
	}
	return lines
}

func TestParseKills(t *testing.T) {
	got := explain.ParseKills(kernelLines(kernelLog), "msup-web.service")
	want := []explain.Kill{
		{At: before(-2 * time.Second), PID: 725, Command: "python3", AnonRSS: new(uint64(29184 << 10)), Group: "/msup.slice/msup-web.service", Unit: "/msup.slice/msup-web.service"},
		{At: before(-4 * time.Second), PID: 726, Command: "a ),pid=9,b", AnonRSS: new(uint64(2 << 10)), Group: "/msup.slice", Unit: "/msup.slice/msup-web.service/child"},
		{At: before(-6 * time.Second), PID: 800, Command: "worker", AnonRSS: new(uint64(8 << 10)), Unit: "/msup.slice/msup-web.service"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("kills (-want +got):\n%s", diff)
	}
}

func FuzzParseKills(f *testing.F) {
	for line := range strings.Lines(kernelLog) {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, k := range explain.ParseKills(kernelLines(text), "msup-web.service") {
			if !strings.Contains(k.Unit, "msup-web.service") || k.PID < 0 {
				t.Errorf("%+v", k)
			}
		}
	})
}

func TestCorePath(t *testing.T) {
	for pattern, want := range map[string]string{
		"core": "/srv/core", "/var/core/%e.%p": "/var/core/*.7", "core.%%.%P": "/srv/core.%.*", "a[b]*%": `/srv/a\[b]\*%`, "%E/%i": "/srv/*/7",
	} {
		if got := explain.CorePath(pattern, "/srv", 7); got != want {
			t.Errorf("CorePath(%q) = %q, want %q", pattern, got, want)
		}
	}
}

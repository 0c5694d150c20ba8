package policy_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"msup/policy"

	"github.com/google/go-cmp/cmp"
)

func withOn(r policy.Rules, on policy.ExitSet) policy.Rules {
	r.RestartOn = on
	return r
}

func died(signal int) policy.Event {
	return policy.Ended{Exit: policy.Exit{Cause: policy.CauseSignal, Signal: signal, Reason: "killed by " + policy.Signal(signal).String()}}
}

// Which rule decides, and that the reason says so.
func TestWhichRuleDecides(t *testing.T) {
	set := func(causes []policy.Cause, from, to int, signals ...policy.Signal) policy.ExitSet {
		s := policy.ExitSet{Causes: causes, Signals: signals}
		if to > 0 || from > 0 {
			s.Codes = []policy.Range{{From: from, To: to}}
		}
		return s
	}
	oom := []policy.Cause{policy.CauseOOM}
	refused := policy.Ended{Exit: policy.Exit{Cause: policy.CauseStart, Reason: "refused", Final: true}}
	tests := []struct {
		name  string
		rules policy.Rules
		end   policy.Event
		want  string
	}{
		{"well", onFailure, exit(0), "EXITED: exit status 0"},
		{"not well", onFailure, exit(1), "BACKOFF: exit status 1, restart 1 of 2 in 2s"},
		{"never", never, exit(1), "FAILED: exit status 1, autorestart is never"},
		{"never and well", never, exit(0), "EXITED: exit status 0"},
		{"always and well", always, exit(0), "BACKOFF: exit status 0, autorestart is always, restart 1 of 2 in 2s"},
		{"no rule for success is status 0", with(never, func(r *policy.Rules) { r.Success = policy.ExitSet{} }), exit(0), "EXITED: exit status 0"},
		{"success has a range", with(onFailure, func(r *policy.Rules) { r.Success = set(nil, 64, 78) }), exit(70), "EXITED: exit status 70, success_exit_codes has 64-78"},
		{"success has no 0", with(onFailure, func(r *policy.Rules) { r.Success = set(nil, 64, 78) }), exit(0), "BACKOFF: exit status 0, restart 1 of 2 in 2s"},
		{"success has a signal", with(onFailure, func(r *policy.Rules) { r.Success.Signals = []policy.Signal{15} }), died(15), "EXITED: killed by SIGTERM, success_exit_codes has SIGTERM"},
		{"success has another signal", with(onFailure, func(r *policy.Rules) { r.Success.Signals = []policy.Signal{15} }), died(1), "BACKOFF: killed by SIGHUP, restart 1 of 2 in 2s"},
		{
			"a kill for memory is no success", with(never, func(r *policy.Rules) { r.Success = set(nil, 0, 255, 9) }),
			policy.Ended{Exit: policy.Exit{Cause: policy.CauseOOM, Signal: 9, Reason: "killed for memory"}},
			"KILLED: killed for memory, autorestart is never",
		},
		{
			"systemd's status is no success", with(never, func(r *policy.Rules) { r.Success = set(nil, 0, 255) }),
			policy.Ended{Exit: policy.Exit{Cause: policy.CauseExec, Code: 203, Reason: "cannot execute"}},
			"FAILED: cannot execute, autorestart is never",
		},

		{"restart_on", withOn(never, set(nil, 3, 3)), exit(3), "BACKOFF: exit status 3, restart_on has 3, restart 1 of 2 in 2s"},
		{"restart_on has another", withOn(never, set(nil, 3, 3)), exit(4), "FAILED: exit status 4, autorestart is never"},
		{"restart_on has what is well", withOn(onFailure, set(nil, 0, 3)), exit(0), "BACKOFF: exit status 0, restart_on has 0-3, restart 1 of 2 in 2s"},
		{"restart_on has a signal", withOn(never, set(nil, 0, 0, 1, 15)), died(1), "BACKOFF: killed by SIGHUP, restart_on has SIGHUP, restart 1 of 2 in 2s"},
		{"restart_on has a cause", withOn(never, set([]policy.Cause{policy.CauseWatchdog}, 0, 0)), cause(policy.CauseWatchdog), "BACKOFF: watchdog, restart_on has watchdog, restart 1 of 2 in 2s"},
		{"a core dump is a death by signal", withOn(never, set([]policy.Cause{policy.CauseSignal}, 0, 0)), cause(policy.CauseCoreDump), "BACKOFF: core-dump, restart_on has signal, restart 1 of 2 in 2s"},
		{"not the other way round", withOn(never, set([]policy.Cause{policy.CauseCoreDump}, 0, 0)), died(6), "FAILED: killed by SIGABRT, autorestart is never"},
		{"unhealthy is a cause like others", withOn(never, set([]policy.Cause{policy.CauseUnhealthy}, 0, 0)), cause(policy.CauseUnhealthy), "BACKOFF: unhealthy, restart_on has unhealthy, restart 1 of 2 in 2s"},
		{"unhealthy is a failure", onFailure, cause(policy.CauseUnhealthy), "BACKOFF: unhealthy, restart 1 of 2 in 2s"},

		{"restart_never_on", with(always, func(r *policy.Rules) { r.RestartNeverOn = set(nil, 3, 3) }), exit(3), "FAILED: exit status 3, restart_never_on has 3"},
		{"restart_never_on wins over restart_on", withOn(with(always, func(r *policy.Rules) { r.RestartNeverOn = set(nil, 3, 3) }), set(nil, 0, 255)), exit(3), "FAILED: exit status 3, restart_never_on has 3"},
		{"restart_never_on and well", with(always, func(r *policy.Rules) { r.RestartNeverOn = policy.Codes(0) }), exit(0), "EXITED: exit status 0, restart_never_on has 0"},
		{"restart_never_on exec-failed", with(always, func(r *policy.Rules) { r.RestartNeverOn.Causes = []policy.Cause{policy.CauseExec} }), cause(policy.CauseExec), "FAILED: exec-failed, restart_never_on has exec-failed"},
		{
			"restart_never_on has systemd's status", with(always, func(r *policy.Rules) { r.RestartNeverOn = policy.Codes(203) }),
			policy.Ended{Exit: policy.Exit{Cause: policy.CauseExec, Code: 203, Reason: "cannot execute"}},
			"FAILED: cannot execute, restart_never_on has 203",
		},

		{"on_oom restart", with(never, func(r *policy.Rules) { r.OnOOM = policy.OOMRestart }), cause(policy.CauseOOM), "BACKOFF: oom-kill, on_oom is restart, restart 1 of 2 in 2s"},
		{"on_oom restart is for nothing else", with(never, func(r *policy.Rules) { r.OnOOM = policy.OOMRestart }), died(9), "FAILED: killed by SIGKILL, autorestart is never"},
		{"on_oom stop", with(always, func(r *policy.Rules) { r.OnOOM = policy.OOMStop }), cause(policy.CauseOOM), "KILLED: oom-kill, on_oom is stop"},
		{"restart_never_on oom", with(always, func(r *policy.Rules) { r.RestartNeverOn.Causes = oom }), cause(policy.CauseOOM), "KILLED: oom-kill, restart_never_on has oom"},

		{"final", always, refused, "FAILED: refused"},
		{"final, and a cooldown", with(always, func(r *policy.Rules) { r.RestartCooldown = time.Minute }), refused, "FAILED: refused"},
		{"never, and a cooldown", with(never, func(r *policy.Rules) { r.RestartCooldown = time.Minute }), exit(1), "FAILED: exit status 1, autorestart is never"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, _ := policy.Step(tt.rules, policy.State{}, policy.StartRequested{By: "up"}, t0)
			s, _ = policy.Step(tt.rules, s, policy.Started{}, t0.Add(time.Second))
			s, _ = policy.Step(tt.rules, s, tt.end, t0.Add(2*time.Second))
			if got := string(s.Phase) + ": " + s.Reason; got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if s.Phase.GaveUp() && !s.Deadline.IsZero() {
				t.Errorf("is tried again at %s", s.Deadline)
			}
		})
	}
}

func TestDelays(t *testing.T) {
	const s = time.Second
	unlimited := policy.Rules{Autorestart: policy.Always, RestartReset: time.Minute}
	tests := []struct {
		name   string
		change func(*policy.Rules)
		random float64
		want   string // times of the starts; each run lasts a second
	}{
		{"fixed", func(r *policy.Rules) { r.RestartDelay = 2 * s }, 0, "0 3 6 9 12 15 18 21"},
		{"a list, the last one repeats", func(r *policy.Rules) { r.RestartDelay, r.MoreDelays = s, []time.Duration{3 * s, 5 * s} }, 0, "0 2 6 12 18 24 30"},
		{"backoff", func(r *policy.Rules) { r.RestartDelay, r.RestartBackoff = s, 2 }, 0, "0 2 5 10 19"},
		{"a list, then backoff", func(r *policy.Rules) {
			r.RestartDelay, r.MoreDelays, r.RestartBackoff = s, []time.Duration{2 * s}, 3
		}, 0, "0 2 5 12 31"},
		{"capped", func(r *policy.Rules) { r.RestartDelay, r.RestartBackoff, r.RestartDelayMax = s, 2, 3*s }, 0, "0 2 5 9 13 17 21 25"},
		{"jitter adds", func(r *policy.Rules) { r.RestartDelay, r.RestartJitter = 2*s, 0.5 }, 0.5, "0 3.5 7 10.5 14 17.5 21"},
		{"jitter is capped", func(r *policy.Rules) {
			r.RestartDelay, r.RestartJitter, r.RestartDelayMax = 2*s, 1, 2500*time.Millisecond
		}, 0.9, "0 3.5 7 10.5 14 17.5 21"},
		{"jitter of nothing", func(r *policy.Rules) { r.RestartJitter = 1 }, 0.9, "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			life := live(with(unlimited, tt.change), tt.random, 31*s, dies(1, s))
			got := starts(life)
			if len(got) > len(tt.want) {
				got = got[:len(tt.want)]
			}
			if got != tt.want {
				t.Errorf("starts at %s, want %s\n%s", got, tt.want, life)
			}
		})
	}
}

// The backoff begins anew after a good run, and never grows without end.
func TestBackoffIsForgiven(t *testing.T) {
	r := policy.Rules{Autorestart: policy.OnFailure, RestartDelay: time.Second, RestartBackoff: 10, RestartDelayMax: 20 * time.Second, RestartReset: time.Minute}
	wantLife(t, live(r, 0, 170*time.Second, dies(1, time.Second), dies(1, time.Second), dies(1, 60*time.Second), dies(1, 0)), `
0 STARTING: up
0 RUNNING: started
1 BACKOFF: exit status 1, restart 1 in 1s
2 STARTING: restart 1
2 RUNNING: restarted
3 BACKOFF: exit status 1, restart 2 in 10s
13 STARTING: restart 2
13 RUNNING: restarted
73 BACKOFF: exit status 1, restart 1 in 1s
74 STARTING: restart 1
74 RUNNING: restarted
74 BACKOFF: exit status 1, restart 2 in 10s
84 STARTING: restart 2
84 RUNNING: restarted
84 BACKOFF: exit status 1, restart 3 in 20s
104 STARTING: restart 3
104 RUNNING: restarted
104 BACKOFF: exit status 1, restart 4 in 20s
124 STARTING: restart 4
124 RUNNING: restarted
124 BACKOFF: exit status 1, restart 5 in 20s
144 STARTING: restart 5
144 RUNNING: restarted
144 BACKOFF: exit status 1, restart 6 in 20s
164 STARTING: restart 6
164 RUNNING: restarted
164 BACKOFF: exit status 1, restart 7 in 20s
`)
}

// Programs that die together do not start together.
func TestJitterParts(t *testing.T) {
	r := policy.Rules{Autorestart: policy.OnFailure, RestartDelay: 10 * time.Second, RestartJitter: 0.3}
	s, _ := policy.Step(r, policy.State{}, policy.StartRequested{By: "up"}, t0)
	for random, want := range map[float64]time.Duration{0: 10 * time.Second, 0.5: 11500 * time.Millisecond, 0.9: 12700 * time.Millisecond} {
		after, _ := policy.Step(r, s, policy.Ended{Exit: policy.Exit{Cause: policy.CauseOOM}, Random: random}, t0)
		if got := after.Deadline.Sub(t0); got != want {
			t.Errorf("random %g: %s, want %s", random, got, want)
		}
	}
}

func TestWindow(t *testing.T) {
	r := policy.Rules{Autorestart: policy.OnFailure, RestartDelay: 5 * time.Second, MaxRestarts: 3, RestartWindow: time.Minute, RestartReset: 10 * time.Second}
	// Slow enough for ever, and the first one is out of the window when the fourth is due.
	slow := live(r, 0, 10*time.Minute, dies(1, 15*time.Second))
	if got := starts(slow); len(got) < 100 {
		t.Errorf("was given up:\n%s", slow)
	}
	// However long it stayed up between them, here beyond restart_reset.
	wantLife(t, live(r, 0, time.Hour, dies(1, 11*time.Second)), `
0 STARTING: up
0 RUNNING: started
11 BACKOFF: exit status 1, restart 1 of 3 within 60s in 5s
16 STARTING: restart 1
16 RUNNING: restarted
27 BACKOFF: exit status 1, restart 2 of 3 within 60s in 5s
32 STARTING: restart 2
32 RUNNING: restarted
43 BACKOFF: exit status 1, restart 3 of 3 within 60s in 5s
48 STARTING: restart 3
48 RUNNING: restarted
59 FAILED: exit status 1, gave up after 3 restarts within 60s
`)
	// The count goes down as restarts leave the window.
	wantLife(t, live(r, 0, 130*time.Second, dies(1, time.Second), dies(1, time.Second), dies(1, 50*time.Second), dies(1, time.Second), dies(1, time.Second)), `
0 STARTING: up
0 RUNNING: started
1 BACKOFF: exit status 1, restart 1 of 3 within 60s in 5s
6 STARTING: restart 1
6 RUNNING: restarted
7 BACKOFF: exit status 1, restart 2 of 3 within 60s in 5s
12 STARTING: restart 2
12 RUNNING: restarted
62 BACKOFF: exit status 1, restart 2 of 3 within 60s in 5s
67 STARTING: restart 2
67 RUNNING: restarted
68 BACKOFF: exit status 1, restart 2 of 3 within 60s in 5s
73 STARTING: restart 2
73 RUNNING: restarted
74 BACKOFF: exit status 1, restart 3 of 3 within 60s in 5s
79 STARTING: restart 3
79 RUNNING: restarted
80 FAILED: exit status 1, gave up after 3 restarts within 60s
`)
	// What is shown of a program that has ended is what counted then.
	s, now := policy.State{Phase: policy.Failed, Since: t0, Used: []time.Time{t0.Add(-3), t0.Add(-2), t0.Add(-1)}}, t0.Add(time.Hour)
	if used, most, window := r.Budget(s, now); used != 3 || most != 3 || window != time.Minute {
		t.Errorf("budget %d of %d within %s", used, most, window)
	}
}

// Giving up blocks no start, and is not for ever where that is asked for.
func TestCooldown(t *testing.T) {
	r := policy.Rules{Autorestart: policy.OnFailure, MaxRestarts: 1, RestartDelay: time.Second, RestartCooldown: 10 * time.Minute}
	wantLife(t, live(r, 0, 20*time.Minute, dies(1, time.Second)), `
0 STARTING: up
0 RUNNING: started
1 BACKOFF: exit status 1, restart 1 of 1 in 1s
2 STARTING: restart 1
2 RUNNING: restarted
3 FAILED: exit status 1, gave up after 1 restart, tries again in 10m
603 STARTING: tried again after a cooldown of 10m
603 RUNNING: started
604 BACKOFF: exit status 1, restart 1 of 1 in 1s
605 STARTING: restart 1
605 RUNNING: restarted
606 FAILED: exit status 1, gave up after 1 restart, tries again in 10m
`)
	start, stop := policy.StartRequested{By: "start"}, policy.StopRequested{By: "stop"}
	wantTranscript(t, r, []at{{0, start}, {1, exit(1)}, {2, policy.DeadlineReached{}}, {3, exit(1)}, {4, start}, {5, exit(1)}}, `
0 StartRequested: STARTING [start] (start)
1 Ended: BACKOFF #1 due 2 (exit status 1, restart 1 of 1 in 1s)
2 DeadlineReached: STARTING [start] #1 (restart 1)
3 Ended: FAILED #1 due 603 (exit status 1, gave up after 1 restart, tries again in 10m)
4 StartRequested: STARTING [start] (start)
5 Ended: BACKOFF #1 due 6 (exit status 1, restart 1 of 1 in 1s)
`)
	wantTranscript(t, r, []at{{0, start}, {1, exit(1)}, {2, policy.DeadlineReached{}}, {3, exit(1)}, {4, stop}, {700, policy.DeadlineReached{}}}, `
0 StartRequested: STARTING [start] (start)
1 Ended: BACKOFF #1 due 2 (exit status 1, restart 1 of 1 in 1s)
2 DeadlineReached: STARTING [start] #1 (restart 1)
3 Ended: FAILED #1 due 603 (exit status 1, gave up after 1 restart, tries again in 10m)
4 StopRequested: STOPPED [reset] #1 (stop)
700 DeadlineReached: STOPPED #1 (stop)
`)
}

func TestStartSeconds(t *testing.T) {
	start, started, due := policy.StartRequested{By: "up"}, policy.Started{}, policy.DeadlineReached{}
	r := with(onFailure, func(r *policy.Rules) { r.StartPeriod, r.RestartReset = 5*time.Second, 20*time.Second })
	tests := []struct {
		name   string
		events []at
		want   string
	}{
		{"up, and from then on RUNNING", []at{{0, start}, {1, started}, {2, started}, {3, start}, {6, due}, {7, started}}, `
0 StartRequested: STARTING [start] (up)
1 Started: STARTING due 6 (executed, must stay up for 5s)
2 Started: STARTING due 6 (executed, must stay up for 5s)
3 StartRequested: STARTING due 6 (executed, must stay up for 5s)
6 DeadlineReached: RUNNING (started)
7 Started: RUNNING (started)
`},
		{"forgiven by the time it is up, not by that it is RUNNING", []at{{0, start}, {1, exit(1)}, {3, due}, {4, started}, {9, due}, {24, due}}, `
0 StartRequested: STARTING [start] (up)
1 Ended: BACKOFF #1 due 3 (exit status 1, restart 1 of 2 in 2s)
3 DeadlineReached: STARTING [start] #1 (restart 1)
4 Started: STARTING #1 due 9 (executed, must stay up for 5s)
9 DeadlineReached: RUNNING #1 due 24 (restarted)
24 DeadlineReached: RUNNING (restarted)
`},
		{"an end before that is one like others", []at{{0, start}, {1, started}, {3, exit(0)}}, `
0 StartRequested: STARTING [start] (up)
1 Started: STARTING due 6 (executed, must stay up for 5s)
3 Ended: EXITED (exit status 0)
`},
		{"and a failure too", []at{{0, start}, {1, started}, {3, exit(2)}, {5, due}}, `
0 StartRequested: STARTING [start] (up)
1 Started: STARTING due 6 (executed, must stay up for 5s)
3 Ended: BACKOFF #1 due 5 (exit status 2, restart 1 of 2 in 2s)
5 DeadlineReached: STARTING [start] #1 (restart 1)
`},
		{"a stop wins", []at{{0, start}, {1, started}, {2, policy.StopRequested{By: "stop"}}, {6, due}, {7, exit(0)}}, `
0 StartRequested: STARTING [start] (up)
1 Started: STARTING due 6 (executed, must stay up for 5s)
2 StopRequested: STOPPING [stop] (stop)
6 DeadlineReached: STOPPING (stop)
7 Ended: STOPPED [reset] (stop: exit status 0)
`},
		{"one that nobody here has started counts at once", []at{{0, policy.Started{Adopted: true}}}, `
0 Started: RUNNING (adopted, it was running already)
`},
		{"an end that is told late counts by how long it ran", []at{
			{0, start},
			{1, exit(1)},
			{3, due},
			{4, started},
			{90, policy.Ended{Exit: policy.Exit{Cause: policy.CauseExit, Code: 1, Ran: 21 * time.Second, Reason: "exit status 1"}}},
		}, `
0 StartRequested: STARTING [start] (up)
1 Ended: BACKOFF #1 due 3 (exit status 1, restart 1 of 2 in 2s)
3 DeadlineReached: STARTING [start] #1 (restart 1)
4 Started: STARTING #1 due 9 (executed, must stay up for 5s)
90 Ended: BACKOFF #1 due 92 (exit status 1, restart 1 of 2 in 2s)
`},
		{"also if that is not for long", []at{
			{0, start},
			{1, exit(1)},
			{3, due},
			{4, started},
			{90, policy.Ended{Exit: policy.Exit{Cause: policy.CauseExit, Code: 1, Ran: 19 * time.Second, Reason: "exit status 1"}}},
		}, `
0 StartRequested: STARTING [start] (up)
1 Ended: BACKOFF #1 due 3 (exit status 1, restart 1 of 2 in 2s)
3 DeadlineReached: STARTING [start] #1 (restart 1)
4 Started: STARTING #1 due 9 (executed, must stay up for 5s)
90 Ended: BACKOFF #2 due 92 (exit status 1, restart 2 of 2 in 2s)
`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { wantTranscript(t, r, tt.events, tt.want) })
	}
	zero := with(r, func(r *policy.Rules) { r.StartPeriod = 0 })
	wantTranscript(t, zero, []at{{0, start}, {1, started}}, `
0 StartRequested: STARTING [start] (up)
1 Started: RUNNING (started)
`)
}

func TestStartRetries(t *testing.T) {
	retries, none := 2, 0
	r := policy.Rules{
		Autorestart: policy.OnFailure, RestartDelay: time.Second, MaxRestarts: 2, StartPeriod: 3 * time.Second, StartRetries: &retries,
		RestartCooldown: time.Minute, RestartReset: time.Minute,
	}
	// They count apart from restarts, which go on where they were.
	wantLife(t, live(r, 0, 100*time.Second, dies(1, 10*time.Second), dies(0, 0), dies(1, 10*time.Second), dies(2, time.Second)), `
0 STARTING: up
3 RUNNING: started
10 BACKOFF: exit status 1, restart 1 of 2 in 1s
11 STARTING: restart 1
11 BACKOFF: exit status 0, did not stay up for 3s, start retry 1 of 2 in 1s
12 STARTING: start retry 1
15 RUNNING: restarted
22 BACKOFF: exit status 1, restart 2 of 2 in 1s
23 STARTING: restart 2
24 BACKOFF: exit status 2, did not stay up for 3s, start retry 1 of 2 in 1s
25 STARTING: start retry 1
26 BACKOFF: exit status 2, did not stay up for 3s, start retry 2 of 2 in 1s
27 STARTING: start retry 2
28 FAILED: exit status 2, did not stay up for 3s, gave up after 2 start retries, tries again in 60s
88 STARTING: tried again after a cooldown of 60s
89 BACKOFF: exit status 2, did not stay up for 3s, start retry 1 of 2 in 1s
90 STARTING: start retry 1
91 BACKOFF: exit status 2, did not stay up for 3s, start retry 2 of 2 in 1s
92 STARTING: start retry 2
93 FAILED: exit status 2, did not stay up for 3s, gave up after 2 start retries, tries again in 60s
`)
	wantLife(t, live(with(r, func(r *policy.Rules) { r.StartRetries = &none }), 0, 30*time.Second, dies(0, time.Second)), `
0 STARTING: up
1 FAILED: exit status 0, did not stay up for 3s, gave up after 0 start retries, tries again in 60s
`)
	// What is never to be started again is not tried again either.
	wantLife(t, live(with(r, func(r *policy.Rules) { r.RestartNeverOn = policy.Codes(3) }), 0, time.Hour, dies(3, time.Second)), `
0 STARTING: up
1 FAILED: exit status 3, restart_never_on has 3
`)
}

func TestStormGuard(t *testing.T) {
	r := policy.Rules{Autorestart: policy.OnFailure, RestartReset: time.Minute}
	wantLife(t, live(r, 0, 450*time.Millisecond, dies(1, 2*time.Millisecond)), `
0 STARTING: up
0 RUNNING: started
0.002 BACKOFF: exit status 1, restart 1 in 0s
0.002 STARTING: restart 1
0.002 RUNNING: restarted
0.004 BACKOFF: exit status 1, restart 2 in 198ms, held to ten starts a second
0.202 STARTING: restart 2
0.202 RUNNING: restarted
0.204 BACKOFF: exit status 1, restart 3 in 98ms, held to ten starts a second
0.302 STARTING: restart 3
0.302 RUNNING: restarted
0.304 BACKOFF: exit status 1, restart 4 in 98ms, held to ten starts a second
0.402 STARTING: restart 4
0.402 RUNNING: restarted
0.404 BACKOFF: exit status 1, restart 5 in 98ms, held to ten starts a second
`)
	// Runs of a tenth of a second are none of its business, nor are longer delays.
	for name, life := range map[string]string{
		"longer runs":          live(r, 0, 10*time.Second, dies(1, 100*time.Millisecond)),
		"longer delay":         live(with(r, func(r *policy.Rules) { r.RestartDelay = 201 * time.Millisecond }), 0, 10*time.Second, dies(1, 0)),
		"one long run between": live(r, 0, 2*time.Second, dies(1, 0), dies(1, time.Second), dies(1, 0), dies(1, time.Second)),
	} {
		if strings.Contains(life, "held") {
			t.Errorf("%s:\n%s", name, life)
		}
	}
	// A machine so busy that the news come late: the run itself was short.
	s, now := policy.State{}, t0
	s, _ = policy.Step(r, s, policy.StartRequested{By: "up"}, now)
	for range 3 {
		now = now.Add(150 * time.Millisecond)
		s, _ = policy.Step(r, s, policy.Ended{Exit: policy.Exit{Cause: policy.CauseExit, Code: 1, Ran: time.Millisecond}}, now)
		s, _ = policy.Step(r, s, policy.DeadlineReached{}, s.Deadline)
	}
	if s.Quick != 3 {
		t.Errorf("%d quick runs, want 3", s.Quick)
	}
	// A supervisor that takes over in the meantime keeps to it, and so does one whose clock was set
	// back since.
	quick := policy.Ended{Exit: policy.Exit{Cause: policy.CauseExit, Code: 1, Ran: time.Millisecond}}
	s, _ = policy.Step(r, s, quick, now)
	if b := r.Bound(s, now); !b.Deadline.Equal(s.Deadline) || !b.Deadline.After(now) {
		t.Errorf("taken over, it waits until %v instead of %v", b.Deadline, s.Deadline)
	}
	s, _ = policy.Step(r, s, policy.DeadlineReached{}, s.Deadline)
	back := s.Started.Add(-time.Hour)
	if s, _ = policy.Step(r, s, quick, back); s.Deadline.Sub(back) > 200*time.Millisecond {
		t.Errorf("the clock was set back by an hour, and it waits for %s", s.Deadline.Sub(back))
	}
}

func TestWords(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0s", 1500 * time.Millisecond: "1.5s", 100 * time.Millisecond: "100ms", time.Minute: "60s", 90 * time.Second: "90s",
		2 * time.Minute: "2m", 5 * time.Minute: "5m", 150 * time.Second: "2m30s", time.Hour: "1h", 90 * time.Minute: "1h30m",
		time.Hour + time.Second: "1h0m1s", 61500 * time.Millisecond: "61.5s", 59*time.Second + 999900*time.Microsecond: "60s",
	} {
		if got := policy.Words(d); got != want {
			t.Errorf("%v is %s, want %s", d, got, want)
		}
	}
}

// What a version without these fields has written down means what it meant.
func TestOlderVersions(t *testing.T) {
	var r policy.Rules
	if err := json.Unmarshal([]byte(`{"Autorestart":"on-failure","RestartDelay":1000000000,"MaxRestarts":5,"RestartReset":60000000000,"SuccessExitCodes":[0,2]}`), &r); err != nil {
		t.Fatal(err)
	}
	want := policy.Rules{Autorestart: policy.OnFailure, RestartDelay: time.Second, MaxRestarts: 5, RestartReset: time.Minute, Success: policy.Codes(0, 2)}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
	text, err := json.Marshal(want)
	var again policy.Rules
	if err != nil || json.Unmarshal(text, &again) != nil || !cmp.Equal(want, again) {
		t.Errorf("%s becomes %+v", text, again)
	}
	var s policy.State
	if err := json.Unmarshal([]byte(`{"phase":"RUNNING","reason":"started","since":"2026-01-02T03:04:05Z","restarts":2,"deadline":"2026-01-02T03:05:05Z","last":{"cause":"exit","code":1,"signal":0,"reason":"exit status 1"}}`), &s); err != nil {
		t.Fatal(err)
	}
	s, _ = policy.Step(r, r.Bound(s, t0), exit(1), t0.Add(10*time.Second))
	if got, want := s.Reason, "exit status 1, restart 3 of 5 in 1s"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestRestarts(t *testing.T) {
	never := policy.Rules{Autorestart: policy.Never, MaxRestarts: 5, StartRetries: new(3)}
	onOOM := never
	onOOM.OnOOM = policy.OOMRestart
	for want, list := range map[bool][]policy.Rules{
		false: {never},
		true:  {{Autorestart: policy.OnFailure}, {Autorestart: policy.Always}, onOOM, withOn(never, policy.Codes(75))},
	} {
		for _, r := range list {
			if r.Restarts() != want {
				t.Errorf("%+v: %t", r, !want)
			}
		}
	}
}

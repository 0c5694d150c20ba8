package policy_test

import (
	"testing"
	"time"

	"msup/policy"
)

// What users of other supervisors suffer from, one test each.

// Elsewhere a delay holds only for starts that fail, and not for a program that has been up.
func TestDelayAppliesToEveryEnd(t *testing.T) {
	r := policy.Rules{Autorestart: policy.OnFailure, RestartDelay: 3 * time.Second, StartPeriod: time.Second}
	for _, e := range []policy.Exit{
		{Cause: policy.CauseExit, Code: 1},
		{Cause: policy.CauseSignal, Signal: 9},
		{Cause: policy.CauseCoreDump, Signal: 11},
		{Cause: policy.CauseOOM, Signal: 9},
		{Cause: policy.CauseTimeout},
		{Cause: policy.CauseWatchdog},
		{Cause: policy.CauseUnhealthy},
		{Cause: policy.CauseExec, Code: 203},
		{Cause: policy.CauseResources},
		{Cause: policy.CauseProtocol},
		{Cause: policy.CauseStart},
		{Cause: policy.CauseUnknown},
	} {
		for _, up := range []time.Duration{0, 500 * time.Millisecond, time.Minute} {
			now := t0
			s, _ := policy.Step(r, policy.State{}, policy.StartRequested{By: "up"}, now)
			if up > 0 {
				s, _ = policy.Step(r, s, policy.Started{}, now)
			}
			if up > r.StartPeriod {
				s, _ = policy.Step(r, s, policy.DeadlineReached{}, now.Add(r.StartPeriod))
			}
			now = now.Add(up)
			s, _ = policy.Step(r, s, policy.Ended{Exit: e}, now)
			if got := s.Deadline.Sub(now); s.Phase != policy.Backoff || got != r.RestartDelay {
				t.Errorf("%s after %s: %s, waits %s", e.Cause, up, s.Phase, got)
			}
		}
	}
}

// Elsewhere a program that has given up cannot be started until somebody resets it. Here
// a start works in every phase, and every count is at zero after it.
func TestStartWorksAfterGivingUp(t *testing.T) {
	none := 0
	for name, r := range map[string]policy.Rules{
		"count":   {Autorestart: policy.OnFailure, MaxRestarts: 1},
		"window":  {Autorestart: policy.OnFailure, MaxRestarts: 1, RestartWindow: time.Hour},
		"retries": {Autorestart: policy.OnFailure, StartRetries: &none, StartPeriod: time.Hour},
		"never":   {Autorestart: policy.Never},
	} {
		s, now := policy.State{}, t0
		for range 5 {
			var a policy.Action
			s, a = policy.Step(r, s, policy.StartRequested{By: "start"}, now)
			if a != policy.StartUnit || s.Phase != policy.Starting {
				t.Fatalf("%s: %s %q", name, s.Phase, a)
			}
			if used, _, _ := r.Budget(s, now); used != 0 || s.Restarts+s.Failures+s.Quick != 0 {
				t.Errorf("%s: %d are used: %+v", name, used, s)
			}
			for range 3 {
				now = now.Add(time.Second)
				s, _ = policy.Step(r, s, exit(1), now)
				s, _ = policy.Step(r, s, policy.DeadlineReached{}, now)
			}
			if !s.Phase.GaveUp() {
				t.Fatalf("%s: has not given up: %+v", name, s)
			}
		}
	}
}

// Elsewhere a program that fails its check is killed for good although its policy says
// restart. Here that is an end like others, with its delay and its count.
func TestUnhealthyGoesByThePolicy(t *testing.T) {
	start, started, due := policy.StartRequested{By: "up"}, policy.Started{}, policy.DeadlineReached{}
	wantTranscript(t, onFailure, []at{
		{0, start},
		{1, started},
		{9, cause(policy.CauseUnhealthy)},
		{11, due},
		{12, started},
		{20, cause(policy.CauseUnhealthy)},
		{22, due},
		{23, started},
		{30, cause(policy.CauseUnhealthy)},
	}, `
0 StartRequested: STARTING [start] (up)
1 Started: RUNNING (started)
9 Ended: BACKOFF #1 due 11 (unhealthy, restart 1 of 2 in 2s)
11 DeadlineReached: STARTING [start] #1 (restart 1)
12 Started: RUNNING #1 due 72 (restarted)
20 Ended: BACKOFF #2 due 22 (unhealthy, restart 2 of 2 in 2s)
22 DeadlineReached: STARTING [start] #2 (restart 2)
23 Started: RUNNING #2 due 83 (restarted)
30 Ended: FAILED #2 (unhealthy, gave up after 2 restarts)
`)
}

// Elsewhere a restart while the program waits for its start makes a second copy, or one
// that never starts.
func TestRestartWhileItWaits(t *testing.T) {
	start, restart, stop, due := policy.StartRequested{By: "up"}, policy.RestartRequested{By: "restart"}, policy.StopRequested{By: "stop"}, policy.DeadlineReached{}
	wantTranscript(t, onFailure, []at{{0, start}, {1, exit(1)}, {2, restart}, {3, due}, {3, restart}, {4, restart}, {5, exit(0)}, {6, stop}, {6, restart}, {7, stop}, {8, exit(0)}, {9, due}}, `
0 StartRequested: STARTING [start] (up)
1 Ended: BACKOFF #1 due 3 (exit status 1, restart 1 of 2 in 2s)
2 RestartRequested: STARTING [start] (restart)
3 DeadlineReached: STARTING (restart)
3 RestartRequested: STOPPING [stop] (restart)
4 RestartRequested: STOPPING (restart)
5 Ended: STARTING [start] (restart: exit status 0)
6 StopRequested: STOPPING [stop] (stop)
6 RestartRequested: STOPPING (restart)
7 StopRequested: STOPPING (stop)
8 Ended: STOPPED [reset] (stop: exit status 0)
9 DeadlineReached: STOPPED (stop: exit status 0)
`)
}

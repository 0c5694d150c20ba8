package policy_test

import (
	"strings"
	"testing"
	"time"

	"msup/policy"

	"github.com/google/go-cmp/cmp"
)

var probed = with(onFailure, func(r *policy.Rules) {
	r.Ready, r.ReadyTimeout, r.StartPeriod = "tcp 127.0.0.1:80", 10*time.Second, time.Second
})

func TestReady(t *testing.T) {
	start, stop, restart := policy.StartRequested{By: "up"}, policy.StopRequested{By: "stop"}, policy.RestartRequested{By: "restart"}
	started, due, ready, ill := policy.Started{}, policy.DeadlineReached{}, policy.Ready{}, policy.Unhealthy{Reason: "3 failures in a row: refused"}
	late := policy.DeadlineReached{Probe: "connection refused"}
	retries := 1
	tests := []struct {
		name   string
		rules  policy.Rules
		events []at
		want   string
	}{
		{"it is RUNNING when it is ready", probed, []at{{0, start}, {1, started}, {2, due}, {3, started}, {4, ready}, {5, ready}}, `
0 StartRequested: STARTING [start] (up)
1 Started: STARTING due 11 (executed, waits for tcp 127.0.0.1:80)
2 DeadlineReached: STARTING due 11 (executed, waits for tcp 127.0.0.1:80)
3 Started: STARTING due 11 (executed, waits for tcp 127.0.0.1:80)
4 Ready: RUNNING (started)
5 Ready: RUNNING (started)
`},
		{"start_seconds may be longer", probed, []at{{0, start}, {1, started}, {1.25, ready}, {1.5, ready}, {2, due}}, `
0 StartRequested: STARTING [start] (up)
1 Started: STARTING due 11 (executed, waits for tcp 127.0.0.1:80)
1.25 Ready: STARTING due 2 (ready, must stay up for 1s)
1.5 Ready: STARTING due 2 (ready, must stay up for 1s)
2 DeadlineReached: RUNNING (started)
`},
		{"before it is active nothing is ready or unhealthy", probed, []at{{0, ready}, {0, start}, {1, ready}, {1, ill}, {2, started}, {3, ill}}, `
0 Ready: STOPPED ()
0 StartRequested: STARTING [start] (up)
1 Ready: STARTING (up)
1 Unhealthy: STARTING (up)
2 Started: STARTING due 12 (executed, waits for tcp 127.0.0.1:80)
3 Unhealthy: STARTING due 12 (executed, waits for tcp 127.0.0.1:80)
`},
		{"one that is never ready is stopped, which is no stop", probed, []at{
			{0, start},
			{1, started},
			{11, late},
			{12, died(15)},
			{14, due},
			{14, started},
			{24, due},
			{24, started},
			{25, exit(0)},
			{27, due},
			{28, started},
			{38, late},
			{39, died(9)},
		}, `
0 StartRequested: STARTING [start] (up)
1 Started: STARTING due 11 (executed, waits for tcp 127.0.0.1:80)
11 DeadlineReached: STOPPING [stop] (not ready within 10s (start_timeout): connection refused)
12 Ended: BACKOFF #1 due 14 (not ready within 10s (start_timeout): connection refused, restart 1 of 2 in 2s)
14 DeadlineReached: STARTING [start] #1 (restart 1)
14 Started: STARTING #1 due 24 (executed, waits for tcp 127.0.0.1:80)
24 DeadlineReached: STOPPING [stop] #1 (not ready within 10s (start_timeout))
24 Started: STOPPING #1 (not ready within 10s (start_timeout))
25 Ended: BACKOFF #2 due 27 (not ready within 10s (start_timeout), restart 2 of 2 in 2s)
27 DeadlineReached: STARTING [start] #2 (restart 2)
28 Started: STARTING #2 due 38 (executed, waits for tcp 127.0.0.1:80)
38 DeadlineReached: STOPPING [stop] #2 (not ready within 10s (start_timeout): connection refused)
39 Ended: KILLED #2 (not ready within 10s (start_timeout): connection refused, gave up after 2 restarts)
`},
		{"that is a failed start", with(probed, func(r *policy.Rules) { r.StartRetries = &retries }), []at{
			{0, start}, {1, started}, {11, late}, {12, died(15)}, {14, due}, {14, started}, {20, exit(0)},
		}, `
0 StartRequested: STARTING [start] (up)
1 Started: STARTING due 11 (executed, waits for tcp 127.0.0.1:80)
11 DeadlineReached: STOPPING [stop] (not ready within 10s (start_timeout): connection refused)
12 Ended: BACKOFF #1 due 14 (not ready within 10s (start_timeout): connection refused, start retry 1 of 1 in 2s)
14 DeadlineReached: STARTING [start] #1 (start retry 1)
14 Started: STARTING #1 due 24 (executed, waits for tcp 127.0.0.1:80)
20 Ended: FAILED #1 (exit status 0, was not ready yet, gave up after 1 start retry)
`},
		{"an end before it is ready", probed, []at{{0, start}, {1, started}, {8, exit(3)}}, `
0 StartRequested: STARTING [start] (up)
1 Started: STARTING due 11 (executed, waits for tcp 127.0.0.1:80)
8 Ended: BACKOFF #1 due 10 (exit status 3, was not ready yet, restart 1 of 2 in 2s)
`},
		{"unhealthy is an end like others", probed, []at{
			{0, start}, {1, started}, {2, ready}, {9, ill}, {9, ill}, {9, started}, {10, died(15)}, {12, due},
		}, `
0 StartRequested: STARTING [start] (up)
1 Started: STARTING due 11 (executed, waits for tcp 127.0.0.1:80)
2 Ready: RUNNING (started)
9 Unhealthy: STOPPING [stop] (unhealthy: 3 failures in a row: refused)
9 Unhealthy: STOPPING (unhealthy: 3 failures in a row: refused)
9 Started: STOPPING (unhealthy: 3 failures in a row: refused)
10 Ended: BACKOFF #1 due 12 (unhealthy: 3 failures in a row: refused, restart 1 of 2 in 2s)
12 DeadlineReached: STARTING [start] #1 (restart 1)
`},
		{"and has its rules", with(onFailure, func(r *policy.Rules) { r.RestartNeverOn.Causes = []policy.Cause{policy.CauseUnhealthy} }), []at{
			{0, start}, {1, started}, {9, ill}, {10, died(15)},
		}, `
0 StartRequested: STARTING [start] (up)
1 Started: RUNNING (started)
9 Unhealthy: STOPPING [stop] (unhealthy: 3 failures in a row: refused)
10 Ended: FAILED (unhealthy: 3 failures in a row: refused, restart_never_on has unhealthy)
`},
		{"a stop on request wins", onFailure, []at{{0, start}, {1, started}, {9, ill}, {9, stop}, {10, died(15)}}, `
0 StartRequested: STARTING [start] (up)
1 Started: RUNNING (started)
9 Unhealthy: STOPPING [stop] (unhealthy: 3 failures in a row: refused)
9 StopRequested: STOPPING (stop)
10 Ended: STOPPED [reset] (stop: killed by SIGTERM)
`},
		{"a restart on request too", onFailure, []at{{0, start}, {1, started}, {9, ill}, {9, restart}, {10, died(15)}}, `
0 StartRequested: STARTING [start] (up)
1 Started: RUNNING (started)
9 Unhealthy: STOPPING [stop] (unhealthy: 3 failures in a row: refused)
9 RestartRequested: STOPPING (restart)
10 Ended: STARTING [start] (restart: killed by SIGTERM)
`},
		{"waiting to be ready forgives no restart", with(probed, func(r *policy.Rules) { r.ReadyTimeout, r.RestartReset = time.Hour, 20*time.Second }), []at{
			{0, start}, {1, started}, {2, exit(1)}, {4, due}, {5, started}, {100, ready}, {101, exit(1)}, {103, due}, {104, started}, {150, ready}, {170, due},
		}, `
0 StartRequested: STARTING [start] (up)
1 Started: STARTING due 3601 (executed, waits for tcp 127.0.0.1:80)
2 Ended: BACKOFF #1 due 4 (exit status 1, was not ready yet, restart 1 of 2 in 2s)
4 DeadlineReached: STARTING [start] #1 (restart 1)
5 Started: STARTING #1 due 3605 (executed, waits for tcp 127.0.0.1:80)
100 Ready: RUNNING #1 due 120 (restarted)
101 Ended: BACKOFF #2 due 103 (exit status 1, restart 2 of 2 in 2s)
103 DeadlineReached: STARTING [start] #2 (restart 2)
104 Started: STARTING #2 due 3704 (executed, waits for tcp 127.0.0.1:80)
150 Ready: RUNNING #2 due 170 (restarted)
170 DeadlineReached: RUNNING (restarted)
`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(strings.TrimPrefix(tt.want, "\n"), transcript(tt.rules, tt.events)); diff != "" {
				t.Errorf("transcript (-want +got):\n%s", diff)
			}
		})
	}
}

// A reload changes the rules of a program that waits.
func TestReadyRulesChange(t *testing.T) {
	unprobed := with(probed, func(r *policy.Rules) { r.Ready, r.ReadyTimeout = "", 0 })
	begin := func(r policy.Rules) policy.State {
		s, _ := policy.Step(r, policy.State{}, policy.StartRequested{By: "up"}, t0)
		s, _ = policy.Step(r, s, policy.Started{}, t0)
		return s
	}
	t.Run("no longer probed", func(t *testing.T) {
		now := t0.Add(5 * time.Second)
		s := unprobed.Bound(begin(probed), now)
		if s.Deadline.Sub(now) != time.Second {
			t.Fatalf("waits until %s", s.Deadline)
		}
		if s, _ = policy.Step(unprobed, s, policy.DeadlineReached{}, s.Deadline); s.Phase != policy.Running {
			t.Errorf("is %s", s.Phase)
		}
	})
	t.Run("probed from now on", func(t *testing.T) {
		s := probed.Bound(begin(unprobed), t0)
		s, a := policy.Step(probed, s, policy.DeadlineReached{}, s.Deadline)
		if s.Phase != policy.Starting || a != policy.None || s.Deadline.Sub(t0) != 10*time.Second {
			t.Errorf("is %s until %s, action %q", s.Phase, s.Deadline, a)
		}
	})
}

// A reason that names the probe names the one in force.
func TestReadyReasonChanges(t *testing.T) {
	s := policy.State{Phase: policy.Starting, Active: t0, Started: t0, Reason: "executed, waits for a line that matches a, waits for b"}
	r := probed
	for range 2 {
		s = r.Bound(s, t0)
		if want := "executed, waits for tcp 127.0.0.1:80"; s.Reason != want {
			t.Errorf("%q, want %q", s.Reason, want)
		}
	}
}

package policy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"msup/policy"

	"github.com/google/go-cmp/cmp"
)

var t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func exit(code int) policy.Event {
	return policy.Ended{Exit: policy.Exit{Cause: policy.CauseExit, Code: code, Reason: fmt.Sprintf("exit status %d", code)}}
}

func cause(c policy.Cause) policy.Event {
	return policy.Ended{Exit: policy.Exit{Cause: c, Reason: string(c)}}
}

var (
	onFailure = policy.Rules{
		Autorestart: policy.OnFailure, RestartDelay: 2 * time.Second, MaxRestarts: 2,
		RestartReset: time.Minute, Success: policy.Codes(0),
	}
	always    = with(onFailure, func(r *policy.Rules) { r.Autorestart = policy.Always })
	never     = with(onFailure, func(r *policy.Rules) { r.Autorestart = policy.Never })
	unlimited = with(onFailure, func(r *policy.Rules) { r.MaxRestarts, r.RestartDelay = 0, 0 })
)

func with(r policy.Rules, f func(*policy.Rules)) policy.Rules { f(&r); return r }

// A transcript feeds events at times and writes down each decision, one line an event.
type at struct {
	sec float64
	ev  policy.Event
}

func transcript(r policy.Rules, events []at) string {
	var b strings.Builder
	var s policy.State
	for _, e := range events {
		now := t0.Add(time.Duration(e.sec * float64(time.Second)))
		var a policy.Action
		s, a = policy.Step(r, s, e.ev, now)
		name := strings.TrimPrefix(fmt.Sprintf("%T", e.ev), "policy.")
		fmt.Fprintf(&b, "%g %s: %s", e.sec, name, s.Phase)
		if a != policy.None {
			fmt.Fprintf(&b, " [%s]", a)
		}
		if used, _, _ := r.Budget(s, now); used > 0 {
			fmt.Fprintf(&b, " #%d", used)
		}
		if !s.Deadline.IsZero() {
			fmt.Fprintf(&b, " due %g", s.Deadline.Sub(t0).Seconds())
		}
		fmt.Fprintf(&b, " (%s)\n", s.Reason)
	}
	return b.String()
}

func TestStep(t *testing.T) {
	start, stop, restart := policy.StartRequested{By: "up"}, policy.StopRequested{By: "stop"}, policy.RestartRequested{By: "restart"}
	started, due := policy.Started{}, policy.DeadlineReached{}
	tests := []struct {
		name   string
		rules  policy.Rules
		events []at
		want   string
	}{
		{"a clean exit is final", onFailure, []at{{0, start}, {1, started}, {2, exit(0)}}, `
0 StartRequested: STARTING [start] (up)
1 Started: RUNNING (started)
2 Ended: EXITED (exit status 0)
`},
		{"failures restart until the limit, then give up", onFailure, []at{
			{0, start}, {1, started}, {2, exit(3)}, {3, due}, {4, due}, {4.5, started}, {5, cause(policy.CauseSignal)}, {7, due}, {7.5, started}, {8, exit(1)},
		}, `
0 StartRequested: STARTING [start] (up)
1 Started: RUNNING (started)
2 Ended: BACKOFF #1 due 4 (exit status 3, restart 1 of 2 in 2s)
3 DeadlineReached: BACKOFF #1 due 4 (exit status 3, restart 1 of 2 in 2s)
4 DeadlineReached: STARTING [start] #1 (restart 1)
4.5 Started: RUNNING #1 due 64.5 (restarted)
5 Ended: BACKOFF #2 due 7 (signal, restart 2 of 2 in 2s)
7 DeadlineReached: STARTING [start] #2 (restart 2)
7.5 Started: RUNNING #2 due 67.5 (restarted)
8 Ended: FAILED #2 (exit status 1, gave up after 2 restarts)
`},
		{"giving up on a limit is KILLED", with(onFailure, func(r *policy.Rules) { r.MaxRestarts = 1 }), []at{
			{0, start}, {1, cause(policy.CauseOOM)}, {3, due}, {4, cause(policy.CauseOOM)},
		}, `
0 StartRequested: STARTING [start] (up)
1 Ended: BACKOFF #1 due 3 (oom-kill, restart 1 of 1 in 2s)
3 DeadlineReached: STARTING [start] #1 (restart 1)
4 Ended: KILLED #1 (oom-kill, gave up after 1 restart)
`},
		{"no limit, no delay", unlimited, []at{{0, start}, {1, started}, {2, cause(policy.CauseOOM)}, {2, due}}, `
0 StartRequested: STARTING [start] (up)
1 Started: RUNNING (started)
2 Ended: BACKOFF #1 due 2 (oom-kill, restart 1 in 0s)
2 DeadlineReached: STARTING [start] #1 (restart 1)
`},
		{"never", never, []at{{0, start}, {1, started}, {2, exit(1)}}, `
0 StartRequested: STARTING [start] (up)
1 Started: RUNNING (started)
2 Ended: FAILED (exit status 1, autorestart is never)
`},
		{"always restarts a clean exit", always, []at{{0, start}, {1, started}, {2, exit(0)}}, `
0 StartRequested: STARTING [start] (up)
1 Started: RUNNING (started)
2 Ended: BACKOFF #1 due 4 (exit status 0, autorestart is always, restart 1 of 2 in 2s)
`},
		{"staying up forgives the count", onFailure, []at{{0, start}, {1, started}, {2, exit(1)}, {4, due}, {4, started}, {64, due}, {65, exit(1)}}, `
0 StartRequested: STARTING [start] (up)
1 Started: RUNNING (started)
2 Ended: BACKOFF #1 due 4 (exit status 1, restart 1 of 2 in 2s)
4 DeadlineReached: STARTING [start] #1 (restart 1)
4 Started: RUNNING #1 due 64 (restarted)
64 DeadlineReached: RUNNING (restarted)
65 Ended: BACKOFF #1 due 67 (exit status 1, restart 1 of 2 in 2s)
`},
		{"a stop wins over a restart that waits", onFailure, []at{{0, start}, {1, exit(1)}, {2, stop}, {3, due}}, `
0 StartRequested: STARTING [start] (up)
1 Ended: BACKOFF #1 due 3 (exit status 1, restart 1 of 2 in 2s)
2 StopRequested: STOPPED [reset] #1 (stop)
3 DeadlineReached: STOPPED #1 (stop)
`},
		{"a stop wins over a restart on request", onFailure, []at{{0, start}, {1, started}, {2, restart}, {3, stop}, {4, cause(policy.CauseSignal)}}, `
0 StartRequested: STARTING [start] (up)
1 Started: RUNNING (started)
2 RestartRequested: STOPPING [stop] (restart)
3 StopRequested: STOPPING (stop)
4 Ended: STOPPED [reset] (stop: signal)
`},
		{"a start that lands inside a stop holds", onFailure, []at{{0, start}, {1, started}, {2, stop}, {3, start}, {4, exit(0)}}, `
0 StartRequested: STARTING [start] (up)
1 Started: RUNNING (started)
2 StopRequested: STOPPING [stop] (stop)
3 StartRequested: STOPPING (up)
4 Ended: STARTING [start] (up: exit status 0)
`},
		{"a start after giving up clears the count", with(onFailure, func(r *policy.Rules) { r.Autorestart = policy.Never }), []at{{0, start}, {1, exit(1)}, {2, start}, {3, started}}, `
0 StartRequested: STARTING [start] (up)
1 Ended: FAILED (exit status 1, autorestart is never)
2 StartRequested: STARTING [start] (up)
3 Started: RUNNING (started)
`},
		{"systemctl stop and start are followed", onFailure, []at{{0, start}, {1, started}, {2, policy.StopSeen{}}, {3, cause(policy.CauseSignal)}, {9, started}}, `
0 StartRequested: STARTING [start] (up)
1 Started: RUNNING (started)
2 StopSeen: STOPPING (stopped with systemctl)
3 Ended: STOPPED [reset] (stopped with systemctl: signal)
9 Started: RUNNING (started with systemctl)
`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { wantTranscript(t, tt.rules, tt.events, tt.want) })
	}
}

func wantTranscript(t *testing.T, rules policy.Rules, events []at, want string) {
	t.Helper()
	if diff := cmp.Diff(strings.TrimPrefix(want, "\n"), transcript(rules, events)); diff != "" {
		t.Errorf("transcript (-want +got):\n%s", diff)
	}
}

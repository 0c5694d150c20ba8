package policy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"msup/policy"
)

// timeline plays events at seconds since t0 and writes down phase, reason, action and
// deadline after each.
func timeline(r policy.Rules, events ...any) string {
	var b strings.Builder
	s := policy.State{}
	for i := 0; i < len(events); i += 2 {
		at := events[i].(float64)
		var a policy.Action
		s, a = policy.Step(r, s, events[i+1].(policy.Event), t0.Add(time.Duration(at*float64(time.Second))))
		fmt.Fprintf(&b, "%g %s: %s", at, s.Phase, s.Reason)
		if a != policy.None {
			fmt.Fprintf(&b, " -> %s", a)
		}
		if !s.Deadline.IsZero() {
			fmt.Fprintf(&b, " until %g", s.Deadline.Sub(t0).Seconds())
		}
		b.WriteString("\n")
	}
	return b.String()
}

func TestMaxAge(t *testing.T) {
	term := policy.Ended{Exit: policy.Exit{Cause: policy.CauseSignal, Signal: 15, Reason: "killed by SIGTERM"}}
	crash := policy.Ended{Exit: policy.Exit{Cause: policy.CauseExit, Code: 1, Reason: "exit status 1"}}
	up, due := policy.StartRequested{By: "up"}, policy.DeadlineReached{}
	r := policy.Rules{Autorestart: policy.OnFailure, MaxRestarts: 5, RestartReset: 60 * time.Second, MaxAge: 100 * time.Second, StartPeriod: time.Second}
	t.Run("a healthy program is replaced, from when it was executed on", func(t *testing.T) {
		wantLife(t, timeline(r, 0.0, up, 0.5, policy.Started{}, 1.5, due, 50.0, due, 100.5, due, 101.0, term, 101.5, policy.Started{}, 102.5, due), `
0 STARTING: up -> start
0.5 STARTING: executed, must stay up for 1s until 1.5
1.5 RUNNING: started until 100.5
50 RUNNING: started until 100.5
100.5 STOPPING: its max_age of 100s is over -> stop
101 STARTING: its max_age of 100s is over: killed by SIGTERM -> start
101.5 STARTING: executed, must stay up for 1s until 102.5
102.5 RUNNING: started until 201.5
`)
	})
	t.Run("chance takes its share off", func(t *testing.T) {
		r := r
		r.MaxAgeSpread, r.StartPeriod = 0.2, 0
		wantLife(t, timeline(r, 0.0, up, 1.0, policy.Started{Random: 0.5}, 91.0, due), `
0 STARTING: up -> start
1 RUNNING: started until 91
91 STOPPING: its max_age of 100s is over -> stop
`)
	})
	t.Run("the earlier deadline holds, then the other", func(t *testing.T) {
		wantLife(t, timeline(r, 0.0, up, 0.0, policy.Started{}, 1.0, due, 2.0, crash, 2.0, due, 2.0, policy.Started{}, 3.0, due, 62.0, due, 102.0, due), `
0 STARTING: up -> start
0 STARTING: executed, must stay up for 1s until 1
1 RUNNING: started until 100
2 BACKOFF: exit status 1, restart 1 of 5 in 0s until 2
2 STARTING: restart 1 -> start
2 STARTING: executed, must stay up for 1s until 3
3 RUNNING: restarted until 62
62 RUNNING: restarted until 102
102 STOPPING: its max_age of 100s is over -> stop
`)
	})
	t.Run("an age below restart_reset forgives nothing", func(t *testing.T) {
		r := r
		r.MaxAge, r.StartPeriod, r.MaxRestarts = 10*time.Second, 0, 1
		wantLife(t, timeline(r, 0.0, up, 0.0, policy.Started{}, 2.0, crash, 2.0, due, 2.0, policy.Started{}, 12.0, due, 12.0, term, 12.0, policy.Started{}, 13.0, crash), `
0 STARTING: up -> start
0 RUNNING: started until 10
2 BACKOFF: exit status 1, restart 1 of 1 in 0s until 2
2 STARTING: restart 1 -> start
2 RUNNING: restarted until 12
12 STOPPING: its max_age of 10s is over -> stop
12 STARTING: its max_age of 10s is over: killed by SIGTERM -> start
12 RUNNING: restarted until 22
13 FAILED: exit status 1, gave up after 1 restart
`)
	})
	t.Run("a stop wins over it", func(t *testing.T) {
		wantLife(t, timeline(r, 0.0, up, 0.0, policy.Started{}, 1.0, due, 100.0, due, 100.0, policy.StopRequested{By: "stop"}, 101.0, term), `
0 STARTING: up -> start
0 STARTING: executed, must stay up for 1s until 1
1 RUNNING: started until 100
100 STOPPING: its max_age of 100s is over -> stop
100 STOPPING: stop
101 STOPPED: stop: killed by SIGTERM -> reset
`)
	})
}

// Whoever takes over, or changes the rules, finds the age of the run.
func TestMaxAgeBound(t *testing.T) {
	running := func(r policy.Rules) policy.State {
		s, _ := policy.Step(r, policy.State{}, policy.StartRequested{By: "up"}, t0)
		s, _ = policy.Step(r, s, policy.Started{Random: 0.5}, t0)
		return s
	}
	at := func(s policy.State) float64 {
		if s.Deadline.IsZero() {
			return -1
		}
		return s.Deadline.Sub(t0).Seconds()
	}
	old := policy.Rules{Autorestart: policy.OnFailure}
	aged := policy.Rules{Autorestart: policy.OnFailure, MaxAge: 100 * time.Second, MaxAgeSpread: 0.2}
	now := t0.Add(50 * time.Second)
	for _, tt := range []struct {
		name        string
		was, is     policy.Rules
		now         time.Time
		want, wants float64
	}{
		{"the same", aged, aged, now, 90, 90},
		{"a new one", old, aged, now, 90, 90},
		{"none any more", aged, old, now, -1, -1},
		{"the clock was set back", aged, aged, t0.Add(-time.Hour), 90 - 3600, 90 - 3600},
		{"one that is over", old, aged, t0.Add(time.Hour), 90, 90},
	} {
		if got := at(tt.is.Bound(running(tt.was), tt.now)); got != tt.want {
			t.Errorf("%s: %g, want %g", tt.name, got, tt.want)
		}
	}
	// An older version has not written down when it became active.
	s := running(aged)
	s.Active, s.Draw = time.Time{}, 0
	if got := at(aged.Bound(s, now)); got != 100 {
		t.Errorf("of an older version: %g, want 100", got)
	}
}

func TestOneshot(t *testing.T) {
	up, due := policy.StartRequested{By: "up"}, policy.DeadlineReached{}
	well := policy.Ended{Exit: policy.Exit{Cause: policy.CauseExit, Reason: "exit status 0"}}
	crash := policy.Ended{Exit: policy.Exit{Cause: policy.CauseExit, Code: 1, Reason: "exit status 1"}}
	retries := 3
	r := policy.Rules{Autorestart: policy.OnFailure, Oneshot: true, MaxRestarts: 1, RestartReset: 60 * time.Second, StartPeriod: time.Second, MaxAge: time.Second}
	t.Run("it runs when it is executed, and is done when it ends", func(t *testing.T) {
		wantLife(t, timeline(r, 0.0, up, 0.1, policy.Started{}, 0.2, well), `
0 STARTING: up -> start
0.1 RUNNING: started, done when it ends
0.2 EXITED: exit status 0
`)
	})
	t.Run("the time a try takes forgives nothing", func(t *testing.T) {
		wantLife(t, timeline(r, 0.0, up, 0.0, policy.Started{}, 100.0, crash, 100.0, due, 100.0, policy.Started{}, 200.0, crash), `
0 STARTING: up -> start
0 RUNNING: started, done when it ends
100 BACKOFF: exit status 1, restart 1 of 1 in 0s until 100
100 STARTING: restart 1 -> start
100 RUNNING: restarted, done when it ends
200 FAILED: exit status 1, gave up after 1 restart
`)
	})
	t.Run("one that is over at once has not failed to start", func(t *testing.T) {
		r := r
		r.StartRetries = &retries
		wantLife(t, timeline(r, 0.0, up, 0.1, well), `
0 STARTING: up -> start
0.1 EXITED: exit status 0
`)
	})
	t.Run("nothing starts it again when it ended well", func(t *testing.T) {
		for _, mode := range []policy.Mode{policy.Never, policy.OnFailure, policy.Always} {
			r := policy.Rules{Autorestart: mode, Oneshot: true, RestartOn: policy.Codes(0)}
			s, _ := policy.Step(r, policy.State{Phase: policy.Running}, well, t0)
			if s.Phase != policy.Exited {
				t.Errorf("%s: %s", mode, s.Phase)
			}
		}
	})
}

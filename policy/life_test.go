package policy_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"msup/policy"

	"github.com/google/go-cmp/cmp"
)

// run is one run of a program: it is active at once, and ends after a time.
type run struct {
	lasts time.Duration
	end   policy.Exit
}

func dies(code int, lasts time.Duration) run {
	return run{lasts, policy.Exit{Cause: policy.CauseExit, Code: code, Reason: fmt.Sprintf("exit status %d", code)}}
}

// live starts a program and lets it run, each run after the one before, the last one again
// and again, and writes down every start, every change of its phase, and when.
func live(r policy.Rules, random float64, most time.Duration, runs ...run) string {
	var b strings.Builder
	now := t0
	s, _ := policy.Step(r, policy.State{}, policy.StartRequested{By: "up"}, now)
	say := func(s policy.State) {
		fmt.Fprintf(&b, "%g %s: %s\n", now.Sub(t0).Seconds(), s.Phase, s.Reason)
	}
	say(s)
	step := func(ev policy.Event) {
		before := s.Phase
		s, _ = policy.Step(r, s, ev, now)
		if s.Phase != before {
			say(s)
		}
	}
	for n := 0; ; n++ {
		current := runs[min(n, len(runs)-1)]
		step(policy.Started{})
		end := now.Add(current.lasts)
		for !s.Deadline.IsZero() && s.Deadline.Before(end) {
			now = s.Deadline
			step(policy.DeadlineReached{})
		}
		if now = end; now.Sub(t0) > most {
			return b.String()
		}
		step(policy.Ended{Exit: current.end, Random: random})
		if s.NextStart().IsZero() || s.NextStart().Sub(t0) > most {
			return b.String()
		}
		now = s.NextStart()
		step(policy.DeadlineReached{})
	}
}

func wantLife(t *testing.T, got, want string) {
	t.Helper()
	if diff := cmp.Diff(strings.TrimPrefix(want, "\n"), got); diff != "" {
		t.Errorf("life (-want +got):\n%s", diff)
	}
}

// starts are the times of the starts of a life, in seconds.
func starts(life string) string {
	var times []string
	for line := range strings.Lines(life) {
		if at, _, ok := strings.Cut(line, " STARTING"); ok {
			times = append(times, at)
		}
	}
	return strings.Join(times, " ")
}

// supervisord 4.2.5 with startsecs=1, startretries=3, seen on a real one.
func supervisord(mode policy.Mode) policy.Rules {
	retries := 3
	return policy.Rules{
		Autorestart: mode, StartPeriod: time.Second, StartRetries: &retries,
		StartRetryDelays: []time.Duration{1 * time.Second, 3 * time.Second, 4 * time.Second},
	}
}

func TestSupervisord(t *testing.T) {
	t.Run("a start that fails", func(t *testing.T) {
		wantLife(t, live(supervisord(policy.OnFailure), 0, time.Hour, dies(7, 0)), `
0 STARTING: up
0 BACKOFF: exit status 7, did not stay up for 1s, start retry 1 of 3 in 1s
1 STARTING: start retry 1
1 BACKOFF: exit status 7, did not stay up for 1s, start retry 2 of 3 in 3s
4 STARTING: start retry 2
4 BACKOFF: exit status 7, did not stay up for 1s, start retry 3 of 3 in 4s
8 STARTING: start retry 3
8 FAILED: exit status 7, did not stay up for 1s, gave up after 3 start retries
`)
	})
	t.Run("exit 0 within startsecs is a failed start too", func(t *testing.T) {
		for _, mode := range []policy.Mode{policy.Never, policy.OnFailure, policy.Always} {
			wantLife(t, live(supervisord(mode), 0, time.Hour, dies(0, 500*time.Millisecond)), `
0 STARTING: up
0.5 BACKOFF: exit status 0, did not stay up for 1s, start retry 1 of 3 in 1s
1.5 STARTING: start retry 1
2 BACKOFF: exit status 0, did not stay up for 1s, start retry 2 of 3 in 3s
5 STARTING: start retry 2
5.5 BACKOFF: exit status 0, did not stay up for 1s, start retry 3 of 3 in 4s
9.5 STARTING: start retry 3
10 FAILED: exit status 0, did not stay up for 1s, gave up after 3 start retries
`)
		}
	})
	t.Run("one that was RUNNING is started again at once, for ever", func(t *testing.T) {
		life := live(supervisord(policy.OnFailure), 0, 100*time.Second, dies(9, 2*time.Second))
		if n := strings.Count(life, "STARTING: restart "); n != 50 {
			t.Errorf("%d restarts in 100 s", n)
		}
		wantLife(t, strings.Join(strings.SplitAfter(life, "\n")[:5], ""), `
0 STARTING: up
1 RUNNING: started
2 BACKOFF: exit status 9, restart 1 in 0s
2 STARTING: restart 1
3 RUNNING: restarted
`)
	})
	t.Run("RUNNING clears the failed starts", func(t *testing.T) {
		life := live(supervisord(policy.OnFailure), 0, time.Minute, dies(1, 0), dies(1, 0), dies(1, 0), dies(1, 2*time.Second), dies(1, 0))
		if got, want := starts(life), "0 1 4 8 10 11 14 18"; got != want {
			t.Errorf("starts at %s, want %s\n%s", got, want, life)
		}
	})
	t.Run("an exit that is expected ends it", func(t *testing.T) {
		wantLife(t, live(supervisord(policy.OnFailure), 0, time.Minute, dies(0, 2*time.Second)), `
0 STARTING: up
1 RUNNING: started
2 EXITED: exit status 0
`)
	})
}

// process-compose 1.122: backoff_seconds is fixed, max_restarts counts for life.
func TestProcessCompose(t *testing.T) {
	r := policy.Rules{Autorestart: policy.OnFailure, RestartDelay: time.Second, MaxRestarts: 2}
	wantLife(t, live(r, 0, time.Hour*24, dies(1, time.Hour)), `
0 STARTING: up
0 RUNNING: started
3600 BACKOFF: exit status 1, restart 1 of 2 in 1s
3601 STARTING: restart 1
3601 RUNNING: restarted
7201 BACKOFF: exit status 1, restart 2 of 2 in 1s
7202 STARTING: restart 2
7202 RUNNING: restarted
10802 FAILED: exit status 1, gave up after 2 restarts
`)
}

// pm2 7 with exp_backoff_restart_delay=100: times 1.5, at most 15 s, from the beginning after 30 s.
func TestPM2(t *testing.T) {
	r := policy.Rules{
		Autorestart: policy.Always, RestartDelay: 100 * time.Millisecond, RestartBackoff: 1.5,
		RestartDelayMax: 15 * time.Second, RestartReset: 30 * time.Second,
	}
	ends := make([]run, 16)
	for i := range ends {
		ends[i] = dies(1, 200*time.Millisecond)
	}
	life := live(r, 0, 2*time.Minute, append(ends, dies(1, 31*time.Second))...)
	var delays []string
	for line := range strings.Lines(life) {
		if _, after, ok := strings.Cut(line, " in "); ok {
			delays = append(delays, strings.TrimSpace(after))
		}
	}
	want := "100ms 150ms 225ms 338ms 506ms 759ms 1.139s 1.709s 2.563s 3.844s 5.767s 8.65s 12.975s 15s 15s 15s 100ms"
	if got := strings.Join(delays, " "); got != want {
		t.Errorf("delays %s\nwant   %s\n%s", got, want, life)
	}
}

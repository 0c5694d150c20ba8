package main

import (
	"testing"
	"time"

	"msup/control"
	"msup/policy"
)

// What msup status says beside the state: a wait as it is by now, not only as it was.
func TestReason(t *testing.T) {
	now := time.Now()
	waits := control.ProgramReport{Name: "web", State: policy.Backoff, Reason: "exit status 1, restart 1 of 5 in 30s", NextStart: new(now.Add(8200 * time.Millisecond))}
	soon := waits
	soon.NextStart = new(now.Add(300 * time.Millisecond))
	cools := control.ProgramReport{Name: "web", State: policy.Failed, Reason: "exit status 1, gave up after 5 restarts, tries again in 1h", NextStart: new(now.Add(20 * time.Minute))}
	changed := control.ProgramReport{Name: "web", State: policy.Running, Reason: "started", Changed: true}
	for _, tt := range []struct {
		p          control.ProgramReport
		supervised bool
		want       string
	}{
		{waits, true, "exit status 1, restart 1 of 5 in 30s, 8s left"},
		{waits, false, "exit status 1, restart 1 of 5 in 30s"},
		{soon, true, "exit status 1, restart 1 of 5 in 30s"},
		{cools, true, "exit status 1, gave up after 5 restarts, tries again in 1h, 20m00s left"},
		{changed, true, "started (changed since: msup restart web)"},
	} {
		if got := reason(tt.p, now, tt.supervised); got != tt.want {
			t.Errorf("%q, want %q", got, tt.want)
		}
	}
}

// The column RESTARTS promises none where there are none.
func TestRestarts(t *testing.T) {
	for want, p := range map[string]control.ProgramReport{
		"0/5":        {MaxRestarts: 5},
		"3/-":        {Restarts: 3},
		"2/5 in 60s": {Restarts: 2, MaxRestarts: 5, RestartWindow: new(60.0)},
		"-":          {MaxRestarts: 5, NeverRestarted: true},
		"1/3":        {Restarts: 1, MaxRestarts: 3, NeverRestarted: true}, // start_retries
	} {
		if got := restarts(p); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

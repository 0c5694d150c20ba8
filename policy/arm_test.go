package policy_test

import (
	"testing"
	"time"

	"msup/policy"
)

var scheduled = with(never, func(r *policy.Rules) { r.Awaits = "*-*-* 03:00" })

func TestArmed(t *testing.T) {
	arm, due := policy.ArmRequested{By: "autostart"}, policy.Triggered{By: "it is 03:00"}
	start, stop := policy.StartRequested{By: "msup start"}, policy.StopRequested{By: "msup stop"}
	tests := []struct {
		name   string
		events []at
		want   string
		armed  bool
	}{
		{"runs at its time, again and again", []at{{0, arm}, {10, due}, {11, policy.Started{}}, {12, exit(0)}, {20, due}}, `
0 ArmRequested: STOPPED (autostart: waits for *-*-* 03:00)
10 Triggered: STARTING [start] (it is 03:00)
11 Started: RUNNING (started)
12 Ended: EXITED (exit status 0)
20 Triggered: STARTING [start] (it is 03:00)
`, true},
		{"a run that failed changes nothing for the next", []at{{0, arm}, {10, due}, {11, policy.Started{}}, {12, exit(1)}, {20, due}}, `
0 ArmRequested: STOPPED (autostart: waits for *-*-* 03:00)
10 Triggered: STARTING [start] (it is 03:00)
11 Started: RUNNING (started)
12 Ended: FAILED (exit status 1, autorestart is never)
20 Triggered: STARTING [start] (it is 03:00)
`, true},
		{"one run at a time", []at{{0, arm}, {10, due}, {11, due}, {12, policy.Started{}}, {13, due}}, `
0 ArmRequested: STOPPED (autostart: waits for *-*-* 03:00)
10 Triggered: STARTING [start] (it is 03:00)
11 Triggered: STARTING (it is 03:00)
12 Started: RUNNING (started)
13 Triggered: RUNNING (started)
`, true},
		{"a stop is a stop", []at{{0, arm}, {1, stop}, {10, due}}, `
0 ArmRequested: STOPPED (autostart: waits for *-*-* 03:00)
1 StopRequested: STOPPED (msup stop)
10 Triggered: STOPPED (msup stop)
`, false},
		{"a start runs it now, and at its times", []at{{0, start}, {1, policy.Started{}}, {2, exit(0)}, {10, due}}, `
0 StartRequested: STARTING [start] (msup start)
1 Started: RUNNING (started)
2 Ended: EXITED (exit status 0)
10 Triggered: STARTING [start] (it is 03:00)
`, true},
		{"systemctl stop ends the run", []at{{0, arm}, {1, due}, {2, policy.Started{}}, {3, policy.StopSeen{}}, {4, exit(0)}, {10, due}}, `
0 ArmRequested: STOPPED (autostart: waits for *-*-* 03:00)
1 Triggered: STARTING [start] (it is 03:00)
2 Started: RUNNING (started)
3 StopSeen: STOPPING (stopped with systemctl)
4 Ended: STOPPED [reset] (stopped with systemctl: exit status 0)
10 Triggered: STARTING [start] (it is 03:00)
`, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := "\n" + transcript(scheduled, tt.events); got != tt.want {
				t.Errorf("got%swant%s", got, tt.want)
			}
			var s policy.State
			for _, e := range tt.events {
				s, _ = policy.Step(scheduled, s, e.ev, t0.Add(time.Duration(e.sec*float64(time.Second))))
			}
			if s.Armed != tt.armed {
				t.Errorf("armed %v", s.Armed)
			}
		})
	}
	if s, a := policy.Step(never, policy.State{}, arm, t0); s.Armed || a != policy.None {
		t.Errorf("awaits nothing, and is armed: %+v %s", s, a)
	}
	if b := never.Bound(policy.State{Armed: true}, t0); b.Armed {
		t.Error("awaits nothing any more, and is armed")
	}
}

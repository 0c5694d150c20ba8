package units_test

import (
	"testing"
	"time"

	"msup/policy"
	"msup/units"
)

// What is said of a program that was STARTING when its supervisor went away.
func TestUnsupervisedStart(t *testing.T) {
	def := program("web", stayUp(time.Minute))
	active := units.Facts{Unit: def.Unit, LoadState: "loaded", ActiveState: "active", SubState: "running", InvocationID: "a", Transient: true, Slice: "msup.slice", MainPID: 7}
	ended := active
	ended.ActiveState, ended.SubState, ended.MainPID, ended.Result, ended.ExecMainCode, ended.ExecMainStatus = "failed", "failed", 0, "exit-code", 1, 4
	for _, tt := range []struct {
		name  string
		since time.Duration // it was executed
		facts units.Facts
		want  string
	}{
		{"has not stayed up for long enough", 30 * time.Second, active, "STARTING: executed, must stay up for 60s"},
		{"has by now", 2 * time.Minute, active, "RUNNING: started"},
		{"has ended", 2 * time.Minute, ended, "FAILED: exit status 4; no supervisor has seen it"},
	} {
		at := time.Now().Add(-tt.since)
		s, _ := policy.Step(def.Rules, policy.State{}, policy.StartRequested{By: "up"}, at)
		s, _ = policy.Step(def.Rules, s, policy.Started{}, at)
		st := units.Unsupervised(def, units.DefaultProject, units.SavedProgram{State: s, Invocation: "a"}, true, tt.facts, true)
		if got := string(st.State.Phase) + ": " + st.State.Reason; got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

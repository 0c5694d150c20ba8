package control_test

import (
	"testing"
	"time"

	"msup/control"
	"msup/policy"
	"msup/units"

	"github.com/google/go-cmp/cmp"
)

func TestScheduleReport(t *testing.T) {
	at := time.Date(2026, 11, 26, 10, 0, 0, 0, time.UTC)
	def := units.Program{Name: "a", Unit: "msup-a.service", Type: units.Service}
	st := units.Status{State: policy.State{Phase: policy.Exited, Armed: true, Started: at}, Schedule: &units.ScheduleStatus{Armed: true, Next: at.Add(time.Hour), Last: at, Skipped: 2}}
	if r := control.Describe(def, st).Schedule; r != nil || r.Status() != nil {
		t.Errorf("no schedule, and %+v", r)
	}
	def.Schedule = units.Schedule{Calendar: []string{"daily"}, Every: time.Minute, Spread: 5 * time.Second, CatchUp: true}
	r := control.Describe(def, st).Schedule
	want := &control.ScheduleReport{
		Calendar: []string{"daily"}, Every: new(60.0), Spread: 5, Missed: "run", Unit: "msup-a:due.timer",
		Armed: true, Next: new(at.Add(time.Hour)), Last: &at, LastRun: &at, Skipped: 2,
	}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(st.Schedule, r.Status()); diff != "" {
		t.Errorf("(-was +again):\n%s", diff)
	}
}

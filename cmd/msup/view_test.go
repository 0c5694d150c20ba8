package main

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"msup/policy"
	"msup/units"
)

// One that has given up is no longer waited for, but where it is tried again after a cooldown
// nothing is finished.
func TestViewOfACooldown(t *testing.T) {
	next := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	of := func(state policy.State) *view {
		return newView(units.Snapshot{Ready: true, Programs: []units.Status{{Name: "x", State: state}}}, nil)
	}
	told := of(policy.State{Phase: policy.Backoff, Deadline: next})
	told.apply(units.Record{Seq: 1, Program: "x", From: policy.Backoff, To: policy.Killed, Next: next})
	for name, v := range map[string]*view{
		"in the snapshot": of(policy.State{Phase: policy.Failed, Deadline: next}),
		"in a record":     told,
	} {
		if !v.isUp("x") || v.isDown("x") || v.finished([]string{"x"}) {
			t.Errorf("%s: with a cooldown: up %t, down %t, finished %t; want true, false, false", name, v.isUp("x"), v.isDown("x"), v.finished([]string{"x"}))
		}
		v.apply(units.Record{Seq: 2, Program: "x", From: policy.Failed, To: policy.Failed})
		if !v.isUp("x") || !v.isDown("x") || !v.finished([]string{"x"}) {
			t.Errorf("%s: without one: up %t, down %t, finished %t; want true", name, v.isUp("x"), v.isDown("x"), v.finished([]string{"x"}))
		}
	}
	if v := of(policy.State{Phase: policy.Starting, Deadline: next}); v.isUp("x") {
		t.Error("is up before it has stayed up")
	}
	if v := of(policy.State{Phase: policy.Running, Deadline: next}); !v.isUp("x") {
		t.Error("is not up until its restarts are forgiven")
	}
}

// One that fails again and again, and whose restarts have no limit, is not waited for without
// end.
func TestViewOfEndlessRestarts(t *testing.T) {
	v := newView(units.Snapshot{Ready: true, Programs: []units.Status{{Name: "x", State: policy.State{Phase: policy.Starting}}}}, nil)
	seq := uint64(0)
	tell := func(to policy.Phase) {
		seq++
		v.apply(units.Record{Seq: seq, Program: "x", To: to})
	}
	for i := 1; i < mostFailures; i++ {
		tell(policy.Backoff)
		tell(policy.Starting)
	}
	if v.isUp("x") {
		t.Error("is not waited for any more after 9 failures")
	}
	tell(policy.Backoff)
	tell(policy.Starting)
	if !v.isUp("x") || !v.missed("x") || v.isDown("x") {
		t.Errorf("after 10: up %t, missed %t, down %t; want true, true, false", v.isUp("x"), v.missed("x"), v.isDown("x"))
	}
	tell(policy.Running)
	if v.missed("x") {
		t.Error("is running, and yet missed")
	}
}

// One whose restarts end soon is waited for until then.
func TestViewOfManyRestarts(t *testing.T) {
	v := newView(units.Snapshot{Ready: true, Programs: []units.Status{{Name: "x", State: policy.State{Phase: policy.Starting}}}}, nil)
	v.limits = map[string]int{"x": 16}
	for i := range uint64(16) {
		v.apply(units.Record{Seq: 2*i + 1, Program: "x", To: policy.Backoff})
		v.apply(units.Record{Seq: 2*i + 2, Program: "x", To: policy.Starting})
		if v.isUp("x") {
			t.Fatalf("is not waited for any more after %d failures", i+1)
		}
	}
	v.apply(units.Record{Seq: 100, Program: "x", To: policy.Failed})
	if !v.isUp("x") {
		t.Error("is waited for although it has given up")
	}
}

// Nor is one that waits for such a one, directly or not, as long as that is not up.
func TestViewOfVainWaits(t *testing.T) {
	starting := policy.State{Phase: policy.Starting}
	snap := units.Snapshot{Ready: true, Programs: []units.Status{{Name: "x", State: starting}, {Name: "y", State: starting}, {Name: "z", State: starting}, {Name: "other", State: starting}}}
	v := newView(snap, nil)
	v.ask = func() (units.Snapshot, error) {
		snap.Programs[1].WaitsFor = []units.Wait{{Program: "x"}}
		snap.Programs[2].WaitsFor = []units.Wait{{Program: "y"}}
		return snap, nil
	}
	for i := range mostFailures {
		if v.isUp("y") {
			t.Errorf("y is not waited for any more after %d failures of x", i)
		}
		v.apply(units.Record{Seq: uint64(2*i + 1), Program: "x", To: policy.Backoff})
		v.apply(units.Record{Seq: uint64(2*i + 2), Program: "x", To: policy.Starting})
		v.askWaits()
	}
	for name, want := range map[string]bool{"x": true, "y": true, "z": true, "other": false} {
		if v.isUp(name) != want || !v.missed(name) {
			t.Errorf("%s: up %t, missed %t", name, v.isUp(name), v.missed(name))
		}
	}
	v.apply(units.Record{Seq: 100, Program: "x", To: policy.Running})
	if v.isUp("y") || v.isUp("z") {
		t.Error("they are not waited for although x is up")
	}
}

// Without a terminal a command that waits for long says for what, less and less often.
func TestAwaitSaysWhatFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stderr bytes.Buffer
		v := newView(units.Snapshot{Ready: true, Programs: []units.Status{
			{Name: "web", State: policy.State{Phase: policy.Running}},
			{Name: "bad", State: policy.State{Phase: policy.Starting, Reason: "autostart"}},
		}}, make(chan units.Record))
		tries := 0
		v.ask = func() (units.Snapshot, error) {
			tries++
			return units.Snapshot{Programs: []units.Status{
				{Name: "web", State: policy.State{Phase: policy.Stopped, Reason: "a record will tell"}},
				{Name: "bad", State: policy.State{Phase: policy.Starting, Reason: fmt.Sprintf("executed, waits for port (%d tries)", tries)}},
			}}, nil
		}
		ctx, cancel := context.WithTimeout(t.Context(), 75*time.Second)
		defer cancel()
		if err := (&app{stderr: &stderr}).await(ctx, v, "up", []string{"web", "bad"}, v.isUp); err == nil {
			t.Error("waits no longer")
		}
		const line = "msup: waiting: 1 of 2 up; bad is STARTING (executed, waits for port (%d tries))\n"
		if got := stderr.String(); got != fmt.Sprintf(line+line+line, 1, 2, 3) { // after 10 s, 20 s, 40 s
			t.Errorf("says %q", got)
		}
	})
}

// Who waits for a stop does not wait for ever when somebody else starts the program again.
func TestViewOfAStopThatIsOvertaken(t *testing.T) {
	v := newView(units.Snapshot{Ready: true, Programs: []units.Status{{Name: "x", State: policy.State{Phase: policy.Stopping}}}}, nil)
	if v.hasStopped("x") {
		t.Error("has stopped while it is being stopped")
	}
	v.apply(units.Record{Seq: 1, Program: "x", From: policy.Stopping, To: policy.Starting})
	if !v.hasStopped("x") || v.isDown("x") {
		t.Errorf("has stopped %t, down %t; want true, false", v.hasStopped("x"), v.isDown("x"))
	}
}

package main

import (
	"errors"
	"testing"
	"time"

	"msup/policy"
	"msup/units"
)

// What is reached, what can still come, and what cannot.
func TestOutlook(t *testing.T) {
	soon := time.Now().Add(time.Hour)
	const yes, wait, never = "yes", "wait", "never"
	for _, tt := range []struct {
		name                      string
		oneshot                   bool
		states                    []policy.State // one after the other
		ready, stopped, completed string
	}{
		{"not started yet", false, []policy.State{{Phase: policy.Stopped}}, wait, yes, wait},
		{"it starts", false, []policy.State{{Phase: policy.Starting}}, wait, wait, wait},
		{"it runs", false, []policy.State{{Phase: policy.Running}}, yes, wait, wait},
		{"a oneshot runs", true, []policy.State{{Phase: policy.Running}}, wait, wait, wait},
		{"it waits for its next start", false, []policy.State{{Phase: policy.Backoff, Deadline: soon}}, wait, wait, wait},
		{"it ended well", false, []policy.State{{Phase: policy.Exited}}, never, yes, yes},
		{"a oneshot ended well", true, []policy.State{{Phase: policy.Exited}}, yes, yes, yes},
		{"it ended well and was started again", false, []policy.State{{Phase: policy.Exited}, {Phase: policy.Starting}}, never, yes, yes},
		{"it gave up", false, []policy.State{{Phase: policy.Failed}}, never, yes, never},
		{"it gave up for a while", false, []policy.State{{Phase: policy.Killed, Deadline: soon}}, wait, wait, wait},
		{"it was stopped meanwhile", false, []policy.State{{Phase: policy.Starting}, {Phase: policy.Stopping}, {Phase: policy.Stopped}}, never, yes, never},
		{"it is stopped and started again", false, []policy.State{{Phase: policy.Stopping, StartAgain: true}, {Phase: policy.Starting}}, wait, wait, wait},
	} {
		for g, want := range map[goal]string{goalReady: tt.ready, goalStopped: tt.stopped, goalCompleted: tt.completed} {
			w, got := newWaiting(g, []string{"x"}), wait
			for _, s := range tt.states {
				w.view = newView(units.Snapshot{Ready: true, Programs: []units.Status{{Name: "x", State: s, Oneshot: tt.oneshot}}}, nil)
				done, err := w.look()
				var exit *exitError
				switch {
				case errors.As(err, &exit) && exit.code == exitGaveUp:
					got = never
				case err != nil:
					t.Fatal(err)
				case done:
					got = yes
				}
				if got != wait {
					break
				}
			}
			if got != want {
				t.Errorf("%s, for %s: %s, want %s", tt.name, g, got, want)
			}
		}
	}
	for g, want := range map[goal]string{goalReady: never, goalStopped: yes, goalCompleted: never} {
		w := newWaiting(g, []string{"gone"})
		w.view = newView(units.Snapshot{Ready: true}, nil)
		done, err := w.look()
		if (want == yes) != done || (want == never) != (err != nil) {
			t.Errorf("one that was removed, for %s: %t, %v", g, done, err)
		}
	}
}

// What a schedule starts again is waited for, until that is no more.
func TestWaitForASchedule(t *testing.T) {
	for _, g := range []goal{goalReady, goalCompleted, goalStopped} {
		w := newWaiting(g, []string{"x"})
		w.view = newView(units.Snapshot{Ready: true, Programs: []units.Status{{Name: "x", State: policy.State{Phase: policy.Failed, Armed: true}}}}, nil)
		if done, err := w.look(); done || err != nil {
			t.Errorf("one that is to run again, for %s: %t, %v", g, done, err)
		}
		w.view.apply(units.Record{Seq: 1, Program: "x", From: policy.Failed, To: policy.Stopped})
		if done, err := w.look(); done != (g == goalStopped) || done == (err != nil) {
			t.Errorf("one that was stopped, for %s: %t, %v", g, done, err)
		}
	}
}

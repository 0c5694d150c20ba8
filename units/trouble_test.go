package units_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"msup/policy"
	"msup/units"
)

// A stop that systemd does not take is tried again until it does.
func TestStopIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		r := start(t, fake, nil, program("web"))
		r.after(time.Second)
		fake.set(func() { fake.stopErr = errors.New("the manager is busy") })
		r.do(units.Stop, "web")
		r.after(time.Minute)
		if got := r.phases(); got != "web STOPPING" {
			t.Fatalf("got %s", got)
		}
		fake.set(func() { fake.stopErr = nil })
		r.after(time.Minute)
		if got := r.phases(); got != "web STOPPED" {
			t.Errorf("got %s\n%s", got, r.log())
		}
		r.stop()
	})
}

// A unit that systemd cannot unload is told, instead of a start that never ends.
func TestUnitThatStaysLoaded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		fake.outcomes["msup-web.service"] = []outcome{{run: time.Second, code: 1, res: "success"}}
		fake.pinned = true
		r := start(t, fake, nil, program("web", func(p *units.Program) { p.Rules.Autorestart, p.Rules.MaxRestarts = policy.Always, 1 }))
		r.after(time.Minute)
		fake.set(func() { fake.wrong = nil })
		if got := r.phases(); got != "web FAILED" || !strings.Contains(r.log(), "another unit refers to it") {
			t.Errorf("got %s\n%s", got, r.log())
		}
		r.stop()
	})
}

// The state that was saved last speaks of the run before the one that is there: the one
// before is over and counted, whatever was written down.
func TestTakesOverWithAnOlderState(t *testing.T) {
	for _, phase := range []policy.Phase{policy.Starting, policy.Running} {
		synctest.Test(t, func(t *testing.T) {
			fake := newFake()
			r := start(t, fake, nil, program("web"))
			r.after(time.Second)
			r.stop()
			old := r.saved.Programs["web"]
			old.Invocation, old.State.Phase, old.State.Restarts = "00000000000000000000000000000abc", phase, 2
			saved := units.Saved{Version: units.SavedVersion, Programs: map[string]units.SavedProgram{"web": old}}
			r2 := start(t, fake, &saved, program("web"))
			r2.after(time.Second)
			snap, err := r2.sup.Snapshot(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			st := snap.Programs[0].State
			if st.Phase != policy.Running || st.Restarts != 2 || strings.Contains(r2.log(), "->") && phase == policy.Running {
				t.Errorf("%s: got %+v\n%s", phase, st, r2.log())
			}
			if len(fake.started) != 1 {
				t.Errorf("%s: started again: %v", phase, fake.started)
			}
			r2.stop()
		})
	}
}

// A clock that was set back while no supervisor ran does not postpone a restart.
func TestDeadlineAfterTheClockWasSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		saved := units.Saved{Version: units.SavedVersion, Programs: map[string]units.SavedProgram{"web": {
			State: policy.State{Phase: policy.Backoff, Restarts: 1, Reason: "exit status 1", Deadline: time.Now().Add(24 * time.Hour)},
		}}}
		r := start(t, newFake(), &saved, program("web"))
		r.after(5 * time.Second)
		if got := r.phases(); got != "web RUNNING" {
			t.Errorf("got %s\n%s", got, r.log())
		}
		r.stop()
	})
}

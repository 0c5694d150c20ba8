package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"msup/policy"
	"msup/units"

	"pgregory.net/rapid"
)

func snapshotOf(phases ...any) units.Snapshot {
	var s units.Snapshot
	for i := 0; i < len(phases); i += 2 {
		name := phases[i].(string)
		s.Programs = append(s.Programs, units.Status{
			Name: name, Invocation: name + "-1", State: policy.State{Phase: phases[i+1].(policy.Phase), Reason: "so it is"},
		})
	}
	return s
}

// One that is down already is restarted first, and nothing that is up before it is RUNNING.
func TestRollingBeginsWithWhatIsDown(t *testing.T) {
	snap := snapshotOf("a", policy.Running, "b", policy.Backoff, "c", policy.Running, "other", policy.Failed)
	r := newRolling([]string{"a", "b", "c"}, snap, 1, time.Minute)
	v := newView(snap, nil)
	if got := r.next(v.programs); got != "b" {
		t.Fatalf("first is %q", got)
	}
	r.ask("b")
	now := time.Now()
	for _, phase := range []policy.Phase{policy.Starting, policy.Backoff, policy.Starting} {
		v.programs["b"] = phase
		if progress, failure := r.look(v, now); len(progress) > 0 || failure != "" || r.next(v.programs) != "" {
			t.Errorf("b is %s: %v, %q, next %q", phase, progress, failure, r.next(v.programs))
		}
	}
	v.programs["b"] = policy.Running
	if progress, failure := r.look(v, now); strings.Join(progress, " ") != "b" || failure != "" || r.next(v.programs) != "a" {
		t.Errorf("b is up: %v, %q, next %q", progress, failure, r.next(v.programs))
	}
	// It fails again: it is one that is down.
	v.programs["b"] = policy.Backoff
	if _, failure := r.look(v, now); failure != "" || r.next(v.programs) != "" {
		t.Errorf("b has failed again: %q, next %q", failure, r.next(v.programs))
	}
	if _, failure := r.look(v, r.wake()); failure != "b is not RUNNING again 60s after it failed: it is BACKOFF (so it is)" {
		t.Errorf("b stays down: %q", failure)
	}
}

// One that waits for a program which somebody has stopped is not waited for without end.
func TestRollingIsStuck(t *testing.T) {
	snap := snapshotOf("a", policy.Running, "b", policy.Running)
	r, v, now := newRolling([]string{"a", "b"}, snap, 1, time.Minute), newView(snap, nil), time.Now()
	r.ask("a")
	stuck := func(is bool) {
		v.apply(units.Record{Seq: v.seq + 1, Program: "a", Reason: "waits for db (ready; it is STOPPED)", Stuck: is})
		v.programs["a"] = policy.Starting
	}
	for range 2 {
		stuck(true)
		if _, failure := r.look(v, now); failure != "" || !r.wake().Equal(now.Add(time.Minute)) {
			t.Errorf("at once: %q, wakes at %s", failure, r.wake())
		}
		stuck(false) // db is on its way
		if _, failure := r.look(v, now.Add(time.Hour)); failure != "" || !r.wake().IsZero() {
			t.Errorf("db is on its way: %q, wakes at %s", failure, r.wake())
		}
	}
	stuck(true)
	r.look(v, now)
	if _, failure := r.look(v, r.wake()); failure != "a is STARTING: waits for db (ready; it is STOPPED), for 60s now" {
		t.Errorf("db is down: %q", failure)
	}
}

func TestRollingStops(t *testing.T) {
	for _, phase := range []policy.Phase{policy.Failed, policy.Killed, policy.Stopped, ""} {
		snap := snapshotOf("a", policy.Running, "b", policy.Running, "c", policy.Running, "d", policy.Running)
		r := newRolling([]string{"a", "b", "c", "d"}, snap, 2, time.Minute)
		v := newView(snap, nil)
		for range 2 {
			r.ask(r.next(v.programs))
		}
		v.programs["a"], v.programs["b"] = phase, policy.Starting
		_, failure := r.look(v, time.Now())
		err := r.stopped(failure)
		is := fmt.Sprintf("%s: so it is", phase)
		if phase == "" {
			is = "no longer there"
		}
		want := fmt.Sprintf("a is %s; not restarted: c, d; under way: b", is)
		if err.Error() != want || err.(*exitError).code != exitFailed || err.(*exitError).hint != "msup restart --rolling c d goes on" {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

// A request that was not answered has been taken if the run is another one.
func TestRollingTakesOver(t *testing.T) {
	for _, tt := range []struct {
		phase policy.Phase
		same  bool // run
		taken bool
	}{
		{policy.Running, true, false},
		{policy.Running, false, true},
		{policy.Stopping, true, true},
		{policy.Starting, false, true},
		{policy.Backoff, true, false},
		{policy.Failed, true, false},
	} {
		snap := snapshotOf("a", policy.Running, "b", policy.Running)
		r := newRolling([]string{"a", "b"}, snap, 1, time.Minute)
		r.sent = r.next(newView(snap, nil).programs)
		snap.Programs[0].State.Phase = tt.phase
		if !tt.same {
			snap.Programs[0].Invocation = "a-2"
		}
		r.takeOver(snap)
		if taken := len(r.asked) == 1 && r.pending[0] == "b"; taken != tt.taken {
			t.Errorf("%+v: asked %v, pending %v", tt, r.asked, r.pending)
		}
	}
}

// Whatever programs do, never more than max-down of those that were up are down by its doing.
func TestRollingNeverTakesDownMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, most := rapid.IntRange(1, 6).Draw(t, "programs"), rapid.IntRange(1, 3).Draw(t, "max-down")
		var names []string
		var args []any
		for i := range n {
			name := fmt.Sprintf("web@%d", i+1)
			names = append(names, name)
			args = append(args, name, rapid.SampledFrom([]policy.Phase{policy.Running, policy.Running, policy.Backoff, policy.Stopped}).Draw(t, "phase"))
		}
		snap := snapshotOf(args...)
		r := newRolling(names, snap, most, time.Minute)
		v := newView(snap, nil)
		for range 100 {
			if _, failure := r.look(v, time.Now()); failure != "" {
				return
			}
			if len(r.pending)+len(r.asked) == 0 {
				if len(r.done) != n {
					t.Fatalf("done %v of %v", r.done, names)
				}
				return
			}
			name := r.next(v.programs)
			if name != "" {
				down := 0
				for _, other := range names {
					if other != name && !isServing(v.programs[other]) {
						down++
					}
				}
				if isServing(v.programs[name]) && down >= most {
					t.Fatalf("%s is taken down while %d are: %v", name, down, v.programs)
				}
				r.ask(name)
				v.programs[name] = policy.Stopping
				continue
			}
			// Something happens to one of those that were asked for, or are done.
			some := append(append([]string{}, r.asked...), r.done...)
			if len(some) == 0 {
				t.Fatalf("waits for nothing: %+v, %v", r, v.programs)
			}
			v.programs[rapid.SampledFrom(some).Draw(t, "which")] = rapid.SampledFrom([]policy.Phase{policy.Running, policy.Running, policy.Running, policy.Backoff, policy.Starting}).Draw(t, "to")
		}
	})
}

package policy_test

import (
	"slices"
	"testing"
	"time"

	"msup/policy"

	"pgregory.net/rapid"
)

func TestStanding(t *testing.T) {
	active := policy.State{Phase: policy.Starting, Active: t0}
	phase := func(p policy.Phase) policy.Need { return policy.Need{State: policy.State{Phase: p}} }
	oneshot := policy.Need{State: policy.State{Phase: policy.Exited}, Oneshot: true}
	with := func(n policy.Need, change func(*policy.Need)) policy.Need { change(&n); return n }
	healthy := func(n *policy.Need) { n.Healthy = true }
	const (
		met, due, idle, lost = policy.Met, policy.Due, policy.Idle, policy.Lost
	)
	for _, test := range []struct {
		what string
		need policy.Need
		// as started, ready, healthy, completed
		want     [4]policy.Standing
		optional [4]policy.Standing
	}{
		{"never started", policy.Need{}, [4]policy.Standing{idle, idle, idle, idle}, [4]policy.Standing{}},
		{"stopped", phase(policy.Stopped), [4]policy.Standing{idle, idle, idle, idle}, [4]policy.Standing{}},
		{"about to be started", phase(policy.Starting), [4]policy.Standing{due, due, due, due}, [4]policy.Standing{due, due, due, due}},
		{"executed", policy.Need{State: active}, [4]policy.Standing{met, due, due, due}, [4]policy.Standing{met, due, due, due}},
		{"runs", phase(policy.Running), [4]policy.Standing{met, met, due, due}, [4]policy.Standing{met, met, due, due}},
		{"is well", with(phase(policy.Running), healthy), [4]policy.Standing{met, met, met, due}, [4]policy.Standing{met, met, met, due}},
		{"runs, and is over", with(phase(policy.Running), func(n *policy.Need) { n.Over, n.Healthy = true, true }), [4]policy.Standing{due, due, due, due}, [4]policy.Standing{due, due, due, due}},
		{"was well, and starts", with(policy.Need{State: active}, healthy), [4]policy.Standing{met, due, due, due}, [4]policy.Standing{met, due, due, due}},
		{"waits for its restart", phase(policy.Backoff), [4]policy.Standing{due, due, due, due}, [4]policy.Standing{due, due, due, due}},
		{"waits for another try", policy.Need{State: policy.State{Phase: policy.Backoff, Failures: 1}}, [4]policy.Standing{due, due, due, due}, [4]policy.Standing{met, due, due, due}},
		{"is being stopped", phase(policy.Stopping), [4]policy.Standing{due, due, due, due}, [4]policy.Standing{due, due, due, due}},
		{"ended well", phase(policy.Exited), [4]policy.Standing{idle, idle, idle, met}, [4]policy.Standing{}},
		{"oneshot that ended well", oneshot, [4]policy.Standing{met, met, met, met}, [4]policy.Standing{}},
		{"gave up", phase(policy.Failed), [4]policy.Standing{lost, lost, lost, lost}, [4]policy.Standing{}},
		{"killed", phase(policy.Killed), [4]policy.Standing{lost, lost, lost, lost}, [4]policy.Standing{}},
		{"oneshot that gave up", with(oneshot, func(n *policy.Need) { n.State.Phase = policy.Failed }), [4]policy.Standing{lost, lost, lost, lost}, [4]policy.Standing{}},
		{"missing", policy.Need{Missing: true}, [4]policy.Standing{lost, lost, lost, lost}, [4]policy.Standing{}},
	} {
		for i, c := range policy.Conditions {
			n := test.need
			n.Condition = c
			if got := n.Standing(); got != test.want[i] {
				t.Errorf("%s, %s: %d, want %d", test.what, c, got, test.want[i])
			}
			n.Optional = true
			if got := n.Standing(); got != test.optional[i] {
				t.Errorf("%s, %s, optional: %d, want %d", test.what, c, got, test.optional[i])
			}
		}
	}
}

// What waits waits only for what moves by itself, or for somebody; and what goes on had all
// that it needs.
func TestAwait(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		needs := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) policy.Need {
			n := policy.Need{
				Condition: rapid.SampledFrom(policy.Conditions).Draw(t, "condition"), Optional: rapid.Bool().Draw(t, "optional"),
				State: policy.State{Phase: rapid.SampledFrom(policy.Phases).Draw(t, "phase")},
				Over:  rapid.IntRange(0, 5).Draw(t, "over") == 0, Oneshot: rapid.Bool().Draw(t, "oneshot"),
				Healthy: rapid.Bool().Draw(t, "healthy"), Missing: rapid.IntRange(0, 9).Draw(t, "missing") == 0,
				Ran: rapid.Bool().Draw(t, "ran"),
			}
			if rapid.Bool().Draw(t, "active") {
				n.State.Active = t0
			}
			return n
		}), 0, 5).Draw(t, "needs")
		worst, first := policy.Await(needs)
		all := make([]policy.Standing, len(needs))
		for i, n := range needs {
			all[i] = n.Standing()
			switch phase := n.State.Phase; {
			case n.Missing:
			case all[i] == policy.Due && !n.Over && (phase == policy.Stopped || phase == policy.Exited || phase.GaveUp()):
				t.Fatalf("%s does not move by itself: %+v", phase, n)
			case all[i] == policy.Lost && !phase.GaveUp():
				t.Fatalf("%s has not given up: %+v", phase, n)
			case all[i] == policy.Met && !n.Optional && phase != policy.Running && phase != policy.Exited && !n.State.IsActive():
				t.Fatalf("%s is no reason to go on: %+v", phase, n)
			}
			if n.Optional && all[i] > policy.Due {
				t.Fatalf("waits for ever for something optional: %+v", n)
			}
		}
		if len(needs) == 0 {
			if worst != policy.Met || first != -1 {
				t.Fatal("waits for nothing")
			}
			return
		}
		if want := slices.Max(all); worst != want || first != slices.Index(all, want) {
			t.Fatalf("%v: %d by need %d", all, worst, first)
		}
	})
}

func TestNeedEvents(t *testing.T) {
	r := policy.Rules{Autorestart: policy.OnFailure, MaxRestarts: 5, RestartCooldown: time.Minute}
	s, _ := policy.Step(r, policy.State{}, policy.StartRequested{By: "t"}, t0)
	s.Restarts = 2
	s, _ = policy.Step(r, s, policy.NeedLost{Reason: "needs db"}, t0)
	if s.Phase != policy.Failed || s.Reason != "needs db" || !s.NextStart().IsZero() {
		t.Errorf("given up: %+v", s)
	}
	s, action := policy.Step(r, s, policy.NeedBack{Reason: "db is started"}, t0)
	if s.Phase != policy.Starting || action != policy.StartUnit || s.Restarts != 2 {
		t.Errorf("back: %+v %s", s, action)
	}
	s, _ = policy.Step(r, s, policy.Started{}, t0)
	if again, _ := policy.Step(r, s, policy.NeedLost{Reason: "needs db"}, t0); !again.Equal(s) {
		t.Errorf("one that runs is given up: %+v", again)
	}
	stopped, action := policy.Step(r, s, policy.NeedEnded{Reason: "db ended"}, t0)
	if stopped.Phase != policy.Stopping || stopped.StartAgain || action != policy.StopUnit {
		t.Errorf("stopped: %+v %s", stopped, action)
	}
	s, _ = policy.Step(r, s, policy.NeedEnded{Reason: "db ended", Again: true}, t0)
	s, action = policy.Step(r, s, exit(1), t0)
	if s.Phase != policy.Starting || action != policy.StartUnit || s.Restarts != 2 {
		t.Errorf("restarted: %+v %s", s, action)
	}
	// One that has failed by itself does not come back with another one.
	failed := policy.State{Phase: policy.Failed}
	if again, action := policy.Step(r, failed, policy.NeedBack{}, t0); !again.Equal(failed) || action != policy.None {
		t.Errorf("back: %+v", again)
	}
	// Somebody's stop takes the wish away.
	s, _ = policy.Step(r, policy.State{Phase: policy.Failed, Unmet: true}, policy.StopRequested{By: "t"}, t0)
	if s.Unmet {
		t.Errorf("still wanted: %+v", s)
	}
}

// One that the first connection starts is there as soon as systemd listens for it.
func TestOnDemandMeetsNeeds(t *testing.T) {
	for _, tt := range []struct {
		condition         policy.Condition
		phase             policy.Phase
		onDemand, listens bool
		want              policy.Standing
		ends              bool
	}{
		{policy.OnStarted, policy.Stopped, false, false, policy.Idle, true},
		{policy.OnStarted, policy.Stopped, true, false, policy.Due, true},
		{policy.OnStarted, policy.Stopped, true, true, policy.Met, false},
		{policy.OnHealthy, policy.Stopped, true, true, policy.Met, false},
		{policy.OnReady, policy.Exited, true, true, policy.Met, true},
		{policy.OnReady, policy.Starting, true, true, policy.Due, true},
		{policy.OnReady, policy.Stopping, true, true, policy.Due, false},
		{policy.OnReady, policy.Failed, true, true, policy.Lost, true},
		{policy.OnCompleted, policy.Stopped, true, true, policy.Idle, false},
	} {
		n := policy.Need{Condition: tt.condition, State: policy.State{Phase: tt.phase}, OnDemand: tt.onDemand, Listens: tt.listens}
		if n.Standing() != tt.want || n.Ends() != tt.ends {
			t.Errorf("%+v: %v, ends %v", tt, n.Standing(), n.Ends())
		}
	}
}

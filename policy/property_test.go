package policy_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"msup/policy"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func anyRules(t *rapid.T) policy.Rules {
	seconds := func(name string, most int) time.Duration {
		return time.Duration(rapid.IntRange(0, most).Draw(t, name)) * time.Second
	}
	delays := func(name string) (d []time.Duration) {
		for range rapid.IntRange(0, 2).Draw(t, name+"s") {
			d = append(d, seconds(name, 4))
		}
		return d
	}
	set := rapid.SampledFrom([]policy.ExitSet{{}, {}, policy.Codes(1), policy.Codes(0), {Causes: []policy.Cause{policy.CauseOOM}}, {Signals: []policy.Signal{15}}})
	r := policy.Rules{
		Autorestart:      rapid.SampledFrom([]policy.Mode{policy.Never, policy.OnFailure, policy.Always}).Draw(t, "mode"),
		RestartDelay:     seconds("delay", 5),
		MoreDelays:       delays("more"),
		RestartBackoff:   rapid.SampledFrom([]float64{0, 1, 1.5, 2, 100}).Draw(t, "backoff"),
		RestartDelayMax:  rapid.SampledFrom([]time.Duration{0, 5 * time.Second, 10 * time.Second}).Draw(t, "cap"),
		RestartJitter:    rapid.SampledFrom([]float64{0, 0, 0.5, 1}).Draw(t, "jitter"),
		MaxRestarts:      rapid.IntRange(0, 4).Draw(t, "max"),
		RestartWindow:    seconds("window", 20),
		RestartReset:     seconds("reset", 20),
		RestartCooldown:  seconds("cooldown", 5),
		Success:          set.Draw(t, "success"),
		RestartOn:        set.Draw(t, "on"),
		RestartNeverOn:   set.Draw(t, "never on"),
		OnOOM:            rapid.SampledFrom([]policy.OOMRule{"", policy.OOMRestart, policy.OOMStop}).Draw(t, "oom"),
		StartPeriod:      seconds("start", 3),
		StartRetryDelays: delays("retry"),
		Oneshot:          rapid.IntRange(0, 4).Draw(t, "oneshot") == 0,
		MaxAge:           seconds("age", 20),
		MaxAgeSpread:     rapid.SampledFrom([]float64{0, 0.5, 1}).Draw(t, "spread"),
	}
	if rapid.Bool().Draw(t, "probed") {
		r.Ready, r.ReadyTimeout = "port 80", seconds("ready", 6)
	}
	if rapid.Bool().Draw(t, "awaits") {
		r.Awaits = "Fri 03:00"
	}
	if n := rapid.IntRange(-3, 3).Draw(t, "retries"); n >= 0 {
		r.StartRetries = &n
	}
	return r
}

// world answers StartUnit and StopUnit as systemd would, in an order and with outcomes of
// rapid's choosing, and throws requests in between.
type world struct {
	*rapid.T
	rules    policy.Rules
	state    policy.State
	now      time.Time
	unit     bool        // exists between StartUnit and Ended
	wish     bool        // what was last asked for
	armed    bool        // the same
	restarts []time.Time // since the last request or cooldown
	forgiven int         // how many of them are forgiven, without a window
}

func (w *world) event() policy.Event {
	events := []policy.Event{
		policy.StartRequested{By: "t"},
		policy.StopRequested{By: "t"},
		policy.RestartRequested{By: "t"},
		policy.ArmRequested{By: "t"},
		policy.Triggered{By: "t"},
		policy.DeadlineReached{},
		policy.DeadlineReached{},
		policy.DeadlineReached{},
		policy.NeedLost{Reason: "needs t"},
		policy.NeedBack{Reason: "t"},
		policy.NeedEnded{Reason: "t", Again: rapid.Bool().Draw(w.T, "again")},
	}
	if w.unit {
		random := rapid.SampledFrom([]float64{0, 0.3, 0.999999}).Draw(w.T, "random")
		ran := time.Duration(rapid.SampledFrom([]int{0, 0, 1, 50, 2500, 30000}).Draw(w.T, "ran")) * time.Millisecond
		end := func(c policy.Cause, code, signal int) policy.Event {
			return policy.Ended{Random: random, Exit: policy.Exit{Cause: c, Code: code, Signal: signal, Ran: ran, Reason: string(c)}}
		}
		events = append(events, policy.Ready{}, policy.Ready{}, policy.Unhealthy{Reason: "t"}, policy.Started{Random: random}, policy.Started{Random: random}, policy.StopSeen{}, end(policy.CauseExit, 0, 0), end(policy.CauseExit, 1, 0),
			end(policy.CauseExit, 1, 0), end(policy.CauseOOM, 0, 9), end(policy.CauseSignal, 0, 15), end(policy.CauseExec, 203, 0))
	}
	return rapid.SampledFrom(events).Draw(w.T, "event")
}

func (w *world) step(ev policy.Event) {
	before, kept := w.state, slices.Clone(w.state.Used)
	after, action := policy.Step(w.rules, before, ev, w.now)
	again, _ := policy.Step(w.rules, before, ev, w.now)
	if !slices.Equal(before.Used, kept) || !cmp.Equal(after, again) {
		w.Fatalf("it is no function: %+v %T", before, ev)
	}
	w.state = after
	switch ev := ev.(type) {
	case policy.StartRequested, policy.RestartRequested:
		w.wish, w.armed = true, w.rules.Awaits != ""
		w.restarts, w.forgiven = nil, 0
	case policy.StopRequested:
		w.wish, w.armed = false, false
	case policy.ArmRequested:
		w.armed = w.rules.Awaits != ""
	case policy.Triggered:
		starts := w.armed && !before.Phase.Up() && before.Phase != policy.Backoff
		if starts != (action == policy.StartUnit) {
			w.Fatalf("armed %v, and it is %q: %+v", w.armed, action, before)
		}
		if starts {
			w.wish, w.restarts, w.forgiven = true, nil, 0
		}
	case policy.NeedLost:
		w.unit = w.unit && !after.Unmet // it was not started yet
		if after.Unmet != before.Unmet && (after.Phase != policy.Failed || before.IsActive()) {
			w.Fatalf("%+v is given up for want of another one: %+v", before, after)
		}
	case policy.NeedEnded:
		w.wish = w.wish && (ev.Again || before.Phase != policy.Starting && before.Phase != policy.Running)
		if after.Restarts != before.Restarts || after.Failures != before.Failures {
			w.Fatalf("it was not asked for, and clears a count: %+v, %+v", before, after)
		}
	case policy.StopSeen:
		w.wish = w.wish && before.Phase == policy.Stopping // that one may be half of a restart
	case policy.Ended:
		w.unit = false
		w.delay(before, ev)
		if e := before.Ending; e != nil && (after.Last == nil || *after.Last != e.Exit) {
			w.Fatalf("it was stopped for %+v, and has ended with %+v", e.Exit, after.Last)
		}
	}
	if (after.Ending != nil) && (after.Phase != policy.Stopping || after.StartAgain) {
		w.Fatalf("is being stopped for a reason that is none: %+v", after)
	}
	_, isReady := ev.(policy.Ready)
	if w.rules.Ready != "" && before.Phase == policy.Starting && after.Phase == policy.Running && !isReady && before.Ready.IsZero() {
		w.Fatalf("is RUNNING without being ready: %+v %T", before, ev)
	}
	if w.rules.Ready != "" && w.rules.ReadyTimeout > 0 && w.rules.WaitsForReady(after) && !after.Deadline.Equal(after.Active.Add(w.rules.ReadyTimeout)) {
		w.Fatalf("may wait for ever: %+v", after)
	}
	if before.Restarts > 0 && after.Restarts <= 1 && after.Restarts < before.Restarts+1 {
		w.forgiven = len(w.restarts)
	}
	switch action {
	case policy.StartUnit:
		w.started(before, ev)
	case policy.StopUnit:
		if !w.unit {
			w.Fatalf("a stop of nothing: %+v %T", before, ev)
		}
	}
	w.check(before, ev)
}

func (w *world) started(before policy.State, ev policy.Event) {
	if w.unit {
		w.Fatalf("two starts without an end between: %+v %T", before, ev)
	}
	if !w.wish {
		w.Fatalf("a start after a stop: %+v %T", before, ev)
	}
	w.unit = true
	if _, due := ev.(policy.DeadlineReached); !due {
		return
	}
	if before.Phase.GaveUp() {
		w.restarts, w.forgiven = nil, 0
		return
	}
	if before.Failures > 0 {
		if before.Failures > *w.rules.StartRetries {
			w.Fatalf("retry %d of %d", before.Failures, *w.rules.StartRetries)
		}
		return
	}
	w.restarts = append(w.restarts, w.now)
	n := len(w.restarts) - w.forgiven
	if w.rules.RestartWindow > 0 {
		n = 0
		for _, at := range w.restarts {
			if at.After(w.now.Add(-w.rules.RestartWindow)) {
				n++
			}
		}
	}
	if w.rules.MaxRestarts > 0 && n > w.rules.MaxRestarts {
		w.Fatalf("%d restarts, allowed %d within %s: %v", n, w.rules.MaxRestarts, w.rules.RestartWindow, w.restarts)
	}
	if got := fmt.Sprintf("restart %d", w.used()); w.state.Reason != got {
		w.Fatalf("is %q and counts as %q", w.state.Reason, got)
	}
}

func (w *world) used() int {
	used, _, _ := w.rules.Budget(w.state, w.now)
	return used
}

// delay checks what chance has added.
func (w *world) delay(before policy.State, ev policy.Ended) {
	if w.state.Phase != policy.Backoff {
		return
	}
	plain := ev
	plain.Random = 0
	without, _ := policy.Step(w.rules, before, plain, w.now)
	if without.Phase != policy.Backoff {
		return // it would have been within the window
	}
	got, least := w.state.Deadline.Sub(w.now), without.Deadline.Sub(w.now)
	most := time.Duration(float64(least)*(1+w.rules.RestartJitter)) + 1
	if limit := max(w.rules.RestartDelayMax, 200*time.Millisecond); w.rules.RestartDelayMax > 0 && got > limit {
		w.Fatalf("waits %s, at most %s is allowed", got, limit)
	}
	if got < least || got > most {
		w.Fatalf("waits %s, without chance %s, jitter %g", got, least, w.rules.RestartJitter)
	}
}

func (w *world) check(before policy.State, ev policy.Event) {
	s := w.state
	if s.Armed != w.armed {
		w.Fatalf("armed %v, should be %v: %T", s.Armed, w.armed, ev)
	}
	used, most, _ := w.rules.Budget(s, w.now)
	if most > 0 && used > most {
		w.Fatalf("%d of %d are used: %+v", used, most, s)
	}
	if s.Phase == policy.Backoff {
		what := fmt.Sprintf("restart %d ", used)
		if most > 0 {
			what = fmt.Sprintf("restart %d of %d ", used, most)
		}
		if s.Failures > 0 && w.rules.StartRetries != nil {
			what = fmt.Sprintf("start retry %d of %d in", used, most)
		}
		if used < 1 || !strings.Contains(s.Reason, what) {
			w.Fatalf("waits for %q and says %q", what, s.Reason)
		}
	}
	if before.Phase != s.Phase {
		if !s.Deadline.IsZero() && s.Deadline.Before(w.now) {
			w.Fatalf("deadline %v before its event %v", s.Deadline, w.now)
		}
		if s.Reason == "" {
			w.Fatalf("%s -> %s without a reason", before.Phase, s.Phase)
		}
	}
	if s.Phase.Up() != w.unit {
		w.Fatalf("phase %s, unit exists %v", s.Phase, w.unit)
	}
	if !s.Phase.Settled() && s.Phase != policy.Backoff && !w.unit {
		w.Fatalf("phase %s waits for a unit that is not there", s.Phase)
	}
	if len(s.Used) > w.rules.MaxRestarts && len(s.Used) > 0 {
		w.Fatalf("%d times remembered of %d", len(s.Used), w.rules.MaxRestarts)
	}
	if b := w.rules.Bound(s, w.now); !b.Equal(s) {
		w.Fatalf("no clock was set, and %+v is bound to %+v", s, b)
	}
	// Twice as long for all that chance may add, and as long as anyRules makes other times.
	back := w.now.Add(-24 * 365 * time.Hour)
	if b := w.rules.Bound(s, back); b.Deadline.Sub(back) > 2*s.Deadline.Sub(s.Since)+20*time.Second {
		w.Fatalf("the clock was set back by a year, and it waits for %s: %+v", b.Deadline.Sub(back), s)
	}
}

func stepProperty(t *rapid.T) {
	w := &world{T: t, rules: anyRules(t), state: policy.State{Phase: policy.Stopped}, now: t0}
	for range rapid.IntRange(1, 80).Draw(t, "steps") {
		if rapid.Bool().Draw(t, "until due") && w.state.Deadline.After(w.now) {
			w.now = w.state.Deadline
		} else {
			w.now = w.now.Add(time.Duration(rapid.IntRange(0, 4000).Draw(t, "ms")) * time.Millisecond)
		}
		w.step(w.event())
	}
}

func TestStepProperties(t *testing.T) { rapid.Check(t, stepProperty) }

// The same for the fuzzer, which finds its way by coverage: go test -fuzz FuzzStep ./policy.
func FuzzStep(f *testing.F) { f.Fuzz(rapid.MakeFuzz(stepProperty)) }

// However short the runs and the delays: never more than ten starts in any second.
func TestNeverAStorm(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ms := func(name string, most int) time.Duration {
			return time.Duration(rapid.IntRange(0, most).Draw(t, name)) * time.Millisecond
		}
		r := policy.Rules{Autorestart: policy.Always, RestartDelay: ms("delay", 99)}
		if rapid.Bool().Draw(t, "retries") {
			n := 1 << 30
			r.StartRetries, r.StartPeriod = &n, time.Second
		}
		now := t0
		s, _ := policy.Step(r, policy.State{}, policy.StartRequested{By: "t"}, now)
		starts := []time.Time{now}
		for range 60 {
			if rapid.Bool().Draw(t, "active") {
				s, _ = policy.Step(r, s, policy.Started{}, now)
			}
			now = now.Add(ms("lasts", 99))
			s, _ = policy.Step(r, s, exit(1), now)
			if s.Deadline.Sub(now) < r.RestartDelay {
				t.Fatalf("waits %s of %s", s.Deadline.Sub(now), r.RestartDelay)
			}
			now = s.Deadline
			s, _ = policy.Step(r, s, policy.DeadlineReached{}, now)
			starts = append(starts, now)
			if n := len(starts); n > 10 && now.Sub(starts[n-11]) < time.Second {
				t.Fatalf("eleven starts within %s", now.Sub(starts[n-11]))
			}
		}
	})
}

package units_test

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"msup/units"
)

// The end of a runtime names its key; a stop that takes too long does not.
func TestMaxRuntime(t *testing.T) {
	limited := func(p *units.Program) { p.MaxRuntime, p.StopTimeout = 2*time.Second, 10*time.Second }
	for _, tt := range []struct {
		name, want string
		happen     func(*run) *run
	}{
		{"its time is over", "web RUNNING -> BACKOFF: ran for longer than 2s (max_runtime), killed by SIGTERM, restart 1 of 2 in 1s", func(r *run) *run {
			r.fake.stopNow("msup-web.service", 2, 15, "timeout")
			return r
		}},
		{"nobody was there", "web RUNNING -> BACKOFF: ran for longer than 2s (max_runtime), killed by SIGTERM, restart 1 of 2 in 1s", func(r *run) *run {
			r.stop()
			r.fake.stopNow("msup-web.service", 2, 15, "timeout")
			r.fake.loseEvents()
			return start(r.t, r.fake, r.saved, program("web", limited))
		}},
		{"a stop of one that is deaf", "web STOPPING -> STOPPED: stopped with systemctl: timed out, killed by SIGKILL", func(r *run) *run {
			r.fake.stopNow("msup-web.service", 2, 9, "timeout")
			return r
		}},
	} {
		synctest.Test(t, func(t *testing.T) {
			r := start(t, newFake(), nil, program("web", limited))
			r.after(2500 * time.Millisecond)
			r = tt.happen(r)
			r.after(500 * time.Millisecond)
			if !strings.Contains(r.log(), tt.want+"\n") {
				t.Errorf("%s: got\n%swant\n%s", tt.name, r.log(), tt.want)
			}
			r.stop()
		})
	}
}

// The age of a run goes on under the next supervisor, and under other rules.
func TestMaxAgeAcrossSupervisors(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		aged := func(p *units.Program) { p.Rules.MaxAge = time.Minute }
		fake := newFake()
		r := start(t, fake, nil, program("web", aged), program("new"))
		r.after(40 * time.Second)
		r.stop()
		fake.loseEvents()
		r2 := start(t, fake, r.saved, program("web", aged), program("new", aged))
		r2.after(19 * time.Second)
		started := 0
		fake.set(func() { started = len(fake.started) })
		if got, want := r2.phases(), "web RUNNING, new RUNNING"; got != want || started != 2 {
			t.Errorf("after 59 s %s, want %s; %d started", got, want, started)
		}
		r2.after(2 * time.Second)
		for _, name := range []string{"web", "new"} {
			var own []string
			for _, rec := range r2.records {
				if rec.Program == name {
					own = append(own, rec.String())
				}
			}
			want := []string{
				name + " RUNNING -> STOPPING: its max_age of 60s is over",
				name + " STOPPING -> STARTING: its max_age of 60s is over: killed by SIGTERM",
				name + " STARTING -> RUNNING: started",
			}
			if !slices.Equal(own, want) {
				t.Errorf("got %q, want %q", own, want)
			}
		}
		r2.stop()
	})
}

// Killed between the stop and the start of a restart for age, it is carried on.
func TestMaxAgeIsFinished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		aged := func(p *units.Program) { p.Rules.MaxAge = time.Minute }
		fake := newFake()
		r := start(t, fake, nil, program("web", aged))
		r.after(30 * time.Second)
		fake.set(func() { fake.units["msup-web.service"].slow = 10 * time.Second })
		r.after(31 * time.Second)
		r.wantPhases("web STOPPING")
		r.stop()
		time.Sleep(20 * time.Second)
		fake.loseEvents()
		r2 := start(t, fake, r.saved, program("web", aged))
		r2.after(time.Second)
		if got := r2.phases(); got != "web RUNNING" || len(fake.started) != 2 {
			t.Errorf("got %s, started %v\n%s", got, fake.started, r2.log())
		}
		r2.stop()
	})
}

package units_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"msup/policy"
	"msup/units"
)

const (
	jobUnit  = "msup-job.service"
	jobTimer = "msup-job:due.timer"
)

// scheduled makes a program that runs at times.
func scheduled(times ...string) func(*units.Program) {
	return func(p *units.Program) {
		p.Schedule.Calendar = times
		p.Rules.Awaits, p.Rules.Autorestart = p.Schedule.String(), policy.Never
	}
}

func (r *run) want(when, phases string, starts int) {
	r.t.Helper()
	if got := r.phases(); got != phases {
		r.t.Errorf("%s: %s, want %s\n%s", when, got, phases, r.log())
	}
	if got := r.fake.starts(jobUnit); got != starts {
		r.t.Errorf("%s: started %d times, want %d\n%s", when, got, starts, r.log())
	}
}

func TestSchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		fake.outcomes[jobUnit] = []outcome{{run: 5 * time.Second, code: 1, res: "success"}, {run: time.Second, code: 1, state: 3, res: "exit-code"}, {run: 90 * time.Second, code: 1, res: "success"}}
		r := start(t, fake, nil, program("job", scheduled("*-*-* 03:00", "12:00")))
		r.after(time.Second)
		r.want("up", "job STOPPED", 0)
		st := r.status("job")
		if !st.State.Armed || st.State.Reason != "autostart: waits for *-*-* 03:00 or 12:00" || st.Schedule.Next.IsZero() {
			t.Errorf("%+v %+v", st.State, st.Schedule)
		}
		fake.elapse(jobTimer)
		r.after(time.Second)
		r.want("its time", "job RUNNING", 1)
		r.after(5 * time.Second)
		r.want("it has ended", "job EXITED", 1)
		fake.elapse(jobTimer)
		r.after(3 * time.Second)
		r.want("its time again", "job FAILED", 2)

		fake.elapse(jobTimer)
		r.after(10 * time.Second)
		fake.elapse(jobTimer)
		r.after(10 * time.Second)
		fake.elapse(jobTimer) // of a second one within a minute the log is not told
		r.after(50 * time.Second)
		fake.elapse(jobTimer)
		r.after(time.Second)
		r.want("it runs at its times", "job RUNNING", 3)
		r.after(time.Minute)
		r.want("what was skipped is not made up for", "job EXITED", 3)
		if st := r.status("job"); st.Schedule.Skipped != 3 {
			t.Errorf("%d skipped", st.Schedule.Skipped)
		}
		if log := r.log(); strings.Count(log, "job: skipped its time, ") != 2 || !strings.Contains(log, " (and 1 before it): the run of ") {
			t.Error(log)
		}
		r.do(units.Down)
		r.after(time.Minute)
		if fake.has(jobTimer) {
			t.Error("the timer is there after down")
		}
	})
}

// While the timer starts what it has to, systemd knows no next time: that does not mean that there
// is none.
func TestNextTimeWhileItComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		r := start(t, fake, nil, program("job", scheduled("*-*-* 03:00")))
		for _, tt := range []struct {
			sub  string
			next time.Time
			over bool
		}{{"running", time.Time{}, false}, {"waiting", time.Now().Add(time.Hour), false}, {"running", time.Now(), false}, {"elapsed", time.Time{}, true}} {
			r.after(time.Second)
			fake.set(func() {
				u := fake.units[jobTimer]
				u.facts.SubState, u.facts.NextElapse = tt.sub, tt.next
				fake.changed(u)
			})
			r.after(time.Second)
			if st := r.status("job").Schedule; st.Over != tt.over || st.Next.IsZero() != (tt.sub != "waiting") {
				t.Errorf("%s: %+v", tt.sub, st)
			}
		}
		r.stop()
	})
}

// A stop takes the timer away, a start runs it now and makes it again; msup up only makes it.
func TestStopAndStartOfASchedule(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		fake.outcomes[jobUnit] = []outcome{{run: time.Second, code: 1, res: "success"}}
		r := start(t, fake, nil, program("job", scheduled("daily")))
		defer r.stop()
		r.after(time.Second)
		r.do(units.Stop, "job")
		r.after(time.Second)
		if r.want("stopped", "job STOPPED", 0); fake.has(jobTimer) || r.status("job").State.Reason != "by the test" {
			t.Errorf("the timer of a stopped program: %v %+v", fake.has(jobTimer), r.status("job").State)
		}
		r.do(units.Arm, "job")
		r.after(time.Second)
		if r.want("armed", "job STOPPED", 0); !fake.has(jobTimer) {
			t.Error("it is armed, and has no timer")
		}
		r.do(units.Stop, "job")
		r.do(units.Start, "job")
		r.after(3 * time.Second)
		if r.want("started", "job EXITED", 1); !fake.has(jobTimer) {
			t.Error("it was started, and has no timer")
		}
		r.do(units.Stop, "job")
		r.do(units.Arm, "job") // in one breath: the timer is just being removed
		r.after(time.Second)
		if r.want("and armed", "job STOPPED", 1); !fake.has(jobTimer) {
			t.Error("it was stopped and armed, and has no timer")
		}
	})
}

// Who stops the timer with systemctl wants no more runs; at a daemon-reexec systemd only says
// that all units are removed.
func TestTimerOfOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		r := start(t, fake, nil, program("job", scheduled("daily")))
		defer r.stop()
		r.after(time.Second)
		fake.disconnect()
		r.after(time.Second)
		fake.reconnect()
		r.after(time.Second)
		fake.elapse(jobTimer)
		r.after(time.Second)
		r.want("after a daemon-reexec", "job RUNNING", 1)
		r.do(units.Stop, "job")
		r.do(units.Arm, "job")
		r.after(time.Second)
		_ = fake.Stop(t.Context(), jobTimer)
		r.after(time.Second)
		if st := r.status("job").State; st.Armed || st.Reason != jobTimer+" was stopped with systemctl" {
			t.Errorf("%+v", st)
		}

		fake.timerErr = fmt.Errorf("%w: no", units.ErrInvalid)
		r.do(units.Arm, "job")
		r.after(time.Second)
		r.want("systemd refuses the timer", "job FAILED", 1)
		if st := r.status("job").State; st.Armed || !strings.HasPrefix(st.Reason, "cannot make "+jobTimer) {
			t.Errorf("%+v", st)
		}
		fake.timerErr = nil
		r.do(units.Arm, "job")
		r.after(time.Second)
		if r.want("armed again", "job STOPPED", 1); !fake.has(jobTimer) {
			t.Error("no timer")
		}
		fake.set(func() {
			u := fake.units[jobTimer]
			u.facts.ActiveState, u.facts.SubState, u.facts.Result = "failed", "failed", "resources"
			fake.changed(u)
		})
		r.after(time.Second)
		if r.want("the timer has failed", "job FAILED", 1); fake.has(jobTimer) {
			t.Error("it is still loaded")
		}
	})
}

// The timer is another one when the schedule is. Without one it goes; what waited for it stays
// down, what runs runs on.
func TestRescheduled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		r := start(t, fake, nil, program("job", scheduled("daily")))
		defer r.stop()
		r.after(time.Second)
		redefine := func(change ...func(*units.Program)) {
			t.Helper()
			p := units.Project{Name: units.DefaultProject, File: "/x/msup.conf", Programs: []units.Program{program("job", change...)}}
			if _, err := r.sup.Redefine(t.Context(), units.Redefinition{Project: p, By: "msup reload"}); err != nil {
				t.Fatal(err)
			}
			r.after(time.Second)
		}
		description := func() (text string) {
			fake.set(func() {
				if u := fake.units[jobTimer]; u != nil {
					text, _ = u.props["Description"].(string)
				}
			})
			return text
		}
		n := fake.starts(jobTimer)
		redefine(scheduled("daily"))
		if got := fake.starts(jobTimer); got != n {
			t.Error("the same schedule, and another timer")
		}
		redefine(scheduled("weekly"), func(p *units.Program) { p.Schedule.Spread = time.Minute })
		if got := description(); got != "schedule of msup program job: weekly, up to 60s later" {
			t.Error(got)
		}
		if st := r.status("job").State; st.Reason != "msup reload: waits for weekly" || !st.Armed {
			t.Errorf("%+v", st)
		}
		redefine()
		if st := r.status("job").State; st.Armed || st.Reason != "msup reload: nothing starts it any more" || description() != "" {
			t.Errorf("%+v %q", st, description())
		}
		redefine(scheduled("weekly"))
		if r.want("somebody may have stopped it", "job STOPPED", 0); description() != "" {
			t.Error(description())
		}
		redefine()
		r.do(units.Start, "job")
		r.after(time.Second)
		redefine(scheduled("weekly"))
		if r.want("it runs, and gets a schedule", "job RUNNING", 1); description() == "" {
			t.Error("no timer")
		}
		redefine()
		if r.want("and none again", "job RUNNING", 1); description() != "" {
			t.Error(description())
		}
	})
}

// What came while no supervisor was there is answered by the next one, once.
func TestTimeWithoutASupervisor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		fake.outcomes[jobUnit] = []outcome{{run: time.Second, code: 1, res: "success"}}
		def := program("job", scheduled("daily"))
		r := start(t, fake, nil, def)
		r.after(time.Second)
		r.stop()
		fake.elapse(jobTimer)
		time.Sleep(time.Minute)
		fake.elapse(jobTimer)
		time.Sleep(time.Minute)
		for range 3 {
			r2 := start(t, fake, r.saved, def)
			r2.after(3 * time.Second)
			r2.want("the next supervisor", "job EXITED", 1)
			r2.stop()
			r.saved = r2.saved
		}
		if n := fake.starts(jobTimer); n != 1 {
			t.Errorf("%d timers", n)
		}
		// One that the configuration has no more is a left-over.
		r3 := start(t, fake, nil)
		r3.after(time.Second)
		defer r3.stop()
		if fake.has(jobTimer) {
			t.Error("the timer of a program that is no more")
		}
	})
}

// A stop with systemctl is respected whether a supervisor is there to see it or not, of timers and
// sockets as of programs; msup up and msup start make them again.
func TestStopsWithoutASupervisor(t *testing.T) {
	for name, tt := range map[string]struct {
		unit, reason string
		def          func() units.Program
	}{
		"timer":  {"msup-web:due.timer", "msup-web:due.timer was stopped with systemctl", func() units.Program { return program("web", scheduled("daily")) }},
		"socket": {"msup-web.socket", "its sockets were stopped with systemctl", func() units.Program { return listening(t, "web", onDemand) }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake, def := newFake(), tt.def()
				r := start(t, fake, nil, def)
				r.after(time.Second)
				r.stop()
				// One that goes on.
				r = start(t, fake, r.saved, def)
				r.after(time.Second)
				if st := r.status("web").State; !st.Armed || !fake.has(tt.unit) {
					t.Fatalf("%+v", st)
				}
				r.stop()
				_ = fake.Stop(t.Context(), tt.unit)
				time.Sleep(time.Second)
				for range 2 {
					r = start(t, fake, r.saved, def)
					r.after(time.Second)
					if st := r.status("web").State; st.Armed || st.Phase != policy.Stopped || st.Reason != tt.reason || fake.has(tt.unit) {
						t.Errorf("%+v, there is one: %t", st, fake.has(tt.unit))
					}
					r.stop()
				}
				r = start(t, fake, r.saved, def)
				r.do(units.Arm, "web")
				r.after(time.Second)
				if st := r.status("web").State; !st.Armed || !fake.has(tt.unit) {
					t.Errorf("msup up: %+v", st)
				}
				r.stop()
			})
		})
	}
}

// A state that is damaged costs no schedule and no sockets, also if the program runs just then.
func TestDamagedStateWhileItRuns(t *testing.T) {
	for name, tt := range map[string]struct {
		unit string
		def  func() units.Program
	}{
		"timer":     {"msup-web:due.timer", func() units.Program { return program("web", scheduled("daily")) }},
		"on demand": {"msup-web.socket", func() units.Program { return listening(t, "web", onDemand) }},
		"sockets":   {"msup-web.socket", func() units.Program { return listening(t, "web") }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake, def := newFake(), tt.def()
				r := start(t, fake, nil, def)
				r.do(units.Start, "web")
				r.after(time.Second)
				for _, saved := range []*units.Saved{{Damaged: true}, nil} {
					r.stop()
					r = start(t, fake, saved, def)
					r.after(time.Second)
					if st := r.status("web").State; st.Armed != (def.Rules.Awaits != "") || st.Phase != policy.Running || !fake.has(tt.unit) || len(fake.stopped) > 0 {
						t.Errorf("%+v, %t, %v", st, fake.has(tt.unit), fake.stopped)
					}
				}
				r.stop()
				def.Autostart = false
				r = start(t, fake, nil, def)
				r.after(time.Second)
				if st := r.status("web").State; st.Armed || st.Phase != policy.Running {
					t.Errorf("it is not to wait by itself: %+v", st)
				}
				r.stop()
			})
		})
	}
}

// Supervisors are killed at any moment, and each time of a schedule is answered by one run.
func TestScheduleKilledAtAnyMoment(t *testing.T) {
	withSeeds(t, 6, killScheduled)
}

func killScheduled(t *testing.T, seed uint64) {
	l := newLives(t, seed)
	fake, random := l.fake, l.random
	fake.outcomes[jobUnit] = []outcome{{run: 20 * time.Millisecond, code: 1, res: "success"}}
	project := units.Project{Name: units.DefaultProject, File: "/x/msup.conf", Programs: []units.Program{program("job", scheduled("daily"))}}
	live := func(turns int, d time.Duration) {
		l.live(project, turns, func(ctx context.Context, _ *units.Supervisor) {
			select {
			case <-time.After(d):
			case <-ctx.Done():
			}
		})
	}
	live(1000, time.Second)
	for n := 1; n <= 40; n++ {
		before := random.IntN(2) == 0
		if before {
			fake.elapse(jobTimer)
		} else {
			time.AfterFunc(time.Duration(random.IntN(60))*time.Millisecond, func() { fake.elapse(jobTimer) })
		}
		for range random.IntN(5) {
			live(1+random.IntN(6), time.Duration(1+random.IntN(50))*time.Millisecond)
		}
		time.Sleep(100 * time.Millisecond)
		live(1000, time.Second)
		if got := fake.starts(jobUnit); got != n {
			t.Fatalf("%d runs for %d times\n%s", got, n, l.log.String())
		}
	}
}

// The configuration has another schedule when the next supervisor takes over.
func TestScheduleAtTakeover(t *testing.T) {
	for name, tt := range map[string]struct {
		before, after func(*units.Program)
		verb          units.Verb
		reason        string
		armed         bool
	}{
		"another one":              {scheduled("daily"), scheduled("weekly"), "", "taken over: waits for weekly", true},
		"the same":                 {scheduled("daily"), scheduled("daily"), "", "autostart: waits for daily", true},
		"for one that runs":        {func(*units.Program) {}, scheduled("weekly"), units.Start, "started", true},
		"for one that is stopped":  {func(*units.Program) {}, scheduled("weekly"), units.Stop, "by the test: killed by SIGTERM", false},
		"that somebody has ended":  {scheduled("daily"), scheduled("daily"), units.Stop, "by the test", false},
		"none any more":            {scheduled("daily"), func(*units.Program) {}, "", "autostart: waits for daily", false},
		"none, and one that is up": {scheduled("daily"), func(*units.Program) {}, units.Start, "started", false},
		"whose timer was stopped":  {scheduled("daily"), scheduled("daily"), units.Start, "started", false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := newFake()
				r := start(t, fake, nil, program("job", tt.before))
				r.after(time.Second)
				if tt.verb != "" {
					r.do(tt.verb, "job")
				}
				r.after(time.Second)
				if strings.HasPrefix(name, "whose timer") {
					_ = fake.Stop(t.Context(), jobTimer)
					r.after(time.Second)
				}
				r.stop()
				r2 := start(t, fake, r.saved, program("job", tt.after))
				defer r2.stop()
				r2.after(time.Second)
				if st := r2.status("job").State; st.Armed != tt.armed || st.Reason != tt.reason || fake.has(jobTimer) != tt.armed {
					t.Errorf("%+v, timer %t\n%s", st, fake.has(jobTimer), r2.log())
				}
			})
		})
	}
}

// What is stopped without a supervisor has no timer any more that could start something.
func TestLeftoverTimers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		def := program("job", scheduled("daily"))
		r := start(t, fake, nil, def)
		r.after(time.Second)
		r.do(units.Start, "job")
		r.after(time.Second)
		r.stop()
		if n, err := units.StopLeftovers(t.Context(), fake, units.Project{Name: units.DefaultProject, Programs: []units.Program{def}}); n != 1 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		if fake.has(jobTimer) || fake.stopped[0] != jobTimer {
			t.Errorf("stopped %q", fake.stopped)
		}
	})
}

// A run at its time has what it depends on started, and waits for it. Without that it has
// failed, and the next time is the next try.
func TestScheduleWithNeeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		fake.outcomes[jobUnit] = []outcome{{run: time.Second, code: 1, res: "success"}}
		broken := outcome{fail: &units.Facts{ExecMainCode: 1, ExecMainStatus: 203, Result: "exit-code"}}
		fake.outcomes["msup-db.service"] = []outcome{broken, {}}
		db := program("db", func(p *units.Program) {
			p.Autostart, p.Rules.Autorestart, p.Rules.StartPeriod = false, policy.Never, 2*time.Second
		})
		r := start(t, fake, nil, program("job", scheduled("daily"), needs("db:ready")), db)
		defer r.stop()
		r.after(time.Second)
		r.want("up", "job STOPPED, db STOPPED", 0)
		fake.elapse(jobTimer)
		r.after(time.Second)
		r.want("its need has failed", "job FAILED, db FAILED", 0)
		r.do(units.Start, "db")
		r.after(3 * time.Second)
		r.want("its need is there, and not its time", "job FAILED, db RUNNING", 0)
		r.do(units.Stop, "db")
		r.after(time.Second)
		fake.elapse(jobTimer)
		r.after(time.Second)
		r.want("its time again", "job STARTING, db STARTING", 0)
		fake.elapse(jobTimer)
		r.after(2 * time.Second)
		r.want("its need is there", "job RUNNING, db RUNNING", 1)
		if log := r.log(); !strings.Contains(log, "waits for db (ready)\n") || !strings.Contains(log, "job: skipped its time") {
			t.Error(log)
		}
		r.after(2 * time.Second)
	})
}

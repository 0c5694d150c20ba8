package units_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"msup/policy"
	"msup/units"
)

func startPeriod(p *units.Program) { p.Rules.StartPeriod = time.Second }

// A dependent is started when the condition holds, and says meanwhile what it waits for. It
// needs no slot for that: one is enough for all.
func TestDependentWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		fake.maxJobs = 1
		fake.outcomes["msup-migrate.service"] = []outcome{{run: 5 * time.Second, code: 1, res: "success"}}
		r := start(t, fake, nil,
			program("web", needs("db:ready", "migrate:completed"), startPeriod),
			program("log", needs("db")),
			program("db", startPeriod),
			program("migrate", needs("db:ready"), func(p *units.Program) { p.Rules.Oneshot = true }))
		r.after(500 * time.Millisecond)
		r.wantPhases("web STARTING, log RUNNING, db STARTING, migrate STARTING")
		if got := r.reason(0); got != "STARTING: waits for db (ready) and migrate (completed), 0s" {
			t.Error(got)
		}
		r.after(2500 * time.Millisecond)
		if got := r.reason(0); got != "STARTING: waits for migrate (completed), 3s" {
			t.Error(got)
		}
		snap, _ := r.sup.Snapshot(t.Context())
		if w := snap.Programs[0].WaitsFor; len(w) != 1 || w[0].Program != "migrate" || w[0].Condition != policy.OnCompleted || time.Since(w[0].Since) != 3*time.Second {
			t.Errorf("%+v", w)
		}
		r.after(10 * time.Second)
		r.wantLog(`
db STOPPED -> STARTING: autostart
migrate STOPPED -> STARTING: autostart, waits for db (ready)
web STOPPED -> STARTING: autostart, waits for db (ready) and migrate (completed)
log STOPPED -> STARTING: autostart, waits for db (started)
msup: supervises 4 programs of /x/msup.conf
log STARTING -> RUNNING: started
db STARTING -> RUNNING: started
migrate STARTING -> RUNNING: started, done when it ends
migrate RUNNING -> EXITED: exit status 0
web STARTING -> RUNNING: started
`)
		// What it waited for does not count for the time that it must stay up.
		if at := r.records[len(r.records)-1].Time.Sub(r.records[0].Time); at < 7*time.Second {
			t.Errorf("RUNNING after %s", at)
		}
		if got := strings.Join(fake.started, " "); got != "msup-db.service msup-log.service msup-migrate.service msup-web.service" {
			t.Error(got)
		}
		// A restart waits as well; what ended well is not run again for it.
		r.do(units.Stop, "db")
		r.after(time.Second)
		fake.die("msup-web.service", 1, 3, "exit-code")
		r.after(2 * time.Second)
		if got := r.reason(0); got != "STARTING: waits for db (ready; it is STOPPED), 1s" {
			t.Error(got)
		}
		r.do(units.Start, "db")
		r.after(5 * time.Second)
		r.wantPhases("web RUNNING, log RUNNING, db RUNNING, migrate EXITED")
		r.stop()
	})
}

// One that ends well at once was executed, whether or not its run was seen; one that ended before
// somebody asked for it was not.
func TestStartedAndEndedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		fake.outcomes["msup-setup.service"] = []outcome{{fail: &units.Facts{ExecMainCode: 1, Result: "success"}}}
		fake.maxJobs = 1
		r := start(t, fake, nil, program("web", needs("setup")), program("setup", startPeriod), program("late", needs("setup:ready")))
		r.after(3 * time.Second)
		r.wantPhases("web RUNNING, setup EXITED, late STARTING")
		fake.die("msup-web.service", 1, 3, "exit-code")
		r.after(3 * time.Second)
		if got := r.reason(0); !strings.HasPrefix(got, "STARTING: waits for setup (started; it is EXITED), ") {
			t.Error(got)
		}
		r.do(units.Start, "web")
		r.after(3 * time.Second)
		r.wantPhases("web RUNNING, setup EXITED, late STARTING")
		r.stop()
	})
}

func TestHealthyIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, o := newFake(), newOracle()
		fake.probe = o.ask
		o.say("a", errors.New("refused"))
		r := start(t, fake, nil, program("web", needs("db:healthy")), program("db", alive))
		r.after(15 * time.Second)
		if got := r.reason(0); got != "STARTING: waits for db (healthy), 15s" {
			t.Error(got)
		}
		o.say("a", nil)
		r.after(10 * time.Second)
		r.wantPhases("web RUNNING, db RUNNING")
		r.stop()
	})
}

// One that has a watchdog is not asked, and yet healthy as long as systemd lets it run.
func TestHealthyByItsWatchdog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := start(t, newFake(), nil, program("web", needs("db:healthy")), program("db", startPeriod, watchdog))
		r.after(500 * time.Millisecond)
		r.wantPhases("web STARTING, db STARTING")
		r.after(time.Second)
		r.wantPhases("web RUNNING, db RUNNING")
		snap, _ := r.sup.Snapshot(t.Context())
		got := units.NeedStatuses([]units.Program{snap.Programs[0].Program, snap.Programs[1].Program}, "web", map[string]units.Status{"db": snap.Programs[1]})
		if len(got) != 1 || got[0].Standing != policy.Met {
			t.Errorf("%+v", got)
		}
		r.stop()
	})
}

// What gives up takes along all that needs it; once it is started again, they come with it.
func TestFailureIsPassedOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		fake.outcomes["msup-db.service"] = []outcome{{run: time.Second, code: 1, state: 3, res: "exit-code"}}
		r := start(t, fake, nil,
			program("shop", needs("web")), program("web", needs("db:ready")), program("extra", needs("?db:ready")),
			program("db", startPeriod, func(p *units.Program) { p.Rules.StartPeriod, p.Rules.MaxRestarts = 2*time.Second, 1 }))
		r.after(time.Minute)
		r.wantLog(`
db STOPPED -> STARTING: autostart
web STOPPED -> STARTING: autostart, waits for db (ready)
shop STOPPED -> STARTING: autostart, waits for web (started)
extra STOPPED -> STARTING: autostart, waits for db (ready)
msup: supervises 4 programs of /x/msup.conf
db STARTING -> BACKOFF: exit status 3, restart 1 of 1 in 1s
db BACKOFF -> STARTING: restart 1
db STARTING -> FAILED: exit status 3, gave up after 1 restart
web STARTING -> FAILED: needs db, which is FAILED: exit status 3, gave up after 1 restart
shop STARTING -> FAILED: needs web, which is FAILED: needs db, which is FAILED: exit status 3, gave up after 1 restart
extra STARTING -> RUNNING: started
`)
		// A supervisor that takes over leaves them so.
		r.stop()
		r = start(t, fake, r.saved,
			program("shop", needs("web")), program("web", needs("db:ready")), program("extra", needs("?db:ready")), program("db", startPeriod))
		r.after(time.Minute)
		r.wantPhases("shop FAILED, web FAILED, extra RUNNING, db FAILED")
		// To stop it brings nobody back; to start it does.
		r.do(units.Stop, "db")
		r.after(time.Second)
		r.wantPhases("shop FAILED, web FAILED, extra RUNNING, db STOPPED")
		fake.set(func() { delete(fake.outcomes, "msup-db.service") })
		r.do(units.Start, "db")
		r.after(5 * time.Second)
		r.wantPhases("shop RUNNING, web RUNNING, extra RUNNING, db RUNNING")
		r.stop()
	})
}

// A start starts what is needed and down, whatever autostart says.
func TestStartPulls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		fake.outcomes["msup-migrate.service"] = []outcome{{run: time.Second, code: 1, res: "success"}}
		programs := []units.Program{
			program("web", needs("api:ready", "migrate:completed", "?extra"), manual), program("api", needs("db"), manual), program("db", manual),
			program("migrate", manual, func(p *units.Program) { p.Rules.Oneshot = true }), program("extra", manual), program("other"),
		}
		r := start(t, fake, nil, programs...)
		r.after(time.Second)
		snap, err := r.sup.Do(t.Context(), units.Command{Verb: units.Start, Programs: []string{"web"}, By: "by the test"})
		if err != nil || !slices.Equal(snap.Also, []string{"db", "api", "migrate"}) {
			t.Errorf("%v %v", snap.Also, err)
		}
		r.after(5 * time.Second)
		r.wantPhases("web RUNNING, api RUNNING, db RUNNING, migrate EXITED, extra STOPPED, other RUNNING")
		if !strings.Contains(r.log(), "db STOPPED -> STARTING: api depends on it, by the test\n") {
			t.Error(r.log())
		}
		r.do(units.Stop, "web", "api")
		r.after(time.Second)
		runs := len(fake.started)
		r.do(units.Start, "web")
		r.after(5 * time.Second)
		if got := fake.started[runs:]; !slices.Equal(got, []string{"msup-api.service", "msup-web.service"}) {
			t.Errorf("started again: %v", got)
		}
		// Without what it depends on, if that is asked for, and only for this start.
		r.do(units.Stop, "web", "api")
		r.after(time.Second)
		if _, err := r.sup.Do(t.Context(), units.Command{Verb: units.Start, Programs: []string{"web"}, NoDeps: true}); err != nil {
			t.Error(err)
		}
		r.after(time.Second)
		if got := r.phases(); !strings.HasPrefix(got, "web RUNNING, api STOPPED") {
			t.Error(got)
		}
		fake.die("msup-web.service", 1, 3, "exit-code")
		r.after(3 * time.Second)
		if got := r.reason(0); !strings.HasPrefix(got, "STARTING: waits for api (ready; it is STOPPED), ") {
			t.Error(got)
		}
		r.stop()
	})
}

// Stops go in the reverse order, and each waits for those that need it, as long as their
// stops take; restarts likewise.
func TestStopsInReverse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		r := start(t, fake, nil, program("db"), program("web", needs("api")), program("api", needs("db:ready")), program("x"))
		r.after(time.Second)
		fake.set(func() { fake.units["msup-web.service"].slow = 7 * time.Second })
		r.do(units.Restart, "db", "api", "web")
		r.after(5 * time.Second)
		if got := r.phases(); got != "db STOPPING, web STOPPING, api STOPPING, x RUNNING" || fake.active("msup-api.service") != "active" {
			t.Error(got)
		}
		r.after(5 * time.Second)
		r.wantPhases("db RUNNING, web RUNNING, api RUNNING, x RUNNING")
		if got := fmt.Sprint(fake.stopped, fake.started[4:]); got != "[msup-web.service msup-api.service msup-db.service] [msup-db.service msup-api.service msup-web.service]" {
			t.Error(got)
		}
		fake.set(func() {
			fake.stopped = nil
			fake.units["msup-web.service"].slow = 7 * time.Second
		})
		begin := time.Now()
		r.do(units.Down)
		if err := <-r.done; !errors.Is(err, units.ErrDown) || time.Since(begin) < 7*time.Second {
			t.Errorf("%v after %s", err, time.Since(begin))
		}
		if got := fmt.Sprint(fake.stopped); got != "[msup-x.service msup-web.service msup-api.service msup-db.service]" {
			t.Error(got)
		}
	})
}

func TestWithDependents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		r := start(t, fake, nil, program("db"), program("web", needs("?api")), program("api", needs("db")), program("off", needs("db"), manual), program("x"))
		r.after(time.Second)
		snap, err := r.sup.Do(t.Context(), units.Command{Verb: units.Restart, Programs: []string{"db"}, Dependents: true})
		if err != nil || !slices.Equal(snap.Also, []string{"api", "web"}) {
			t.Errorf("%v %v", snap.Also, err)
		}
		r.after(time.Second)
		r.wantPhases("db RUNNING, web RUNNING, api RUNNING, off STOPPED, x RUNNING")
		if got := fmt.Sprint(fake.stopped); got != "[msup-web.service msup-api.service msup-db.service]" {
			t.Error(got)
		}
		r.stop()
	})
}

func TestOnDependency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		r := start(t, fake, nil, program("db"), program("ignores", needs("db")), program("stops", needs("db"), onDependency(policy.StopAtEnd)),
			program("restarts", needs("db:ready"), onDependency(policy.RestartAtEnd)), program("optional", needs("?db"), onDependency(policy.StopAtEnd)),
			program("far", needs("restarts"), onDependency(policy.RestartAtEnd)))
		r.after(time.Second)
		fake.die("msup-db.service", 1, 3, "exit-code")
		r.after(100 * time.Millisecond)
		r.wantPhases("db BACKOFF, ignores RUNNING, stops STOPPED, restarts STARTING, optional RUNNING, far STARTING")
		r.after(5 * time.Second)
		r.wantPhases("db RUNNING, ignores RUNNING, stops STOPPED, restarts RUNNING, optional RUNNING, far RUNNING")
		for _, want := range []string{
			"stops RUNNING -> STOPPING: db is BACKOFF (exit status 3, restart 1 of 2 in 1s), on_dependency is stop\n",
			"far RUNNING -> STOPPING: restarts is STOPPING (db is BACKOFF (exit status 3, restart 1 of 2 in 1s), on_dependency is restart), on_dependency is restart\n",
		} {
			if !strings.Contains(r.log(), want) {
				t.Errorf("not there: %s\n%s", want, r.log())
			}
		}
		// Its own stop waits for those of who follows.
		fake.set(func() { fake.stopped = nil })
		r.do(units.Stop, "db")
		r.after(time.Second)
		if got := fmt.Sprint(fake.stopped); got != "[msup-restarts.service msup-far.service msup-db.service]" && got != "[msup-far.service msup-restarts.service msup-db.service]" {
			t.Error(got)
		}
		r.wantPhases("db STOPPED, ignores RUNNING, stops STOPPED, restarts STARTING, optional RUNNING, far STARTING")
		r.stop()
	})
}

// A supervisor that takes over has them wait as before, and starts nothing twice.
func TestWaitIsTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		programs := []units.Program{program("web", needs("db:ready")), program("db", func(p *units.Program) { p.Rules.StartPeriod = 20 * time.Second })}
		r := start(t, fake, nil, programs...)
		for range 5 {
			r.after(2 * time.Second)
			r.wantPhases("web STARTING, db STARTING")
			r.stop()
			r = start(t, fake, r.saved, programs...)
		}
		if got := r.reason(0); got != "STARTING: waits for db (ready), 10s" {
			t.Error(got)
		}
		r.after(time.Minute)
		if got := r.phases(); got != "web RUNNING, db RUNNING" || len(fake.started) != 2 {
			t.Errorf("%s %v", got, fake.started)
		}
		r.stop()
	})
}

// It can be stopped while it waits, and other needs hold as soon as they are in force.
func TestWaitEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		db := program("db", func(p *units.Program) { p.Rules.StartPeriod = time.Hour })
		r := start(t, fake, nil, program("web", needs("db:ready")), program("other", needs("db:ready")), db)
		r.after(time.Second)
		r.do(units.Stop, "web")
		r.redefine(nil, program("web", needs("db:ready")), program("other", needs("db")), db)
		r.after(time.Second)
		r.wantPhases("web STOPPED, other RUNNING, db STARTING")
		r.stop()
	})
}

// What is waited for may be stopped meanwhile: no state changes by that, and yet it is told, also
// of who waits for the one that waits; a supervisor that takes over does not tell it again.
func TestStuckIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		programs := []units.Program{
			program("web", needs("cache")), program("cache", needs("db:ready")),
			program("db", func(p *units.Program) { p.Rules.StartPeriod = 20 * time.Second }),
		}
		r := start(t, fake, nil, programs...)
		r.after(2 * time.Second)
		n := len(r.records)
		r.do(units.Stop, "db")
		r.after(time.Second)
		r.stop()
		r = start(t, fake, r.saved, programs...)
		r.after(time.Second)
		r.do(units.Start, "db")
		r.after(time.Minute)
		var told []string
		for _, rec := range r.saved.Records[n:] {
			told = append(told, fmt.Sprintf("%s, %v", rec, rec.Stuck))
		}
		if got, want := strings.Join(told, "\n"), strings.TrimSpace(`
db STARTING -> STOPPING: by the test, false
db STOPPING -> STOPPED: by the test: killed by SIGTERM, false
cache: waits for db (ready; it is STOPPED), true
web: waits for cache (started; it waits for what is down), true
msup: supervises 3 programs of /x/msup.conf, false
db STOPPED -> STARTING: by the test, false
cache: waits for db (ready), false
web: waits for cache (started), false
db STARTING -> RUNNING: started, false
cache STARTING -> RUNNING: started, false
web STARTING -> RUNNING: started, false
`); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
		r.stop()
	})
}

// Many of them come up and go down, in the time that their waits take.
func TestManyNeeds(t *testing.T) {
	const many = 200 // of 500, a turn of the loop takes 0.2 ms in the chain
	for _, shape := range []string{"chain", "star"} {
		begin := time.Now()
		synctest.Test(t, func(t *testing.T) {
			fake := newFake()
			sup := units.New(units.Config{Project: units.Project{Name: units.DefaultProject, Programs: shaped(many, shape)}, Bus: fake})
			fake.emit(units.Connected{})
			done := make(chan error, 1)
			go func() { done <- sup.Run(t.Context()) }()
			time.Sleep(time.Minute) // of the bubble: all have been started by then
			synctest.Wait()
			if len(fake.started) != many {
				t.Errorf("%s: %d started", shape, len(fake.started))
			}
			if _, err := sup.Do(t.Context(), units.Command{Verb: units.Down}); err != nil {
				t.Error(err)
			}
			<-done
			synctest.Wait()
			if n := len(fake.stopped); n != many || fake.stopped[n-1] != "msup-p0.service" {
				t.Errorf("%s: %d stopped, the last one %s", shape, n, fake.stopped[n-1])
			}
		})
		t.Logf("%s: %s", shape, time.Since(begin))
	}
}

// What runs without a supervisor is stopped in the reverse order too.
func TestStopLeftoversInReverse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		project := units.Project{Name: units.DefaultProject, Programs: []units.Program{program("web", needs("db")), program("db"), program("front", needs("web:ready"))}}
		r := startProject(t, fake, nil, nil, project)
		r.after(time.Second)
		r.stop()
		fake.set(func() { fake.units["msup-front.service"].slow = 7 * time.Second })
		begin := time.Now()
		if n, err := units.StopLeftovers(t.Context(), fake, project); n != 3 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		if took := time.Since(begin); took < 7*time.Second {
			t.Errorf("within %s", took)
		}
		if got := fmt.Sprint(fake.stopped[:3]); got != "[msup-front.service msup-web.service msup-db.service]" {
			t.Error(got)
		}
	})
}

// Both sides of a dependency name the slice between them, and nothing else.
func TestJointsAreSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		r := start(t, fake, nil, program("web", needs("db")), program("db"), program("x"))
		r.after(time.Second)
		for unit, want := range map[string]string{
			"msup-web.service": "[msup-db:needed.slice] <nil> <nil>", "msup-db.service": "<nil> [msup-db:needed.slice] [msup-db:needed.slice]",
			"msup-x.service": "<nil> <nil> <nil>",
		} {
			props := fake.units[unit].props
			if got := fmt.Sprint(props["Wants"], " ", props["PartOf"], " ", props["Before"]); got != want {
				t.Errorf("%s: %s", unit, got)
			}
		}
		r.stop()
	})
}

// A supervisor that was killed between the decision to stop one that waits and the act leaves
// nothing to wait for, although systemd keeps the failed unit of an earlier run.
func TestStopOfOneThatWaitsIsTakenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		programs := []units.Program{program("web", needs("db")), program("db")}
		r := start(t, fake, nil, programs...)
		r.after(time.Second)
		r.do(units.Stop, "db")
		fake.die("msup-web.service", 1, 3, "exit-code")
		r.after(2 * time.Second)
		if got := r.phases(); got != "web STARTING, db STOPPED" || fake.active("msup-web.service") != "failed" {
			t.Fatal(got)
		}
		r.stop()
		web := r.saved.Programs["web"]
		web.State, _ = policy.Step(programs[0].Rules, web.State, policy.StopRequested{By: "by the test"}, time.Now())
		r.saved.Programs["web"] = web
		r = start(t, fake, r.saved, programs...)
		r.after(time.Second)
		if got := r.phases(); got != "web STOPPED, db STOPPED" || fake.active("msup-web.service") != "" {
			t.Errorf("%s\n%s", got, r.log())
		}
		r.stop()
	})
}

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

func limited(bytes uint64) func(*units.Program) {
	return func(p *units.Program) { p.Limits.MemoryMax = &bytes }
}

// by gives a program another definition in what needs a restart.
func by(digest string) func(*units.Program) {
	return func(p *units.Program) {
		p.Digest, p.Settings = digest, []units.Setting{{Key: "command", Value: digest}}
	}
}

func manual(p *units.Program) { p.Autostart = false }

func TestRedefine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		limits := func(p *units.Program) {
			p.Limits.CPUPercent, p.Limits.CPUWeight, p.Limits.TasksMax = new(uint64(50)), new(uint64(7)), new(uint64(9))
		}
		r := start(t, fake, nil, program("live", limited(64), limits), program("cold", by("one")), program("same"), program("goes"), program("off", manual))
		r.after(time.Second)
		r.records = nil
		same := r.status("same").Invocation
		fake.set(func() { fake.units["msup-goes.service"].slow = time.Second / 2 })
		r.redefine([]string{"cold", "off"}, program("live", limited(128), limits), program("cold", by("two")), program("new"), program("later", manual), program("same"),
			program("off", manual, by("three")))
		r.after(time.Second)
		r.wantLog(`
goes RUNNING -> STOPPING: reloaded: no longer in the configuration
cold RUNNING -> STOPPING: reloaded
new STOPPED -> STARTING: reloaded
new STARTING -> RUNNING: started
cold STOPPING -> STARTING: reloaded: killed by SIGTERM
cold STARTING -> RUNNING: started
goes STOPPING -> STOPPED: reloaded: no longer in the configuration: killed by SIGTERM
`)
		r.wantPhases("live RUNNING, cold RUNNING, new RUNNING, later STOPPED, same RUNNING, off STOPPED")
		if got := fake.property("msup-live.service", "MemoryMax"); got != uint64(128) {
			t.Errorf("MemoryMax of live %v", got)
		}
		if st := r.status("cold"); st.Changed || len(st.Started) != 1 || st.Started[0].Value != "two" {
			t.Errorf("cold runs by %+v", st.Started)
		}
		if got := r.status("same").Invocation; got != same {
			t.Error("same was started again")
		}
		if _, known := r.saved.Programs["goes"]; known {
			t.Error("goes is not forgotten")
		}
		if _, known := r.saved.Definitions["two"]; !known {
			t.Errorf("definitions written down: %v", r.saved.Definitions)
		}

		// A limit that is no longer configured is lifted.
		r.redefine(nil, program("live"), program("cold", by("two")))
		r.after(time.Second)
		for name, want := range map[string]any{"MemoryMax": units.Infinity, "CPUQuotaPerSecUSec": units.Infinity, "CPUWeight": units.Infinity, "TasksMax": uint64(4915)} {
			if got := fake.property("msup-live.service", name); got != want {
				t.Errorf("%s of live %v, want %v", name, got, want)
			}
		}
		r.wantPhases("live RUNNING, cold RUNNING")
		r.stop()
	})
}

// What waits for its next start, or has given up, gets the new definition and another try; the
// policy is another at once.
func TestRedefineWhatIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		for _, name := range []string{"waits", "gaveup", "patient"} {
			fake.outcomes["msup-"+name+".service"] = []outcome{{run: time.Second, code: 1, state: 3, res: "exit-code"}}
		}
		slow := func(p *units.Program) { p.Rules.RestartDelay = time.Hour }
		never := func(p *units.Program) { p.Rules.Autorestart = policy.Never }
		r := start(t, fake, nil, program("waits", slow, by("old")), program("gaveup", never, by("old")), program("patient", slow))
		r.after(time.Minute)
		r.wantPhases("waits BACKOFF, gaveup FAILED, patient BACKOFF")
		fake.set(func() { clear(fake.outcomes) })
		r.redefine([]string{"waits", "gaveup"}, program("waits", slow, by("new")), program("gaveup", by("new")), program("patient"))
		r.after(3 * time.Second) // the delay is one second by now
		r.wantPhases("waits RUNNING, gaveup RUNNING, patient RUNNING")
		r.stop()
	})
}

// A stop that is under way is not turned into a restart.
func TestRedefineLeavesAStopAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		r := start(t, fake, nil, program("web", by("old")))
		r.after(time.Second)
		fake.set(func() { fake.units["msup-web.service"].slow = time.Minute })
		r.do(units.Stop, "web")
		r.redefine([]string{"web"}, program("web", by("new")))
		r.after(2 * time.Minute)
		r.wantPhases("web STOPPED")
		r.stop()
	})
}

// Supervisors are killed on the way: each program is in the end as the new definitions want it.
func TestKilledWhileRedefining(t *testing.T) {
	before := []units.Program{program("live", limited(64)), program("cold", by("one")), program("goes")}
	after := []units.Program{program("live", limited(128)), program("cold", by("two")), program("new")}
	removed := program("goes", manual, func(p *units.Program) { p.Removed = true })
	for wait := range 14 {
		synctest.Test(t, func(t *testing.T) {
			fake := newFake()
			r := start(t, fake, nil, before...)
			r.after(time.Second)
			r.redefine([]string{"cold"}, after...)
			r.after(time.Duration(wait) * time.Millisecond)
			r.stop()
			for len(fake.events) > 0 {
				<-fake.events
			}
			programs := after
			if old, known := r.saved.Programs["goes"]; known && old.State.Phase.Up() {
				programs = append(slices.Clip(programs), removed)
			}
			r2 := start(t, fake, r.saved, programs...)
			r2.after(time.Minute)
			if got, want := r2.phases(), "live RUNNING, cold RUNNING, new RUNNING"; got != want {
				t.Errorf("killed after %d ms: phases %s, want %s\n%s%s", wait, got, want, r.log(), r2.log())
			}
			if got := fake.property("msup-live.service", "MemoryMax"); got != uint64(128) {
				t.Errorf("killed after %d ms: MemoryMax of live %v", wait, got)
			}
			if st := r2.status("cold"); st.Changed {
				t.Errorf("killed after %d ms: cold runs by the old definition", wait)
			}
			if strings.Count(r.log()+r2.log(), "cold RUNNING -> STOPPING") != 1 {
				t.Errorf("killed after %d ms: cold was not restarted once\n%s%s", wait, r.log(), r2.log())
			}
			r2.stop()
		})
	}
}

// A supervisor that comes back gives what it adopts the limits that are configured by then.
func TestTakeoverConforms(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		r := start(t, fake, nil, program("web", limited(64)), program("same", limited(64)))
		r.after(time.Second)
		r.stop()
		var set []string
		fake.set(func() {
			fake.trace = func(text string) {
				if strings.Contains(text, "set ") {
					set = append(set, text)
				}
			}
		})
		r2 := start(t, fake, r.saved, program("web", limited(32)), program("same", limited(64)))
		r2.after(time.Second)
		if got := fake.property("msup-web.service", "MemoryMax"); got != uint64(32) {
			t.Errorf("MemoryMax %v", got)
		}
		if got := fmt.Sprint(set); got != "[systemd: set msup-web.service]" {
			t.Errorf("systemd was asked for %s", got)
		}
		r2.stop()
	})
}

// A version that could not change limits has written down another digest of the same settings.
func TestTakeoverFromBeforeLiveLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		r := start(t, fake, nil, program("web", by("with limits")), program("other", by("another")))
		r.after(time.Second)
		r.stop()
		former := func(p *units.Program) { p.FormerDigest = "with limits" }
		r2 := start(t, fake, r.saved, program("web", by("without"), former), program("other", by("without"), former))
		r2.after(time.Second)
		if st := r2.status("web"); st.Changed {
			t.Error("web runs by an older definition, it is said")
		}
		if st := r2.status("other"); !st.Changed {
			t.Error("other runs by another definition")
		}
		r2.stop()
	})
}

// A supervisor that was killed before a reload took effect leaves one that finds a new program in
// the file, and does not start it; the next reload does.
func TestRedefineStartsWhatTakeoverDidNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		r := start(t, fake, nil, program("web"))
		r.after(time.Second)
		r.stop()
		r2 := start(t, fake, r.saved, program("web"), program("new"), program("unwanted"))
		r2.after(time.Second)
		r2.do(units.Stop, "unwanted")
		r2.wantPhases("web RUNNING, new STOPPED, unwanted STOPPED")
		if !r2.status("new").NeverStarted() || r2.status("unwanted").NeverStarted() {
			t.Error("new was never started, and unwanted not because somebody stopped it")
		}
		r2.redefine([]string{"new", "unwanted"}, program("web"), program("new"), program("unwanted"))
		r2.after(time.Second)
		r2.wantPhases("web RUNNING, new RUNNING, unwanted STOPPED")
		r2.stop()
	})
}

// The same, and the supervisor was killed in between.
func TestTakeoverBringsBackWhatLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		r := start(t, fake, nil, program("goes"), program("late", manual))
		r.after(time.Second)
		r.do(units.Start, "late")
		r.after(time.Second)
		fake.set(func() {
			fake.units["msup-goes.service"].slow, fake.units["msup-late.service"].slow = 5*time.Second, 5*time.Second
		})
		r.redefine(nil)
		r.after(time.Second)
		r.stop()
		r2 := start(t, fake, r.saved, program("goes"), program("late", manual))
		r2.after(time.Minute)
		r2.wantPhases("goes RUNNING, late STOPPED")
		r2.stop()
	})
}

// A start that systemd has not been told of when a program gets another definition goes by that.
func TestRedefineBeforeTheStartIsSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		r := start(t, fake, nil, program("web", by("one"), manual))
		r.after(time.Second)
		fake.disconnect()
		r.after(time.Second)
		r.do(units.Start, "web")
		r.redefine(nil, program("web", by("two"), manual))
		fake.reconnect()
		r.after(time.Minute)
		if st := r.status("web"); st.State.Phase != policy.Running || st.Changed {
			t.Errorf("%s, runs by the old definition %t", st.State.Phase, st.Changed)
		}
		r.stop()
	})
}

// What was removed and is back before it is gone is started again.
func TestRedefineBringsBackWhatLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		r := start(t, fake, nil, program("web"), program("goes"))
		r.after(time.Second)
		fake.set(func() { fake.units["msup-goes.service"].slow = 5 * time.Second })
		r.redefine(nil, program("web"))
		r.after(time.Second)
		r.redefine(nil, program("web"), program("goes"))
		r.after(time.Minute)
		r.wantPhases("web RUNNING, goes RUNNING")
		r.stop()
	})
}

// The last definition holds, although systemd is just doing what an earlier one wanted.
func TestLimitsThereAndBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		r := start(t, fake, nil, program("web", limited(64)))
		r.after(time.Second)
		fake.set(func() { fake.setTakes = 100 * time.Millisecond })
		r.redefine(nil, program("web", limited(32)))
		r.after(10 * time.Millisecond)
		if got := fake.property("msup-web.service", "MemoryMax"); got != uint64(32) {
			t.Fatalf("MemoryMax %v on the way", got)
		}
		r.redefine(nil, program("web", limited(64)))
		r.after(time.Second)
		if got := fake.property("msup-web.service", "MemoryMax"); got != uint64(64) || r.status("web").Pending {
			t.Errorf("MemoryMax %v", got)
		}
		r.stop()
	})
}

// Limits that systemd refuses are told once, and the program runs on; with the connection
// gone they are set when it is back.
func TestLimitsThatCannotBeSet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		r := start(t, fake, nil, program("web", limited(64)))
		r.after(time.Second)
		fake.set(func() { fake.setErr = errors.New("no space left") })
		r.redefine(nil, program("web", limited(32)))
		r.after(time.Second)
		if n := strings.Count(r.log(), "web: cannot change the limits of msup-web.service: no space left"); n != 1 {
			t.Errorf("told %d times\n%s", n, r.log())
		}
		if r.status("web").Pending {
			t.Error("still pending")
		}
		fake.set(func() { fake.setErr = nil })
		fake.disconnect()
		r.redefine(nil, program("web", limited(16)))
		r.after(time.Second)
		if !r.status("web").Pending {
			t.Error("not pending while there is no connection")
		}
		fake.reconnect()
		r.after(time.Second)
		if got := fake.property("msup-web.service", "MemoryMax"); got != uint64(16) || r.status("web").Pending {
			t.Errorf("MemoryMax %v", got)
		}
		r.stop()
	})
}

// What comes back while it is being removed is started again, and what is new is started
// whatever autostart says; what somebody has stopped stays stopped.
func TestRedefineStarts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		r := start(t, fake, nil, program("web@1"), program("web@2"))
		r.after(time.Second)
		fake.set(func() { fake.units["msup-web@2.service"].slow = time.Second })
		r.redefine(nil, program("web@1"))
		if _, err := r.sup.Do(t.Context(), units.Command{Verb: units.Stop, Programs: []string{"web@1"}}); err != nil {
			t.Fatal(err)
		}
		r.after(500 * time.Millisecond)
		r.records = nil
		project := units.Project{Name: units.DefaultProject, File: "/x/msup.conf", Programs: []units.Program{program("web@1"), program("web@2"), program("web@3", manual)}}
		if _, err := r.sup.Redefine(t.Context(), units.Redefinition{Project: project, Start: []string{"web@2", "web@3"}, By: "scaled"}); err != nil {
			t.Fatal(err)
		}
		r.wantPhases("web@1 STOPPED, web@2 STOPPING, web@3 STARTING")
		r.after(2 * time.Second)
		r.wantPhases("web@1 STOPPED, web@2 RUNNING, web@3 RUNNING")
		r.wantLog(`
web@3 STOPPED -> STARTING: scaled
web@3 STARTING -> RUNNING: started
web@2 STOPPING -> STARTING: scaled: killed by SIGTERM
web@2 STARTING -> RUNNING: started
`)
		r.stop()
	})
}

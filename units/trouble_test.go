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
		r.wantPhases("web STOPPING")
		fake.set(func() { fake.stopErr = nil })
		r.after(time.Minute)
		r.wantPhases("web STOPPED")
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

// Somebody has restarted the unit with systemctl while no supervisor ran: the run that was
// known is over, the one that is there is adopted, or has failed by now.
func TestTakesOverAnotherRun(t *testing.T) {
	for _, tt := range []struct {
		name   string
		failed bool
		starts int
		want   string
	}{
		{"it runs", false, 1, `
web RUNNING -> BACKOFF: replaced by another run of its unit, restart 1 of 2 in 1s
web BACKOFF -> RUNNING: started with systemctl
msup: supervises 1 program of /x/msup.conf, has taken over 1 that run
`},
		{"it has failed", true, 2, `
web RUNNING -> BACKOFF: exit status 7, restart 1 of 2 in 1s
msup: supervises 1 program of /x/msup.conf
web BACKOFF -> STARTING: restart 1
web STARTING -> RUNNING: restarted
`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := newFake()
				r := start(t, fake, nil, program("web"))
				r.after(time.Second)
				r.stop()
				if tt.failed {
					fake.die("msup-web.service", 1, 7, "exit-code")
				}
				old := r.saved.Programs["web"]
				old.Invocation = "00000000000000000000000000000abc"
				saved := units.Saved{Version: units.SavedVersion, Programs: map[string]units.SavedProgram{"web": old}}
				r2 := start(t, fake, &saved, program("web"))
				r2.after(time.Minute)
				r2.wantLog(tt.want)
				if len(fake.started) != tt.starts {
					t.Errorf("started %v", fake.started)
				}
				r2.stop()
			})
		})
	}
}

// What happened to a unit while no supervisor ran is known exactly.
func TestEndsThatNobodySaw(t *testing.T) {
	tests := []struct {
		name   string
		happen func(*fakeSystemd)
		want   string
	}{
		{"a clean exit", func(f *fakeSystemd) { f.die("msup-web.service", 1, 0, "success") }, "web RUNNING -> EXITED: exit status 0"},
		{
			"SIGTERM from somewhere", func(f *fakeSystemd) { f.die("msup-web.service", 2, 15, "success") },
			"web RUNNING -> BACKOFF: killed by SIGTERM, restart 1 of 2 in 1s",
		},
		{
			"a failure", func(f *fakeSystemd) { f.die("msup-web.service", 1, 7, "exit-code") },
			"web RUNNING -> BACKOFF: exit status 7, restart 1 of 2 in 1s",
		},
		{
			"systemctl stop", func(f *fakeSystemd) { f.stopNow("msup-web.service", 2, 15, "success") },
			"web RUNNING -> STOPPING: stopped with systemctl\nweb STOPPING -> STOPPED: stopped with systemctl: systemd has unloaded the unit",
		},
		{
			"systemctl stop of one that exits with 143", func(f *fakeSystemd) { f.stopNow("msup-web.service", 1, 143, "exit-code") },
			"web RUNNING -> STOPPING: stopped with systemctl\nweb STOPPING -> STOPPED: stopped with systemctl: exit status 143",
		},
		{
			"systemctl stop of one that is deaf", func(f *fakeSystemd) { f.stopNow("msup-web.service", 2, 9, "timeout") },
			"web RUNNING -> STOPPING: stopped with systemctl\nweb STOPPING -> STOPPED: stopped with systemctl: timed out, killed by SIGKILL",
		},
		{
			"the end of its runtime", func(f *fakeSystemd) { f.stopNow("msup-web.service", 2, 15, "timeout") },
			"web RUNNING -> BACKOFF: timed out, killed by SIGTERM, restart 1 of 2 in 1s",
		},
		{
			"out of memory", func(f *fakeSystemd) { f.stopNow("msup-web.service", 2, 9, "oom-kill") },
			"web RUNNING -> BACKOFF: killed for memory, restart 1 of 2 in 1s",
		},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			fake := newFake()
			r := start(t, fake, nil, program("web"))
			r.after(time.Second)
			r.stop()
			tt.happen(fake)
			fake.loseEvents()
			r2 := start(t, fake, r.saved, program("web"))
			r2.after(500 * time.Millisecond)
			if !strings.Contains(r2.log(), tt.want+"\n") || strings.Contains(r2.log(), "taken over") || strings.Count(r2.log(), "\n") > 3 {
				t.Errorf("%s: got\n%swant\n%s", tt.name, r2.log(), tt.want)
			}
			r2.stop()
		})
	}
}

// A program that is deaf has no time left when its runtime (RuntimeMaxSec=) is over, as if
// it had been stopped; but nobody has.
func TestEndOfTheRuntimeOfOneThatIsDeaf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		r := start(t, fake, nil, program("web"))
		r.after(time.Second)
		fake.set(func() {
			u := fake.units["msup-web.service"]
			u.facts.ActiveState, u.facts.SubState, u.facts.Result = "deactivating", "stop-sigterm", "timeout"
			fake.changed(u)
		})
		r.after(time.Second)
		fake.stopNow("msup-web.service", 2, 9, "timeout")
		r.after(100 * time.Millisecond)
		if want := "web RUNNING -> BACKOFF: timed out, killed by SIGKILL, restart 1 of 2 in 1s\n"; !strings.HasSuffix(r.log(), want) {
			t.Errorf("got\n%s\nwant %s", r.log(), want)
		}
		r.stop()
	})
}

// An exit is written down before its unit is unloaded, so a supervisor that dies in
// between leaves both or one of them.
func TestDiesWhileAnExitIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		r := start(t, fake, nil, program("web"))
		r.after(time.Second)
		fake.set(func() { fake.units["msup-web.service"].slow = time.Minute }) // something is left in it
		fake.die("msup-web.service", 2, 1, "success")
		r.after(time.Second)
		if got := r.phases(); got != "web RUNNING" || r.saved.Programs["web"].Exit == nil {
			t.Errorf("got %s, saved %+v", got, r.saved.Programs["web"])
		}
		r.stop()
		time.Sleep(2 * time.Minute)
		fake.set(func() {
			if len(fake.units) > 0 {
				t.Error("the unit is still loaded")
			}
		})
		fake.loseEvents()
		r2 := start(t, fake, r.saved, program("web"))
		r2.after(500 * time.Millisecond)
		r2.wantLog(`
web RUNNING -> BACKOFF: killed by SIGHUP, restart 1 of 2 in 1s
msup: supervises 1 program of /x/msup.conf
`)
		r2.stop()
	})
}

// A clock that was set back while no supervisor ran does not postpone a restart.
func TestDeadlineAfterTheClockWasSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		saved := units.Saved{Version: units.SavedVersion, Programs: map[string]units.SavedProgram{"web": {
			State: policy.State{Phase: policy.Backoff, Restarts: 1, Reason: "exit status 1", Deadline: time.Now().Add(24 * time.Hour)},
		}}}
		r := start(t, newFake(), &saved, program("web"))
		r.after(5 * time.Second)
		r.wantPhases("web RUNNING")
		r.stop()
	})
}

// A list may be older than the signals that arrive before it. The failed unit is reset all the same before the next start.
func TestListThatIsOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		r := start(t, fake, nil, program("web", func(p *units.Program) { p.Rules.RestartDelay = 0 }))
		r.after(time.Second)
		fake.disconnect()
		r.after(time.Second)
		fake.late = 50 * time.Millisecond
		fake.reconnect()
		r.after(10 * time.Millisecond)
		fake.die("msup-web.service", 1, 3, "exit-code")
		r.after(time.Second)
		if got := r.phases(); got != "web RUNNING" || strings.Count(r.log(), "BACKOFF") != 2 {
			t.Errorf("got %s\n%s", got, r.log())
		}
		r.stop()
	})
}

// A supervisor that is killed on the way down is followed by one that goes on.
func TestKilledOnTheWayDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		backoff := func(p *units.Program) { p.Rules.RestartDelay, p.Rules.Autorestart = time.Hour, policy.Always }
		r := start(t, fake, nil, program("a"), program("b"), program("c", backoff))
		r.after(time.Second)
		fake.die("msup-c.service", 1, 3, "exit-code")
		r.after(time.Second)
		for _, u := range fake.units {
			u.slow = time.Minute
		}
		r.do(units.Down)
		r.stop()

		r = start(t, fake, r.saved, program("a"), program("b"), program("c", backoff))
		r.after(time.Second)
		if snap, err := r.sup.Snapshot(t.Context()); err != nil || !snap.Down {
			t.Errorf("it does not know that it goes down: %+v, %v", snap, err)
		}
		r.after(2 * time.Minute)
		select {
		case err := <-r.done:
			if !errors.Is(err, units.ErrDown) {
				t.Errorf("Run: %v", err)
			}
		default:
			t.Errorf("it is not down: %s\n%s", r.phases(), r.log())
		}
		if len(fake.units) > 0 {
			t.Errorf("systemd still has %v", fake.units)
		}
	})
}

// Whoever asks a supervisor that has not looked at systemd yet waits until it has.
func TestAnswersWhenItHasLooked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		r := start(t, fake, nil, program("web"))
		r.after(time.Second)
		r.stop()

		fake.late = time.Second
		r = start(t, fake, &units.Saved{Damaged: true}, program("web"))
		r.wantPhases("web RUNNING")
		r.stop()
	})
}

// systemd may end a program for a reason of its own before the job of its start is over:
// nobody has stopped it.
func TestKilledDuringItsStartJob(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		fake.hold = make(chan struct{})
		r := start(t, fake, nil, program("web", func(p *units.Program) { p.Rules.Autorestart = policy.Never }))
		r.after(time.Second)
		fake.set(func() {
			u := fake.units["msup-web.service"]
			u.facts.InvocationID, u.facts.ActiveState, u.facts.Result = "00000000000000000000000000000abc", "deactivating", "oom-kill"
			fake.changed(u)
			u.facts.JobID = 0
			fake.end("msup-web.service", u, 2, 9, "oom-kill")
		})
		r.after(time.Second)
		r.wantPhases("web KILLED")
		close(fake.hold)
		r.after(time.Second)
		r.stop()
	})
}

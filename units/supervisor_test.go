package units_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"msup/policy"
	"msup/units"
)

func TestRestartsUntilItGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		fake.outcomes["msup-web.service"] = []outcome{{run: time.Second, code: 1, state: 3, res: "exit-code"}}
		r := start(t, fake, nil, program("web"))
		r.after(time.Minute)
		r.wantLog(`
web STOPPED -> STARTING: autostart
msup: supervises 1 program of /x/msup.conf
web STARTING -> RUNNING: started
web RUNNING -> BACKOFF: exit status 3, restart 1 of 2 in 1s
web BACKOFF -> STARTING: restart 1
web STARTING -> RUNNING: restarted
web RUNNING -> BACKOFF: exit status 3, restart 2 of 2 in 1s
web BACKOFF -> STARTING: restart 2
web STARTING -> RUNNING: restarted
web RUNNING -> FAILED: exit status 3, gave up after 2 restarts
`)
		r.stop()
	})
}

func TestCausesOfAnEnd(t *testing.T) {
	tests := []struct {
		name string
		out  outcome
		want string
	}{
		{"clean exit", outcome{run: 1, code: 1, res: "success"}, "EXITED: exit status 0"},
		{"SIGTERM counts as success only for systemd", outcome{run: 1, code: 2, state: 15, res: "success"}, "FAILED: killed by SIGTERM, autorestart is never"},
		{"core dump", outcome{run: 1, code: 3, state: 6, res: "core-dump"}, "FAILED: killed by SIGABRT, core dumped, autorestart is never"},
		{"out of memory", outcome{run: 1, code: 2, state: 9, res: "oom-kill"}, "KILLED: killed for memory (limit 30M), autorestart is never"},
		{"watchdog", outcome{run: 1, code: 2, state: 6, res: "watchdog"}, "KILLED: watchdog timeout, killed by SIGABRT, autorestart is never"},
		{"runtime limit", outcome{run: 1, code: 2, state: 15, res: "timeout"}, "KILLED: timed out, killed by SIGTERM, autorestart is never"},
		{"exec failure", outcome{fail: &units.Facts{ExecMainCode: 1, ExecMainStatus: 203, Result: "exit-code"}}, "FAILED: systemd could not execute it: cannot execute the command (status 203), autorestart is never"},
		{"203 is the program's own once it runs", outcome{run: 1, code: 1, state: 203, res: "exit-code"}, "FAILED: exit status 203, autorestart is never"},
		{"ExecStartPre", outcome{fail: &units.Facts{Result: "exit-code"}}, "FAILED: its ExecStartPre= failed, autorestart is never"},
		{"resources", outcome{fail: &units.Facts{Result: "resources"}}, "FAILED: systemd could not start it (Result=resources; journalctl -u msup-web.service says why), autorestart is never"},
		{"killed while it was being started", outcome{fail: &units.Facts{ExecMainCode: 2, ExecMainStatus: 9, Result: "oom-kill"}}, "KILLED: killed for memory (limit 30M), autorestart is never"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake := newFake()
				fake.outcomes["msup-web.service"] = []outcome{tt.out}
				limit := uint64(30 << 20)
				r := start(t, fake, nil, program("web", func(p *units.Program) {
					p.Rules.Autorestart, p.Limits.MemoryMax = policy.Never, &limit
				}))
				r.after(time.Minute)
				last := r.records[len(r.records)-1]
				if got := fmt.Sprintf("%s: %s", last.To, last.Reason); got != tt.want {
					t.Errorf("got %s\nwant %s", got, tt.want)
				}
				r.stop()
			})
		})
	}
}

func TestStopWinsOverARestartUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		r := start(t, fake, nil, program("web"))
		r.after(time.Second)
		fake.hold = make(chan struct{}) // the restart's start job waits
		fake.die("msup-web.service", 1, 1, "exit-code")
		r.after(1100 * time.Millisecond)
		r.wantPhases("web STARTING")
		r.do(units.Stop, "web")
		close(fake.hold)
		r.after(time.Minute)
		r.wantPhases("web STOPPED")
		r.stop()
	})
}

func TestRestartOnRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		r := start(t, fake, nil, program("web"))
		r.after(time.Second)
		r.do(units.Restart, "web")
		r.after(time.Second)
		r.wantLog(`
web STOPPED -> STARTING: autostart
msup: supervises 1 program of /x/msup.conf
web STARTING -> RUNNING: started
web RUNNING -> STOPPING: by the test
web STOPPING -> STARTING: by the test: killed by SIGTERM
web STARTING -> RUNNING: started
`)
		r.stop()
	})
}

func TestSystemctlStopIsRespected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		r := start(t, fake, nil, program("web", func(p *units.Program) { p.Rules.Autorestart = policy.Always }))
		r.after(time.Second)
		fake.mu.Lock()
		fake.stop("msup-web.service", fake.units["msup-web.service"])
		fake.mu.Unlock()
		r.after(time.Minute)
		r.wantPhases("web STOPPED")
		r.stop()
	})
}

func TestDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		fake.outcomes["msup-b.service"] = []outcome{{run: time.Millisecond, code: 1, state: 1, res: "exit-code"}}
		r := start(t, fake, nil, program("a"), program("b"), program("c"))
		r.after(time.Minute) // b has given up, its failed unit is loaded
		r.do(units.Down)
		if err := <-r.done; !errors.Is(err, units.ErrDown) {
			t.Errorf("Run: %v", err)
		}
		if len(fake.units) > 0 {
			t.Errorf("left in systemd: %v", fake.units)
		}
		if want := []string{"msup-c.service", "msup-a.service"}; !slices.Equal(fake.stopped, want) {
			t.Errorf("stopped %v, want %v", fake.stopped, want)
		}
	})
}

func TestJobsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		fake.maxJobs = 4
		fake.hold = make(chan struct{})
		var programs []units.Program
		for i := range 20 {
			programs = append(programs, program(fmt.Sprint("p", i)))
		}
		r := start(t, fake, nil, programs...)
		r.after(time.Second)
		if n := len(fake.started); n != 4 {
			t.Errorf("%d start jobs unfinished, want 4", n)
		}
		close(fake.hold)
		r.after(time.Second)
		if got := strings.Count(r.phases(), "RUNNING"); got != 20 {
			t.Errorf("%d programs run, want 20: %s", got, r.phases())
		}
		r.stop()
	})
}

func TestAnotherSupervisorTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		programs := []units.Program{program("runs"), program("fails"), program("exits"), program("waits")}
		fake.outcomes["msup-waits.service"] = []outcome{{run: time.Millisecond, code: 1, state: 1, res: "exit-code"}, {}}
		programs[3].Rules.RestartDelay = time.Hour
		r := start(t, fake, nil, programs...)
		r.after(time.Second)
		r.stop()
		starts := len(fake.started)
		fake.die("msup-fails.service", 1, 7, "exit-code")
		fake.die("msup-exits.service", 1, 0, "success")
		fake.loseEvents()

		r2 := start(t, fake, r.saved, programs...)
		r2.after(100 * time.Millisecond)
		if len(fake.started) != starts {
			t.Errorf("started %v", fake.started[starts:])
		}
		r2.wantPhases("runs RUNNING, fails BACKOFF, exits EXITED, waits BACKOFF")
		r2.after(2 * time.Hour)
		r2.wantPhases("runs RUNNING, fails RUNNING, exits EXITED, waits RUNNING")
		r2.stop()
	})
}

func TestReconnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		r := start(t, fake, nil, program("a"), program("b"), program("c"))
		r.after(time.Second)
		fake.disconnect()
		fake.die("msup-b.service", 1, 7, "exit-code")
		r.after(time.Second)
		r.do(units.Restart, "c") // nobody hears it yet
		r.after(time.Second)
		fake.reconnect()
		r.after(10 * time.Second)
		r.wantPhases("a RUNNING, b RUNNING, c RUNNING")
		if !strings.Contains(r.log(), "b RUNNING -> BACKOFF: exit status 7") {
			t.Errorf("the exit of b was not seen:\n%s", r.log())
		}
		r.stop()
	})
}

func TestForeignUnit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake := newFake()
		fake.units["msup-web.service"] = &fakeUnit{facts: units.Facts{
			Unit: "msup-web.service", LoadState: "loaded", ActiveState: "active", InvocationID: "ff",
			FragmentPath: "/etc/systemd/system/msup-web.service", Slice: "system.slice",
		}}
		r := start(t, fake, nil, program("web", func(p *units.Program) { p.Rules.MaxRestarts = 0 }))
		r.after(time.Minute)
		r.wantPhases("web FAILED")
		if len(fake.started)+len(fake.stopped) > 0 {
			t.Errorf("touched a foreign unit: %v %v", fake.started, fake.stopped)
		}
		if !strings.Contains(r.log(), "/etc/systemd/system/msup-web.service") {
			t.Errorf("the log does not name the unit's file:\n%s", r.log())
		}
		r.stop()
	})
}

// Whatever happens in whatever order: no second copy (the fake watches), and when things
// calm down every program is where the last wish left it.
func TestRandomRequests(t *testing.T) {
	for seed := range uint64(200) {
		synctest.Test(t, func(t *testing.T) {
			rng := rand.New(rand.NewPCG(seed, 0))
			fake := newFake()
			fake.maxJobs = 1 + rng.IntN(4)
			names := []string{"a", "b", "c"}
			var programs []units.Program
			for _, n := range names {
				programs = append(programs, program(n, func(p *units.Program) {
					p.Rules.MaxRestarts = 0
					p.Rules.RestartDelay = time.Duration(rng.IntN(20)) * time.Millisecond
				}))
			}
			r := start(t, fake, nil, programs...)
			wish := map[string]bool{"a": true, "b": true, "c": true}
			for range 60 {
				n := names[rng.IntN(len(names))]
				switch rng.IntN(6) {
				case 0:
					r.do(units.Start, n)
					wish[n] = true
				case 1:
					r.do(units.Stop, n)
					wish[n] = false
				case 2:
					r.do(units.Restart, n)
					wish[n] = true
				case 3:
					fake.die("msup-"+n+".service", 1, 1, "exit-code")
				case 4:
					fake.die("msup-"+n+".service", 2, 9, "signal")
				case 5:
					fake.disconnect()
					r.after(time.Duration(rng.IntN(10)) * time.Millisecond)
					fake.reconnect()
				}
				r.after(time.Duration(rng.IntN(12)) * time.Millisecond)
			}
			r.after(time.Minute)
			for _, n := range names {
				want := n + " STOPPED"
				if wish[n] {
					want = n + " RUNNING"
				}
				if got := r.phases(); !strings.Contains(got, want) {
					t.Errorf("seed %d: got %s, want %s\n%s", seed, got, want, r.log())
				}
				if u := fake.units["msup-"+n+".service"]; (u != nil && u.facts.ActiveState == "active") != wish[n] {
					t.Errorf("seed %d: %s in systemd: %+v, wanted up: %v", seed, n, u, wish[n])
				}
			}
			r.stop()
		})
		if t.Failed() {
			return
		}
	}
}

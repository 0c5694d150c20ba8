package units_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"msup/policy"
	"msup/units"

	"github.com/google/go-cmp/cmp"
)

func program(name string, change ...func(*units.Program)) units.Program {
	p := units.Program{
		Name: name, Unit: units.UnitName(units.DefaultProject, name, units.Service), Type: units.Service,
		Path: "/bin/" + name, Argv: []string{name}, Directory: "/", Autostart: true, StopSignal: 15, StopTimeout: 10 * time.Second,
		Rules: policy.Rules{
			Autorestart: policy.OnFailure, RestartDelay: time.Second, MaxRestarts: 2,
			RestartReset: time.Minute, Success: policy.Codes(0),
		},
	}
	for _, c := range change {
		c(&p)
	}
	return p
}

// run is a supervisor over a fake systemd.
type run struct {
	t       *testing.T
	fake    *fakeSystemd
	sup     *units.Supervisor
	mu      sync.Mutex // of records, while the supervisor runs
	records []units.Record
	saved   *units.Saved
	cancel  context.CancelFunc
	done    chan error
}

func start(t *testing.T, fake *fakeSystemd, saved *units.Saved, programs ...units.Program) *run {
	return startWith(t, fake, saved, nil, programs...)
}

func startWith(t *testing.T, fake *fakeSystemd, saved *units.Saved, forker units.Forker, programs ...units.Program) *run {
	return startProject(t, fake, saved, forker, units.Project{Name: units.DefaultProject, File: "/x/msup.conf", Programs: programs})
}

func startProject(t *testing.T, fake *fakeSystemd, saved *units.Saved, forker units.Forker, project units.Project) *run {
	r := &run{t: t, fake: fake, done: make(chan error, 1)}
	var ctx context.Context
	ctx, r.cancel = context.WithCancel(t.Context())
	r.sup = units.New(units.Config{
		Project: project,
		Bus:     fake, Saved: saved, Forker: forker, Probe: fake.probe, Connections: fake.connections,
		Listen: func(def units.Program, _ int) {
			if fake.listen != nil {
				fake.listen(def)
			}
		},
		Unlisten: fake.unlisten,
		Log: func(rec units.Record) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.records = append(r.records, rec)
		},
		Save: func(c units.Change, all func() units.Saved) error {
			whole := all()
			if r.saved == nil {
				r.saved = &whole
			} else {
				r.saved.Apply(c)
			}
			// Whoever takes over reads either of them.
			if diff := cmp.Diff(whole.Programs, r.saved.Programs); diff != "" {
				t.Errorf("the changes do not add up (-all +changes):\n%s", diff)
			}
			for name := range whole.Programs {
				if all, changes := whole.EndsOf(name), r.saved.EndsOf(name); !reflect.DeepEqual(all, changes) {
					t.Errorf("the ends do not add up (-all +changes):\n%s", cmp.Diff(all, changes))
				}
			}
			return nil
		},
	})
	fake.emit(units.Connected{})
	go func() { r.done <- r.sup.Run(ctx) }()
	return r
}

// after lets time pass in the bubble and everything settle.
func (r *run) after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func (r *run) do(verb units.Verb, programs ...string) {
	r.t.Helper()
	if _, err := r.sup.Do(r.t.Context(), units.Command{Verb: verb, Programs: programs, By: "by the test"}); err != nil {
		r.t.Errorf("%s %v: %v", verb, programs, err)
	}
}

func (r *run) phases() string {
	r.t.Helper()
	snap, err := r.sup.Snapshot(r.t.Context())
	if err != nil {
		r.t.Fatal(err)
	}
	var out []string
	for _, p := range snap.Programs {
		out = append(out, p.Name+" "+string(p.State.Phase))
	}
	return strings.Join(out, ", ")
}

func (r *run) log() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var b strings.Builder
	for _, rec := range r.records {
		fmt.Fprintln(&b, rec)
	}
	return b.String()
}

func (r *run) stop() {
	r.cancel()
	if err := <-r.done; !errors.Is(err, context.Canceled) {
		r.t.Errorf("Run: %v", err)
	}
	if len(r.fake.wrong) > 0 {
		r.t.Errorf("systemd was asked for what must not be: %v", r.fake.wrong)
	}
}

func (r *run) wantLog(want string) {
	r.t.Helper()
	if diff := cmp.Diff(strings.TrimPrefix(want, "\n"), r.log()); diff != "" {
		r.t.Errorf("transition log (-want +got):\n%s", diff)
	}
}

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
		if got := r.phases(); got != "web STARTING" {
			t.Fatalf("got %s", got)
		}
		r.do(units.Stop, "web")
		close(fake.hold)
		r.after(time.Minute)
		if got := r.phases(); got != "web STOPPED" {
			t.Errorf("got %s\n%s", got, r.log())
		}
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
		if got := r.phases(); got != "web STOPPED" {
			t.Errorf("got %s\n%s", got, r.log())
		}
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
		hold := fake.hold
		fake.mu.Lock()
		fake.hold = nil
		fake.mu.Unlock()
		close(hold)
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
		fake.events = make(chan units.BusEvent, 1000) // what is said now is heard by nobody

		r2 := start(t, fake, r.saved, programs...)
		r2.after(100 * time.Millisecond)
		if len(fake.started) != starts {
			t.Errorf("started %v", fake.started[starts:])
		}
		if got, want := r2.phases(), "runs RUNNING, fails BACKOFF, exits EXITED, waits BACKOFF"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		r2.after(2 * time.Hour)
		if got, want := r2.phases(), "runs RUNNING, fails RUNNING, exits EXITED, waits RUNNING"; got != want {
			t.Errorf("got %s, want %s\n%s", got, want, r2.log())
		}
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
		if got, want := r.phases(), "a RUNNING, b RUNNING, c RUNNING"; got != want {
			t.Errorf("got %s, want %s\n%s", got, want, r.log())
		}
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
		if got := r.phases(); got != "web FAILED" {
			t.Errorf("got %s", got)
		}
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

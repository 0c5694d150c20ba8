package units_test

import (
	"errors"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"msup/policy"
	"msup/units"
)

// fakeForker hands out children that end when the test says so.
type fakeForker struct {
	mu       sync.Mutex
	children []*fakeChild
	execErr  error
	slow     time.Duration // what a process has to say comes later than its end
	lost     bool          // processes of before are gone
}

type fakeChild struct {
	pid      int
	execErr  error
	slow     time.Duration
	released bool
	aborted  bool
	end      chan units.ChildStatus
	once     sync.Once
}

func (f *fakeForker) Adopt(pid int, _ string) (units.Child, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.lost {
		return nil, os.ErrProcessDone
	}
	c := &fakeChild{pid: pid, end: make(chan units.ChildStatus, 1)}
	f.children = append(f.children, c)
	return c, nil
}

func (f *fakeForker) Fork(units.Program, string, string) (units.Child, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := &fakeChild{pid: 5000 + len(f.children), execErr: f.execErr, slow: f.slow, end: make(chan units.ChildStatus, 1)}
	f.children = append(f.children, c)
	return c, nil
}

func (c *fakeChild) PID() int           { return c.pid }
func (c *fakeChild) Signal(int32) error { return nil }

func (c *fakeChild) Release() error {
	c.released = true
	if c.execErr != nil {
		c.exit(203 << 8)
	}
	time.Sleep(c.slow)
	return c.execErr
}

func (c *fakeChild) Abort()                  { c.aborted = true; c.exit(0) }
func (c *fakeChild) Wait() units.ChildStatus { return <-c.end }
func (c *fakeChild) exit(ws syscall.WaitStatus) {
	c.once.Do(func() { c.end <- units.ChildStatus{Wait: ws} })
}

func scopeProgram() units.Program {
	return program("job", func(p *units.Program) {
		p.Type, p.Unit = units.Scope, "msup-job.scope"
		p.Rules.Autorestart = policy.Never
	})
}

// emptied ends a scope, as systemd does when its last process has ended.
func (f *fakeSystemd) emptied(result string) { f.set(func() { f.emptiedNow(result) }) }

func (f *fakeSystemd) emptiedNow(result string) {
	const name = "msup-job.scope"
	if u := f.units[name]; u != nil {
		f.end(name, u, 0, 0, result)
	}
}

func TestScope(t *testing.T) {
	const killed = syscall.WaitStatus(syscall.SIGKILL)
	tests := []struct {
		name string
		act  func(r *run, fake *fakeSystemd, c *fakeChild)
		want string
	}{
		{"exit status comes from wait", func(_ *run, fake *fakeSystemd, c *fakeChild) {
			c.exit(4 << 8)
			time.Sleep(time.Millisecond)
			fake.emptied("success")
		}, "FAILED: exit status 4, autorestart is never"},
		{"the scope is gone before wait returns", func(_ *run, fake *fakeSystemd, c *fakeChild) {
			fake.emptied("success")
			time.Sleep(time.Millisecond)
			c.exit(0)
		}, "EXITED: exit status 0"},
		{"killed for memory comes from the scope", func(_ *run, fake *fakeSystemd, c *fakeChild) {
			// At one moment: the kernel has counted before the process is gone.
			fake.set(func() {
				c.exit(killed)
				fake.emptiedNow("oom-kill")
			})
		}, "KILLED: killed for memory, autorestart is never"},
		{"killed otherwise", func(_ *run, fake *fakeSystemd, c *fakeChild) {
			fake.set(func() {
				c.exit(killed)
				fake.emptiedNow("success")
			})
		}, "FAILED: killed by SIGKILL, autorestart is never"},
		{"what it leaves behind ends with it", func(_ *run, _ *fakeSystemd, c *fakeChild) {
			c.exit(0) // and the scope stays, until it is stopped
		}, "EXITED: exit status 0"},
		{"stopped on request", func(r *run, _ *fakeSystemd, c *fakeChild) {
			r.do(units.Stop, "job")
			time.Sleep(time.Millisecond)
			c.exit(syscall.WaitStatus(syscall.SIGTERM))
		}, "STOPPED: by the test: killed by SIGTERM"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake, forker := newFake(), &fakeForker{}
				r := startWith(t, fake, nil, forker, scopeProgram())
				r.after(time.Second)
				if got := r.phases(); got != "job RUNNING" || !forker.children[0].released {
					t.Fatalf("got %s", got)
				}
				tt.act(r, fake, forker.children[0])
				r.after(time.Minute)
				last := r.records[len(r.records)-1]
				if got := string(last.To) + ": " + last.Reason; got != tt.want {
					t.Errorf("got %s\nwant %s\n%s", got, tt.want, r.log())
				}
				if len(fake.units) > 0 && last.To != policy.Killed {
					t.Errorf("left in systemd: %v", fake.units)
				}
				r.stop()
			})
		})
	}
}

func TestScopeThatCannotBeExecuted(t *testing.T) {
	for _, slow := range []time.Duration{0, 100 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			fake, forker := newFake(), &fakeForker{execErr: errors.New("cannot execute /bin/job: permission denied"), slow: slow}
			r := startWith(t, fake, nil, forker, scopeProgram())
			r.after(time.Minute)
			last := r.records[len(r.records)-1]
			if want := "cannot execute /bin/job: permission denied, autorestart is never"; last.To != policy.Failed || last.Reason != want {
				t.Errorf("told after %s: got %s\nwant %s", slow, last, want)
			}
			r.stop()
		})
	}
}

// The execution of one that ends at once is told after its end.
func TestScopeThatEndsBeforeItsExecutionIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, forker := newFake(), &fakeForker{slow: 100 * time.Millisecond}
		r := startWith(t, fake, nil, forker, scopeProgram())
		r.after(10 * time.Millisecond)
		forker.children[0].exit(4 << 8)
		r.after(time.Minute)
		last := r.records[len(r.records)-1]
		if want := "exit status 4, autorestart is never"; last.To != policy.Failed || last.Reason != want {
			t.Errorf("got %s\nwant %s", last, want)
		}
		r.stop()
	})
}

func TestScopeStoppedBeforeItsProcessIsReleased(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, forker := newFake(), &fakeForker{}
		fake.hold = make(chan struct{})
		r := startWith(t, fake, nil, forker, scopeProgram())
		r.after(time.Second)
		r.do(units.Stop, "job")
		close(fake.hold)
		r.after(time.Minute)
		c := forker.children[0]
		if got := r.phases(); got != "job STOPPED" || c.released || !c.aborted {
			t.Errorf("got %s, released %v, aborted %v\n%s", got, c.released, c.aborted, r.log())
		}
		r.stop()
	})
}

// The supervisor that takes over hears of the end of a scope's process although it is not
// its parent, also when the process was gone before, and its children keep the scope.
func TestScopeOfAnEarlierSupervisor(t *testing.T) {
	for _, lost := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			fake, forker := newFake(), &fakeForker{}
			r := startWith(t, fake, nil, forker, scopeProgram())
			r.after(time.Second)
			r.stop()
			forker.children[0].exit(0) // ends the waiting of the first supervisor
			forker.lost = lost
			r2 := startWith(t, fake, r.saved, forker, scopeProgram())
			r2.after(time.Second)
			if !lost {
				if got := r2.phases(); got != "job RUNNING" || len(forker.children) != 2 {
					t.Fatalf("got %s", got)
				}
				forker.children[1].end <- units.ChildStatus{Err: units.ErrUnknowable}
				r2.after(time.Second)
			}
			if got := r2.phases(); got != "job FAILED" || !strings.Contains(r2.log(), "unknowable") || len(fake.units) > 0 {
				t.Errorf("lost %v: got %s, left %v\n%s", lost, got, fake.units, r2.log())
			}
			r2.stop()
		})
	}
}

// The connection is lost between the call and its answer. The process waits until it is known whether systemd has it.
func TestScopeWhoseAnswerIsLost(t *testing.T) {
	for _, taken := range []bool{true, false} {
		t.Run(map[bool]string{true: "taken", false: "not taken"}[taken], func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake, forker := newFake(), &fakeForker{}
				fake.unheard = true
				r := startWith(t, fake, nil, forker, scopeProgram())
				r.after(time.Second)
				fake.set(func() {
					fake.unheard = false
					if !taken {
						clear(fake.units)
					}
				})
				fake.reconnect()
				r.after(time.Second)
				last := forker.children[len(forker.children)-1]
				if got := r.phases(); got != "job RUNNING" || !last.released || last.aborted {
					t.Errorf("got %s, %+v\n%s", got, last, r.log())
				}
				if n := len(forker.children); taken && n != 1 || !taken && (n != 2 || !forker.children[0].aborted) {
					t.Errorf("%d processes", n)
				}
				if strings.Contains(r.log(), "FAILED") {
					t.Errorf("a run that was none has ended:\n%s", r.log())
				}
				r.stop()
				last.exit(0)
			})
		})
	}
}

// A supervisor was killed before systemd could take the process, which died with it: that was no run.
func TestScopeWhoseProcessDiedWithItsSupervisor(t *testing.T) {
	failed := units.Facts{
		Unit: "msup-job.scope", LoadState: "loaded", ActiveState: "failed", SubState: "failed", Result: "resources",
		Transient: true, Slice: "msup.slice",
	}
	for _, tt := range []struct {
		name   string
		before func(f units.Facts) units.Facts
		after  bool
	}{
		{"seen as failed", func(f units.Facts) units.Facts { f.InvocationID = strings.Repeat("f", 32); return f }, false},
		{"told by its job", func(f units.Facts) units.Facts { f.ActiveState, f.SubState, f.JobID = "inactive", "dead", 7; return f }, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				fake, forker := newFake(), &fakeForker{}
				u := &fakeUnit{facts: tt.before(failed)}
				fake.units["msup-job.scope"] = u
				saved := &units.Saved{Programs: map[string]units.SavedProgram{"job": {State: policy.State{Phase: policy.Starting, Restarts: 1}}}}
				r := startWith(t, fake, saved, forker, scopeProgram())
				r.after(time.Second)
				if tt.after {
					fake.set(func() {
						u.facts = failed
						fake.emit(units.JobRemoved{Unit: failed.Unit, JobID: 7, Result: "failed"})
					})
					r.after(time.Second)
				}
				r.wantLog(`
msup: supervises 1 program of /x/msup.conf
job STARTING -> RUNNING: restarted
`)
				r.stop()
				forker.children[0].exit(0)
			})
		})
	}
}

// A scope that has failed becomes a service. That systemd has forgotten the scope says nothing of
// the start of the service, for whose answer a stop has to wait.
func TestStopOfWhatWasAScope(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fake, forker := newFake(), &fakeForker{}
		r := startWith(t, fake, nil, forker, scopeProgram())
		r.after(time.Second)
		fake.set(func() {
			forker.children[0].exit(syscall.WaitStatus(syscall.SIGKILL))
			fake.emptiedNow("oom-kill")
		})
		r.after(time.Second)
		r.wantPhases("job KILLED")
		r.redefine(nil, program("job"))
		fake.set(func() { fake.prepares = time.Second })
		r.do(units.Start, "job")
		r.after(100 * time.Millisecond)
		r.do(units.Stop, "job")
		r.after(time.Minute)
		r.wantPhases("job STOPPED")
		if got := fake.active("msup-job.service"); got != "" {
			t.Errorf("it is %s", got)
		}
		r.stop()
	})
}

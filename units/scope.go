package units

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"syscall"
	"time"

	"msup/policy"
)

// A scope's process is forked by msup and adopted by systemd, which puts it in its control
// group but never learns its exit status. So a run of a scope has two ends to wait for:
// wait(2) gives the status, the unit gives Result (and says that nothing is left in it).

// Forker starts the processes of scopes.
type Forker interface {
	// Fork starts a process that waits to be released before it becomes the program.
	Fork(p Program, stdout, stderr string) (Child, error)
	// Adopt finds the process that an earlier supervisor has forked for the unit. It fails if
	// that is gone, whoever may have its number now. Wait of the child cannot tell how it
	// ended: its Err is [ErrUnknowable].
	Adopt(pid int, unit string) (Child, error)
}

// Child is the process of a scope, at first held back.
type Child interface {
	PID() int
	// Release lets the process execute the program; it returns when that is done or has
	// failed.
	Release() error
	// Abort ends a process that was not released.
	Abort()
	// Wait returns when the process has ended.
	Wait() ChildStatus
	// Signal sends a signal to the process, and to no other that has its number later.
	Signal(signal int32) error
}

// ChildStatus is how a scope's process ended.
type ChildStatus struct {
	Wait syscall.WaitStatus
	Err  error // it could not be waited for
}

// ErrUnknowable says that nobody can know how a scope's process ended: systemd never does,
// and the supervisor that was its parent is gone.
var ErrUnknowable = errors.New("its exit status is unknowable: the supervisor that started it was gone")

// scopeRun is the part of a run that only scopes have.
type scopeRun struct {
	child    Child // nil for a service, and for a scope that an earlier supervisor started
	up       bool  // systemd has the scope, so the process may be released
	released bool
	// releasing: whether it could execute the command is not known yet, and may come after
	// its end.
	releasing bool
	execErr   error // the command could not be executed
	exited    bool
	ran       time.Duration // how long the process was up then
	status    ChildStatus
	gone      bool // the unit is no more
	result    string
}

func (r scopeRun) active() bool { return r.child != nil }

// scopeQueued takes a scope whose start job is queued.
func (s *Supervisor) scopeQueued(p *program, child Child) {
	p.pid = uint32(child.PID())
	s.touch(p)
	s.parent(p, child)
	if p.state.Phase != policy.Starting {
		s.abortScope(p) // the stop came first
		return
	}
	s.releaseScope(p)
}

// parent waits for the end of a scope's process.
func (s *Supervisor) parent(p *program, child Child) {
	p.scope.child = child
	attempt := p.attempt
	go func() {
		status := child.Wait() // not bounded by a timeout: it lasts as long as the program
		s.deliver(func() { s.onChild(p, attempt, status) })
	}()
}

// adopt looks for the process of a scope that runs since before this supervisor.
func (s *Supervisor) adopt(p *program) {
	if p.pid == 0 || p.scope.child != nil || s.cfg.Forker == nil {
		return
	}
	pid, unit, attempt := int(p.pid), p.unit, p.attempt
	s.do(func(context.Context) func() {
		child, err := s.cfg.Forker.Adopt(pid, unit)
		return func() { s.onAdopted(p, attempt, child, err) }
	})
}

func (s *Supervisor) onAdopted(p *program, attempt int, child Child, err error) {
	switch {
	case attempt != p.attempt || p.scope.child != nil || !p.state.Phase.Up():
		if child != nil {
			go child.Wait() // lets go of it when it ends
		}
	case err == nil:
		p.scope.up, p.scope.released = true, true
		s.parent(p, child)
		s.watch(p)
	default:
		// The program has ended, and what it has left behind keeps its scope active.
		p.scope.up, p.scope.released = true, true
		p.scope.child = goneChild{}
		s.onChild(p, p.attempt, ChildStatus{Err: ErrUnknowable})
	}
}

// goneChild stands for a process that had ended before anybody looked.
type goneChild struct{}

func (goneChild) PID() int           { return 0 }
func (goneChild) Release() error     { return nil }
func (goneChild) Abort()             {}
func (goneChild) Wait() ChildStatus  { return ChildStatus{Err: ErrUnknowable} }
func (goneChild) Signal(int32) error { return os.ErrProcessDone }

// discard ends a process that no run is waiting for.
func discard(c Child) {
	c.Abort()
	go c.Wait() // so that no zombie stays
}

// abortScope ends a process that is still held back.
func (s *Supervisor) abortScope(p *program) {
	if c := p.scope.child; c != nil && !p.scope.released {
		c.Abort()
	}
}

// scopeActive notes that systemd has adopted the process.
func (s *Supervisor) scopeActive(p *program) {
	p.scope.up = true
	s.releaseScope(p)
}

func (s *Supervisor) releaseScope(p *program) {
	if !p.scope.up || p.scope.child == nil || p.scope.released || p.state.Phase != policy.Starting {
		return
	}
	p.scope.released, p.scope.releasing = true, true
	child, attempt := p.scope.child, p.attempt
	s.do(func(context.Context) func() {
		err := child.Release()
		return func() { s.onExec(p, attempt, err) }
	})
}

// onExec takes it that the process of a scope has executed its command, or could not.
func (s *Supervisor) onExec(p *program, attempt int, err error) {
	if attempt != p.attempt || p.scope.child == nil {
		return
	}
	p.scope.releasing = false
	if err != nil {
		p.scope.execErr = err // the process ends now; its end is told apart by this
	} else {
		s.watch(p)
		s.step(p, policy.Started{Random: rand.Float64()})
	}
	if p.scope.exited && p.scope.gone {
		s.scopeOver(p)
	}
}

// onChild takes the end of the process of a scope.
func (s *Supervisor) onChild(p *program, attempt int, status ChildStatus) {
	if attempt != p.attempt || p.scope.child == nil {
		return
	}
	p.scope.exited, p.scope.status = true, status
	if !p.state.Active.IsZero() {
		p.scope.ran = time.Since(p.state.Active)
	}
	if p.scope.gone {
		s.scopeOver(p)
		return
	}
	s.stopLeftovers(p)
}

// stopLeftovers stops what the program has left behind in its scope: it ends with it, as in
// a service.
func (s *Supervisor) stopLeftovers(p *program) {
	bus, unit, attempt := s.cfg.Bus, p.unit, p.attempt
	s.do(func(ctx context.Context) func() {
		err := bus.Stop(ctx, unit)
		return func() { s.onLeftovers(p, attempt, err) }
	})
}

// onLeftovers takes the answer to the stop of a scope whose process has ended.
func (s *Supervisor) onLeftovers(p *program, attempt int, err error) {
	if attempt != p.attempt || !p.scope.exited || p.scope.gone {
		return
	}
	switch {
	case err == nil, errors.Is(err, ErrDisconnected): // reconcile will stop them
	case errors.Is(err, ErrNoSuchUnit):
		s.scopeGone(p, "success")
	default:
		s.note(p, "cannot stop %s: %v; trying again", p.unit, err)
		s.afterAWhile(func() {
			if attempt == p.attempt && p.scope.exited && !p.scope.gone {
				s.stopLeftovers(p)
			}
		})
	}
}

// scopeGone notes that the scope itself has ended.
func (s *Supervisor) scopeGone(p *program, result string) {
	if p.scope.gone {
		return
	}
	p.result = result
	p.scope.gone, p.scope.result = true, result
	switch {
	case p.orphaned() && result == "resources":
		s.startAgain(p)
	case p.scope.child == nil:
		e := exitOf(Facts{Unit: p.unit, Result: result}, s.memory(p, result))
		if e.Cause == policy.CauseUnknown {
			e.Reason = "ended, and " + ErrUnknowable.Error()
		}
		s.end(p, e)
	case p.scope.exited:
		s.scopeOver(p)
	}
}

// orphaned reports whether p is a scope that is being started, and its process died with the supervisor that had forked it, before
// systemd could take it. It never became the program.
func (p *program) orphaned() bool {
	return p.scoped() && p.state.Phase == policy.Starting && !p.state.IsActive() && p.scope.child == nil && !p.calling
}

// startAgain starts an orphaned scope, which was no run.
func (s *Supervisor) startAgain(p *program) {
	if p.invocation != "" {
		p.ended = p.invocation
	}
	p.invocation, p.startJob, p.scope = "", "", scopeRun{}
	s.touch(p)
	s.want(p, wishStart)
}

// scopeOver closes a run of which both ends are known.
func (s *Supervisor) scopeOver(p *program) {
	r := p.scope
	switch {
	case r.releasing: // onExec comes back to it
	case r.execErr != nil:
		s.end(p, policy.Exit{Cause: policy.CauseExec, Code: 203, Reason: r.execErr.Error()})
	case r.status.Err != nil:
		e := exitOf(Facts{Unit: p.unit, Result: r.result}, s.memory(p, r.result))
		if e.Cause == policy.CauseUnknown {
			e.Reason = "ended, and " + r.status.Err.Error()
		}
		s.end(p, e)
	default:
		e := waitExit(r.status.Wait, r.result, s.memory(p, r.result))
		e.Ran = r.ran
		if p.state.Phase != policy.Stopping {
			e = overtime(p.def, e)
		}
		s.end(p, e)
	}
}

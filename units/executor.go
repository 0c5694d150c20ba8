package units

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"msup/policy"
)

// The executor does what the loop decided and may not wait for. Each effect is a goroutine,
// and returns what the loop is to do with what has come of it.

// callTimeout bounds one call to systemd. It is long because a manager that starts
// hundreds of units answers late.
const callTimeout = 90 * time.Second

// do runs effect in a goroutine, at the end of the turn, and its answer in the loop. What an
// effect uses of the state it takes along; only the answer may look at it.
func (s *Supervisor) do(effect func(context.Context) (answer func())) {
	s.then(func() {
		go func() {
			call, cancel := context.WithTimeout(s.ctx, callTimeout)
			defer cancel()
			s.deliver(effect(call))
		}()
	})
}

// deliver has the loop do what has come of an effect.
func (s *Supervisor) deliver(answer func()) {
	select {
	case s.answers <- answer:
	case <-s.ctx.Done():
	}
}

// want notes what p wants of systemd next; pump sends it when it may.
func (s *Supervisor) want(p *program, w wish) {
	p.wish = w
	if !p.queued {
		p.queued = true
		s.queue = append(s.queue, p)
	}
}

// pump sends wishes while the connection bears more. A program has one call on its way at
// a time, so that its start and its stop reach systemd in the order they were decided.
func (s *Supervisor) pump() {
	if !s.ready {
		return
	}
	n := 0
	crowded := len(s.queue) > 0 && s.lingering() >= lingersPerSlot*s.cfg.Bus.MaxJobs()
	for _, p := range s.queue {
		// A program that holds a slot has a job already and may replace it.
		if p.calling || p.companionsLeave() || (p.wish == wishStart && crowded && p.def.Ready.Kind.Notifies()) || (s.slots >= s.cfg.Bus.MaxJobs() && !p.slot) || s.held(p) {
			s.queue[n] = p
			n++
			continue
		}
		p.queued = false
		w := p.wish
		p.wish = noWish
		s.send1(p, w)
	}
	clear(s.queue[n:])
	s.queue = s.queue[:n]
}

// held reports whether what p wants of systemd has to wait for something else than systemd.
func (s *Supervisor) held(p *program) bool {
	switch p.wish {
	case wishStart:
		worst, _ := p.await()
		return worst != policy.Met || !s.accompanied(p)
	case wishStop:
		return p.heldStop()
	}
	return false
}

func (s *Supervisor) send1(p *program, w wish) {
	bus, unit := s.cfg.Bus, p.unit
	switch w {
	case wishStart:
		p.calling = true
		s.take(p)
		rt := Runtime{Project: s.cfg.Project.Name, Version: bus.Version(), Joints: p.joints}
		def, attempt, reset := p.def, p.attempt, p.failed
		p.failed = false
		s.do(func(ctx context.Context) func() {
			child, err := s.launch(ctx, unit, def, rt, attempt, reset)
			return func() { s.onStartReply(p, attempt, child, err) }
		})
	case wishStop:
		stop := bus.Stop
		if p.state.Phase.Up() {
			s.take(p)
		} else if p.pin.lingers {
			stop = func(ctx context.Context, unit string) error { return stopLingering(ctx, bus, unit) }
		}
		p.calling, p.pin.lingers = true, false
		// One after the other, so that programs are told to stop in the order decided on.
		before, told := s.lastStop, make(chan struct{})
		s.lastStop = told
		s.do(func(context.Context) func() {
			defer close(told)
			if before != nil {
				select {
				case <-before:
				case <-s.ctx.Done():
				}
			}
			call, cancel := context.WithTimeout(s.ctx, callTimeout) // the wait does not count
			defer cancel()
			err := stop(call, unit)
			return func() { s.onStopReply(p, err) }
		})
	case wishReset:
		if !p.failed {
			return // systemd has unloaded it already
		}
		p.calling, p.failed = true, false
		s.reset(p, unit, func() { s.answered(p) })
	}
}

// launch prepares a run and has systemd start it. A process that it returns waits for systemd to
// take it.
func (s *Supervisor) launch(ctx context.Context, unit string, def Program, rt Runtime, attempt int, reset bool) (Child, error) {
	if s.cfg.Prepare != nil {
		if err := s.cfg.Prepare(def, attempt); err != nil {
			return nil, err
		}
	}
	if s.cfg.Output != nil {
		rt.Stdout, rt.Stderr = s.cfg.Output(def.Name)
	}
	var child Child
	if def.Type == Scope {
		var err error
		if child, err = s.cfg.Forker.Fork(def, rt.Stdout, rt.Stderr); err != nil {
			return child, err
		}
		rt.PID = child.PID()
	}
	if def.Listens() {
		return child, startPinned(ctx, s.cfg.Bus, def)
	}
	return child, s.cfg.Bus.Start(ctx, unit, Properties(def, rt), reset)
}

// reset has systemd forget the failed unit of a run of p that is over.
func (s *Supervisor) reset(p *program, unit string, answered func()) {
	bus := s.cfg.Bus
	s.do(func(ctx context.Context) func() {
		err := bus.Reset(ctx, unit)
		return func() {
			answered()
			if err != nil && !errors.Is(err, ErrNoSuchUnit) && !errors.Is(err, ErrDisconnected) {
				s.note(p, "cannot reset the failed unit: %v", err)
			}
		}
	})
}

// take and release count the jobs systemd has not finished.
func (s *Supervisor) take(p *program) {
	if !p.slot {
		p.slot = true
		s.slots++
	}
}

func (s *Supervisor) release(p *program) {
	if p.slot {
		p.slot = false
		s.slots--
	}
}

// kill sends SIGKILL to every process of p's unit.
func (s *Supervisor) kill(p *program) {
	bus, unit := s.cfg.Bus, p.unit
	s.do(func(ctx context.Context) func() {
		ctx, cancel := context.WithTimeout(ctx, killTimeout)
		defer cancel()
		err := bus.Kill(ctx, unit, "all", int32(syscall.SIGKILL))
		return func() {
			if err != nil && !errors.Is(err, ErrNoSuchUnit) {
				s.note(p, "cannot kill it: %v", err)
			}
		}
	})
}

// look asks systemd how the unit is.
func (s *Supervisor) look(p *program) {
	attempt := p.attempt
	s.read(p.unit, func(f Facts, err error) { s.onRead(p, attempt, f, err) })
}

// read asks systemd about a unit.
func (s *Supervisor) read(unit string, answer func(Facts, error)) {
	bus := s.cfg.Bus
	s.do(func(ctx context.Context) func() {
		f, err := bus.Read(ctx, unit)
		return func() { answer(f, err) }
	})
}

// answered notes that the call of p has come back.
func (s *Supervisor) answered(p *program) {
	p.calling = false
	if p.lookAgain {
		p.lookAgain = false
		s.look(p)
	}
	s.conform(p)
}

func (s *Supervisor) onStartReply(p *program, attempt int, child Child, err error) {
	s.answered(p)
	if child != nil {
		// Whether a call was taken whose answer was lost shows when the connection is back;
		// the process waits as long.
		lost := errors.Is(err, ErrDisconnected)
		if err != nil && !lost || attempt != p.attempt || !p.state.Phase.Up() {
			discard(child)
		} else {
			s.scopeQueued(p, child)
		}
	}
	if err == nil || attempt != p.attempt {
		return
	}
	switch {
	case errors.Is(err, ErrDisconnected):
		// Nobody knows whether it was queued: reconcile will look.
	case errors.Is(err, ErrUnitExists):
		p.startJob = stillLoaded
		s.look(p)
	default:
		s.end(p, policy.Exit{
			Cause: policy.CauseStart, Final: errors.Is(err, ErrInvalid) || errors.Is(err, ErrDenied),
			Reason: fmt.Sprintf("cannot start %s: %v", p.unit, err),
		})
	}
}

// stillLoaded stands for the end of a start job that could not be queued.
const stillLoaded = "still loaded"

func (s *Supervisor) onStopReply(p *program, err error) {
	s.answered(p)
	switch {
	case err == nil, errors.Is(err, ErrDisconnected):
	case errors.Is(err, ErrNoSuchUnit):
		if p.exit != nil {
			s.end(p, *p.exit)
		} else if p.state.Phase == policy.Stopping && !p.scope.active() {
			s.end(p, policy.Exit{Cause: policy.CauseUnknown, Reason: "was not running"})
		}
	default:
		p.pin.lingers = !p.state.Phase.Up() && p.pinned()
		s.note(p, "cannot stop %s: %v; trying again", p.unit, err)
		s.afterAWhile(func() { s.stopAgain(p) })
	}
}

// afterAWhile does something when it is time to ask systemd again for what it has refused.
func (s *Supervisor) afterAWhile(do func()) {
	s.do(func(ctx context.Context) func() {
		waitFor(ctx, stopAgainDelay)
		return do
	})
}

func waitFor(ctx context.Context, d time.Duration) {
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// cleanAgainDelay is the time between tries to clean up while the connection is away.
const cleanAgainDelay = 50 * time.Millisecond

// stopAgainDelay is the time between tries to stop a unit.
const stopAgainDelay = 2 * time.Second

// stopAgain repeats a stop that systemd has not taken.
func (s *Supervisor) stopAgain(p *program) {
	if (p.state.Phase == policy.Stopping || p.exit != nil || p.pin.lingers) && p.wish == noWish && !p.calling {
		s.want(p, wishStop)
	}
}

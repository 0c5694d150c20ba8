package units

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	"msup/policy"
	"msup/probe"
)

// The executor does what the loop decided and may not wait for. Each effect is a
// goroutine that sends one result back.

type resultKind int

const (
	resultStart resultKind = iota
	resultStop
	resultReset
	resultKill
	resultSignal
	resultReload
	resultRead
	resultList
	resultClean
	resultCompanion
	resultConnections // those of a program were counted
	resultSocketRead  // a unit of sockets that was removed was looked at
	resultExec        // a scope's process has executed its command, or could not
	resultChild       // a scope's process has ended
	resultAdopted     // the process of a scope was looked for
	resultStopAgain   // it is time to repeat a stop
	resultConform     // the limits of a unit were to be changed
	resultLeftovers   // a scope whose process has ended was asked to stop
	resultLeftoversAgain
	resultAction     // the start of an action was asked for
	resultActionRead // the unit of an action was looked at
	resultActionGone // the unit of an action that is over may go
	resultProbe      // a program was asked
	resultTimer      // the timer of a program was looked at
)

type result struct {
	kind      resultKind
	p         *program
	companion *companion
	action    *action
	attempt   int
	err       error
	facts     Facts
	list      []Facts
	child     Child
	status    ChildStatus
	live      string            // the limits that a unit was to get, as program.live
	props     []Property        // the same, as program.has
	reply     chan commandReply // who waits for it
	probing   *probing          // the probe, and as which it was begun
	serial    int
	probe     probe.Result
	open      int       // connections
	last      time.Time // when the last of the others ended
}

// callTimeout bounds one call to systemd. It is long because a manager that starts
// hundreds of units answers late.
const callTimeout = 90 * time.Second

// do runs effect in a goroutine, at the end of the turn, and sends its result to the loop.
func (s *Supervisor) do(r result, effect func(context.Context, *result)) {
	ctx := s.ctx
	run := func() {
		call, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		effect(call, &r)
		select {
		case s.results <- r:
		case <-ctx.Done():
		}
	}
	s.then(func() { go run() })
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
		def, forker, prepare, output, reset := p.def, s.cfg.Forker, s.cfg.Prepare, s.cfg.Output, p.failed
		p.failed = false
		s.do(result{kind: resultStart, p: p, attempt: p.attempt}, func(ctx context.Context, r *result) {
			if prepare != nil {
				if r.err = prepare(def, r.attempt); r.err != nil {
					return
				}
			}
			if output != nil {
				rt.Stdout, rt.Stderr = output(def.Name)
			}
			if def.Type == Scope {
				r.child, r.err = forker.Fork(def, rt.Stdout, rt.Stderr)
				if r.err != nil {
					return
				}
				rt.PID = r.child.PID()
			}
			if def.Listens() {
				r.err = startPinned(ctx, bus, def)
				return
			}
			r.err = bus.Start(ctx, unit, Properties(def, rt), reset)
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
		s.do(result{kind: resultStop, p: p, attempt: p.attempt}, func(_ context.Context, r *result) {
			defer close(told)
			if before != nil {
				select {
				case <-before:
				case <-s.ctx.Done():
				}
			}
			call, cancel := context.WithTimeout(s.ctx, callTimeout) // the wait does not count
			defer cancel()
			r.err = stop(call, unit)
		})
	case wishReset:
		if !p.failed {
			return // systemd has unloaded it already
		}
		p.calling, p.failed = true, false
		s.do(result{kind: resultReset, p: p}, func(ctx context.Context, r *result) { r.err = bus.Reset(ctx, unit) })
	}
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
	s.do(result{kind: resultKill, p: p}, func(ctx context.Context, r *result) {
		ctx, cancel := context.WithTimeout(ctx, killTimeout)
		defer cancel()
		r.err = bus.Kill(ctx, unit, "all", int32(syscall.SIGKILL))
	})
}

// look asks systemd how the unit is.
func (s *Supervisor) look(p *program) {
	bus, unit := s.cfg.Bus, p.unit
	s.do(result{kind: resultRead, p: p, attempt: p.attempt}, func(ctx context.Context, r *result) {
		r.facts, r.err = bus.Read(ctx, unit)
	})
}

func (s *Supervisor) onResult(r result) {
	switch r.kind {
	case resultStart:
		s.answered(r.p)
		s.onStartReply(r)
	case resultStop:
		s.answered(r.p)
		s.onStopReply(r)
	case resultReset:
		s.answered(r.p)
		if r.err != nil && !errors.Is(r.err, ErrNoSuchUnit) && !errors.Is(r.err, ErrDisconnected) {
			s.note(r.p, "cannot reset the failed unit: %v", r.err)
		}
	case resultConform:
		s.onConform(r)
	case resultKill:
		if r.err != nil && !errors.Is(r.err, ErrNoSuchUnit) {
			s.note(r.p, "cannot kill it: %v", r.err)
		}
	case resultSignal:
		reply := commandReply{s.snapshot(), r.err}
		s.then(func() { r.reply <- reply })
	case resultReload:
		s.onReload(r)
	case resultRead:
		s.onRead(r)
	case resultList:
		s.onList(r)
	case resultClean:
		if r.err != nil {
			s.note(nil, "cannot clean up everything: %v", r.err)
		}
		s.over = ErrDown
	case resultConnections:
		s.onConnections(r)
	case resultSocketRead:
		s.onSocketRead(r)
	case resultCompanion:
		s.onCompanion(r)
	case resultStopAgain:
		s.stopAgain(r.p)
	case resultExec:
		s.onExec(r)
	case resultAdopted:
		s.onAdopted(r)
	case resultChild:
		s.onChild(r)
	case resultAction:
		s.onActionStart(r)
	case resultActionRead:
		s.onActionRead(r)
	case resultActionGone: // the next list tells what is left
	case resultLeftovers:
		s.onLeftovers(r)
	case resultProbe:
		s.onProbe(r)
	case resultTimer:
		s.onTimer(r)
	case resultLeftoversAgain:
		if r.attempt == r.p.attempt && r.p.scope.exited && !r.p.scope.gone {
			s.stopLeftovers(r.p)
		}
	}
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

func (s *Supervisor) onStartReply(r result) {
	p := r.p
	if r.child != nil {
		// Whether a call was taken whose answer was lost shows when the connection is back;
		// the process waits as long.
		lost := errors.Is(r.err, ErrDisconnected)
		if r.err != nil && !lost || r.attempt != p.attempt || !p.state.Phase.Up() {
			discard(r.child)
		} else {
			s.scopeQueued(p, r)
		}
	}
	if r.err == nil || r.attempt != p.attempt {
		return
	}
	switch {
	case errors.Is(r.err, ErrDisconnected):
		// Nobody knows whether it was queued: reconcile will look.
	case errors.Is(r.err, ErrUnitExists):
		p.startJob = stillLoaded
		s.look(p)
	default:
		s.end(p, policy.Exit{
			Cause: policy.CauseStart, Final: errors.Is(r.err, ErrInvalid) || errors.Is(r.err, ErrDenied),
			Reason: fmt.Sprintf("cannot start %s: %v", p.unit, r.err),
		})
	}
}

// stillLoaded stands for the end of a start job that could not be queued.
const stillLoaded = "still loaded"

func (s *Supervisor) onStopReply(r result) {
	p := r.p
	switch {
	case r.err == nil, errors.Is(r.err, ErrDisconnected):
	case errors.Is(r.err, ErrNoSuchUnit):
		if p.exit != nil {
			s.end(p, *p.exit)
		} else if p.state.Phase == policy.Stopping && !p.scope.active() {
			s.end(p, policy.Exit{Cause: policy.CauseUnknown, Reason: "was not running"})
		}
	default:
		p.pin.lingers = !p.state.Phase.Up() && p.pinned()
		s.note(p, "cannot stop %s: %v; trying again", p.unit, r.err)
		s.do(result{kind: resultStopAgain, p: p, attempt: p.attempt}, waitToStopAgain)
	}
}

func waitToStopAgain(ctx context.Context, _ *result) { waitFor(ctx, stopAgainDelay) }

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

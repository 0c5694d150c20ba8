package units

import (
	"context"
	"fmt"
	"time"

	"msup/policy"
)

// Run is the loop. It returns [ErrDown] after a [Down] command has been carried out, or
// ctx's error; the programs run on then.
func (s *Supervisor) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer close(s.done)
	defer s.dismiss()
	s.ctx = ctx
	s.aliveAt = time.Now()
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		s.wind(timer)
		requests := s.requests
		if !s.begun {
			requests = nil // before it has looked, what it would answer may be wrong
		}
		select {
		case ev, ok := <-s.cfg.Bus.Events():
			if !ok {
				return fmt.Errorf("cannot go on: %w", ErrDisconnected)
			}
			s.onBus(ev)
		case answer := <-s.answers:
			answer()
		case r := <-requests:
			r.serve(s)
		case now := <-timer.C:
			s.onTime(now)
		case <-ctx.Done():
			return ctx.Err()
		}
		s.follow()
		s.descend()
		s.sweep()
		s.settle()
		if s.over != nil {
			return s.over
		}
	}
}

// wind sets the timer to the earliest thing that is due.
func (s *Supervisor) wind(timer *time.Timer) {
	var next time.Time
	earlier := func(t time.Time) {
		if !t.IsZero() && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	if s.ready {
		for _, p := range s.programs {
			earlier(p.due())
			earlier(p.nextProbe())
			earlier(p.idle.due)
		}
	}
	if s.cfg.Alive != nil {
		earlier(s.aliveAt)
	}
	if next.IsZero() {
		timer.Stop()
		return
	}
	timer.Reset(time.Until(next))
}

func (s *Supervisor) onTime(now time.Time) {
	if s.ready {
		for _, p := range s.programs {
			if d := p.due(); !d.IsZero() && !d.After(now) {
				s.step(p, policy.DeadlineReached{Probe: p.lastProbe()})
			}
			s.probeDue(p, now)
			s.idleDue(p, now)
		}
	}
	if s.cfg.Alive != nil && !s.aliveAt.After(now) {
		s.cfg.Alive()
		s.aliveAt = now.Add(s.cfg.AliveEvery)
	}
}

// step feeds one event to the policy and carries out what it decides.
func (s *Supervisor) step(p *program, ev policy.Event) {
	before := p.state
	now := time.Now()
	state, action := policy.Step(p.def.Rules, p.state, ev, now)
	p.state = state
	p.alone = p.alone && state.Phase.Up() && !state.IsActive()
	p.fell = p.fell || before.IsActive() && !state.IsActive()
	if state.Phase != before.Phase {
		s.changed(p, before.Phase)
	} else if state.Armed != before.Armed {
		s.armed(p, ev)
	}
	if p.slot && state.IsActive() {
		s.release(p) // its job is done, though it may have to stay up to count as started
	}
	if !state.Equal(before) {
		s.touch(p)
	}
	s.attend(p)
	s.listen(p)
	s.watchIdle(p)
	switch action {
	case policy.StartUnit:
		p.attempt++
		p.startJob = ""
		s.recheckSockets(p)
		s.startBy(p)
		s.want(p, wishStart)
	case policy.StopUnit:
		s.abortScope(p)
		s.want(p, wishStop)
	case policy.ResetUnit:
		s.want(p, wishReset)
	}
	if state.Phase == policy.Backoff && !state.Deadline.After(now) && s.ready {
		// Without a delay there is nothing to wait for.
		s.step(p, policy.DeadlineReached{})
	}
}

func (s *Supervisor) changed(p *program, from policy.Phase) {
	if p.slot && p.state.Phase != policy.Starting && p.state.Phase != policy.Stopping {
		s.release(p)
	}
	r := Record{
		Program: p.def.Name, Unit: p.unit, From: from, To: p.state.Phase, Reason: p.state.Reason, Next: p.state.NextStart(), Armed: p.state.Armed,
	}
	p.stuck = false
	if waits := p.unmet(); len(waits) > 0 && p.state.Phase == policy.Starting {
		r.Reason += ", " + waitWords(waits)
		p.stuck = stuck(waits)
	}
	r.Stuck = p.stuck
	s.record(r)
	s.trigger(p, from)
}

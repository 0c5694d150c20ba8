package units

import (
	"context"
	"time"

	"msup/policy"
)

// This file stops programs that nobody is connected to (idle_stop). That nobody was for how
// long is not written down: whoever takes over begins to count anew.

// idling is what the loop knows of the connections to a program that runs.
type idling struct {
	due    time.Time // when they are counted next; zero = never
	asked  bool      // they are being counted
	last   time.Time // when there was one last
	failed bool      // they could not be counted, and that was told
}

// idles reports whether p is stopped when nobody is connected.
func (p *program) idles() bool {
	return p.def.Listen.IdleStop > 0 && p.state.Armed && p.state.Phase == policy.Running
}

// every is the time between two counts. The kernel remembers most connections for a minute, but
// not those from elsewhere that were closed there first.
func (p *program) idleEvery() time.Duration {
	return min(max(p.def.Listen.IdleStop/10, 100*time.Millisecond), 5*time.Second)
}

// watchIdle begins or ends the count of connections to p.
func (s *Supervisor) watchIdle(p *program) {
	switch {
	case !p.idles() || s.cfg.Connections == nil:
		p.idle.due = time.Time{}
	case p.idle.due.IsZero():
		now := time.Now()
		p.idle.last, p.idle.due = now, now.Add(p.idleEvery())
	}
}

func (s *Supervisor) idleDue(p *program, now time.Time) {
	if p.idle.due.IsZero() || p.idle.due.After(now) || p.idle.asked {
		return
	}
	p.idle.asked, p.idle.due = true, now.Add(p.idleEvery())
	list, count := p.def.Listen.Addresses, s.cfg.Connections
	s.do(result{kind: resultConnections, p: p, attempt: p.attempt}, func(_ context.Context, r *result) {
		r.open, r.last, r.err = count(list)
	})
}

func (s *Supervisor) onConnections(r result) {
	p, now := r.p, time.Now()
	p.idle.asked = false
	if r.attempt != p.attempt || p.idle.due.IsZero() {
		return
	}
	p.idle.due = now.Add(p.idleEvery())
	if r.err != nil && !p.idle.failed {
		s.note(p, "idle_stop does not hold: cannot count the connections: %v", r.err)
	}
	p.idle.failed = r.err != nil
	switch {
	case r.err != nil || r.open > 0:
		p.idle.last = now
	case r.last.After(p.idle.last) && !r.last.After(now):
		p.idle.last = r.last
	}
	if limit := p.def.Listen.IdleStop; now.Sub(p.idle.last) >= limit {
		s.step(p, policy.Idled{Reason: "no connection for " + policy.Words(limit)})
	}
}

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
	list, attempt := p.def.Listen.Addresses, p.attempt
	s.do(func(context.Context) func() {
		open, last, err := s.cfg.Connections(list)
		return func() {
			p.idle.asked = false
			if attempt == p.attempt && !p.idle.due.IsZero() {
				s.onConnections(p, open, last, err)
			}
		}
	})
}

// onConnections takes the number of connections to p, and when the last of the others ended.
func (s *Supervisor) onConnections(p *program, open int, last time.Time, err error) {
	now := time.Now()
	p.idle.due = now.Add(p.idleEvery())
	if err != nil && !p.idle.failed {
		s.note(p, "idle_stop does not hold: cannot count the connections: %v", err)
	}
	p.idle.failed = err != nil
	switch {
	case err != nil || open > 0:
		p.idle.last = now
	case last.After(p.idle.last) && !last.After(now):
		p.idle.last = last
	}
	if limit := p.def.Listen.IdleStop; now.Sub(p.idle.last) >= limit {
		s.step(p, policy.Idled{Reason: "no connection for " + policy.Words(limit)})
	}
}

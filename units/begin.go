package units

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"msup/policy"
)

// begin starts the programs that start by themselves, once.
func (s *Supervisor) begin() {
	if s.begun {
		return
	}
	s.begun = true
	takesOver := s.cfg.Saved != nil && !s.cfg.Saved.Anew
	running := 0
	for _, p := range s.programs {
		if p.state.IsActive() && p.exit == nil {
			running++
		}
	}
	for _, p := range s.ordered {
		p.stuck = stuck(p.waits()) // which was told before
	}
	var start []*program
	for _, p := range s.programs {
		if takesOver && s.knew(p) && !s.down {
			s.rearm(p, s.cfg.Saved.Programs[p.def.Name].Awaits, "taken over")
		}
		switch {
		case s.down:
		case p.def.Autostart && p.state.Phase == policy.Stopping && takesOver && s.cfg.Saved.Programs[p.def.Name].Dropping && !p.dropping:
			s.autostart(p, "it is in the configuration again")
		case p.def.Autostart && p.state.IsActive() && !s.knew(p) && (!takesOver || s.cfg.Saved.Damaged):
			s.step(p, policy.ArmRequested{By: "adopted"}) // that it waits for something was lost too
		case p.state.Phase != policy.Stopped || (takesOver && s.knew(p)):
		case takesOver && !s.cfg.Saved.Damaged:
			// Taking over starts nothing that did not run.
			p.state.Reason = "added to the configuration since, and not started"
			s.touch(p)
		case p.def.Autostart:
			start = append(start, p)
		}
	}
	s.autostartAll(start, "autostart")
	text := fmt.Sprintf("supervises %s of %s", count(len(s.programs)), s.cfg.Project.File)
	if running > 0 {
		text += fmt.Sprintf(", has taken over %d that run", running)
	}
	s.note(nil, "%s", text)
	if s.down {
		// The supervisor before this one was killed on the way.
		s.stopAll("project going down")
	}
}

// autostartAll starts programs that start by themselves, and what they depend on.
func (s *Supervisor) autostartAll(programs []*program, by string) {
	var now []*program
	for _, p := range programs {
		if p.def.Rules.Awaits == "" {
			now = append(now, p)
		} else {
			s.autostart(p, by)
		}
	}
	s.startWith(now, func(p *program) { s.autostart(p, by) }, by)
}

// autostart starts a program that starts by itself, or has that done by what it awaits.
func (s *Supervisor) autostart(p *program, by string) {
	if p.def.Rules.Awaits != "" {
		s.step(p, policy.ArmRequested{By: by})
		return
	}
	s.step(p, policy.StartRequested{By: by})
}

func count(n int) string {
	if n == 1 {
		return "1 program"
	}
	return fmt.Sprintf("%d programs", n)
}

// stopAll asks for the stop of every program, the last one first, and what depends on others
// before them.
func (s *Supervisor) stopAll(by string) {
	for _, p := range slices.Backward(s.ordered) {
		s.step(p, policy.StopRequested{By: by})
	}
}

// descend takes the last step of going down when no program is up any more.
func (s *Supervisor) descend() {
	if !s.down || s.cleaning || !s.ready {
		return
	}
	for _, p := range s.touched {
		s.accompany(p)
	}
	if s.companionsAsked() {
		return
	}
	for _, p := range s.programs {
		if p.state.Phase.Up() || p.calling || p.wish != noWish {
			return
		}
	}
	if slices.ContainsFunc(s.actions, func(a *action) bool { return a.calling }) {
		return // what is started behind it would be left
	}
	s.cleaning = true
	bus, project := s.cfg.Bus, s.cfg.Project
	s.do(func(ctx context.Context) func() {
		err := cleanUp(ctx, bus, project)
		for errors.Is(err, ErrDisconnected) && ctx.Err() == nil {
			// A daemon-reexec cuts the connection, which comes back by itself.
			waitFor(ctx, cleanAgainDelay)
			err = cleanUp(ctx, bus, project)
		}
		return func() {
			if err != nil {
				s.note(nil, "cannot clean up everything: %v", err)
			}
			s.over = ErrDown
		}
	})
}

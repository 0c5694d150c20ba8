package units

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"msup/policy"
)

// This file gives a supervisor other definitions while it runs.

// Redefinition is what a supervisor shall supervise from now on.
type Redefinition struct {
	Project Project // with all programs, in their order; its name stays
	// Restart are the programs that shall be started again by their new definition. One that
	// is not up, and has not given up either, is not, unless it was never started.
	Restart []string
	// Start are programs that shall be started whatever autostart says, if they are not up:
	// new ones, and ones that are leaving, and come back.
	Start []string
	By    string // who asks, for the reason
	// Gone says why programs are not in Project; "" = the configuration no longer has them.
	Gone string
}

// Redefine puts other definitions in force, all of them at once: policy and limits of what
// runs change; what is new and starts by itself is started; what is no longer there is
// stopped and then forgotten. It returns the programs as they are right after it, and when
// that is written down; a supervisor that takes over from then on carries out the rest.
func (s *Supervisor) Redefine(ctx context.Context, r Redefinition) (Snapshot, error) {
	req := redefineRequest{r, make(chan commandReply, 1)}
	if err := s.send(ctx, req); err != nil {
		return Snapshot{}, err
	}
	return s.answer(ctx, req.reply)
}

type redefineRequest struct {
	Redefinition
	reply chan commandReply
}

func (r redefineRequest) serve(s *Supervisor) {
	var err error
	switch {
	case s.down:
		err = fmt.Errorf("cannot change anything: the project is going down")
	case r.Project.Name != s.cfg.Project.Name:
		err = fmt.Errorf("cannot make project %s of project %s", r.Project.Name, s.cfg.Project.Name)
	default:
		s.redefine(r.Redefinition)
	}
	reply := commandReply{s.snapshot(), err}
	s.then(func() { r.reply <- reply })
}

func (s *Supervisor) redefine(r Redefinition) {
	var programs, added []*program
	kept := map[*program]bool{}
	for _, def := range r.Project.Programs {
		p := s.byName[def.Name]
		if p == nil {
			p = newProgram(def)
			s.byName[def.Name], s.byUnit[p.unit] = p, p
			s.touch(p)
			added = append(added, p)
		} else {
			if p.dropping { // not gone yet, and there again
				added = append(added, p)
			}
			s.reschedule(p, def, r.By)
		}
		kept[p] = true
		programs = append(programs, p)
	}
	var gone []*program
	for _, p := range s.programs {
		if !kept[p] {
			p.dropping, p.def.Removed, p.def.Autostart = true, true, false
			gone = append(gone, p)
		}
	}
	s.programs = append(programs, gone...)
	s.cfg.Project = r.Project
	s.useNeeds()
	s.useSlices(r.Project)

	for _, p := range s.reversed(gone) {
		s.step(p, policy.StopRequested{By: cmp.Or(r.Gone, r.By+": no longer in the configuration")})
	}
	for _, p := range slices.Backward(s.ordered) {
		if slices.Contains(r.Restart, p.def.Name) && (p.restartable() || neverStarted(p.def, p.state)) {
			s.step(p, policy.RestartRequested{By: r.By})
		}
	}
	var byItself, asked []*program
	for _, p := range added {
		if p.def.Autostart && !slices.Contains(r.Start, p.def.Name) {
			byItself = append(byItself, p)
		}
	}
	for _, p := range s.programs {
		if p.def.Rules.Awaits != "" && neverStarted(p.def, p.state) && !slices.Contains(byItself, p) {
			byItself = append(byItself, p)
		}
	}
	for _, name := range r.Start {
		if p := s.byName[name]; p != nil {
			asked = append(asked, p)
		}
	}
	s.autostartAll(byItself, r.By)
	s.startWith(asked, func(p *program) { s.startOnRequest(p, r.By) }, r.By)
}

// restartable reports whether a new definition makes p start again: it is up and nobody is
// stopping it, or it is down for what may have been wrong with the old one.
func (p *program) restartable() bool { return Restartable(p.state.Phase) }

// Restartable reports whether a program in this phase is started again for the sake of a
// new definition.
func Restartable(phase policy.Phase) bool {
	return phase == policy.Starting || phase == policy.Running || phase == policy.Backoff || phase.GaveUp()
}

// NeverStarted reports whether the program starts by itself and yet has not, nor has anybody
// stopped it: it was in the configuration when a supervisor took over.
func (st Status) NeverStarted() bool { return neverStarted(st.Program, st.State) }

func neverStarted(def Program, state policy.State) bool {
	return def.Autostart && state.Phase == policy.Stopped && state.Since.IsZero()
}

// define puts another definition of p in force.
func (s *Supervisor) define(p *program, def Program) {
	before := p.def
	p.def, p.live, p.refused, p.dropping = def, liveDigest(def), "", false
	p.state = def.Rules.Bound(p.state, time.Now())
	s.touch(p)
	s.reprobe(p, before)
	s.watchIdle(p)
	s.reaccompany(p)
	if p.wish == wishStart {
		s.startBy(p) // systemd has not been told of the old one
	}
	s.conform(p)
}

// startBy notes that p is being started by the definition in force.
func (s *Supervisor) startBy(p *program) {
	p.digest, p.applied, p.refused = p.def.Digest, p.live, ""
	p.has = LiveProperties(p.def, s.cfg.Bus.DefaultTasksMax())
	if _, known := s.definitions[p.digest]; !known && p.digest != "" {
		s.definitions[p.digest], s.newDefinitions[p.digest] = p.def.Settings, p.def.Settings
	}
	if p.unit == p.def.Unit {
		return
	}
	// It is a scope that was a service, or the other way round.
	if p.failed {
		p.failed = false
		s.reset(p, p.unit, func() {}) // the call of p is another one
	}
	delete(s.byUnit, p.unit)
	p.unit = p.def.Unit
	s.byUnit[p.unit] = p
}

// sweep forgets the programs that the project no longer has and that have come to rest.
func (s *Supervisor) sweep() {
	before := len(s.programs)
	s.programs = slices.DeleteFunc(s.programs, func(p *program) bool {
		if !p.dropping || p.state.Phase.Up() || len(p.companions) > 0 || p.wish != noWish || p.calling {
			return false
		}
		name := p.def.Name
		p.attempt++ // answers that are still to come mean nothing
		s.dropActions(p)
		delete(s.byName, name)
		delete(s.byUnit, p.unit)
		delete(s.history, name)
		delete(s.ends, name)
		s.touched = slices.DeleteFunc(s.touched, func(t *program) bool { return t == p })
		s.dropped = append(s.dropped, name)
		if s.cfg.Dropped != nil {
			s.then(func() { s.cfg.Dropped(name) })
		}
		return true
	})
	if len(s.programs) < before {
		s.useNeeds()
	}
}

// nonconforming reports whether the unit of p has other limits than the definition in force.
func (p *program) nonconforming() bool {
	return p.applied != p.live && p.invocation != "" && !p.over() &&
		(p.state.Phase == policy.Running || p.state.Phase == policy.Starting)
}

// conform gives the unit of p the limits of the definition in force. One call is on its way
// at a time, so that the last definition holds.
func (s *Supervisor) conform(p *program) {
	if !p.nonconforming() || p.refused == p.live || p.conforming || p.calling || !s.ready {
		return
	}
	p.conforming = true
	unknown := p.has == nil && p.pinned()
	bus, unit, live, attempt := s.cfg.Bus, p.unit, p.live, p.attempt
	all := LiveProperties(p.def, bus.DefaultTasksMax())
	// Each property costs systemd a file.
	props := slices.DeleteFunc(slices.Clone(all), func(want Property) bool { return slices.Contains(p.has, want) })
	p.has = nil
	s.do(func(ctx context.Context) func() {
		var err error
		if unknown {
			props, err = differing(ctx, bus, unit, props)
		}
		if err == nil && (len(props) > 0 || !unknown) {
			err = bus.SetProperties(ctx, unit, props)
		}
		return func() {
			p.conforming = false
			switch {
			case attempt != p.attempt: // of an earlier run
			case err == nil:
				p.applied, p.has = live, all
				s.touch(p)
			case errors.Is(err, ErrDisconnected) || errors.Is(err, ErrNoSuchUnit):
				return // what is told next of the unit says how to go on
			default:
				p.refused = live
				s.note(p, "cannot change the limits of %s: %v", p.unit, err)
			}
			s.conform(p)
		}
	})
}

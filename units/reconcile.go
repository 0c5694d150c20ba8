package units

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"msup/policy"
)

// This file compares what the supervisor believes with what systemd has, after the
// connection came (again): gone means that somebody stopped it, failed means what its Result
// says, active means adopt, and active (exited) that it has ended well.

// list looks at all units, after the connection came.
func (s *Supervisor) list() {
	names := make([]string, len(s.programs))
	for i, p := range s.programs {
		names[i] = p.unit
	}
	names = append(names, actionPattern(s.cfg.Project.Name))
	names = append(names, companionPatterns(s.cfg.Project.Name)...)
	bus := s.cfg.Bus
	s.do(func(ctx context.Context) func() {
		list, err := bus.List(ctx, names...)
		return func() { s.onList(list, err) }
	})
}

// onList compares what the supervisor believes with what systemd has.
func (s *Supervisor) onList(list []Facts, err error) {
	if !s.connected {
		return // the next Connected lists again
	}
	if err != nil {
		if !errors.Is(err, ErrDisconnected) {
			s.over = fmt.Errorf("cannot list units: %w", err)
		}
		return
	}
	s.ready = true
	s.respectStops(list)
	s.makeCompanions()
	found := map[string]Facts{}
	for _, f := range list {
		f.Commands = append([]CommandStatus{}, f.Commands...) // they are known
		found[f.Unit] = f
	}
	for _, p := range s.programs {
		s.findSockets(p, found)
		f, ok := found[p.unit]
		s.reconcile(p, f, ok)
	}
	s.reconcileActions(list)
	s.begin()
	s.removeLeftovers(list)
	s.observeTimers(list)
}

// reconcile compares what is believed of p with its unit.
func (s *Supervisor) reconcile(p *program, f Facts, loaded bool) {
	f = f.ofThisRun()
	known := f.InvocationID != "" && (f.InvocationID == p.invocation || f.InvocationID == p.ended)
	if loaded && !known {
		if why := Foreign(f, s.cfg.Project.Name); why != "" {
			if p.def.Autostart || p.state.Phase.Up() {
				p.state.Phase = policy.Starting
				s.end(p, policy.Exit{Cause: policy.CauseStart, Reason: why, Final: true})
			}
			return
		}
	}
	if !loaded || f.ActiveState == "failed" {
		// If not failed, the facts may be older than the signal that told so.
		p.failed = loaded
	}
	fresh := loaded && f.InvocationID != "" && f.InvocationID != p.ended
	now := listed{f, loaded, fresh, fresh && f.ActiveState != "inactive" && f.ActiveState != "failed"}
	switch {
	case p.state.Phase == policy.Starting && !p.state.IsActive():
		s.reconcileStart(p, now)
	case p.state.Phase.Up():
		s.reconcileRun(p, now)
	default:
		s.reconcileRest(p, now)
	}
}

// listed is a unit as a list has it.
type listed struct {
	Facts
	loaded  bool
	fresh   bool // of a run that is not known to be over
	running bool // … and is not
}

// reconcileStart looks whether what p was started by is there, and starts it again if not.
func (s *Supervisor) reconcileStart(p *program, f listed) {
	switch {
	case f.fresh:
		s.observe(p, f.Facts)
		if p.scoped() && f.running && !p.calling {
			s.adopt(p)
		}
	case f.JobID == 0 && p.wish == noWish && !p.calling:
		if c := p.scope.child; c != nil {
			p.scope = scopeRun{}
			p.attempt++
			c.Abort()
		}
		s.want(p, wishStart) // it was lost on the way
	}
}

// reconcileRun looks what has become of the run of p, or of its stop.
func (s *Supervisor) reconcileRun(p *program, f listed) {
	switch {
	case !f.loaded, f.JobID == 0 && (f.ActiveState == "inactive" || f.ActiveState == "failed" && f.InvocationID == p.ended):
		s.onMissing(p) // of a failed one, the run before is still loaded
	case f.fresh:
		if f.ActiveState == "failed" && f.InvocationID != p.invocation {
			// Another run took the place of the one we knew, and is over too.
			p.invocation, p.pid, p.started, p.sent = f.InvocationID, 0, f.MainStart, nil
		}
		s.observe(p, f.Facts)
		if p.scoped() && f.running {
			s.adopt(p)
			if p.scope.exited && f.JobID == 0 {
				s.stopLeftovers(p)
			}
		}
		if (p.state.Phase == policy.Stopping || p.exit != nil) && f.running && f.JobID == 0 && p.wish == noWish && !p.calling {
			s.want(p, wishStop)
		}
	}
}

// reconcileRest looks whether p, of which no run is known, runs.
func (s *Supervisor) reconcileRest(p *program, f listed) {
	switch {
	case f.loaded && f.SubState == "exited" && f.InvocationID == p.ended && p.pinned():
		p.pin.lingers = true
		s.touch(p)
	case f.running && p.pinned() && (s.begun || s.knew(p)): // a connection has started it
		s.observe(p, f.Facts)
	case f.running:
		// It runs although nobody here has started it.
		p.invocation, p.pid, p.digest = f.InvocationID, f.MainPID, ""
		s.step(p, policy.Started{Adopted: true, Random: rand.Float64(), Unready: p.def.Ready.Kind.Notifies() && unready(f.Facts)})
		if !f.ActiveEnter.IsZero() {
			p.state.Since, p.state.Active = f.ActiveEnter, f.ActiveEnter
			p.state = p.def.Rules.Bound(p.state, time.Now())
		}
		s.observe(p, f.Facts)
	case f.fresh:
		p.ended = f.InvocationID
		s.touch(p)
	}
}

// onMissing closes the run of a unit that systemd no longer has.
func (s *Supervisor) onMissing(p *program) {
	if p.wish != noWish || p.calling {
		return
	}
	switch {
	case p.scoped():
		s.scopeGone(p, "success")
	case p.exit != nil:
		s.end(p, *p.exit)
	case p.state.Phase == policy.Stopping && p.invocation == "":
		s.end(p, policy.Exit{Cause: policy.CauseUnknown, Reason: "was not running"})
	default:
		p.result = "success"
		s.step(p, policy.StopSeen{})
		s.end(p, goneExit())
	}
}

// Statuses are the programs of a project as they were written down last, without a word of
// systemd's.
func (s *Saved) Statuses(project Project) []Status {
	out := make([]Status, len(project.Programs))
	for i, def := range project.Programs {
		old := s.Programs[def.Name]
		out[i] = Status{Name: def.Name, Unit: cmp.Or(old.Unit, def.Unit), State: old.State, Removed: def.Removed, Actions: old.Actions, Program: def, Digest: def.Digest}
		out[i].Leaving = old.Dropping
		if old.State.Phase.Up() && old.State.Phase != policy.Stopping && old.Digest != "" {
			out[i].Digest, out[i].Started = def.digestNow(old.Digest), s.Definitions[old.Digest]
			out[i].Changed = out[i].Digest != def.Digest
		}
	}
	return out
}

// Unsupervised is the status of a program when no supervisor runs, from what one has left
// behind and what systemd says. old is the saved state, if there was one; f the facts of
// [Bus.Read], if the unit is loaded.
func Unsupervised(def Program, project string, old SavedProgram, known bool, f Facts, loaded bool) Status {
	st := Status{Name: def.Name, Unit: def.Unit, State: old.State, Result: old.Result, Removed: def.Removed, Actions: old.Actions}
	if !known {
		st.State = policy.State{Phase: policy.Stopped, Reason: "not running"}
	} else if old.State.Phase == policy.Starting && !def.Rules.WaitsForReady(old.State) {
		st.State, _ = policy.Step(def.Rules, old.State, policy.DeadlineReached{}, time.Now()) // by now it has started
	}
	loaded = loaded && f.LoadState != "not-found"
	if loaded {
		if why := Foreign(f, project); why != "" {
			st.State = policy.State{Phase: policy.Stopped, Reason: why}
			return st
		}
	}
	same := known && f.InvocationID == old.Invocation
	unseen := func() {
		e := exitOf(f, Memory{Limit: def.Limits.MemoryMax})
		if old.State.Phase != policy.Stopping && !stopped(f, def.StopTimeout) {
			e = overtime(def, e)
		}
		e, _ = hookFailure(def, f, e)
		e = told(def, f, e)
		st.Result = f.Result
		st.Unseen = unseenEnd(def, old, f, e)
		st.State = policy.State{Phase: policy.Failed, Reason: e.Reason + "; no supervisor has seen it", Last: &e}
		if def.Rules.EndedWell(e) {
			st.State.Phase = policy.Exited
		}
	}
	switch {
	case loaded && f.SubState == "exited" && def.Type == Service && known && f.InvocationID == old.Ended: // seen, and kept loaded by its sockets
	case loaded && f.SubState == "exited" && def.Type == Service:
		unseen()
	case loaded && f.ActiveState != "inactive" && f.ActiveState != "failed":
		st.PID, st.Invocation, st.Said = f.MainPID, f.InvocationID, said(f.StatusText)
		st.Changed = same && old.Digest != "" && def.digestNow(old.Digest) != def.Digest
		if def.Type == Scope && same {
			st.PID = old.PID
		}
		if !same || !old.State.Phase.Up() {
			st.State = policy.State{Phase: policy.Running, Since: f.ActiveEnter, Reason: "runs"}
		}
	case loaded && f.ActiveState == "failed" && f.InvocationID != old.Ended:
		unseen()
	case st.State.Phase.Up() && old.Exit != nil:
		st.State = policy.State{Phase: policy.Exited, Reason: old.Exit.Reason, Last: old.Exit}
		st.Unseen = unseenEnd(def, old, Facts{InvocationID: old.Invocation}, *old.Exit)
	case st.State.Phase == policy.Starting && old.Invocation == "":
		st.State.Reason += ", not started yet" // nobody has asked systemd yet
	case st.State.Phase.Up():
		st.State = policy.State{Phase: policy.Stopped, Reason: "stopped with systemctl: " + goneExit().Reason}
	}
	return st
}

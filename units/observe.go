package units

import (
	"errors"
	"fmt"
	"math/rand/v2"

	"msup/policy"
	"msup/probe"
)

// This file turns what systemd says into events of the policy. Signals of a run that
// ended still arrive after its successor was asked for, so every fact is keyed by its
// invocation ID, and a unit is judged only when it has no job.

func (s *Supervisor) onBus(ev BusEvent) {
	switch ev := ev.(type) {
	case UnitChanged:
		s.onChanged(ev.Facts)
	case UnitRemoved:
		s.onRemoved(ev.Unit)
	case JobRemoved:
		if p := s.byUnit[ev.Unit]; p != nil {
			s.onJobRemoved(p, ev)
		}
	case Connected:
		s.connected = true
		s.list()
	case Disconnected:
		if s.connected {
			s.note(nil, "lost the connection to systemd: %v; the programs run on", ev.Err)
		}
		s.connected, s.ready = false, false
	case Reloaded:
		// Every start sends the full definition again, so what systemd has read back from
		// its lossy text does not matter, but where sockets keep it loaded.
		s.recheckAllSockets()
	}
}

// onChanged takes a snapshot of a unit, whosever it is.
func (s *Supervisor) onChanged(f Facts) {
	if p := s.byUnit[f.Unit]; p != nil {
		s.observe(p, f)
		return
	}
	if facts := s.probes[f.Unit]; facts != nil {
		select {
		case facts <- f:
		default: // it says the same again and again
		}
		return
	}
	if a := s.actionOf(f.Unit); a != nil {
		s.observeAction(a, f)
		return
	}
	switch c := s.companionOf(f.Unit); {
	case c == nil:
	case c.times():
		s.observeTimer(c.of, f)
	case c.sockets() != nil:
		s.observeSockets(c, f)
	}
}

// onRemoved takes it that systemd has unloaded a unit. At a daemon-reexec it says so of every
// unit, so most are looked at.
func (s *Supervisor) onRemoved(unit string) {
	if p := s.byUnit[unit]; p != nil {
		// One that ended well is unloaded in the same breath as its last signals, which have
		// closed the run. If not, they were missed.
		if p.state.Phase.Up() && (p.invocation != "" || p.scope.exited) {
			s.look(p)
		}
		return
	}
	if a := s.actionOf(unit); a != nil {
		s.lookAtAction(a)
		return
	}
	switch c := s.companionOf(unit); {
	case c == nil:
	case c.times():
		s.timerGone(c)
	case c.sockets() != nil:
		c.made = false
		s.lookAtSockets(c)
	default:
		s.companionRemoved(c)
	}
}

// observe takes a snapshot of p's unit.
func (s *Supervisor) observe(p *program, f Facts) {
	if f.InvocationID == "" || f.InvocationID == p.ended {
		return // never started, or old news
	}
	f = f.ofThisRun()
	switch f.ActiveState {
	case "inactive", "failed":
		if f.JobID != 0 {
			return
		}
		if p.calling && p.invocation == "" && p.state.Phase == policy.Starting {
			p.lookAgain = true // of the run before, or of one that is shorter than the answer takes
			return
		}
		if p.state.Phase.Up() && (p.invocation == "" || p.invocation == f.InvocationID) {
			s.gone(p, f)
		}
	default:
		if !p.state.Phase.Up() && f.Slice == "" {
			// Nobody here has started it: see whether it is ours at all.
			s.look(p)
			return
		}
		if !p.state.Phase.Up() && p.pinned() && p.invocation != f.InvocationID && !s.activated(p) {
			return
		}
		s.alive(p, f)
		if f.SubState == "exited" {
			s.exited(p, f)
		}
	}
}

// alive takes a snapshot of a unit that is active or about to be, or not yet gone.
func (s *Supervisor) alive(p *program, f Facts) {
	if p.invocation != "" && p.invocation != f.InvocationID {
		// Another run took the place of the one we knew: systemctl restart.
		e := policy.Exit{Cause: policy.CauseUnknown, Reason: "replaced by another run of its unit"}
		if p.exit != nil {
			e = *p.exit
		}
		digest := p.digest
		s.end(p, e)
		// Whatever was wanted was meant for the other run; this one has its definition.
		p.wish, p.digest = noWish, digest
		if p.pinned() {
			s.replaced(p)
		}
	}
	if p.invocation != f.InvocationID {
		p.invocation = f.InvocationID
		s.touch(p)
	}
	if f.MainPID != 0 {
		if p.pid != f.MainPID {
			p.pid = f.MainPID
			s.touch(p)
		}
		if !f.MainStart.IsZero() && !p.started.Equal(f.MainStart) {
			p.started = f.MainStart
			s.touch(p)
		}
		s.watch(p)
	}
	p.said = f.StatusText
	switch {
	case p.def.Ready.Kind.Notifies() && unready(f):
		s.step(p, policy.Started{Random: rand.Float64(), Unready: true})
	case f.ActiveState == "active" && p.scoped() && p.state.Phase == policy.Starting && (p.calling || p.scope.child != nil):
		s.scopeActive(p)
	case f.ActiveState == "active" || f.ActiveState == "reloading":
		s.step(p, policy.Started{Random: rand.Float64()})
		if p.def.Ready.Kind.Notifies() {
			s.step(p, policy.Ready{At: f.ActiveEnter})
		} else if p.activated && p.def.Ready.Kind == probe.Log {
			s.step(p, policy.Ready{}) // nobody has looked for the line
		}
		s.conform(p)
	case f.ActiveState == "deactivating" && f.JobID == 0 && f.Result == "timeout":
		p.condemned = true
	case f.ActiveState == "deactivating" && f.JobID != 0 && f.Result == "success" && !p.scope.exited && p.exit == nil:
		// With another Result systemd ends it for a reason of its own, and the job may be
		// that of its start.
		p.stopSeen = p.stopSeen || p.state.Phase != policy.Stopping
		s.step(p, policy.StopSeen{})
	}
}

// exited takes a snapshot of a unit whose main process has ended well, by systemd's lights.
// systemd keeps such a unit (RemainAfterExit=), so that the end is known to whoever looks
// later too. Now it is written down, and the unit may go, with what the program left behind
// in it; the run is over when it is gone.
func (s *Supervisor) exited(p *program, f Facts) {
	if p.exit != nil || !p.state.Phase.Up() || f.ExecMainCode == 0 {
		return
	}
	e := exitOf(f, s.memory(p, f.Result))
	if p.pinned() && p.state.Phase != policy.Stopping {
		p.facts, p.pin.lingers = &f, true
		s.end(p, e)
		return
	}
	p.exit, p.facts = &e, &f
	s.touch(p)
	if p.state.Phase != policy.Stopping {
		s.want(p, wishStop)
	}
}

// watch tells of a main process, once.
func (s *Supervisor) watch(p *program) {
	if p.watched != p.pid && s.cfg.Watch != nil {
		p.watched = p.pid
		s.cfg.Watch(p.unit, p.pid)
	}
}

// gone takes a snapshot of a unit that ended.
func (s *Supervisor) gone(p *program, f Facts) {
	p.result = f.Result
	p.failed = f.ActiveState == "failed"
	p.invocation = f.InvocationID
	if p.scoped() {
		s.scopeGone(p, f.Result)
		return
	}
	if needsCommands(p.def, f) {
		s.look(p) // all of its properties are needed, and no signal has them
		return
	}
	if p.exit != nil {
		if _, note := hookFailure(p.def, f, *p.exit); note != "" {
			s.note(p, "%s", note)
		}
		s.end(p, *p.exit) // what its leftovers did since does not matter
		return
	}
	p.facts = &f
	e := exitOf(f, s.memory(p, f.Result))
	wasStopped := stopped(f, p.def.StopTimeout) && !p.condemned
	if !wasStopped && p.state.Phase != policy.Stopping {
		e = overtime(p.def, e)
	}
	if f.ExecMainCode == 0 && p.startJob != "" && p.startJob != "done" && e.Cause == policy.CauseUnknown {
		e.Cause, e.Reason = policy.CauseStart, fmt.Sprintf("its start job ended with %q", p.startJob)
	}
	e, note := hookFailure(p.def, f, e)
	if note != "" {
		s.note(p, "%s", note)
	}
	if !wasStopped && p.state.Phase != policy.Stopping {
		e = told(p.def, f, e)
	}
	switch {
	case wasStopped:
		s.step(p, policy.StopSeen{})
	case p.def.Ready.Kind.Notifies() && p.state.Phase == policy.Starting && !f.ActiveEnter.IsZero():
		// It was ready, and nobody was there to see that.
		s.step(p, policy.Started{Random: rand.Float64()})
		s.step(p, policy.Ready{At: f.ActiveEnter})
	case p.state.Phase != policy.Starting || p.state.IsActive():
	case !f.ActiveEnter.IsZero():
		// It was started, and nobody was there to see that.
		if p.def.Rules.StartPeriod > 0 {
			s.step(p, policy.Started{Random: rand.Float64()})
		}
	case f.Result == "timeout" && p.def.StartTimeout > 0 && e.Hook == "":
		e.Reason = fmt.Sprintf("not started within %s (start_timeout)", policy.Words(p.def.StartTimeout))
	}
	s.end(p, e)
}

// memory collects what is worth telling about an end for memory.
func (s *Supervisor) memory(p *program, result string) Memory {
	m := Memory{Limit: p.def.Limits.MemoryMax}
	if u := s.use(p); result == "oom-kill" {
		m.Peak = u.MemoryPeak
	}
	if result == "oom-kill" && s.cfg.Blame != nil {
		p.blame = s.cfg.Blame(p.unit)
		m.Blame = p.blame
		for _, sl := range Slices(s.cfg.Project) {
			if limit := sl.Limits.MemoryMax; limit != nil && *limit != Infinity && sl.Holds(p.def) {
				m.Above = sl.Unit
			}
		}
	}
	return m
}

// end closes the run under way.
func (s *Supervisor) end(p *program, e policy.Exit) {
	end, told := s.ending(p, e), len(s.fresh)
	if p.invocation != "" {
		p.ended = p.invocation
	}
	s.abortScope(p)
	p.underway = underway{}
	p.ready.status, p.alive.status = ProbeStatus{}, ProbeStatus{}
	s.touch(p)
	s.step(p, policy.Ended{Exit: e, Random: rand.Float64()})
	n := s.remember(end, s.fresh[told:])
	if s.cfg.Ended != nil {
		s.cfg.Ended(p.def.Name, n)
	}
}

func (s *Supervisor) onJobRemoved(p *program, j JobRemoved) {
	switch p.state.Phase {
	case policy.Starting:
		if p.pinned() && j.Result == "done" {
			return // it may have been the stop of what the run before has left behind
		}
		p.startJob = j.Result
		if j.Result != "done" {
			s.look(p)
		}
	case policy.Stopping:
		if p.invocation == "" {
			s.look(p) // the stop came before the start was seen
		}
	}
}

// onRead takes the answer to look.
func (s *Supervisor) onRead(p *program, attempt int, f Facts, err error) {
	f.Commands = append([]CommandStatus{}, f.Commands...) // they are known
	if attempt != p.attempt {
		return
	}
	if !p.state.Phase.Up() {
		if err == nil && f.LoadState != "not-found" && Foreign(f, s.cfg.Project.Name) == "" {
			s.observe(p, f)
		}
		return
	}
	if err != nil {
		if !errors.Is(err, ErrDisconnected) {
			s.note(p, "cannot read %s: %v", p.unit, err)
		}
		return
	}
	if f.JobID != 0 {
		return // its end is told by a signal
	}
	if f.LoadState != "not-found" {
		if why := Foreign(f, s.cfg.Project.Name); why != "" {
			s.end(p, policy.Exit{Cause: policy.CauseStart, Reason: why, Final: true})
			return
		}
	}
	switch {
	case f.InvocationID != "" && f.InvocationID != p.ended:
		s.observe(p, f)
	case f.ActiveState != "inactive" && f.ActiveState != "failed":
	case p.calling:
		p.lookAgain = true // what was asked may not be done yet
	case p.invocation != "" || p.scope.active():
		s.onMissing(p)
	case p.state.Phase == policy.Stopping:
		s.end(p, policy.Exit{Cause: policy.CauseUnknown, Reason: "was not running"})
	case p.startJob == stillLoaded:
		p.failed = f.ActiveState == "failed" // the next start has systemd forget it
		s.end(p, policy.Exit{Cause: policy.CauseStart, Reason: "systemd keeps the unit of its last run loaded: another unit refers to it " +
			"(After=, Requires= …), which msup cannot work with"})
	case p.orphaned():
		p.failed = f.ActiveState == "failed"
		s.startAgain(p)
	case p.startJob != "": // else the job's end is still to come
		s.end(p, policy.Exit{Cause: policy.CauseStart, Reason: fmt.Sprintf("its start job ended with %q", p.startJob)})
	}
}

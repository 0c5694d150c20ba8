package units

import (
	"context"
	"slices"
	"time"

	"msup/policy"
)

// The loop's part of programs with sockets. Two things are different with them. Their unit is
// not unloaded when it has ended, but stays "active (exited)", so that systemd does not start
// it for the next connection before its restart is due, and only a stop makes it wait for one.
// And systemd may start it all the same, because it was stopped, or systemd itself has ended
// it (a timeout, the watchdog, a kill for memory).

// pin is what the loop knows of a unit that sockets keep loaded.
type pin struct {
	// digest is that of the definition by which the sockets and the service were made, "" = there
	// are none.
	digest string
	// lingers: the run is over, and the unit still "active (exited)".
	lingers bool
	// stale: they are to be made anew when the program does not run.
	stale bool
}

// pinned reports whether sockets keep the unit of p loaded.
func (p *program) pinned() bool { return p.pin.digest != "" && !p.scoped() }

// onDemand reports whether a connection may start p. Armed alone does not tell: one that listens
// while it runs may be started by a schedule.
func (p *program) onDemand() bool { return p.def.Listen.OnDemand && p.state.Armed }

// listens reports whether the sockets of p shall be there. In FAILED and STOPPED they are not:
// who connects is refused.
func (p *program) listens() bool {
	if !p.def.Listens() || p.scoped() {
		return false
	}
	met := func() bool { worst, _ := p.await(); return worst == policy.Met }
	switch st := p.state; st.Phase {
	case policy.Starting:
		return !p.unasked() || met() // a connection would not wait for what it needs
	case policy.Running, policy.Backoff:
		return true
	case policy.Stopping:
		// Started again, it is to be by the definition in force. Who connects while it is on its way
		// down for good is refused.
		again := p.onDemand() || st.StartAgain || st.Ending != nil || p.stopSeen
		return again && p.pin.digest == p.def.Digest && !p.pin.stale && !p.dropping
	case policy.Stopped, policy.Exited:
		return p.onDemand() && met() || p.invocation != "" // of a run that systemd is starting
	}
	return false
}

// opening reports whether a connection is to start p, and systemd does not listen for that yet, or
// by an older definition.
func (p *program) opening() bool {
	return !p.state.Phase.Up() && p.onDemand() && p.listens() && p.pin.digest != p.def.Digest
}

func (s *Supervisor) socketsOf(p *program) *sockets {
	return &sockets{def: p.def, project: s.cfg.Project.Name, joints: p.joints, prepare: s.cfg.Prepare, attempt: p.attempt, output: s.cfg.Output, holder: s.cfg.Holder}
}

// sockets are those that the companion is, nil = it is something else.
func (c *companion) sockets() *sockets {
	l, _ := c.def.(*sockets)
	return l
}

// paired notes by which definition the sockets of a program are there.
func (s *Supervisor) paired(c *companion) {
	l := c.sockets()
	if l == nil {
		return
	}
	digest := c.of.pin.digest
	c.of.pin.stale = !l.made
	switch {
	case l.made:
		digest = l.def.Digest
	case !l.there:
		digest = ""
	}
	if digest != c.of.pin.digest {
		c.of.pin.digest = digest
		s.touch(c.of)
	}
}

// findSockets notes that the sockets of p are there although nobody wrote it down: an earlier
// supervisor was killed before it had the answer. By which definition they were made is seen
// when they are looked at.
func (s *Supervisor) findSockets(p *program, found map[string]Facts) {
	f, ok := found[p.def.SocketUnit()]
	if ok && p.pin.digest == "" && p.def.Listens() && !p.scoped() && f.ActiveState == "active" && Foreign(f, s.cfg.Project.Name) == "" {
		p.pin.digest = unknownPair
		s.touch(p)
	}
}

// unknownPair stands for the definition by which sockets were made that nobody has looked at.
const unknownPair = "?"

// recheckSockets has the sockets of p looked at before it is started.
func (s *Supervisor) recheckSockets(p *program) {
	for _, c := range p.companions {
		if c.sockets() != nil {
			c.made = false
		}
	}
}

// recheckAllSockets looks at all of them: what is to be started by systemd must be what the
// definition says.
func (s *Supervisor) recheckAllSockets() {
	for _, p := range s.programs {
		for _, c := range p.companions {
			if c.sockets() != nil && !c.leaving {
				c.made, c.old = false, c.asked
				s.make(c)
			}
		}
	}
}

// companionsLeave reports whether companions of p are being removed. What stops it waits for
// that, so that nothing starts it again; and what starts it, so that they are not taken for
// those that it then needs.
func (p *program) companionsLeave() bool {
	return slices.ContainsFunc(p.companions, func(c *companion) bool { return c.leaving && c.asked })
}

// unpin has the unit of a run that is over stopped, unless it is about to be started again:
// only then the sockets, if they are still there, wait for the next connection.
func (s *Supervisor) unpin(p *program) {
	if !p.pin.lingers || p.state.Phase.Up() || p.state.Phase == policy.Backoff || p.calling {
		return
	}
	if p.pin.stale {
		s.recheckSockets(p)
		for _, c := range p.companions {
			if c.sockets() != nil && !c.made {
				s.make(c)
			}
		}
	}
	s.want(p, wishStop)
}

// stopLingering stops a unit whose run is over. systemd may have started it again by now.
func stopLingering(ctx context.Context, bus Bus, unit string) error {
	f, err := bus.Read(ctx, unit)
	if err != nil || f.SubState != "exited" {
		return err
	}
	return bus.Stop(ctx, unit)
}

// activated takes it that systemd has started p, and reports whether that is so for good: who
// gave up or was stopped meanwhile is not to run.
func (s *Supervisor) activated(p *program) bool {
	if !p.onDemand() && p.state.Phase != policy.Backoff || p.state.Phase.GaveUp() || p.dropping || s.down {
		if p.wish == noWish && !p.calling {
			s.want(p, wishStop)
		}
		return false
	}
	p.attempt++
	p.startJob = ""
	s.step(p, policy.Activated{By: "a connection to " + p.def.Listen.String()})
	s.activatedBy(p)
	s.look(p) // it may be active by now: what was asked before this attempt is not listened to
	return true
}

// replaced takes it that systemd has started p again while it was being stopped, before the
// end of the run before was seen.
func (s *Supervisor) replaced(p *program) {
	if !p.state.Phase.Up() && (p.onDemand() || p.state.Phase == policy.Backoff) {
		s.step(p, policy.Activated{By: "a connection to " + p.def.Listen.String()})
	}
	s.activatedBy(p)
}

// activatedBy notes by which definition systemd has started p. Its limits are not known.
func (s *Supervisor) activatedBy(p *program) {
	p.wish, p.pin.lingers, p.activated = noWish, false, true
	p.digest, p.applied, p.has, p.refused = p.pin.digest, "", nil, ""
	if _, known := s.definitions[p.digest]; !known && p.digest == p.def.Digest {
		s.definitions[p.digest], s.newDefinitions[p.digest] = p.def.Settings, p.def.Settings
	}
	s.touch(p)
}

// lookAtSockets looks at the unit of sockets that systemd says it has unloaded.
func (s *Supervisor) lookAtSockets(c *companion) {
	s.read(c.def.Name(), func(f Facts, err error) {
		if err == nil && s.has(c) && !c.asked {
			s.observeSockets(c, f)
		}
	})
}

// observeSockets takes a snapshot of the unit of sockets. It ends when somebody stops it, or
// when systemd does, after too many starts in a short time by connections that nobody took.
func (s *Supervisor) observeSockets(c *companion, f Facts) {
	p := c.of
	gone := f.ActiveState == "failed" || f.ActiveState == "inactive"
	if !gone || f.JobID != 0 || c.asked || c.leaving || p.pin.digest == "" {
		return
	}
	c.made, p.pin.digest = false, ""
	s.touch(p)
	s.setBeside(c, false)
	ev := socketsEnded(f)
	if !p.onDemand() {
		s.note(p, "%s: nobody can connect until it is restarted", ev.Reason)
		return
	}
	s.step(p, ev)
}

// socketsEnded says what the end of the unit of sockets means.
func socketsEnded(f Facts) policy.Disarmed {
	switch {
	case f.ActiveState != "failed":
		return policy.Disarmed{Reason: "its sockets were stopped with systemctl"}
	case f.Result == "trigger-limit-hit":
		return policy.Disarmed{Reason: "connections have started it too often, and it took none (Result=trigger-limit-hit)", Failed: true}
	}
	return policy.Disarmed{Reason: "its sockets have failed: systemd says Result=" + f.Result, Failed: true}
}

// ofThisRun is f without times of earlier runs: a unit that stays loaded keeps them.
func (f Facts) ofThisRun() Facts {
	if f.ActiveEntered != 0 && f.ActiveEntered < f.InactiveExit {
		f.ActiveEnter, f.ActiveEntered = time.Time{}, 0
	}
	if f.ActiveExit < f.InactiveExit {
		f.ActiveExit = 0
	}
	return f
}

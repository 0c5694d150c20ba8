package units

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"msup/policy"
)

// The loop's part of companions: units beside those of programs, which must be as the
// configuration says before a program is started, or while it waits to be started by one of
// them. The loop does not wait for that; starts do.

// Companion is a unit that a project has beside those of its programs: a slice that some of
// them share, or what starts one.
type Companion interface {
	// Name is the name of the unit.
	Name() string
	// Ensure brings the unit to what the definition says, whatever is there. It may wait.
	Ensure(ctx context.Context, bus Bus) error
	// Holds reports whether a program may be started only when the unit is there.
	Holds(def Program) bool
}

// companion is one in the loop.
type companion struct {
	def Companion
	of  *program // whose it is; nil = it is the project's
	// leaving: it shall be there no longer.
	leaving bool
	asked   bool // it is being brought to what def says, or removed
	made    bool // it is so
	gone    bool // systemd has unloaded it since it was asked
	lost    bool // the answer was lost with the connection
	again   bool // which has come back before that was known
	// old: it was asked for something else than what is wanted now. Only when that is done it is
	// asked for this, so that this holds.
	old bool
}

// useSlices takes the definitions of slices of a project. What runs gets new limits at once.
func (s *Supervisor) useSlices(p Project) {
	before := s.shared
	s.shared = nil
	defs := []Companion{}
	for _, def := range Slices(p) {
		defs = append(defs, def)
	}
	for _, def := range append(defs, order{p.Name}) {
		c := &companion{}
		if i := slices.IndexFunc(before, func(b *companion) bool { return b.def.Name() == def.Name() }); i >= 0 {
			c = before[i]
		}
		c.def, c.old = def, c.asked
		s.shared = append(s.shared, c)
	}
	if s.ready && !s.down {
		s.makeShared()
	}
}

// makeCompanions looks at all companions, after the connection came.
func (s *Supervisor) makeCompanions() {
	if !s.down {
		s.makeShared()
	}
	for _, p := range s.programs {
		for _, c := range p.companions {
			c.made, c.lost, c.again = false, false, c.asked
			s.make(c)
		}
		s.accompany(p)
	}
}

// removeLeftovers removes units that start programs and that nothing wants: those of an earlier
// supervisor. list are the units that are there. It comes when it is known how the programs are.
func (s *Supervisor) removeLeftovers(list []Facts) {
	wanted := map[string]bool{}
	for _, p := range s.programs {
		s.accompany(p)
		for _, c := range p.companions {
			wanted[c.def.Name()] = true
		}
	}
	for _, f := range list {
		if !isCompanion(f.Unit) || wanted[f.Unit] || Foreign(f, s.cfg.Project.Name) != "" {
			continue
		}
		c := &companion{def: leftover(f.Unit), leaving: true}
		if i := slices.IndexFunc(s.programs, func(p *program) bool { return p.def.TimerUnit() == f.Unit || p.def.SocketUnit() == f.Unit }); i >= 0 {
			c.of = s.programs[i] // which may want it again
			c.of.companions = append(c.of.companions, c)
		} else {
			s.leftovers = append(s.leftovers, c)
		}
		s.make(c)
	}
}

// makeShared looks at the companions of the project: first at its own slice, because the start
// of any other unit has that come into being if it is not there.
func (s *Supervisor) makeShared() {
	for _, c := range s.shared {
		c.made, c.lost, c.again = false, false, c.asked
	}
	s.make(s.shared[0])
}

// accompany has the companions of p itself be those that its state calls for.
func (s *Supervisor) accompany(p *program) {
	wanted := s.wanted(p)
	for _, c := range p.companions {
		if !c.leaving && !slices.ContainsFunc(wanted, func(def Companion) bool { return def.Name() == c.def.Name() }) {
			c.leaving, c.made, c.old = true, false, c.asked
			s.make(c)
		}
	}
	for _, def := range wanted {
		i := slices.IndexFunc(p.companions, func(c *companion) bool { return c.def.Name() == def.Name() })
		switch {
		case i < 0:
			c := &companion{def: def, of: p}
			p.companions = append(p.companions, c)
			s.make(c)
		case p.companions[i].leaving:
			c := p.companions[i]
			c.def, c.leaving, c.made, c.old = def, false, false, c.asked
			s.make(c)
		}
	}
}

// reaccompany is accompany when the definition of p has changed.
func (s *Supervisor) reaccompany(p *program) {
	s.accompany(p)
	for _, def := range s.wanted(p) {
		for _, c := range p.companions {
			if c.def.Name() == def.Name() {
				c.def, c.made, c.old = def, false, c.asked
				s.make(c)
			}
		}
	}
}

// make has a companion brought to what it shall be.
func (s *Supervisor) make(c *companion) {
	if c.asked || c.lost || !s.ready {
		return
	}
	c.asked, c.gone, c.again, c.old = true, false, false, false
	s.setBeside(c, false)
	bus, def, leaving := s.cfg.Bus, c.def, c.leaving
	service, timeout := "", companionTimeout
	if c.of != nil && def.Name() == c.of.def.SocketUnit() && !c.of.state.Phase.Up() {
		service, timeout = c.of.unit, c.of.def.StopTime()+companionTimeout
	}
	s.do(func(ctx context.Context) func() {
		var err error
		if !leaving {
			err = def.Ensure(ctx, bus)
		} else if err = removeCompanion(ctx, bus, def.Name()); err == nil && service != "" {
			err = stopWithin(ctx, bus, service, timeout) // a connection has started it in the last moment
		}
		return func() { s.onCompanion(c, err) }
	})
}

// accompanied reports whether the companions are there without which p must not be started,
// and sees to it if not.
func (s *Supervisor) accompanied(p *program) bool {
	s.accompany(p)
	for _, list := range [][]*companion{s.shared, p.companions} { // the project's own slice is the first
		for _, c := range list {
			if c.holds(p) && !c.made {
				s.make(c)
				return false
			}
		}
	}
	return true
}

func (c *companion) holds(p *program) bool { return !c.leaving && c.def.Holds(p.def) }

// onCompanion takes the answer about a companion.
func (s *Supervisor) onCompanion(c *companion, err error) {
	c.asked = false
	switch {
	case !s.has(c):
		return
	case c.old && !errors.Is(err, ErrDisconnected):
		s.make(c)
		return
	case errors.Is(err, ErrDisconnected):
		c.lost = !c.again
		if c.again {
			s.make(c)
		}
		return // else it is asked again when the connection is back
	case c.leaving:
		s.forgetCompanion(c)
		if c.of != nil && c.def.Name() == c.of.def.SocketUnit() {
			c.of.pin.digest = ""
			c.of.attempt++ // what was read before means nothing
			s.touch(c.of)
		}
		if err != nil {
			s.note(c.of, "cannot stop %s: %v", c.def.Name(), err)
		}
		return
	case err == nil:
		c.made = !c.gone
		s.paired(c)
		l := c.sockets()
		s.setBeside(c, c.made && (l == nil || l.made))
		s.makeOthers(c)
		return
	}
	s.makeOthers(c)
	text := fmt.Sprintf("cannot make %s: %v", c.def.Name(), err)
	if errors.Is(err, ErrListen) {
		text = err.Error()
	}
	told := false
	for _, p := range s.programs {
		if p.wish == wishStart && c.holds(p) {
			told = c.of != nil
			p.wish = noWish
			s.end(p, policy.Exit{Cause: policy.CauseStart, Final: !errors.Is(err, ErrListen), Reason: text})
		}
	}
	switch {
	case told:
	case c.sockets() != nil && (c.of.state.Phase.Up() || c.of.state.Phase == policy.Backoff || !c.of.onDemand()):
		s.note(c.of, "%s", text)
	case c.of != nil:
		s.step(c.of, policy.Disarmed{Reason: text, Failed: true})
	default:
		s.note(nil, "%s", text)
	}
}

// makeOthers looks at the other companions of the project when its own slice was looked at.
func (s *Supervisor) makeOthers(own *companion) {
	for _, c := range s.shared {
		if own == s.shared[0] && !c.made && c != own && !s.down {
			s.make(c)
		}
	}
}

// has reports whether a companion is still one.
func (s *Supervisor) has(c *companion) bool {
	if c.of != nil {
		return slices.Contains(c.of.companions, c)
	}
	return slices.Contains(s.shared, c) || slices.Contains(s.leftovers, c)
}

func (s *Supervisor) forgetCompanion(c *companion) {
	is := func(b *companion) bool { return b == c }
	s.leftovers = slices.DeleteFunc(s.leftovers, is)
	if c.of != nil {
		c.of.companions = slices.DeleteFunc(c.of.companions, is)
	}
}

// companionOf finds the companion that is this unit; nil = none.
func (s *Supervisor) companionOf(unit string) *companion {
	for _, c := range s.shared {
		if c.def.Name() == unit {
			return c
		}
	}
	if !isCompanion(unit) {
		return nil
	}
	for _, p := range s.programs {
		for _, c := range p.companions {
			if c.def.Name() == unit {
				return c
			}
		}
	}
	return nil
}

// setBeside notes whether a companion of a program is there, and is not about to be touched by us.
func (s *Supervisor) setBeside(c *companion, is bool) {
	if c.of == nil || slices.Contains(c.of.beside, c.def.Name()) == is {
		return
	}
	if is {
		c.of.beside = append(slices.Clip(c.of.beside), c.def.Name())
	} else {
		c.of.beside = without(c.of.beside, c.def.Name())
	}
	s.touch(c.of)
}

func without(names []string, name string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == name })
}

// respectStops looks for timers and sockets that somebody has stopped while nobody was there to
// see it. That is respected as it is at any other time: what was there, and was not removed by us,
// is not made again. list are the units that are there.
func (s *Supervisor) respectStops(list []Facts) {
	for _, p := range s.programs {
		for _, name := range p.beside {
			i := slices.IndexFunc(list, func(f Facts) bool { return f.Unit == name })
			if i >= 0 && list[i].ActiveState != "inactive" && list[i].ActiveState != "failed" {
				continue
			}
			p.beside = without(p.beside, name)
			s.touch(p)
			f := Facts{Unit: name, ActiveState: "inactive"}
			if i >= 0 {
				f = list[i]
			}
			switch {
			case s.down || !p.state.Armed:
			case name == p.def.TimerUnit():
				s.step(p, timerEnded(f))
			case name == p.def.SocketUnit() && p.onDemand() && p.state.Phase != policy.Starting:
				s.step(p, socketsEnded(f)) // of one that is being started they are about to be made
			}
		}
	}
}

// companionRemoved notes that systemd has unloaded a companion: somebody has stopped it, a slice
// with all that was in it. It is made again for the next start.
func (s *Supervisor) companionRemoved(c *companion) { c.made, c.gone = false, true }

// companionsAsked reports whether something is being done about a companion.
func (s *Supervisor) companionsAsked() bool {
	asked := func(c *companion) bool { return c.asked }
	return slices.ContainsFunc(s.shared, asked) || slices.ContainsFunc(s.leftovers, asked) ||
		slices.ContainsFunc(s.programs, func(p *program) bool { return slices.ContainsFunc(p.companions, asked) })
}

// leftover is a companion of which nothing but the name is known.
type leftover string

func (l leftover) Name() string                      { return string(l) }
func (l leftover) Ensure(context.Context, Bus) error { return nil }
func (l leftover) Holds(Program) bool                { return false }

// companionTypes are the types of units that start programs. Of these a project has no others.
var companionTypes = []string{".timer", ".socket"}

// isCompanion reports whether a unit has a type that only companions have.
func isCompanion(unit string) bool {
	return slices.ContainsFunc(companionTypes, func(t string) bool { return strings.HasSuffix(unit, t) })
}

// companionPatterns match the units that start programs of a project, and perhaps others.
func companionPatterns(project string) []string {
	var out []string
	for _, t := range companionTypes {
		out = append(out, prefix(project)+"*"+t)
	}
	return out
}

// removeCompanion has systemd forget a unit.
func removeCompanion(ctx context.Context, bus Bus, unit string) error {
	if err := stopAndWait(ctx, bus, unit); err != nil {
		return err
	}
	list, err := bus.List(ctx, unit)
	if err == nil && len(list) > 0 && list[0].ActiveState == "failed" {
		err = bus.Reset(ctx, unit)
	}
	if errors.Is(err, ErrNoSuchUnit) {
		return nil
	}
	return err
}

// stopAndWait stops a unit and waits until that is done: as long as the stop is queued, a start
// fails.
func stopAndWait(ctx context.Context, bus Bus, unit string) error {
	return stopWithin(ctx, bus, unit, companionTimeout)
}

func stopWithin(ctx context.Context, bus Bus, unit string, timeout time.Duration) error {
	if err := bus.Stop(ctx, unit); errors.Is(err, ErrNoSuchUnit) {
		return nil
	} else if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	for {
		list, err := bus.List(ctx, unit)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(list, func(f Facts) bool { return f.JobID != 0 || f.ActiveState == "deactivating" }) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("cannot see %s stop: %w", unit, ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

const companionTimeout = 5 * time.Second

// wanted are the companions that p shall have of its own in its present state.
func (s *Supervisor) wanted(p *program) []Companion {
	var out []Companion
	if p.state.Armed && !p.def.Schedule.IsZero() {
		out = append(out, timer{p.def, s.cfg.Project.Name})
	}
	if p.listens() {
		out = append(out, s.socketsOf(p))
	}
	return out
}

// armed tells that p is armed, or no longer, though its phase did not change.
func (s *Supervisor) armed(p *program, ev policy.Event) {
	switch ev := ev.(type) {
	case policy.ArmRequested:
		s.note(p, "%s: waits for %s", ev.By, p.def.Rules.Awaits)
	case policy.StopRequested:
		s.note(p, "%s: no longer waits for %s", ev.By, p.def.Rules.Awaits)
	case policy.Disarmed:
		s.note(p, "%s", ev.Reason)
	}
}

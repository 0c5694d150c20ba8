package main

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"msup/control"
	"msup/policy"
	"msup/units"
)

// The verbs of supervisorctl that are about its configuration. supervisord has one in memory,
// as it was read last, beside the one that is active; here there are the file and what runs.

// groupChanges are the groups that the configuration would change, each with the programs of
// the plan that are in it.
type groupChanges struct {
	added, changed, removed []string
	programs                map[string][]units.ProgramPlan
}

// changesOf sorts a plan by supervisord's groups: those of what runs, and those of the
// configuration.
func changesOf(plan units.Plan, now, then units.Project) groupChanges {
	g := groupChanges{programs: map[string][]units.ProgramPlan{}}
	before, after := groupsIn(now), groupsIn(then)
	add := func(group string) {
		list := &g.changed
		switch {
		case !slices.Contains(before, group):
			list = &g.added
		case !slices.Contains(after, group):
			list = &g.removed
		}
		if !slices.Contains(*list, group) {
			*list = append(*list, group)
		}
	}
	for _, p := range plan.Programs {
		def := then.Program(p.Name)
		if def == nil || p.Effect == units.EffectRemove {
			def = now.Program(p.Name)
		}
		if def == nil {
			continue
		}
		group, _ := supervisordName(*def)
		add(group)
		g.programs[group] = append(g.programs[group], p)
	}
	for _, p := range plan.Groups {
		// The limits of a group are its own; it is a group of supervisord's if a program says so.
		if slices.Contains(before, p.Name) || slices.Contains(after, p.Name) {
			add(p.Name)
		}
	}
	for _, list := range [][]string{g.added, g.changed, g.removed} {
		slices.Sort(list)
	}
	return g
}

func groupsIn(project units.Project) []string {
	var groups []string
	for _, p := range project.Programs {
		if group, _ := supervisordName(p); !p.Removed {
			groups = append(groups, group)
		}
	}
	return groups
}

func (g groupChanges) all() []string { return slices.Concat(g.removed, g.changed, g.added) }

// lines is what reread prints.
func (g groupChanges) lines() []string {
	var lines []string
	for _, l := range []struct {
		groups []string
		what   string
	}{{g.added, "available"}, {g.changed, "changed"}, {g.removed, "disappeared"}} {
		for _, group := range l.groups {
			lines = append(lines, group+": "+l.what)
		}
	}
	slices.Sort(lines)
	if len(lines) == 0 {
		lines = append(lines, "No config updates to processes")
	}
	return lines
}

// rereadError is a configuration that cannot be used.
type rereadError struct{ error }

// readAgain asks the supervisor what the configuration would change: only it has the variables
// that a file of another format may be made with. then is what the project would be.
func (c *ctl) readAgain(ctx context.Context) (s *sight, plan units.Plan, then units.Project, changes groupChanges, err error) {
	for {
		if s, err = c.see(ctx); err != nil {
			return s, plan, then, changes, err
		}
		plan, err = s.client.Plan(ctx)
		if err == nil {
			then = planned(s.project, plan)
			if cfg, err := loadFile(s.project.File); err == nil {
				then = cfg.Project
			}
			return s, plan, then, changesOf(plan, s.project, then), nil
		}
		if wrong, ok := errors.AsType[*control.InvalidError](err); ok {
			return s, plan, then, changes, rereadError{wrong}
		}
		if err = c.awaitSupervisor(ctx, s.target, err); err != nil {
			return s, plan, then, changes, err
		}
	}
}

// planned is what a plan makes of a project, as far as the plan tells: what is new is known by its name.
func planned(now units.Project, plan units.Plan) units.Project {
	then := now
	then.Programs = slices.Clone(now.Programs)
	for _, p := range plan.Programs {
		i := slices.IndexFunc(then.Programs, func(have units.Program) bool { return have.Name == p.Name })
		switch {
		case p.Effect == units.EffectRemove && i >= 0:
			then.Programs = slices.Delete(then.Programs, i, i+1)
		case i < 0:
			base, _, instance := strings.Cut(p.Name, "@")
			if !instance {
				base = ""
			}
			then.Programs = append(then.Programs, units.Program{Name: p.Name, Base: base, Autostart: p.Starts})
		}
	}
	return then
}

// cannotReread reports whether err is one of the configuration, and says so if it is.
func (c *ctl) cannotReread(err error) bool {
	wrong, ok := errors.AsType[rereadError](err)
	if ok {
		c.fail(ctlFailed, "ERROR: CANT_REREAD: %s", oneLine(wrong.error))
	}
	return ok
}

func (c *ctl) reread(ctx context.Context, args []string) error {
	if !c.noCtlArgs("reread", args) {
		return nil
	}
	_, _, _, changes, err := c.readAgain(ctx)
	if c.cannotReread(err) || err != nil {
		return unlessReread(err)
	}
	for _, line := range changes.lines() {
		c.say("%s", line)
	}
	return nil
}

// unlessReread is err, unless that has been said.
func unlessReread(err error) error {
	if _, ok := errors.AsType[rereadError](err); ok {
		return nil
	}
	return err
}

func (c *ctl) avail(ctx context.Context, args []string) error {
	if !c.noCtlArgs("avail", args) {
		return nil
	}
	s, _, then, _, err := c.readAgain(ctx)
	if c.cannotReread(err) || err != nil {
		return unlessReread(err)
	}
	active := groupsIn(s.project)
	all := processesOf(then, nil)
	slices.SortStableFunc(all, func(a, b process) int { return strings.Compare(a.name, b.name) })
	for _, p := range all {
		c.say("%s", availLine(p, slices.Contains(active, p.group)))
	}
	return nil
}

func (c *ctl) update(ctx context.Context, args []string) error {
	s, plan, _, changes, err := c.readAgain(ctx)
	if c.cannotReread(err) || err != nil {
		return unlessReread(err)
	}
	groups := args
	if slices.Contains(args, "all") {
		groups = nil
	}
	known := slices.Concat(groupsIn(s.project), changes.added)
	for _, g := range groups {
		if !slices.Contains(known, g) {
			c.fail(ctlFailed, "ERROR: no such group: %s", g)
		}
	}
	if len(groups) > 0 {
		if !slices.ContainsFunc(groups, func(g string) bool { return slices.Contains(changes.all(), g) }) {
			return nil
		}
		if c.changesOthers(changes, groups, "update all") {
			return nil
		}
	}
	return c.apply(ctx, s, plan, changes)
}

// but are the groups that change and are none of these.
func (g groupChanges) but(groups []string) []string {
	return slices.DeleteFunc(g.all(), func(name string) bool { return slices.Contains(groups, name) })
}

// apply carries out a plan and says it in the words of update. It waits for what is stopped,
// not for what is started.
func (c *ctl) apply(ctx context.Context, s *sight, plan units.Plan, changes groupChanges) error {
	for try := 0; !plan.Empty(); try++ {
		err := c.carryOut(ctx, s.target, plan)
		if err == nil {
			break
		}
		if !errors.Is(err, control.ErrOtherPlan) || try == reloadTries {
			if err := c.awaitSupervisor(ctx, s.target, err); err != nil {
				return err
			}
		}
		// A program has changed its state since, or a supervisor died that may have done it.
		var rest groupChanges
		if s, plan, _, rest, err = c.readAgain(ctx); err != nil {
			return err
		}
		if others := rest.but(changes.all()); len(others) > 0 {
			return errors.New("the configuration has changed meanwhile: " + listed(others))
		}
	}
	for _, g := range changes.removed {
		c.say("%s: stopped", g)
		c.say("%s: removed process group", g)
	}
	for _, g := range changes.changed {
		if slices.ContainsFunc(changes.programs[g], func(p units.ProgramPlan) bool { return p.Stops }) {
			c.say("%s: stopped", g)
		}
		c.say("%s: updated process group", g)
	}
	for _, g := range changes.added {
		c.say("%s: added process group", g)
	}
	return nil
}

// applyOne carries out a plan that is about one group only, which has then been added or removed.
func (c *ctl) applyOne(ctx context.Context, s *sight, plan units.Plan, changes groupChanges, group, done string) error {
	if c.changesOthers(changes, []string{group}, "update") {
		return nil
	}
	if err := c.applyQuietly(ctx, s, plan, changes); err != nil {
		return err
	}
	c.say("%s: %s process group", group, done)
	return nil
}

func (c *ctl) applyQuietly(ctx context.Context, s *sight, plan units.Plan, changes groupChanges) error {
	quiet := *c
	quiet.out = io.Discard
	return quiet.apply(ctx, s, plan, changes)
}

// changesOthers reports whether the configuration changes other groups than these, and refuses
// that if it does: a configuration is applied as a whole, which verb does.
func (c *ctl) changesOthers(changes groupChanges, groups []string, verb string) bool {
	others := changes.but(groups)
	if len(others) > 0 {
		c.fail(ctlFailed, "ERROR: the configuration is applied as a whole, and changes %s too: %s does that", listed(others), verb)
	}
	return len(others) > 0
}

func (c *ctl) carryOut(ctx context.Context, t *target, plan units.Plan) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	v, _, err := t.view(ctx)
	if err != nil {
		return err
	}
	applied, err := t.client.Reload(ctx, plan.ID, "reloaded by msup ctl")
	if err != nil {
		return err
	}
	v.reset(applied.Snapshot)
	stopping := slices.DeleteFunc(stops(plan), v.hasStopped)
	for len(stopping) > 0 {
		r, ok := <-v.records
		if !ok {
			// It is decided and written down: another supervisor finishes it.
			return ctx.Err()
		}
		v.apply(r)
		stopping = slices.DeleteFunc(stopping, v.hasStopped)
	}
	return nil
}

func (c *ctl) add(ctx context.Context, args []string) error {
	for _, name := range args {
		s, plan, _, changes, err := c.readAgain(ctx)
		if c.cannotReread(err) || err != nil {
			return unlessReread(err)
		}
		switch {
		case slices.Contains(groupsIn(s.project), name):
			c.say("ERROR: process group already active")
		case !slices.Contains(changes.added, name):
			c.fail(ctlFailed, "ERROR: no such process/group: %s", name)
		default:
			if err := c.applyOne(ctx, s, plan, changes, name, "added"); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *ctl) remove(ctx context.Context, args []string) error {
	for _, name := range args {
		s, plan, _, changes, err := c.readAgain(ctx)
		if c.cannotReread(err) || err != nil {
			return unlessReread(err)
		}
		members := parseWanted(name + ":*").of(s.processes)
		switch {
		case len(members) == 0:
			c.fail(ctlFailed, "ERROR: no such process/group: %s", name)
		case slices.ContainsFunc(members, func(p process) bool {
			return isUpOrTried(p.status.State) || p.status.State.Phase == policy.Stopping
		}):
			c.fail(ctlFailed, "ERROR: process/group still running: %s", name)
		case !slices.Contains(changes.removed, name):
			c.fail(ctlFailed, "ERROR: the configuration still has %s: take it out, then remove or update does the rest", name)
		default:
			if err := c.applyOne(ctx, s, plan, changes, name, "removed"); err != nil {
				return err
			}
		}
	}
	return nil
}

// reload is what a supervisord that is restarted does to programs: what starts by itself is
// started anew by the configuration as it is now, all else is stopped. A configuration with
// mistakes changes nothing.
func (c *ctl) reload(ctx context.Context, args []string) error {
	if !c.noCtlArgs("reload", args) || !c.really("Really restart the remote supervisord process") {
		return nil
	}
	s, plan, _, changes, err := c.readAgain(ctx)
	if c.cannotReread(err) || err != nil {
		return unlessReread(err)
	}
	if err := c.applyQuietly(ctx, s, plan, changes); err != nil {
		return err
	}
	if s, err = c.see(ctx); err != nil {
		return err
	}
	var again, off []string
	for _, p := range s.processes {
		if p.program.Autostart {
			again = append(again, p.program.Name)
		} else {
			off = append(off, p.program.Name)
		}
	}
	anything := func(*view, string) bool { return true } // it is not waited for
	if _, err := c.request(ctx, s.target, units.Stop, off, anything); err != nil {
		return err
	}
	if _, err := c.request(ctx, s.target, units.Restart, again, anything); err != nil {
		return err
	}
	c.say("Restarted supervisord")
	return nil
}

func (c *ctl) shutdown(ctx context.Context, args []string) error {
	if !c.noCtlArgs("shutdown", args) || !c.really("Really shut the remote supervisord process down") {
		return nil
	}
	t, err := c.app.target()
	if err != nil {
		return err
	}
	if !t.running {
		c.fail(ctlFailed, "ERROR: %s (already shut down?)", &notUpError{t.socket()})
		return nil
	}
	quiet := *c.app
	quiet.stdout = io.Discard
	if err := quiet.down(ctx, false); err != nil {
		return err
	}
	c.say("Shut down")
	return nil
}
